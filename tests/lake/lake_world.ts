/** A stack with a lake, what was sent to it, and DuckDB to compare rows with what was sent. */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import postgres, { type Sql } from "postgres";
import { type Stack, startStack } from "../../supabase/local/stack.ts";
import { call, sha256, type TestUser, until, uploadForm } from "../support/client.ts";
import { literal, multisetDifference, openDuckdb } from "../support/duckdb.ts";

/** A file that was sent, with what the lake adds to its rows. */
export interface Sent {
  path: string;
  dataset: string;
  table: string;
  period: string;
}

export interface LakeWorld extends AsyncDisposable {
  stack: Stack;
  sql: Sql;
  duckdb: DuckDBConnection;
  folder: string;
  sent: Sent[];
  /** Sends the rows of a query. @param options further ones of `copy` */
  send(
    user: TestUser,
    file: Omit<Sent, "path">,
    query: string,
    options?: string,
  ): Promise<void>;
  /** Merges what was sent of datasets, and publishes. @returns the lake's newest snapshot */
  settle(user: TestUser, ...datasets: string[]): Promise<number>;
  publish(): Promise<number>;
  vacuum(): Promise<void>;
  /** A relation of what was sent, as the lake has to show it. */
  expected(table: string, those: readonly Sent[], names?: [string, string]): string;
  isEqual(left: string, right: string, why?: string): Promise<void>;
}

/** @param env of the functions */
export async function openLakeWorld(env: Record<string, string> = {}): Promise<LakeWorld> {
  await using opened = new AsyncDisposableStack();
  const stack = opened.use(
    await startStack({ tickSeconds: 0.5, cronSeconds: { sediment_lake: 3600 }, env }),
  );
  const sql = postgres(stack.dbUrl, { max: 2, onnotice: () => {} });
  opened.defer(() => sql.end());
  const folder = await Deno.makeTempDir({ prefix: "sediment-lake-" });
  opened.defer(() => Deno.remove(folder, { recursive: true }));
  const duckdb = await openDuckdb(1);
  const sent: Sent[] = [];
  const all = opened.move();

  async function publish() {
    for (;;) {
      const [{ answer }] = await sql`select sediment.publish_lake() as answer`;
      if (!answer.more) break;
    }
    const [{ id }] = await sql`select max(id)::int as id from lake_snapshots`;
    return Number(id);
  }
  return {
    ...{ stack, sql, duckdb, folder, sent, publish },
    async send(user, { dataset, table, period }, query, options = "") {
      const path = join(folder, `${sent.length}.parquet`);
      await duckdb.run(`copy (${query}) to ${literal(path)} (format parquet${options})`);
      const bytes = await Deno.readFile(path);
      const { status, body } = await call(stack, "POST", "/battle-data/upload", {
        headers: user.headers,
        body: uploadForm(
          { dataset_id: dataset, table, kc_period_tag: period, content_hash: sha256(bytes) },
          bytes,
        ),
      });
      assert.equal(status, 200, JSON.stringify(body));
      sent.push({ path, dataset, table, period });
    },
    async settle(user, ...datasets) {
      for (const datasetId of datasets) {
        await call(stack, "POST", "/compaction", {
          headers: user.headers,
          json: { datasetId, priority: "manual" },
        });
      }
      await until("all is merged", 60, async () => {
        const [{ count }] = await sql`select count(*)::int from battle_files
          where dataset_id = any (${datasets}) and removed_version is null and lake_version is null`;
        return count === 0;
      });
      return await publish();
    },
    async vacuum() {
      const { status, body } = await call(stack, "POST", "/compactor/vacuum", {
        headers: { apikey: stack.secretKey },
      });
      assert.equal(status, 200, JSON.stringify(body));
    },
    expected: (table, those, names = ["dataset_id", "period_tag"]) =>
      `(${
        those.filter((file) => file.table === table).map((file) =>
          `select ${literal(file.dataset)} as "${names[0]}", ${literal(file.period)} as "${
            names[1]
          }", * from read_parquet(${literal(file.path)})`
        ).join(" union all by name ")
      })`,
    async isEqual(left, right, why) {
      const difference = await multisetDifference(duckdb, left, right);
      assert.deepEqual(difference, { onlyLeft: 0, onlyRight: 0 }, why);
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
