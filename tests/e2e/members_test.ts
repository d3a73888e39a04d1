import { strict as assert } from "node:assert";
import { startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, type TestUser, uploadForm } from "../support/client.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

Deno.test("a dataset is shared, written to by a member, handed over, and shut again", async (t) => {
  await using stack = await startStack({ tickSeconds: 0.5 });
  const [owner, writer, reader, stranger] = await Promise.all(
    ["owner", "writer", "reader", "stranger"].map((name) => signUp(stack, `${name}@example.com`)),
  ) as [TestUser, TestUser, TestUser, TestUser];
  const dataset = crypto.randomUUID();
  const base = `/battle-data/datasets/${dataset}`;

  const as = (user: TestUser, method: string, path: string, json?: unknown) =>
    call(stack, method, path, { headers: user.headers, ...(json === undefined ? {} : { json }) });
  const send = async (user: TestUser, row: number) => {
    const bytes = tinyParquet([row]);
    return await call(stack, "POST", "/battle-data/upload", {
      headers: user.headers,
      body: uploadForm(
        { dataset_id: dataset, table: "battles", period_tag: "0", content_hash: sha256(bytes) },
        bytes,
      ),
    });
  };
  const invite = async (user: TestUser, offer: object): Promise<string> => {
    const { status, body } = await as(user, "POST", `${base}/invitations`, offer);
    assert.equal(status, 201, JSON.stringify(body));
    return body.token;
  };
  const accept = (user: TestUser, token: string) =>
    as(user, "POST", "/battle-data/invitations/accept", { token });
  const latest = (user: TestUser) =>
    as(user, "GET", `/battle-data/latest?dataset_id=${dataset}&table=battles`);
  const rowsOf = async (user: TestUser) => {
    const { data, error } = await user.client.from("battle_files").select("row_count").eq(
      "dataset_id",
      dataset,
    );
    assert.equal(error, null);
    return data!.reduce((sum, { row_count }) => sum + Number(row_count), 0);
  };

  assert.equal((await send(owner, 1)).status, 200);

  await t.step("a stranger is refused everywhere, and row security shows nothing", async () => {
    assert.equal((await send(stranger, 2)).body.code, "dataset_forbidden");
    assert.equal((await latest(stranger)).body.code, "dataset_forbidden");
    assert.equal((await as(stranger, "GET", `${base}/members`)).body.code, "dataset_forbidden");
    const refused = await as(stranger, "POST", `${base}/invitations`, { role: "reader" });
    assert.equal(refused.body.code, "dataset_forbidden");
    assert.equal(await rowsOf(stranger), 0);
  });

  await t.step("what is no invitation is told so, with its field", async () => {
    const wrong = await as(owner, "POST", `${base}/invitations`, { role: "admin" });
    assert.deepEqual([wrong.status, wrong.body.code, wrong.body.field], [
      400,
      "invalid_request",
      "role",
    ]);
    const unknown = await as(owner, "POST", `${base}/invitations`, { role: "reader", userid: "x" });
    assert.equal(unknown.body.field, "userid");
    const short = await accept(reader, "sdi_1");
    assert.deepEqual([short.status, short.body.field], [400, "token"]);
    const none = await accept(reader, `sdi_${"0".repeat(64)}`);
    assert.deepEqual([none.status, none.body.code], [404, "not_found"]);
    assert.equal((await as(owner, "POST", `${base}/members`, {})).status, 405);
  });

  await t.step("members have what their role gives", async () => {
    const token = await invite(owner, { role: "writer", user_id: writer.id });
    assert.equal((await accept(reader, token)).status, 404, "it is for another user");
    assert.deepEqual((await accept(writer, token)).body, {
      dataset_id: dataset,
      role: "writer",
      owner_id: owner.id,
    });
    assert.equal((await accept(reader, await invite(owner, { role: "reader" }))).status, 200);
    assert.equal((await send(writer, 2)).status, 200);
    assert.equal((await send(writer, 1)).body.duplicate, true, "the owner has sent these bytes");
    assert.equal((await send(reader, 3)).body.code, "dataset_forbidden");
    const { body } = await latest(reader);
    const bytes = await (await fetch(body.files[0].url)).arrayBuffer();
    assert.equal(bytes.byteLength, body.files[0].size);
    assert.deepEqual([await rowsOf(reader), await rowsOf(writer)], [2, 2]);
    const compact = { datasetId: dataset };
    assert.equal((await as(reader, "POST", "/compaction", compact)).status, 403);
    const run = await as(writer, "POST", "/compaction", compact);
    assert.equal(run.status, 202);
    const status = await as(reader, "GET", `/compaction/status/${run.body.instanceId}`);
    assert.equal(status.status, 200);
    assert.equal((await as(writer, "DELETE", base)).body.code, "dataset_forbidden");
    const members = await as(owner, "GET", `${base}/members`);
    assert.deepEqual(members.body.members.map(({ role }: { role: string }) => role), [
      "writer",
      "reader",
    ]);
    assert.deepEqual(members.body.invitations, []);
  });

  await t.step("an invitation is taken back", async () => {
    const offered = await as(owner, "POST", `${base}/invitations`, { role: "writer" });
    const path = `${base}/invitations/${offered.body.invitation_id}`;
    assert.equal((await as(writer, "DELETE", path)).body.code, "dataset_forbidden");
    assert.equal((await as(owner, "DELETE", path)).body.revoked, true);
    assert.equal((await accept(stranger, offered.body.token)).body.code, "invitation_gone");
  });

  await t.step("a writer who is removed can't end what was begun", async () => {
    const bytes = tinyParquet([9]);
    const planned = await as(writer, "POST", "/battle-data/upload", {
      dataset_id: dataset,
      table: "battles",
      period_tag: "0",
      file_size: bytes.length,
      content_hash: sha256(bytes),
    });
    assert.equal(planned.status, 200);
    const removed = await as(owner, "DELETE", `${base}/members/${writer.id}`);
    assert.equal(removed.body.removed, true);
    const put = await call(stack, "PUT", planned.body.uploadUrl, { body: bytes as BodyInit });
    assert.equal(put.body.code, "dataset_forbidden");
    assert.equal((await latest(writer)).body.code, "dataset_forbidden");
    assert.deepEqual([await rowsOf(writer), await rowsOf(owner)], [0, 2]);
  });

  await t.step(
    "the dataset is handed over: the receiver has all, the old owner what was asked",
    async () => {
      const token = await invite(owner, { role: "owner", keep_role: "reader" });
      assert.equal((await accept(stranger, token)).body.role, "owner");
      assert.deepEqual([await rowsOf(stranger), await rowsOf(owner)], [2, 2]);
      assert.equal((await send(stranger, 4)).status, 200);
      assert.equal((await send(owner, 5)).body.code, "dataset_forbidden");
      assert.equal((await as(owner, "DELETE", base)).body.code, "dataset_forbidden");
      assert.equal((await as(owner, "DELETE", `${base}/members/${owner.id}`)).body.removed, true);
      assert.equal((await latest(owner)).body.code, "dataset_forbidden");
      assert.equal((await latest(reader)).status, 200, "members stay");
      assert.equal((await as(stranger, "DELETE", base)).status, 200);
      assert.equal((await latest(reader)).body.code, "dataset_deleted");
    },
  );
});
