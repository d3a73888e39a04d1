import { strict as assert } from "node:assert";
import { join } from "node:path";
import postgres from "postgres";
import { startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, type TestUser, until, uploadForm } from "../support/client.ts";
import { multisetDifference, openDuckdb, openUrls, readParquet } from "../support/duckdb.ts";
import { type Fragment, makeFragments } from "../support/fragments.ts";

interface File {
  table: string;
  period_tag: string;
  level: number;
  url: string;
}

Deno.test("a period, then its user are deleted: DuckDB reads exactly the rest, and the store keeps nothing", async (t) => {
  await using stack = await startStack({ tickSeconds: 0.5 });
  const folder = await Deno.makeTempDir({ prefix: "sediment-e2e-" });
  const duckdb = await openDuckdb();
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    const user = await signUp(stack, "deleted@example.com");
    const dataset = crypto.randomUUID();
    const fragments = (await makeFragments(folder, 30, 100, undefined, duckdb))
      .map((fragment, n) => ({ ...fragment, periodTag: n < 15 ? "2024-11-25" : "2024-11-26" }));
    const send = async (fragment: Fragment, query = "") => {
      const bytes = await Deno.readFile(fragment.path);
      return await call(stack, "POST", `/battle-data/upload${query}`, {
        headers: user.headers,
        body: uploadForm({
          dataset_id: dataset,
          table: fragment.table,
          period_tag: fragment.periodTag,
          content_hash: sha256(bytes),
        }, bytes),
      });
    };
    const manifest = async (who: TestUser): Promise<File[]> => {
      const { body } = await call(stack, "GET", `/battle-data/latest?dataset_id=${dataset}`, {
        headers: who.headers,
      });
      return body.files;
    };
    const reads = async (files: File[], expected: Fragment[], name: string) => {
      for (const table of ["battles", "quests", "items"]) {
        const into = join(folder, `${name}-${table}`);
        await Deno.mkdir(into);
        const urls = files.filter((file) => file.table === table).map(({ url }) => url);
        const { paths } = await openUrls(duckdb, urls, into);
        const sent = expected.filter((fragment) => fragment.table === table);
        assert.deepEqual(
          await multisetDifference(
            duckdb,
            readParquet(sent.map(({ path }) => path)),
            readParquet(paths),
          ),
          { onlyLeft: 0, onlyRight: 0 },
          `${name}: ${table}`,
        );
      }
    };
    const storedObjects = async () =>
      (await sql`select name from storage.objects
        where bucket_id = 'sediment' and (name like 'battle%' or name like 'incoming/%')`)
        .map(({ name }) => String(name));

    for (const fragment of fragments) assert.equal((await send(fragment)).status, 200);
    await until("a merged file in each partition", 60, async () => {
      const files = await manifest(user);
      const partitions = Map.groupBy(files, (file) => `${file.table}/${file.period_tag}`);
      return partitions.size === 6 &&
        [...partitions.values()].every((own) => own.some(({ level }) => level > 0));
    });
    const before = await manifest(user);
    await reads(before, fragments, "before");

    await t.step("a period is gone from the answer on", async () => {
      const path = `/battle-data/datasets/${dataset}/periods/2024-11-25`;
      const other = await signUp(stack, "other@example.com");
      const denied = await call(stack, "DELETE", path, { headers: other.headers });
      assert.equal(denied.body.code, "dataset_forbidden");
      const gone = await call(stack, "DELETE", path, { headers: user.headers });
      assert.equal(gone.status, 200, JSON.stringify(gone.body));
      assert.equal(gone.body.rows, 1500);
      const receipt = await call(stack, "GET", `/battle-data/deletions/${gone.body.deletion_id}`, {
        headers: user.headers,
      });
      assert.deepEqual(receipt.body, gone.body);
      const left = fragments.filter(({ periodTag }) => periodTag === "2024-11-26");
      await reads(await manifest(user), left, "rest");
      // without purge the versions before it stay for their retention
      await reads(before, fragments, "kept");
    });

    await t.step("a late retry of what was deleted brings nothing back, a wish does", async () => {
      const late = await send(fragments[0]);
      assert.equal(late.status, 410);
      assert.equal(late.body.code, "upload_deleted");
      const again = await send(fragments[0], "?again=1");
      assert.equal(again.status, 200, JSON.stringify(again.body));
      assert.equal(again.body.duplicate, false);
      const left = fragments.filter(({ periodTag }, n) => n === 0 || periodTag === "2024-11-26");
      await reads(await manifest(user), left, "again");
    });

    await t.step("a purge ends older versions, and their URLs with the objects", async () => {
      const path = `/battle-data/datasets/${dataset}/periods/2024-11-25?purge=now`;
      const gone = await call(stack, "DELETE", path, { headers: user.headers });
      assert.equal(gone.status, 200, JSON.stringify(gone.body));
      assert.equal(gone.body.state, "purged");
      const old = await call(
        stack,
        "GET",
        `/battle-data/chunks?dataset_id=${dataset}&version=${gone.body.version - 1}`,
        { headers: user.headers },
      );
      assert.equal(old.body.code, "version_gone");
      for (const { url } of before.filter(({ period_tag }) => period_tag === "2024-11-25")) {
        const answer = await fetch(url);
        await answer.body?.cancel();
        assert.notEqual(answer.status, 200);
      }
      assert.deepEqual((await storedObjects()).filter((name) => name.includes("/2024-11-25/")), []);
      const left = fragments.filter(({ periodTag }) => periodTag === "2024-11-26");
      await reads(await manifest(user), left, "purged");
    });

    await t.step("a user who is deleted in Auth can do nothing more with the token", async () => {
      // what Auth's API does, in its role: the embedded one has no such route for a secret key
      await sql.begin(async (auth) => {
        await auth`set local role supabase_auth_admin`;
        const gone = await auth`delete from auth.users where id = ${user.id} returning id`;
        assert.equal(gone.length, 1);
      });
      const late = await send(fragments[20]);
      assert.equal(late.body.code, "user_deleted");
      const reading = await call(stack, "GET", `/battle-data/latest?dataset_id=${dataset}`, {
        headers: user.headers,
      });
      assert.equal(reading.body.code, "user_deleted");
    });

    await t.step("and a service purges what they had: the store is empty", async () => {
      const gone = await call(stack, "DELETE", `/battle-data/users/${user.id}?purge=now`, {
        headers: { apikey: stack.secretKey },
      });
      assert.equal(gone.status, 200, JSON.stringify(gone.body));
      assert.deepEqual(await storedObjects(), []);
      const [{ files }] = await sql`select count(*)::int as files from public.battle_files`;
      assert.equal(files, 0);
    });
  } finally {
    await sql.end();
    duckdb.closeSync();
    await Deno.remove(folder, { recursive: true });
  }
});
