/** What uploads take in the database, table by table, before anything is merged or forgotten. */
import postgres, { type Sql } from "postgres";
import { startStack } from "../../../supabase/local/stack.ts";
import { signUp } from "../../support/client.ts";
import { makeFragments } from "../../support/fragments.ts";
import { liftLimits } from "../lift_limits.ts";
import { upload } from "./upload.ts";

/** Bytes an upload: `all`, and of each table that has any its rows (`heap`) and each of its indexes. */
export type BytesOf = { all: number } & Record<string, number>;

/** Uploads of one table, each of a dataset of its own; and of twelve, four to a dataset. */
export interface CatalogBytes {
  bytes_per_upload_1: BytesOf;
  bytes_per_upload_12: BytesOf;
}

const tables = 12, files = 4, rowsEach = 40;

/** See the module's head. @param datasets of each of the two kinds */
export async function catalogBytes(datasets: number): Promise<CatalogBytes> {
  const stack = await startStack({ cron: false });
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  const folder = await Deno.makeTempDir({ prefix: "sediment-bytes-" });
  try {
    await liftLimits(sql);
    const user = await signUp(stack, "bytes@example.com");
    const made = await makeFragments(folder, tables * files, rowsEach);
    const bodies = await Promise.all(made.map(({ path }) => Deno.readFile(path)));

    const one = () => upload(stack, user, crypto.randomUUID(), bodies.slice(0, 1), rowsEach);
    const twelve = async () => {
      const dataset = crypto.randomUUID();
      for (let n = 0; n < files; n++) {
        await upload(stack, user, dataset, bodies.slice(n * tables, (n + 1) * tables), rowsEach);
      }
    };
    const grown = async (load: () => Promise<void>, uploads: number) => {
      // as when it runs: what came before has left dead rows, whose places have been given back
      await inParallel(datasets, load);
      await sql`vacuum`;
      const before = await bytes(sql);
      await inParallel(datasets, load);
      return difference(before, await bytes(sql), uploads);
    };
    return {
      bytes_per_upload_1: await grown(one, datasets),
      bytes_per_upload_12: await grown(twelve, datasets * files),
    };
  } finally {
    await sql.end();
    await stack.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

function difference(before: Map<string, number>, after: Map<string, number>, uploads: number) {
  const each: BytesOf = { all: 0 };
  for (const [name, size] of after) {
    const more = size - (before.get(name) ?? 0);
    if (more === 0) continue;
    each[name] = Math.round(more / uploads);
    each.all += more / uploads;
  }
  each.all = Math.round(each.all);
  return each;
}

/** The catalog's tables and queues, largest first: `table` is its rows and what they keep outside, `table.index` an index. */
async function bytes(sql: Sql): Promise<Map<string, number>> {
  const rows = await sql`
    select x.name, x.bytes::float8 from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    cross join lateral (
      select c.relname as name, pg_table_size(c.oid) as bytes
      union all
      select c.relname || '.' || i.indexrelid::regclass::name, pg_relation_size(i.indexrelid)
      from pg_index i where i.indrelid = c.oid
    ) x
    where c.relkind = 'r' and n.nspname in ('public', 'pgmq', 'sediment') order by 2 desc, 1`;
  return new Map(rows.map(({ name, bytes }) => [name, bytes]));
}

async function inParallel(times: number, work: () => Promise<void>): Promise<void> {
  let left = times;
  await Promise.all(Array.from({ length: 8 }, async () => {
    while (left-- > 0) await work();
  }));
}
