import { strict as assert } from "node:assert";
import { join } from "node:path";
import postgres from "postgres";
import { startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, until, uploadForm } from "../support/client.ts";
import {
  literal,
  multisetDifference,
  openDuckdb,
  openUrls,
  readParquet,
} from "../support/duckdb.ts";

const tables = ["battles", "quests", "items"];

Deno.test("a table that shares an object with others is purged: its bytes are gone from the store, theirs are read on, by the URLs of before, too, and a healing keeps it so", async () => {
  await using stack = await startStack({ tickSeconds: 0.5 });
  const folder = await Deno.makeTempDir({ prefix: "sediment-e2e-" });
  const duckdb = await openDuckdb();
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    const user = await signUp(stack, "shared@example.com");
    const dataset = crypto.randomUUID();
    const paths: string[] = [], parts: Uint8Array[] = [];
    const offsets: object[] = [];
    let at = 0;
    for (const table of tables) {
      const path = join(folder, `${table}.parquet`);
      await duckdb.run(
        `copy (select range as id, 'row of ${table} ' || range as told from range(50))
          to ${literal(path)} (format parquet, compression uncompressed)`,
      );
      const bytes = await Deno.readFile(path);
      offsets.push({ table_name: table, start_byte: at, byte_length: bytes.length });
      at += bytes.length;
      paths.push(path);
      parts.push(bytes);
    }
    const body = new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
    const send = async () =>
      (await call(stack, "POST", "/battle-data/upload", {
        headers: user.headers,
        body: uploadForm({
          dataset_id: dataset,
          table: "all",
          period_tag: "0",
          content_hash: sha256(body),
          table_offsets: offsets,
        }, body),
      })).body;
    const { key } = await send();

    let reading = 0;
    const readsTheRest = async () => {
      const { body } = await call(stack, "GET", `/battle-data/latest?dataset_id=${dataset}`, {
        headers: user.headers,
      });
      const found = new Map<string, string[]>();
      for (const { table, url } of body.files) {
        found.set(table, [...found.get(table) ?? [], url]);
      }
      assert.deepEqual([...found.keys()].toSorted(), ["items", "quests"]);
      for (const [table, urls] of found) {
        const into = join(folder, `read-${reading++}`);
        await Deno.mkdir(into);
        const read = await openUrls(duckdb, urls, into);
        const sent = paths[tables.indexOf(table)];
        assert.deepEqual(
          await multisetDifference(duckdb, readParquet([sent]), readParquet(read.paths)),
          { onlyLeft: 0, onlyRight: 0 },
          table,
        );
      }
    };
    /** Keys of objects in which rows of the purged table can be read. */
    const holding = async () => {
      const found: string[] = [];
      const stored = await sql`select name from storage.objects
        where bucket_id = 'sediment' and name like 'battle%' order by 1`;
      for (const { name } of stored) {
        const answer = await fetch(`${stack.url}/storage/v1/object/sediment/${name}`, {
          headers: { apikey: stack.secretKey, authorization: `Bearer ${stack.secretKey}` },
        });
        assert.equal(answer.status, 200, name);
        const text = new TextDecoder("latin1").decode(await answer.arrayBuffer());
        if (text.includes("row of battles")) found.push(String(name));
      }
      return found;
    };
    assert.deepEqual(await holding(), [key]);
    const { body: before } = await call(stack, "GET", `/battle-data/latest?dataset_id=${dataset}`, {
      headers: user.headers,
    });
    /** What the URLs of before the purge answer, by table. */
    const oldUrls = async () => {
      const answers: Record<string, unknown> = {};
      for (const { table, url } of before.files) {
        const answer = await fetch(url, { headers: { range: "bytes=1-" } });
        const bytes = new Uint8Array(await answer.arrayBuffer());
        const sent = parts[tables.indexOf(table)]!.subarray(1);
        answers[table] = answer.ok ? sha256(bytes) === sha256(sent) : answer.status;
      }
      return answers;
    };
    assert.deepEqual(await oldUrls(), { battles: true, quests: true, items: true });

    const purged = await call(
      stack,
      "DELETE",
      `/battle-data/datasets/${dataset}/tables/battles?purge=now`,
      { headers: user.headers },
    );
    assert.equal(purged.status, 200, JSON.stringify(purged.body));
    assert.equal(purged.body.state, "purged");
    assert.equal(purged.body.done, true);
    assert.deepEqual(await holding(), []);
    await readsTheRest();
    assert.deepEqual(await oldUrls(), { battles: 410, quests: true, items: true });

    // a slice's bytes get lost, and the client that still has the whole body sends it again
    await sql`update public.battle_files set lost_since = now() - interval '1 hour'
      where dataset_id = ${dataset} and "table" = 'quests'`;
    const healed = await send();
    assert.equal(healed.healed, true, JSON.stringify(healed));
    await until("the deleted bytes are gone again", 60, async () => {
      await call(stack, "POST", "/compactor/vacuum?wait", {
        headers: { apikey: stack.secretKey },
      });
      return (await holding()).length === 0;
    });
    await readsTheRest();
  } finally {
    await sql.end();
    duckdb.closeSync();
    await Deno.remove(folder, { recursive: true });
  }
});
