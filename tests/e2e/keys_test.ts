import { strict as assert } from "node:assert";
import { createClient } from "@supabase/supabase-js";
import postgres from "postgres";
import { createS3Store } from "../../shared/storage/s3_store.ts";
import { startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, type TestUser, until, uploadForm } from "../support/client.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

Deno.test("a read-only key reads its dataset by every way, does nothing else, and ends", async (t) => {
  await using stack = await startStack({ tickSeconds: 0.5, cronSeconds: { sediment_keys: 0.5 } });
  const sql = postgres(stack.adminDbUrl, { max: 2, onnotice: () => {} });
  await using _sql = { [Symbol.asyncDispose]: () => sql.end() };
  const [owner, other, heir] = await Promise.all(
    ["owner", "other", "heir"].map((name) => signUp(stack, `${name}@example.com`)),
  ) as [TestUser, TestUser, TestUser];
  const dataset = crypto.randomUUID(), others = crypto.randomUUID();
  const base = `/battle-data/datasets/${dataset}`;
  const bytes = tinyParquet([1, 2, 3]);

  type Who = { headers: Record<string, string> };
  const as = (who: Who, method: string, path: string, json?: unknown) =>
    call(stack, method, path, {
      headers: who.headers,
      ...(json === undefined ? {} : { json }),
    });
  const send = (who: Who, id: string, file = bytes, query = "") =>
    call(stack, "POST", `/battle-data/upload${query}`, {
      headers: who.headers,
      body: uploadForm({ dataset_id: id, table: "battles", content_hash: sha256(file) }, file),
    });
  const createKey = async (label: string, expires_in = 3600, who: Who = owner) => {
    const made = await as(who, "POST", `${base}/keys`, { label, expires_in });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    return made.body;
  };
  const exchange = (secret: string) =>
    call(stack, "POST", "/battle-data/keys/session", { json: { secret } });
  const open = async (secret: string) => {
    const { status, body } = await exchange(secret);
    assert.equal(status, 200, JSON.stringify(body));
    const headers = { authorization: `Bearer ${body.access_token}` };
    return { session: body, headers };
  };
  const latest = (who: Who, id = dataset) =>
    as(who, "GET", `/battle-data/latest?dataset_id=${id}&table=battles`);
  const userOf = (id: string) => sql`select 1 from auth.users where id = ${id}`;
  const store = (token: string) =>
    createS3Store({
      endpoint: `${stack.url}/storage/v1/s3`,
      region: "local",
      bucket: "sediment",
      accessKeyId: "sediment",
      secretAccessKey: stack.publishableKey,
      sessionToken: token,
    });

  const keysIn = async (s3: ReturnType<typeof store>, prefix: string) =>
    (await s3.list(prefix)).objects.map(({ key }) => key);

  const stored = await send(owner, dataset);
  assert.equal(stored.status, 200);
  assert.equal((await send(other, others)).status, 200);
  const objectKey: string = stored.body.key;

  const made = await createKey("dashboard");
  const key = await open(made.secret);
  const token: string = key.session.access_token;

  await t.step("what is no key, and what nobody has, is told so", async () => {
    const wrong = await exchange("sdk_1");
    assert.deepEqual([wrong.status, wrong.body.field], [400, "secret"]);
    const unknown = await exchange(`sdk_${"0".repeat(64)}`);
    assert.deepEqual([unknown.status, unknown.body.code], [401, "key_invalid"]);
    const strict = await as(owner, "POST", `${base}/keys`, { expires: 60 });
    assert.deepEqual([strict.status, strict.body.field], [400, "expires"]);
    assert.equal((await as(owner, "POST", `${base}/keys`, { expires_in: 59 })).status, 400);
    assert.equal((await as(owner, "PUT", `${base}/keys`)).status, 405);
  });

  await t.step("the secret is told once, the session is a reader's", async () => {
    const listed = await as(owner, "GET", `${base}/keys`);
    assert.equal(listed.body.keys.length, 1);
    const [one] = listed.body.keys;
    assert.deepEqual([one.label, one.state, one.key_id], ["dashboard", "active", made.key_id]);
    assert.ok(one.last_used_at !== null && !JSON.stringify(listed.body).includes(made.secret));
    assert.equal(key.session.dataset_id, dataset);
    assert.ok(key.session.expires_in > 3500 && key.session.expires_in <= 3600);
    const members = await as(owner, "GET", `${base}/members`);
    assert.deepEqual(members.body.members, [], "a key is no member");
  });

  await t.step("it reads by the manifest, signed URLs and ranges of content", async () => {
    const { status, body } = await latest(key);
    assert.equal(status, 200, JSON.stringify(body));
    const read = await (await fetch(body.files[0].url)).arrayBuffer();
    assert.deepEqual(new Uint8Array(read), bytes);
    const content = await fetch(
      `${stack.url}/functions/v1/battle-data/files/${body.files[0].id}/content`,
      { headers: key.headers },
    );
    assert.deepEqual(new Uint8Array(await content.arrayBuffer()), bytes);
    assert.equal((await as(key, "GET", `/battle-data/tables?dataset_id=${dataset}`)).status, 200);
    assert.equal((await as(key, "GET", `/compaction/status/${stored.body.metricId}`)).status, 200);
  });

  const supabase = createClient(stack.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(token),
  });
  const rows = async () => {
    const { data, error } = await supabase.from("battle_files").select("dataset_id, row_count");
    assert.equal(error, null);
    return data!;
  };
  const bucket = supabase.storage.from("sediment");

  await t.step("by PostgREST, Storage's API and its S3 protocol", async () => {
    assert.deepEqual(await rows(), [{ dataset_id: dataset, row_count: 3 }]);
    const { data, error } = await bucket.download(objectKey);
    assert.equal(error, null);
    assert.deepEqual(new Uint8Array(await data!.arrayBuffer()), bytes);
    const s3 = store(token);
    assert.deepEqual(new Uint8Array(await s3.get(objectKey)), bytes);
    assert.equal((await s3.head(objectKey))?.size, bytes.length);
    assert.deepEqual(await keysIn(s3, `battle_data/${dataset}/`), [objectKey]);
    assert.deepEqual(await keysIn(s3, ""), [objectKey], "of all the bucket");
  });

  await t.step("it does nothing else: not here, not elsewhere, not at Auth", async () => {
    const refused: [Promise<{ status: number; body: { code: string } }>, string][] = [
      [latest(key, others), "dataset_forbidden"],
      [send(key, dataset, tinyParquet([9])), "dataset_forbidden"],
      [send(key, dataset, tinyParquet([9]), "?own_dataset=1"), "key_read_only"],
      [send(key, crypto.randomUUID(), tinyParquet([9])), "key_read_only"],
      [as(key, "POST", "/compaction", { datasetId: dataset }), "dataset_forbidden"],
      [as(key, "DELETE", base), "dataset_forbidden"],
      [as(key, "DELETE", `/battle-data/users/${made.user_id}`), "key_read_only"],
      [as(key, "POST", `${base}/invitations`, { role: "reader" }), "dataset_forbidden"],
      [as(key, "POST", `${base}/keys`, {}), "dataset_forbidden"],
      [as(key, "GET", `${base}/keys`), "dataset_forbidden"],
      [as(key, "DELETE", `${base}/keys/${made.key_id}`), "dataset_forbidden"],
      [as(key, "POST", `${base}/tables/battles/rename`, { name: "x" }), "dataset_forbidden"],
      [
        as(key, "POST", "/asset-sync/upload", {
          key: "a.png",
          file_size: 3,
          content_hash: sha256(new Uint8Array(3)),
        }),
        "key_read_only",
      ],
    ];
    for (const [answer, code] of refused) {
      const { status, body } = await answer;
      assert.deepEqual([status, body.code], [403, code]);
    }
    const offer = await as(other, "POST", `/battle-data/datasets/${others}/invitations`, {
      role: "reader",
    });
    const accepted = await as(key, "POST", "/battle-data/invitations/accept", {
      token: offer.body.token,
    });
    assert.equal(accepted.body.code, "key_read_only");
    const left = await as(key, "DELETE", `${base}/members/${made.user_id}`);
    assert.equal(left.body.removed, false);
    assert.ok((await bucket.createSignedUrl(objectKey, 10 * 365 * 86_400)).error, "it signs");
    assert.ok((await bucket.upload("battle_data/x.parquet", bytes)).error, "it writes");
    assert.equal((await bucket.remove([objectKey])).data?.length ?? 0, 0, "it deletes");
    for (const [method, body] of [["GET"], ["PUT", '{"password":"mine from now on"}']] as const) {
      const auth = await fetch(`${stack.url}/auth/v1/user`, {
        method,
        headers: {
          ...key.headers,
          apikey: stack.publishableKey,
          "content-type": "application/json",
        },
        body,
      });
      await auth.body?.cancel();
      assert.equal(auth.status, 403, `Auth takes ${method} /user`);
    }
    assert.equal((await latest(key)).status, 200, "and it reads on");
  });

  await t.step("only the owner makes keys, and so many", async () => {
    assert.equal((await as(other, "POST", `${base}/keys`, {})).body.code, "dataset_forbidden");
    await sql`update public.service_settings set keys_max = 1 where id`;
    const over = await as(owner, "POST", `${base}/keys`, {});
    assert.deepEqual([over.status, over.body.code, over.body.limit], [
      429,
      "quota_exceeded",
      "keys_max",
    ]);
    await sql`update public.service_settings set keys_max = 20 where id`;
  });

  /** Whether a key and its open session have ended everywhere. */
  const isShut = async (secret: string, session: { headers: Record<string, string> }) => {
    const again = await exchange(secret);
    assert.deepEqual([again.status, again.body.code], [401, "key_invalid"]);
    assert.equal((await latest(session)).body.code, "dataset_forbidden");
  };

  await t.step("revoked, it ends at once, and its user goes", async () => {
    const url = (await latest(key)).body.files[0].url;
    const path = `${base}/keys/${made.key_id}`;
    assert.equal((await as(other, "DELETE", path)).body.code, "dataset_forbidden");
    assert.equal((await as(owner, "DELETE", path)).body.revoked, true);
    await isShut(made.secret, key);
    assert.deepEqual(await rows(), []);
    assert.ok((await bucket.download(objectKey)).error, "Storage opens");
    await assert.rejects(store(token).get(objectKey), /NoSuchKey/);
    assert.deepEqual(await keysIn(store(token), ""), []);
    const signed = await fetch(url);
    await signed.body?.cancel();
    assert.equal(signed.status, 200, "what was signed before lives to its end");
    await until(
      "the key's user is gone",
      60,
      async () => (await userOf(made.user_id)).length === 0,
    );
    assert.equal((await as(owner, "DELETE", path)).body.revoked, false);
    const deletions = await sql`select 1 from public.deletions where user_id = ${made.user_id}`;
    assert.equal(deletions.length, 0, "no user's data was deleted");
  });

  await t.step("expired, it is over before the clockwork comes", async () => {
    const brief = await createKey("brief", 60);
    const session = await open(brief.secret);
    assert.ok(session.session.expires_in <= 60, "its session ends with it");
    await sql`update public.dataset_keys set expires_at = now(), remove_user_at = now() + interval '1 hour' where id = ${brief.key_id}`;
    await sql`update public.dataset_members set expires_at = now() where key_id = ${brief.key_id}`;
    await isShut(brief.secret, session);
    const listed = await as(owner, "GET", `${base}/keys`);
    assert.equal(
      listed.body.keys.find((k: { key_id: string }) => k.key_id === brief.key_id).state,
      "expired",
    );
    assert.equal((await userOf(brief.user_id)).length, 1);
    await sql`update public.dataset_keys set remove_user_at = now() where id = ${brief.key_id}`;
    const swept = await call(stack, "POST", "/compactor/keys", {
      headers: { apikey: stack.cronKey },
    });
    assert.deepEqual([swept.status, swept.body.failed], [200, []]);
    const isGone = async () => (await userOf(brief.user_id)).length === 0;
    await until("the key's user is gone", 60, isGone);
    assert.equal(
      (await call(stack, "POST", "/compactor/keys", { headers: owner.headers })).status,
      403,
    );
  });

  await t.step("deleted in Auth by hand, it is over too", async () => {
    const doomed = await createKey("doomed");
    const session = await open(doomed.secret);
    await sql`delete from auth.users where id = ${doomed.user_id}`;
    await isShut(doomed.secret, session);
  });

  await t.step("a handover ends it", async () => {
    const handed = await createKey("handed");
    const session = await open(handed.secret);
    const { body } = await as(owner, "POST", `${base}/invitations`, { role: "owner" });
    const taken = await as(heir, "POST", "/battle-data/invitations/accept", { token: body.token });
    assert.equal(taken.body.role, "owner");
    await isShut(handed.secret, session);
    assert.equal((await as(owner, "GET", `${base}/keys`)).body.code, "dataset_forbidden");
    const listed = await as(heir, "GET", `${base}/keys`);
    assert.deepEqual(
      listed.body.keys.map((k: { end_reason: string }) => k.end_reason),
      ["revoked", "expired", "user_deleted", "handed_over"],
    );
  });

  await t.step("and so does the dataset's deletion", async () => {
    const last = await createKey("last", 3600, heir);
    const session = await open(last.secret);
    assert.equal((await latest(session)).status, 200);
    assert.equal((await as(heir, "DELETE", `${base}?purge=now`)).status, 200);
    await isShut(last.secret, session);
    const isEmpty = async () =>
      (await sql`select 1 from auth.users where email like 'key-%'`).length === 0;
    await until("no user of a key is left in Auth", 60, isEmpty);
  });
});
