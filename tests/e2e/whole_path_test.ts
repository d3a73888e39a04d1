import { strict as assert } from "node:assert";
import { join } from "node:path";
import { version } from "../../shared/version.ts";
import { type CatalogWay, catalogWays, startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, type TestUser, until, uploadForm } from "../support/client.ts";
import { multisetDifference, openDuckdb, openUrls, readParquet } from "../support/duckdb.ts";
import { type Fragment, makeFragments } from "../support/fragments.ts";

interface File {
  table: string;
  level: number;
  url: string;
  row_count: number;
}

/** The manifest, a few files a page, by supabase-js. */
async function manifestOf(user: TestUser, datasetId: string): Promise<File[]> {
  const files: File[] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({ dataset_id: datasetId, limit: "5", signed: "1" });
    if (cursor !== null) query.set("cursor", cursor);
    const { data, error } = await user.client.functions.invoke(`battle-data/chunks?${query}`, {
      method: "GET",
    });
    if (error) throw error;
    files.push(...data.files);
    cursor = data.next_cursor;
  } while (cursor !== null);
  return files;
}

for (const catalog of catalogWays) {
  Deno.test(`uploads are compacted when cron wakes the compactor, and DuckDB reads the same rows, over ${catalog}`, (t) =>
    wholePath(t, catalog));
}

async function wholePath(t: Deno.TestContext, catalog: CatalogWay): Promise<void> {
  await using stack = await startStack({ tickSeconds: 0.5, catalog });
  const folder = await Deno.makeTempDir({ prefix: "sediment-e2e-" });
  const duckdb = await openDuckdb();
  try {
    const user = await signUp(stack, "whole@example.com");
    const dataset = crypto.randomUUID();
    const fragments = await makeFragments(folder, 15, 200, undefined, duckdb);

    await t.step("by one request and by two", async () => {
      for (const [n, fragment] of fragments.entries()) {
        const stored = await (n % 2 === 0 ? uploadAtOnce : uploadInTwo)(user, dataset, fragment);
        assert.equal(stored.ok, true);
        assert.equal(stored.duplicate, false);
      }
    });

    await t.step("a second sending gets the first answer", async () => {
      const again = await uploadInTwo(user, dataset, fragments[0]);
      assert.equal(again.duplicate, true);
      const form = await uploadAtOnce(user, dataset, fragments[0]);
      assert.deepEqual(form, again);
    });

    const before = await manifestOf(user, dataset);
    const reading = async (files: File[], name: string) => {
      const into = join(folder, name);
      await Deno.mkdir(into);
      return (await openUrls(duckdb, files.map(({ url }) => url), into)).paths;
    };

    const after = await t.step("nobody asks and yet it is compacted", async () => {
      // A run that begins while uploads still come leaves the last of a table behind, below min_inputs.
      await until("a merged file in each table", 30, async () => {
        const tables = Map.groupBy(await manifestOf(user, dataset), ({ table }) => table);
        return [...tables.values()].every((files) =>
          files.length <= 2 && files.some(({ level }) => level === 1)
        );
      });
    }).then(() => manifestOf(user, dataset));

    await t.step("DuckDB finds equal rows in what was sent, before and after", async () => {
      assert.equal(before.reduce((sum, file) => sum + file.row_count, 0), 3000);
      for (const table of ["battles", "quests", "items"]) {
        const sent = fragments.filter((fragment) => fragment.table === table).map(({ path }) =>
          path
        );
        const read = await reading(after.filter((file) => file.table === table), `after-${table}`);
        assert.deepEqual(
          await multisetDifference(duckdb, readParquet(sent), readParquet(read)),
          { onlyLeft: 0, onlyRight: 0 },
          table,
        );
      }
      // URLs that were signed before compaction still read what they read then.
      const old = before.filter((file) => file.table === "items");
      const sent = fragments.filter((fragment) => fragment.table === "items").map(({ path }) =>
        path
      );
      const read = await reading(old, "before-items");
      assert.deepEqual(
        await multisetDifference(duckdb, readParquet(sent), readParquet(read)),
        { onlyLeft: 0, onlyRight: 0 },
      );
    });

    await t.step("the run tells what it did, to its owner only", async () => {
      const [first] = await Promise.all([uploadInTwo(user, dataset, fragments[0])]);
      const status = await call(stack, "GET", `/compaction/status/${first.metricId}`, {
        headers: user.headers,
      });
      assert.equal(status.body.status, "success");
      assert.ok(status.body.output.files_before >= 4);
      assert.equal(status.body.output.files_after, 1);
      assert.match(status.body.decision, /^Merge [45] of [45] files/);
      const other = await signUp(stack, "other@example.com");
      const denied = await call(stack, "GET", `/compaction/status/${first.metricId}`, {
        headers: other.headers,
      });
      assert.equal(denied.body.code, "run_not_found");
    });

    await t.step("health is open and its details are not", async () => {
      const open = await call(stack, "GET", "/compaction");
      assert.deepEqual(open.body, { status: "ok", version });
      const detailed = await call(stack, "GET", "/compaction", {
        headers: { apikey: stack.secretKey },
      });
      assert.equal(detailed.body.catalog.dead_letters, 0);
    });
  } finally {
    duckdb.closeSync();
    await Deno.remove(folder, { recursive: true });
  }
}

async function metadataOf(datasetId: string, fragment: Fragment) {
  const bytes = await Deno.readFile(fragment.path);
  const metadata = {
    dataset_id: datasetId,
    table: fragment.table,
    kc_period_tag: fragment.periodTag,
    file_size: String(bytes.length),
    content_hash: sha256(bytes),
  };
  return { bytes, metadata };
}

async function uploadAtOnce(user: TestUser, datasetId: string, fragment: Fragment) {
  const { bytes, metadata } = await metadataOf(datasetId, fragment);
  const { data, error } = await user.client.functions.invoke("battle-data/upload", {
    body: uploadForm(metadata, bytes),
  });
  if (error) throw error;
  return data;
}

async function uploadInTwo(user: TestUser, datasetId: string, fragment: Fragment) {
  const { bytes, metadata } = await metadataOf(datasetId, fragment);
  const { data, error } = await user.client.functions.invoke("battle-data/upload", {
    body: metadata,
  });
  if (error) throw error;
  const response = await fetch(data.uploadUrl, { method: "PUT", body: bytes });
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return answer;
}
