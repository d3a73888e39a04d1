/** The reader against the embedded stack: uploads, compaction, Storage's signed URLs, and DuckDB beside it. */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import * as arrow from "apache-arrow";
import { openDataset } from "../../shared/reader/open_dataset.ts";
import type { Where } from "../../shared/reader/where/where.ts";
import { startStack } from "../../supabase/local/stack.ts";
import { call, signUp, type TestUser, until, uploadForm } from "../support/client.ts";
import { literal, openDuckdb, readParquet } from "../support/duckdb.ts";
import { fragmentQuery } from "../support/fragments.ts";
import { thrownBy } from "../support/thrown_by.ts";
import { batchRows, duckRows } from "./support/exact_rows.ts";

Deno.test("a dataset of the stack reads as DuckDB reads what was sent", async (t) => {
  await using stack = await startStack({ tickSeconds: 0.5 });
  const folder = await Deno.makeTempDir({ prefix: "sediment-reader-" });
  const duckdb = await openDuckdb(1);
  try {
    const user = await signUp(stack, "reader@example.com");
    const datasetId = crypto.randomUUID();
    const sent: string[] = [];
    const send = async (sql: string, table = "battles", period_tag = "2024-11-25") => {
      const path = join(folder, `${sent.length}.parquet`);
      await duckdb.run(`copy (${sql}) to ${literal(path)} (format parquet)`);
      await upload(stack, user, { dataset_id: datasetId, table, period_tag }, path);
      sent.push(path);
    };
    for (let n = 0; n < 12; n++) {
      const columns = n % 3 === 2 ? "* exclude (l_mid, s_note)" : "*";
      const period = n < 6 ? "2024-11-25" : "2024-11-26";
      await send(
        `select ${columns} from (${fragmentQuery(n * 200, n * 200 + 200)})`,
        "battles",
        period,
      );
    }
    const open = (some = {}) =>
      openDataset({
        url: stack.url,
        key: stack.publishableKey,
        session: user.accessToken,
        datasetId,
        ...some,
      });
    const dataset = await open();
    const names = (await dataset.schema("battles")).fields.map(({ name }) => name);
    const quoted = (columns: readonly string[]) => columns.map((name) => `"${name}"`).join(", ");
    const theirs = async (paths: string[], columns: readonly string[], where = "true") =>
      (await duckRows(
        duckdb,
        `select ${quoted(columns)} from ${readParquet(paths)} where ${where}`,
      )).sort();

    await t.step("the tables have columns, rows, bytes and periods", async () => {
      const [battles, ...others] = await dataset.tables();
      assert.deepEqual(others, []);
      assert.equal(battles.table, "battles");
      assert.deepEqual([battles.files, battles.rows, battles.conflict], [12, 2400, null]);
      assert.deepEqual(
        battles.periods.map(({ period_tag, files, rows }) => [period_tag, files, rows]),
        [["2024-11-25", 6, 1200], ["2024-11-26", 6, 1200]],
      );
      assert.equal(
        battles.bytes,
        sent.reduce((sum, path) => sum + Deno.statSync(path).size, 0),
      );
      assert.deepEqual(battles.columns.map(({ name }) => name), names);
      assert.deepEqual(battles.columns[0], {
        name: "id",
        type: "INT64",
        logical: "INTEGER(64,SIGNED)",
        repetition: "optional",
      });
    });

    await t.step("every row is there, in the files' order, of uploads of two schemas", async () => {
      const scan = dataset.scan({ table: "battles" });
      const batches = await collect(scan);
      assert.deepEqual(
        batchRows(batches),
        await duckRows(duckdb, `select ${quoted(names)} from ${readParquet(sent)}`),
      );
      assert.equal(scan.report.rowsGiven, 2400);
      assert.equal(scan.report.files, 12);
    });

    await t.step(
      "columns and a filter give what SQL gives, and files are passed over",
      async () => {
        const where: Where = {
          and: [
            { column: "id", op: ">=", value: 1000n },
            { column: "id", op: "<", value: 1100 },
            { not: { column: "i_null", op: "is null" } },
          ],
        };
        const scan = dataset.scan({ table: "battles", columns: ["s_mid", "ts"], where });
        assert.deepEqual(
          batchRows(await collect(scan)).sort(),
          await theirs(sent, ["ts", "s_mid"], "id >= 1000 and id < 1100 and i_null is not null"),
        );
        assert.equal(scan.report.filesPruned, 11);
        assert.equal(scan.report.requests, 1);
      },
    );

    await t.step("a period is read alone", async () => {
      const table = await dataset.toTable({ table: "battles", period: "2024-11-26" });
      assert.equal(table.numRows, 1200);
      assert.deepEqual(batchRows(table.batches).sort(), await theirs(sent.slice(6), names));
    });

    await t.step("the version stays while the table is compacted and grows", async () => {
      await call(stack, "POST", "/compaction", {
        headers: user.headers,
        json: { datasetId },
      });
      await until("both periods are one file", 60, async () => {
        const fresh = await open();
        let files = 0;
        for await (const _ of fresh.files({ table: "battles" })) files++;
        return files === 2;
      });
      await send(`select * from (${fragmentQuery(9000, 9010)})`);
      const before = sent.slice(0, 12);
      const old = await dataset.toTable({ table: "battles" });
      assert.deepEqual(batchRows(old.batches).sort(), await theirs(before, names));
      const fresh = await open();
      assert.ok(fresh.version > dataset.version);
      const now = await fresh.toTable({ table: "battles" });
      assert.equal(now.numRows, 2410);
      assert.deepEqual(batchRows(now.batches).sort(), await theirs(sent, names));
      assert.deepEqual(
        (await fresh.tables())[0].periods.map(({ files, rows }) => [files, rows]),
        [[2, 1210], [1, 1200]],
      );
      const again = await fresh.toTable({ table: "battles", version: dataset.version });
      assert.equal(again.numRows, 2400);
    });

    await t.step("what is not there, and what is another's, is said", async () => {
      assert.equal(await codeOf(dataset.toTable({ table: "quests" })), "not_found");
      const unknown = dataset.toTable({ table: "battles", columns: ["id", "nope"] });
      assert.equal(await codeOf(unknown), "invalid_request");
      assert.equal(await codeOf(open({ version: 100_000 })), "version_unknown");
      const other = await signUp(stack, "other@example.com");
      assert.equal(await codeOf(open({ session: other.accessToken })), "dataset_forbidden");
      assert.equal(await codeOf(open({ datasetId: crypto.randomUUID() })), "not_found");
    });

    await t.step("types that have no common one are refused, or left out and counted", async () => {
      await send("select i::integer as v from range(10) t(i)", "mixed", "0");
      await send("select 'text ' || i as v, i as w from range(3) t(i)", "mixed", "0");
      const mixed = await open();
      assert.equal(await codeOf(mixed.toTable({ table: "mixed" })), "schema_incompatible");
      const w = await mixed.toTable({ table: "mixed", columns: ["w"] });
      assert.equal(w.numRows, 13);
      assert.equal(w.getChild("w")!.nullCount, 10);
      const scan = mixed.scan({ table: "mixed", unreadable: "skip" });
      assert.equal((await scan.toTable()).numRows, 10);
      assert.deepEqual(
        scan.report.leftOut.map(({ code, rows, rowsGiven }) => [code, rows, rowsGiven]),
        [["schema_incompatible", 3, 0]],
      );
      const summary = (await mixed.tables()).find(({ table }) => table === "mixed")!;
      assert.match(summary.conflict!, /\bv\b/);
      assert.deepEqual(summary.columns.map(({ name }) => name), ["v"]);
    });
  } finally {
    duckdb.closeSync();
    await Deno.remove(folder, { recursive: true });
  }
});

const codeOf = async (work: Promise<unknown>) => (await thrownBy(work)).code;

async function collect(batches: AsyncIterable<arrow.RecordBatch>): Promise<arrow.RecordBatch[]> {
  return await Array.fromAsync(batches);
}

async function upload(
  stack: { url: string; publishableKey: string },
  user: TestUser,
  metadata: Record<string, unknown>,
  path: string,
): Promise<void> {
  const answer = await call(stack, "POST", "/battle-data/upload", {
    headers: user.headers,
    body: uploadForm(metadata, await Deno.readFile(path)),
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
}
