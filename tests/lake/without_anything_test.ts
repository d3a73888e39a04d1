/** The statements of docs/lake.md that need nothing installed, as they stand there, by DuckDB and its own httpfs. */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import { startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, until, uploadForm } from "../support/client.ts";
import { literal, multisetDifference, openDuckdb, readParquet } from "../support/duckdb.ts";
import { hasExtensions, loadExtensions } from "../support/duckdb_extensions.ts";
import { fragmentQuery } from "../support/fragments.ts";

const page = await Deno.readTextFile(new URL("../../docs/lake.md", import.meta.url));
const statements = /## DuckDB, with nothing installed[\s\S]*?```sql\n([\s\S]*?)```/.exec(page)![1]!
  .split(";").map((statement) => statement.trim()).filter(Boolean);

Deno.test({
  name: "DuckDB reads a table by the manifest, and says what it can't read",
  ignore: !await hasExtensions("httpfs"),
}, async (t) => {
  await using stack = await startStack({ tickSeconds: 0.5 });
  const folder = await Deno.makeTempDir({ prefix: "sediment-lake-" });
  const duckdb = await openDuckdb(1);
  try {
    await loadExtensions(duckdb, "httpfs");
    const user = await signUp(stack, "analyst@example.com");
    const dataset_id = crypto.randomUUID();
    const sent: string[] = [];
    const keys: string[] = [];
    const send = async (period_tag: string) => {
      const from = sent.length * 20;
      const path = join(folder, `${sent.length}.parquet`);
      await duckdb.run(
        `copy (${fragmentQuery(from, from + 20)}) to ${literal(path)} (format parquet)`,
      );
      const bytes = await Deno.readFile(path);
      const { status, body } = await call(stack, "POST", "/battle-data/upload", {
        headers: user.headers,
        body: uploadForm(
          { dataset_id, table: "battles", kc_period_tag: period_tag, content_hash: sha256(bytes) },
          bytes,
        ),
      });
      assert.equal(status, 200, JSON.stringify(body));
      sent.push(path);
      keys.push(body.key);
    };
    /** A body of two tables, of which the second is the table that is read. */
    const sendSlice = async (period_tag: string) => {
      const from = sent.length * 20;
      const [other, path] = [join(folder, "other.parquet"), join(folder, `${sent.length}.parquet`)];
      await duckdb.run(`copy (select 1 as x) to ${literal(other)} (format parquet)`);
      await duckdb.run(
        `copy (${fragmentQuery(from, from + 20)}) to ${literal(path)} (format parquet)`,
      );
      const parts = [await Deno.readFile(other), await Deno.readFile(path)];
      const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
      const table_offsets = [
        { table_name: "others", start_byte: 0, byte_length: parts[0]!.length },
        { table_name: "battles", start_byte: parts[0]!.length, byte_length: parts[1]!.length },
      ];
      const { status, body } = await call(stack, "POST", "/battle-data/upload", {
        headers: user.headers,
        body: uploadForm(
          {
            dataset_id,
            table: "battles",
            kc_period_tag: period_tag,
            content_hash: sha256(bytes),
            table_offsets,
          },
          bytes,
        ),
      });
      assert.equal(status, 200, JSON.stringify(body));
      sent.push(path);
    };
    const asWritten = (statement: string, query = "") =>
      statement
        .replaceAll("https://PROJECT.supabase.co", stack.url)
        .replaceAll("ACCESS_TOKEN", user.accessToken)
        .replaceAll("DATASET", dataset_id)
        .replace("&limit=1000", query || "&limit=1000");
    const [secret, list, read] = statements;
    const reads = async (paths: string[], query = "") => {
      await duckdb.run(asWritten(list!, query));
      await duckdb.run(`create or replace temp table found as ${read}`);
      assert.deepEqual(await multisetDifference(duckdb, readParquet(paths), "found"), {
        onlyLeft: 0,
        onlyRight: 0,
      });
    };

    assert.equal(statements.length, 3, "the page has the statements");
    await duckdb.run(asWritten(secret!));
    for (const period of ["a", "a", "a", "a", "b"]) await send(period);
    await sendSlice("c");

    await t.step("fragments, and a slice of a body of two tables", () => reads(sent));
    await t.step("one period", () => reads(sent.slice(0, 4), "&period_tag=a&limit=1000"));
    await t.step("the token goes to the functions alone", async () => {
      const scope = async (url: string) =>
        (await duckdb.runAndReadAll(`select name from which_secret(${literal(url)}, 'http')`))
          .getRows();
      assert.deepEqual(await scope(`${stack.url}/functions/v1/battle-data/latest`), [["sediment"]]);
      assert.deepEqual(await scope(`${stack.url}/storage/v1/object/sign/sediment/x`), []);
    });
    await t.step("outputs", async () => {
      await call(stack, "POST", "/compaction", {
        headers: user.headers,
        json: { datasetId: dataset_id, priority: "manual" },
      });
      await until("the period is one file", 60, async () => {
        const query = `dataset_id=${dataset_id}&table=battles&period_tag=a`;
        const { body } = await call(stack, "GET", `/battle-data/latest?${query}`, {
          headers: user.headers,
        });
        return body.files.length === 1;
      });
      await reads(sent);
    });
    await t.step("more pages than one are an error", async () => {
      await assert.rejects(duckdb.run(asWritten(list!, "&limit=1")), /over 1,000 files/);
    });
    await t.step("a file that is lost is an error", async () => {
      const object = `${stack.url}/storage/v1/object/sediment/${keys[4]}`;
      const authorization = `Bearer ${stack.secretKey}`;
      const headers = { apikey: stack.secretKey, authorization };
      assert.ok((await fetch(object, { method: "DELETE", headers })).ok);
      await assert.rejects(duckdb.run(asWritten(list!)), /a file cannot be read/);
      await reads(sent.toSpliced(4, 1), "&include=readable&limit=1000");
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
