/** The demo's end: DuckDB attaches to the lake that this stack's catalog is, and reads all that was merged. */
import type { DuckDBConnection } from "@duckdb/node-api";
import postgres from "postgres";
import type { Stack } from "../../supabase/local/stack.ts";
import { openDuckdb, scalar } from "../support/duckdb.ts";
import { hasExtensions, loadExtensions } from "../support/duckdb_extensions.ts";

/** Of a table of the lake: what it is called there, and what its own two columns are. */
interface LakeTable {
  name: string;
  columns: [dataset: string, period: string];
}

/** So many tables may be in the lake at once; of a folder with more the others are left out. */
const mostTables = 200;

/** The lake of a stack of the demo's own. */
export class DemoLake {
  readonly #stack: Stack;
  readonly #password = crypto.randomUUID();
  readonly #tables: LakeTable[] = [];

  private constructor(stack: Stack) {
    this.#stack = stack;
  }

  /** Approves the tables, as an operator does before anything is merged, and lets the role log in that reads the lake. */
  static async open(stack: Stack, tables: Iterable<string>): Promise<DemoLake> {
    const lake = new DemoLake(stack);
    await lake.#run(async (sql) => {
      for (const name of [...tables].slice(0, mostTables)) {
        const [{ answer }] = await sql`select approve_lake_table(${name}) as answer`;
        lake.#tables.push({ name, columns: [answer.dataset_column, answer.period_column] });
      }
      await sql.unsafe(`alter role sediment_lake login password '${lake.#password}'`);
    });
    return lake;
  }

  /** What merges add to the columns that were sent, by table. */
  get added(): Map<string, string[]> {
    return new Map(this.#tables.map(({ name, columns }) => [name, columns]));
  }

  /** The statements to paste: all that DuckDB needs to read the tables. */
  get statements(): string[] {
    const { url, dbUrl, s3 } = this.#stack;
    const { hostname, port, pathname } = new URL(dbUrl);
    const [first] = this.#tables;
    return [
      `create secret store (type s3, key_id '${s3!.accessKeyId}', secret '${s3!.secretAccessKey}',
    region '${s3!.region}', endpoint '${
        new URL(url).host
      }/storage/v1/s3', url_style 'path', use_ssl false);`,
      `attach 'ducklake:postgres:host=${hostname} port=${port} dbname=${
        pathname.slice(1)
      } user=sediment_lake password=${this.#password}'
    as lake (read_only, metadata_schema 'lake', meta_schema 'lake');`,
      `select ${first!.columns.join(", ")}, count(*) from lake."${first!.name}" group by all;`,
    ];
  }

  /**
   * Publishes what is merged, attaches by those statements and counts all rows.
   *
   * @returns null where DuckDB has not its extensions, and can't load them
   */
  async count(): Promise<number | null> {
    await this.#run(async (sql) => {
      for (let more = true; more;) {
        [{ more }] = await sql`select (sediment.publish_lake() ->> 'more')::boolean as more`;
      }
    });
    const duckdb = await openDuckdb();
    try {
      if (!await canAttach(duckdb)) return null;
      for (const statement of this.statements) await duckdb.run(statement);
      let rows = 0;
      for (const { name } of this.#tables) {
        rows += await scalar(duckdb, `select count(*) from lake."${name}"`);
      }
      return rows;
    } finally {
      duckdb.closeSync();
    }
  }

  async #run(work: (sql: postgres.Sql) => Promise<void>): Promise<void> {
    const sql = postgres(this.#stack.dbUrl, { max: 1, onnotice: () => {} });
    try {
      await work(sql);
    } finally {
      await sql.end();
    }
  }
}

/** With the extensions that are on this machine, or else DuckDB's own download. */
async function canAttach(duckdb: DuckDBConnection): Promise<boolean> {
  const needed = ["httpfs", "postgres_scanner", "ducklake"] as const;
  if (await hasExtensions(...needed)) {
    await loadExtensions(duckdb, ...needed);
    return true;
  }
  try {
    for (const name of needed) await duckdb.run(`install ${name}; load ${name}`);
    return true;
  } catch {
    return false;
  }
}
