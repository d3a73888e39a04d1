import { strict as assert } from "node:assert";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
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

const tables = Array.from({ length: 12 }, (_, n) => `table_${n}`);
/** What the tables sort by and what they keep of equal keys: concatenation, sorting and deduplication all tell rows apart. */
const sorted = tables[1], deduped = tables[2];
const periods = ["2024-11-25", "2024-11-26"];
const rowsEach = 20;

interface File {
  table: string;
  period_tag: string;
  level: number;
  url: string;
}

interface Sent {
  id: string;
  period: string;
  bytes: Uint8Array<ArrayBuffer>;
  slices: { table: string; path: string }[];
  metadata: Record<string, unknown>;
}

Deno.test("of 40 merged uploads of 12 tables one, then a period, then the user is deleted: DuckDB reads exactly the rest", async (t) => {
  await using stack = await startStack({ tickSeconds: 0.5 });
  const folder = await Deno.makeTempDir({ prefix: "sediment-e2e-" });
  const duckdb = await openDuckdb();
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    const user = await signUp(stack, "forgotten@example.com");
    const dataset = crypto.randomUUID();
    const post = async (sent: Pick<Sent, "metadata" | "bytes">, query = "") =>
      await call(stack, "POST", `/battle-data/upload${query}`, {
        headers: user.headers,
        body: uploadForm(sent.metadata, sent.bytes),
      });

    const bodyOf = async (n: number): Promise<Omit<Sent, "id">> => {
      const period = periods[n < 28 ? 0 : 1];
      const slices: Sent["slices"] = [], parts: Uint8Array[] = [], offsets = [];
      let at = 0;
      for (const table of tables) {
        const path = join(folder, `${table}-${n}.parquet`);
        const from = n * rowsEach;
        await duckdb.run(
          `copy (select id, seq, ts, i_low, s_low, s_note, 'upload ' || ${n} as told
            from (${fragmentQuery(from, from + rowsEach)})) to ${literal(path)} (format parquet)`,
        );
        const bytes = await Deno.readFile(path);
        offsets.push({ table_name: table, start_byte: at, byte_length: bytes.length });
        at += bytes.length;
        parts.push(bytes);
        slices.push({ table, path });
      }
      const bytes = new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
      const metadata = {
        dataset_id: dataset,
        table: "all",
        period_tag: period,
        content_hash: sha256(bytes),
        table_offsets: offsets,
      };
      return { period, bytes, slices, metadata };
    };
    const files = async (): Promise<File[]> =>
      (await call(stack, "GET", `/battle-data/latest?dataset_id=${dataset}&limit=1000`, {
        headers: user.headers,
      })).body.files;
    let reading = 0;
    const reads = async (expected: Sent[]) => {
      const listed = await files();
      for (const table of tables) {
        const into = join(folder, `read-${reading++}`);
        await Deno.mkdir(into);
        const urls = listed.filter((file) => file.table === table).map(({ url }) => url);
        const { paths } = await openUrls(duckdb, urls, into);
        const wanted = expected.flatMap(({ slices }) =>
          slices.filter((slice) => slice.table === table).map(({ path }) => path)
        );
        assert.deepEqual(
          await multisetDifference(duckdb, readParquet(wanted), readParquet(paths)),
          { onlyLeft: 0, onlyRight: 0 },
          table,
        );
      }
    };
    const stored = async () =>
      (await sql`select name from storage.objects
        where bucket_id = 'sediment' and (name like 'battle%' or name like 'incoming/%') order by 1`)
        .map(({ name }) => String(name));

    const sent: Sent[] = [];
    for (let n = 0; n < 40; n++) {
      const body = await bodyOf(n);
      const answer = await post(body);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      if (n === 0) {
        await sql`insert into public.table_settings (dataset_id, "table", sort_keys, dedupe_keys) values
          (${dataset}, ${sorted}, array['s_low', 'ts desc'], null), (${dataset}, ${deduped}, null, array['id'])`;
      }
      sent.push({ ...body, id: /([0-9a-f-]{36})\.[a-z]+$/.exec(answer.body.key)![1] });
    }
    const merged = async () => {
      const listed = await files();
      return listed.length > 0 && listed.every(({ level }) => level > 0);
    };
    await until("every file is one that a merge made", 120, async () => {
      await call(stack, "POST", "/compaction", {
        headers: user.headers,
        json: { datasetId: dataset },
      });
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      return await merged();
    });
    await reads(sent);

    await t.step("a merged upload is gone with the rewrite, from all of its tables", async () => {
      const [gone] = sent.splice(7, 1);
      const asked = await call(stack, "DELETE", `/battle-data/uploads/${gone.id}`, {
        headers: user.headers,
      });
      assert.equal(asked.status, 202, JSON.stringify(asked.body));
      assert.equal(asked.body.state, "pending");
      const late = await post(gone);
      assert.equal(late.body.code, "upload_deleted");
      const receipt = await until("the rewrite", 60, async () => {
        const { body } = await call(
          stack,
          "GET",
          `/battle-data/deletions/${asked.body.deletion_id}`,
          {
            headers: user.headers,
          },
        );
        return body.done && body;
      });
      assert.equal(receipt.rows, 12 * rowsEach);
      assert.equal(receipt.state, "removed");
      await reads(sent);
      for (const { url } of await files()) {
        const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
        assert.ok(!new TextDecoder("latin1").decode(bytes).includes("upload 7"), url);
      }
      const again = await post(gone, "?again=1");
      assert.equal(again.status, 200, JSON.stringify(again.body));
      sent.push(gone);
      await reads(sent);
    });

    await t.step("then a period", async () => {
      const gone = await call(
        stack,
        "DELETE",
        `/battle-data/datasets/${dataset}/periods/${periods[1]}`,
        { headers: user.headers },
      );
      assert.equal(gone.status, 200, JSON.stringify(gone.body));
      await reads(sent.filter(({ period }) => period === periods[0]));
    });

    /** Vacuums past the retention of versions and the life of URLs, until the store holds what visible files name. */
    const emptied = async () => {
      await sql`update public.service_settings
        set retention_seconds = 0, signed_url_seconds = 0, vacuum_interval_seconds = 0 where id`;
      // the catalog keeps until when URLs of before may live: that hour is over, too
      await sql`update public.service_settings set signed_url_until = '-infinity' where id`;
      return await until("a store of what is named alone", 60, async () => {
        await call(stack, "POST", "/compactor/vacuum?wait", {
          headers: { apikey: stack.secretKey },
        });
        const named = await sql`select distinct object_key as key from public.battle_files
          where removed_version is null order by 1`;
        return isDeepStrictEqual(await stored(), named.map(({ key }) => String(key))) &&
          { named: named.length };
      });
    };
    await t.step(
      "after retention the store holds what the version that is kept names",
      async () => {
        assert.ok((await emptied()).named >= 12);
      },
    );

    await t.step("then the user, and nothing", async () => {
      const gone = await call(stack, "DELETE", `/battle-data/users/${user.id}`, {
        headers: { apikey: stack.secretKey },
      });
      assert.ok([200, 202].includes(gone.status), JSON.stringify(gone.body));
      await until("all slices", 30, async () => {
        const { body } = await call(
          stack,
          "GET",
          `/battle-data/deletions/${gone.body.deletion_id}`,
          {
            headers: { apikey: stack.secretKey },
          },
        );
        return body.done;
      });
      assert.equal((await emptied()).named, 0);
    });
  } finally {
    await sql.end();
    duckdb.closeSync();
    await Deno.remove(folder, { recursive: true });
  }
});
