import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import postgres, { type Sql } from "postgres";
import { schemaSource } from "../schema_source.ts";
import { createSqlCatalog } from "../../support/sql_catalog.ts";
import { type Cluster, startCluster } from "../cluster.ts";
import { upload } from "./worker.ts";

let cluster: Cluster;
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
  sql = postgres(adminUrl, { max: 1, onnotice: () => {} });
  other = postgres(url, { max: 1, onnotice: () => {} });
});
Deno.test.afterEach(async () => {
  await Promise.all([sql.end(), other.end()]);
});

/** A dataset with a writer, and an upload that is planned by each of owner and writer. */
async function shared() {
  const catalog = createSqlCatalog(sql);
  const [owner, writer, receiver, dataset] = Array.from({ length: 4 }, () => crypto.randomUUID());
  const offer = async (role: string) => {
    const { token } = await catalog.inviteMember({ user: owner!, dataset: dataset!, role });
    return token;
  };
  await upload(catalog, { user: owner!, dataset: dataset!, body: "first", tables: ["a"] });
  await catalog.acceptInvitation({ user: writer!, token: await offer("writer") });
  const planned = async (user: string, body: string) => {
    const contentHash = createHash("sha256").update(body).digest("hex");
    const stage = await catalog.stageUpload({
      user,
      dataset: dataset!,
      table: "a",
      periodTag: "p",
      size: 100,
      contentHash,
      offsetsDigest: "",
    });
    return () =>
      createSqlCatalog(other).commitUpload({
        stage: stage.stage_id,
        user,
        size: 100,
        etag: "e",
        contentHash,
        files: [{
          ordinal: 0,
          table: "a",
          period_tag: "p",
          start_byte: 0,
          byte_length: 100,
          row_count: 1,
          row_group_count: 1,
          uncompressed_bytes: 100,
          schema_fingerprint: "f",
          schema: { name: "root" },
          stats: {},
        }] as never,
      });
  };
  return {
    owner: owner!,
    writer: writer!,
    receiver: receiver!,
    dataset: dataset!,
    byOwner: await planned(owner!, "by owner"),
    byWriter: await planned(writer!, "by writer"),
    handover: () => offer("owner"),
  };
}

/** Starts a commit while a change of rights is made and not yet committed; gives its code, or ok. */
async function meet(change: string, args: unknown[], commit: () => Promise<unknown>) {
  let outcome: Promise<string> | undefined;
  await sql.begin(async (tx) => {
    await tx.unsafe(change, args as never[]);
    outcome = commit().then(() => "ok", (thrown) => thrown.code);
    // it has come to wait for the dataset
    while (true) {
      const [{ waits }] = await tx`
        select exists (select 1 from pg_locks where not granted) as waits`;
      if (waits) break;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  return await outcome!;
}

const remove = "select remove_member($1, $2, $3)";
const accept = "select accept_invitation($1, $2)";

Deno.test("a writer's commit that waits for the removal is refused", async () => {
  const { owner, dataset, writer, byWriter } = await shared();
  assert.equal(await meet(remove, [owner, dataset, writer], byWriter), "dataset_forbidden");
  const [row] = await sql`select count(*)::int as uploads from uploads`;
  assert.equal(row.uploads, 1);
});

Deno.test("the old owner's commit that waits for the handover is refused, a member's is not", async () => {
  const { receiver, byOwner, handover } = await shared();
  assert.equal(await meet(accept, [receiver, await handover()], byOwner), "dataset_forbidden");
  const again = await shared();
  const token = await again.handover();
  assert.equal(await meet(accept, [again.receiver, token], again.byWriter), "ok");
});

Deno.test("without the look under the dataset's lock both are let through", async () => {
  const source = await schemaSource("write_commits");
  const guard = "perform sediment.refuse_removed_writers(p_calls);";
  assert.ok(source.includes(guard));
  await sql.unsafe(source.replace(guard, ""));
  const { owner, dataset, writer, byWriter } = await shared();
  assert.equal(await meet(remove, [owner, dataset, writer], byWriter), "ok");
  const again = await shared();
  const token = await again.handover();
  assert.equal(await meet(accept, [again.receiver, token], again.byOwner), "ok");
});

Deno.test("two handovers towards each other do not wait for each other", async () => {
  const one = await shared();
  const catalog = createSqlCatalog(sql);
  const dataset = crypto.randomUUID();
  await upload(catalog, { user: one.receiver, dataset, body: "x", tables: ["a"] });
  const there = await one.handover();
  const { token: back } = await catalog.inviteMember({
    user: one.receiver,
    dataset,
    role: "owner",
  });
  const accepted = await Promise.all([
    createSqlCatalog(sql).acceptInvitation({ user: one.receiver, token: there }),
    createSqlCatalog(other).acceptInvitation({ user: one.owner, token: back }),
  ]);
  assert.deepEqual(accepted.map(({ owner_id }) => owner_id), [one.receiver, one.owner]);
});
