import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import postgres, { type Sql } from "postgres";
import type { Catalog } from "../../../shared/catalog/catalog.ts";
import { createSqlCatalog } from "../../support/sql_catalog.ts";
import { type Cluster, startCluster } from "../cluster.ts";
import { schemaSource } from "../schema_source.ts";
import { upload } from "./worker.ts";

let cluster: Cluster;
let admin: Sql;
let sql: Sql;
let other: Sql;
Deno.test.beforeAll(async () => {
  cluster = await startCluster(17);
});
Deno.test.afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});
Deno.test.beforeEach(async () => {
  const { url, adminUrl } = await cluster.newDatabase();
  const connect = (to: string) => postgres(to, { max: 1, onnotice: () => {} });
  [admin, sql, other] = [connect(adminUrl), connect(url), connect(url)];
});
Deno.test.afterEach(async () => {
  await Promise.all([admin.end(), sql.end(), other.end()]);
});

/** What a user commits at the very moment in which Auth deletes them. */
type Commit = (catalog: Catalog, user: string) => Promise<unknown>;

const newDataset: Commit = (catalog, user) =>
  upload(catalog, { user, dataset: crypto.randomUUID(), body: "late", tables: ["a"] });

const asset: Commit = async (catalog, user) => {
  const contentHash = createHash("sha256").update("asset").digest("hex");
  const stage = await catalog.stageAsset({
    user,
    key: "a.png",
    relativePath: "a.png",
    fileName: "a.png",
    size: 5,
    contentHash,
  });
  return await catalog.commitAsset({
    stage: stage.stage_id,
    user,
    size: 5,
    etag: "e",
    contentHash,
  });
};

/** Slices of deletions until nobody has anything to do. */
async function carryOut() {
  const catalog = createSqlCatalog(sql);
  while ((await catalog.advanceDeletions({})).more);
}

/**
 * Has a user deleted in Auth while their commit is made and not yet committed.
 *
 * @returns whether the deletion was called done before that, and what is left of the user after it
 */
async function meet(commit: Commit) {
  const user = crypto.randomUUID();
  const done = async () =>
    (await sql`select removed_at is not null as done from deletions where user_id = ${user} and kind = 'user'`)[
      0
    ]
      .done;
  let early = false;
  await other.begin(async (tx) => {
    await commit(createSqlCatalog(tx as unknown as Sql), user);
    // what Auth's trigger does, which waits for nobody
    await admin`insert into public.deletions (kind, user_id, requested_by) values ('user', ${user}, ${user})`;
    await carryOut();
    early = await done();
  });
  await carryOut();
  const [left] = await sql`
    select (select count(*)::int from battle_files f join datasets d on d.id = f.dataset_id
        where d.user_id = ${user} and f.removed_version is null) as files,
      (select count(*)::int from assets a where a.user_id = ${user}) as assets`;
  return { early, done: await done(), ...left };
}

for (
  const [what, commit, limit] of [
    ["a new dataset", newDataset, 5],
    ["a new dataset of a user without a limit of these", newDataset, null],
    ["an asset", asset, 5],
  ] as const
) {
  Deno.test(`${what} that is being committed when Auth deletes its user goes with the user`, async () => {
    await admin`update public.service_settings set datasets_max = ${limit}`;
    assert.deepEqual(await meet(commit), { early: false, done: true, files: 0, assets: 0 });
  });
}

Deno.test("without the last look under the user's quota lock both survive", async () => {
  const source = await schemaSource("remove_user");
  const guard = "if not sediment.try_lock_quota(x.user_id) then";
  assert.ok(source.includes(guard));
  await admin.unsafe(source.replace(guard, "if false then"));
  assert.deepEqual(await meet(newDataset), { early: true, done: true, files: 1, assets: 0 });
  assert.deepEqual(await meet(asset), { early: true, done: true, files: 0, assets: 1 });
});

Deno.test("a user's deletion and a purge of it that is asked for meanwhile do not wait for each other", async () => {
  const user = crypto.randomUUID();
  await admin`insert into public.deletions (kind, user_id, requested_by) values ('user', ${user}, ${user})`;
  await sql`set deadlock_timeout = '50ms'`.catch(() => {});
  let purge: Promise<string> | undefined;
  await other.begin(async (tx) => {
    // the slice holds the deletion's row; the purge has the quota's lock and waits for the row
    await tx`select 1 from deletions where user_id = ${user} for no key update`;
    purge = createSqlCatalog(sql).deleteUser({ user, purge: true }).then(
      () => "ok",
      (thrown) => thrown.code,
    );
    while (
      !(await admin`select exists (select 1 from pg_locks where not granted) as waits`)[0].waits
    ) await new Promise((resolve) => setTimeout(resolve, 5));
    const { more } = await createSqlCatalog(tx as unknown as Sql).advanceDeletions({});
    assert.equal(more, false, "it comes again");
  });
  assert.equal(await purge, "ok");
});
