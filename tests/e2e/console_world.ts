/** What the console's tests look at. */
import { strict as assert } from "node:assert";
import type { Sql } from "postgres";
import { call, type StackAddress, type TestUser, until, uploadForm } from "../support/client.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

/** Uploads a file of three numbers from `n` on, of 2024-11-25. */
export async function uploadNumbers(
  stack: StackAddress,
  user: TestUser,
  dataset: string,
  table: string,
  n: number,
  bytes: Uint8Array<ArrayBuffer> = tinyParquet([n, n + 1, n + 2]),
) {
  const { status, body } = await call(stack, "POST", "/battle-data/upload", {
    headers: user.headers,
    body: uploadForm({ dataset_id: dataset, table, period_tag: "2024-11-25" }, bytes),
  });
  assert.equal(status, 200, JSON.stringify(body));
}

/** Gives the run of the one partition that is due up, as a worker whose disk is full would. Workers are let in again. */
export async function giveUpOne(sql: Sql, table: string, why: string): Promise<void> {
  await until("the partition is due", 30, async () => {
    const [row] =
      await sql`select ready_at <= now() as due from partitions where "table" = ${table}`;
    return row.due === true;
  });
  await sql`update service_settings set max_workers = 4`;
  const [{ claim }] = await sql`select claim_compaction('a worker without a disk') as claim`;
  assert.equal(claim.claimed, true, JSON.stringify(claim));
  await sql`select fail_compaction(${claim.run_id}, ${claim.token}, 'internal', ${why}, 'merge', true)`;
}
