/** A catalog of many users, in a PostgreSQL of its own: ten partitions and 54 files a dataset. */
import postgres, { type Sql } from "postgres";
import {
  type ScratchCluster,
  startScratchCluster,
  withClient,
} from "../../../supabase/local/postgres/scratch_cluster.ts";
import { superuser } from "../../../supabase/local/postgres/server.ts";
import { runSchemas } from "../../../supabase/migrate/run_files.ts";

export interface Catalog extends AsyncDisposable {
  /** As the role postgres, one connection. */
  sql: Sql;
  url: string;
}

/** How many datasets the two sizes have. */
export const datasetsOf = (size: string) => size === "full" ? 300_000 : 2_000;

/**
 * Fills a catalog, or finds it in the folder where it was kept.
 *
 * @param at folder that keeps it @default none: it goes when it is disposed of
 */
export async function openCatalog(
  datasets: number,
  at?: string,
  tell: (text: string) => void = () => {},
): Promise<Catalog> {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(
    await startScratchCluster({ at, settings: { shared_buffers: "1GB" } }),
  );
  const url = cluster.url("postgres", "postgres");
  if (!await isFilled(url, datasets)) await fill(cluster, url, datasets, tell);
  const sql = postgres(url, { max: 1, onnotice: () => {}, prepare: false });
  stack.defer(() => sql.end());
  const moved = stack.move();
  return { sql, url, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

/** Whether it has just as many datasets. @throws where it was being filled, or has others */
async function isFilled(url: string, datasets: number): Promise<boolean> {
  return await withClient(url, async (sql) => {
    const [{ there }] = await sql`select to_regnamespace('bench') is not null as there`;
    if (!there) return false;
    const [{ count }] = await sql`select count(*)::int as count from public.datasets
      where not exists (select 1 from bench.dropped_indexes)`;
    if (count === datasets) return true;
    throw new Error(`the catalog that is kept has ${count} datasets, not ${datasets}: remove it`);
  });
}

async function fill(
  cluster: ScratchCluster,
  url: string,
  datasets: number,
  tell: (text: string) => void,
): Promise<void> {
  await withClient(url, async (sql) => {
    await runSchemas(sql);
    await sql.unsafe(await Deno.readTextFile(new URL("./fill.sql", import.meta.url))).simple();
  });
  const begun = performance.now();
  const tellOf = (what: string) =>
    tell(`${Math.round((performance.now() - begun) / 1000)} s: ${what}`);
  // As the superuser, who may leave out the triggers: rows are made as the references and the counters would have them.
  const pool = Array.from(
    { length: 3 },
    () =>
      postgres(cluster.url(superuser, "postgres"), {
        max: 1,
        onnotice: () => {},
        connection: {
          session_replication_role: "replica",
          synchronous_commit: "off",
          maintenance_work_mem: "512MB",
        },
      }),
  );
  const sql = pool[0]!;
  /** Runs the statements, as many at a time as there are connections. */
  const runAll = async (statements: string[]) => {
    const queue = statements.values();
    await Promise.all(pool.map(async (one) => {
      for (const statement of queue) await one.unsafe(statement);
    }));
    if (statements.length > 0) tellOf(statements.at(-1)!);
  };
  try {
    if (datasets > 5_000) await sql`call bench.drop_indexes()`;
    const parts = Array.from({ length: Math.ceil(datasets / 2000) }, (_, n) => {
      return `${n * 2000 + 1}, ${Math.min(datasets, n * 2000 + 2000)}`;
    });
    await runAll(parts.map((part) => `call bench.fill(${part})`));
    for (let slice = 0; slice < 6; slice++) {
      await runAll(parts.map((part) => `call bench.fill_files(${part}, ${slice})`));
    }
    const dropped = await sql`select definition from bench.dropped_indexes`;
    await runAll(dropped.map(({ definition }) => definition));
    await sql`call bench.finish()`;
    await sql`vacuum (analyze)`;
    // last: it says that the catalog is whole
    await sql`delete from bench.dropped_indexes where true`;
    const [{ size }] =
      await sql`select pg_size_pretty(pg_database_size(current_database())) as size`;
    tellOf(`${datasets} datasets, ${size}`);
  } finally {
    await Promise.all(pool.map((one) => one.end()));
  }
}
