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
import { fragmentQuery } from "../support/fragments.ts";

interface Sent {
  id: string;
  table: string;
  path: string;
  bytes: Uint8Array<ArrayBuffer>;
  metadata: Record<string, unknown>;
}

/** Merged tables: sound ones, one of which an upload was deleted before its output was lost, and one of which one is since. */
const merged = ["gone", "rotten", "trimmed", "pending"];
/** A table whose uploads stay as they are. */
const fresh = "fresh";

Deno.test("objects that are lost or changed behind the service's back are found, and come back as they were", async (t) => {
  await using stack = await startStack({ tickSeconds: 0.5, cronSeconds: { sediment_sweep: 0.5 } });
  const folder = await Deno.makeTempDir({ prefix: "sediment-e2e-" });
  const duckdb = await openDuckdb();
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`update public.service_settings set realtime_delay_seconds = 0, second_look_seconds = 1,
      idle_recheck_seconds = 1, store_check_interval_seconds = 3, breaker_window_seconds = 2`;
    const user = await signUp(stack, "lost@example.com");
    const dataset = crypto.randomUUID();
    const get = async (path: string) =>
      (await call(stack, "GET", path, { headers: user.headers })).body;
    const post = async ({ metadata, bytes }: Pick<Sent, "metadata" | "bytes">) =>
      await call(stack, "POST", "/battle-data/upload", {
        headers: user.headers,
        body: uploadForm(metadata, bytes),
      });
    const sent: Sent[] = [];
    const send = async (table: string, n: number) => {
      const path = join(folder, `${table}-${n}.parquet`);
      await duckdb.run(
        `copy (select *, 'upload ' || ${n} as told from (${fragmentQuery(n * 20, n * 20 + 20)}))
          to ${literal(path)} (format parquet)`,
      );
      const bytes = await Deno.readFile(path);
      const metadata = {
        dataset_id: dataset,
        table,
        period_tag: "0",
        content_hash: sha256(bytes),
      };
      const { status, body } = await post({ metadata, bytes });
      assert.equal(status, 200, JSON.stringify(body));
      const id = /([0-9a-f-]{36})\.[a-z]+$/.exec(body.key)![1];
      sent.push({ id, table, path, bytes, metadata });
    };
    const listed = async (): Promise<
      { table: string; level: number; url?: string; error?: { code: string } }[]
    > => (await get(`/battle-data/latest?dataset_id=${dataset}&limit=1000`)).files;
    let reading = 0;
    const reads = async () => {
      const files = await listed();
      assert.deepEqual(files.filter(({ error }) => error !== undefined), []);
      for (const table of [...merged, fresh]) {
        const into = join(folder, `read-${reading++}`);
        await Deno.mkdir(into);
        const urls = files.filter((file) => file.table === table).map(({ url }) => url!);
        const { paths } = await openUrls(duckdb, urls, into);
        const wanted = sent.filter((one) => one.table === table).map(({ path }) => path);
        assert.deepEqual(
          await multisetDifference(duckdb, readParquet(wanted), readParquet(paths)),
          { onlyLeft: 0, onlyRight: 0 },
          table,
        );
      }
    };
    const remove = async (upload: Sent) => {
      const asked = await call(stack, "DELETE", `/battle-data/uploads/${upload.id}`, {
        headers: user.headers,
      });
      assert.equal(asked.status, 202, JSON.stringify(asked.body));
      sent.splice(sent.indexOf(upload), 1);
      return String(asked.body.deletion_id);
    };
    const removed = async (deletion: string) =>
      await until(
        "the rewrite",
        60,
        async () => (await get(`/battle-data/deletions/${deletion}`)).done,
      );
    const visible = async (table: string) =>
      await sql`select id, object_key as key, level, state, quarantine_code as code from public.battle_files
        where dataset_id = ${dataset} and "table" = ${table} and removed_version is null order by id`;
    const objectAt = (key: string) => `${stack.url}/storage/v1/object/sediment/${key}`;
    const admin = { apikey: stack.secretKey, authorization: `Bearer ${stack.secretKey}` };
    const lose = async (key: string) => {
      const answer = await fetch(objectAt(key), { method: "DELETE", headers: admin });
      assert.equal(answer.status, 200, await answer.text());
    };
    const rot = async (key: string) => {
      const bytes = new Uint8Array(
        await (await fetch(objectAt(key), { headers: admin })).arrayBuffer(),
      );
      bytes[bytes.length >> 1] ^= 1;
      const headers = { ...admin, "x-upsert": "true", "content-type": "application/octet-stream" };
      const answer = await fetch(objectAt(key), { method: "PUT", headers, body: bytes });
      assert.equal(answer.status, 200, await answer.text());
    };
    const check = async () =>
      (await call(stack, "POST", "/compactor/check?wait", { headers: { apikey: stack.secretKey } }))
        .body;

    for (const table of merged) {
      for (let n = 0; n < 4; n++) await send(table, n);
    }
    for (let n = 0; n < 2; n++) await send(fresh, n);
    await until("four tables are an output each", 60, async () => {
      const files = await listed();
      return files.length === merged.length + 2 &&
        files.filter(({ level }) => level > 0).length === 4;
    });
    await removed(await remove(sent.find(({ table }) => table === "trimmed")!));
    await reads();
    assert.deepEqual((await check()).found, []);

    const outputs: Record<string, string> = {};
    let fragments: string[] = [];
    let deletion = "";
    await t.step("what is lost or changed is found by the check alone", async () => {
      for (const table of merged) {
        const [output] = await visible(table);
        outputs[table] = output.key;
        if (table === "rotten") await rot(output.key);
        else await lose(output.key);
      }
      fragments = (await visible(fresh)).map(({ key }) => String(key));
      await lose(fragments[0]);
      await rot(fragments[1]);
      deletion = await remove(sent.find(({ table }) => table === "pending")!);
      await until("the uploads that are lost are set aside", 60, async () => {
        await check();
        return (await visible(fresh)).every(({ state }) => state === "quarantined");
      });
      assert.deepEqual((await visible(fresh)).map(({ code }) => code), [
        "object_missing",
        "object_changed",
      ]);
    });
    await t.step(
      "outputs are remade from what they replaced, without the rows that are deleted",
      async () => {
        await until("the outputs are there", 60, async () => {
          await check();
          const files = await listed();
          return files.every(({ table, error }) => table === fresh || error === undefined) &&
            (await get(`/battle-data/deletions/${deletion}`)).done;
        });
        for (const table of ["gone", "rotten", "trimmed"]) {
          const [output] = await visible(table);
          assert.notEqual(output.key, outputs[table], table);
          assert.equal(output.state, "active");
        }
      },
    );
    await t.step("uploads by the same bytes, sent again", async () => {
      assert.deepEqual(
        (await listed()).filter(({ table }) => table === fresh).map(({ error }) => error?.code)
          .sort(),
        ["object_changed", "object_missing"],
      );
      for (const upload of sent.filter(({ table }) => table === fresh)) {
        const { body } = await post(upload);
        assert.equal(body.healed, true, JSON.stringify(body));
      }
    });
    await reads();
    await t.step("and then nothing is found any more", async () => {
      await until("the incident is over", 60, async () => {
        await check();
        const [{ state }] =
          await sql`select state from public.incidents where name = 'store_findings'`;
        return state === "closed" && (await sql`select 1 from public.store_findings`).length === 0;
      });
      assert.equal((await sql`select 1 from public.dead_letters`).length, 0);
    });
    await reads();
  } finally {
    await sql.end({ timeout: 1 });
    duckdb.closeSync();
    await Deno.remove(folder, { recursive: true });
  }
});
