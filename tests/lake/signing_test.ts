/**
 * Iceberg on a store that gives users no keys: pyiceberg and icebird, unmodified, whose requests the catalog signs; and what it
 * does not sign. The store is Ceph, which checks signatures.
 */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import { createS3Client } from "../../shared/storage/s3_client.ts";
import { hasRadosGateway, startRadosGateway } from "../conformance/radosgw.ts";
import { call, signUp } from "../support/client.ts";
import { literal, rows } from "../support/duckdb.ts";
import { hasExtensions, loadExtensions } from "../support/duckdb_extensions.ts";
import { readByIcebird } from "../support/icebird.ts";
import { scanIceberg, signsRemotely } from "../support/pyiceberg.ts";
import { openLakeWorld } from "./lake_world.ts";

const withCeph = hasRadosGateway();
if (!withCeph) console.log("skipped: signatures for readers of Iceberg (no Ceph installed)");
const withPyiceberg = await signsRemotely();

Deno.test({
  name: "readers of Iceberg have what they may read signed, on a store that gives them no keys",
  ignore: !withCeph,
}, async (t) => {
  const gateway = await startRadosGateway();
  using _gateway = { [Symbol.dispose]: () => gateway.stopNow() };
  const { endpoint, accessKeyId, secretAccessKey } = gateway;
  const bucket = "sediment";
  const s3 = createS3Client({ ...gateway, region: "us-east-1", bucket });
  const made = await s3.send({ action: "make the bucket", key: "" }, "PUT", null);
  await made.body?.cancel();
  await using world = await openLakeWorld({
    SEDIMENT_STORE: "s3",
    SEDIMENT_S3_ENDPOINT: endpoint,
    SEDIMENT_S3_REGION: "us-east-1",
    SEDIMENT_S3_ACCESS_KEY_ID: accessKeyId,
    SEDIMENT_S3_SECRET_ACCESS_KEY: secretAccessKey,
    SEDIMENT_BUCKET: bucket,
  });
  const { stack, sql, duckdb, sent, expected, isEqual } = world;
  const user = await signUp(stack, "signs@example.com");
  const stranger = await signUp(stack, "other@example.com");
  const [mine, theirs] = [crypto.randomUUID(), crypto.randomUUID()];
  await sql`select approve_lake_table('battles'), approve_lake_table('ships')`;
  const battles = (dataset: string, period: string) => ({ dataset, table: "battles", period });
  for (const half of [0, 1]) {
    await world.send(
      user,
      battles(mine, "2024-11-25"),
      `select (i + ${half * 50})::int as id, 'a' || i as name, [i] as l from range(50) t(i)`,
    );
    await world.send(
      user,
      { dataset: mine, table: "ships", period: "0" },
      `select ${half} as id`,
    );
    await world.send(stranger, battles(theirs, "0"), `select ${half}::int as id`);
  }
  await world.settle(user, mine);
  const one = await world.settle(stranger, theirs);
  const atOne = [...sent];
  const uri = `${stack.url}/functions/v1/iceberg`;
  const own = (those: typeof sent) =>
    expected("battles", those.filter(({ dataset }) => dataset === mine));

  const load = async (token: string, namespace: string, delegation = "vended-credentials") => {
    const { body } = await call(
      stack,
      "GET",
      `/iceberg/v1/namespaces/${namespace}/tables/battles`,
      {
        headers: {
          authorization: `Bearer ${token}`,
          "x-iceberg-access-delegation": delegation,
        },
      },
    );
    return body;
  };
  interface Asked {
    method?: string;
    uri?: string;
    region?: string;
    token?: string;
    path?: string;
  }
  const route = (namespace: string, table = "battles") =>
    `/iceberg/v1/namespaces/${namespace}/tables/${table}/sign`;
  const sign = (key: string, asked: Asked = {}) =>
    call(stack, "POST", asked.path ?? route(mine), {
      headers: { authorization: `Bearer ${asked.token ?? user.accessToken}` },
      json: {
        method: asked.method ?? "GET",
        uri: asked.uri ?? `${endpoint}/${bucket}/${key}`,
        region: asked.region ?? "us-east-1",
        headers: { host: [new URL(endpoint).host] },
        provider: "s3",
      },
    });
  const read = async (key: string, asked?: Asked, method = asked?.method ?? "GET") => {
    const { status, body } = await sign(key, asked);
    assert.equal(status, 200, JSON.stringify(body));
    const headers = Object.fromEntries(
      Object.entries<string[]>(body.headers).map(([name, [value]]) => [name, value!]),
    );
    const answer = await fetch(body.uri, { method, headers: { ...headers, range: "bytes=0-3" } });
    return { status: answer.status, text: await answer.text() };
  };
  const refused = async (code: number, type: string, key: string, asked?: Asked) => {
    const { status, body } = await sign(key, asked);
    assert.equal(status, code, `${JSON.stringify([key, asked])}: ${JSON.stringify(body)}`);
    assert.deepEqual([body.error.code, body.error.type], [code, type]);
  };
  const keyOf = async (dataset: string, table = "battles") => {
    const [{ object_key }] = await sql`
      select l.object_key from lake_files l join lake_relations r on r.id = l.relation_id
      where l.dataset_id = ${dataset} and r.name = ${table} and l.end_snapshot is null limit 1`;
    return object_key as string;
  };

  const pyReads = async (right: string, asked: Record<string, string>, snapshot?: number) => {
    const path = join(world.folder, `read-${crypto.randomUUID()}.parquet`);
    await scanIceberg({ uri, ...asked }, [mine, "battles"], [{ path, snapshot }]);
    await isEqual(`read_parquet(${literal(path)})`, right);
  };
  await t.step({
    name: "pyiceberg reads a user's rows, and those of a key",
    ignore: !withPyiceberg,
    async fn() {
      await pyReads(own(sent), { token: user.accessToken });
      const { body } = await call(stack, "POST", `/battle-data/datasets/${mine}/keys`, {
        headers: user.headers,
        json: {},
      });
      await pyReads(own(sent), { credential: `any:${body.secret}` });
    },
  });

  /** The rows that icebird finds are those of a relation. */
  const icebirdReads = async (right: string, token = user.accessToken, snapshot?: number) => {
    const path = join(world.folder, `read-${crypto.randomUUID()}.json`);
    const url = `${uri}/v1/namespaces/${mine}/tables/battles`;
    const found = await readByIcebird({ url, token, bucket, snapshot });
    const text = (value: unknown) =>
      JSON.stringify(value, (_, one) => typeof one === "bigint" ? Number(one) : one);
    await Deno.writeTextFile(path, found.map(text).join("\n"));
    const columns = await rows(duckdb, `describe from ${right}`);
    const types = columns.map((one) => `${literal(String(one.column_name))}: '${one.column_type}'`);
    const read = `read_json(${literal(path)}, format = 'newline_delimited', columns = {${types}})`;
    await isEqual(read, right);
  };
  await t.step("icebird reads a user's rows", async () => {
    await icebirdReads(own(sent));
    await assert.rejects(icebirdReads(own(sent), stranger.accessToken), /403 !== 200/);
  });
  await t.step({
    name: "DuckDB, which has nothing signed, is refused by the store",
    ignore: !await hasExtensions("httpfs", "avro", "iceberg"),
    async fn() {
      await loadExtensions(duckdb, "httpfs", "avro", "iceberg");
      await duckdb.run(`attach '' as own (type iceberg, endpoint ${literal(uri)},
        token ${literal(user.accessToken)})`);
      await assert.rejects(rows(duckdb, `from own."${mine}".battles`), /HTTP 403|Forbidden|403/);
      await duckdb.run("detach database own");
    },
  });

  const file = await keyOf(mine), other = await keyOf(theirs), ship = await keyOf(mine, "ships");
  const loaded = await load(user.accessToken, mine);
  const metadata = loaded["metadata-location"].replace(`s3://${bucket}/`, "");
  await t.step("a table says where its requests are signed, and gives no key", async () => {
    for (const delegation of ["vended-credentials", "remote-signing"]) {
      const { config, "storage-credentials": credentials } = await load(
        user.accessToken,
        mine,
        delegation,
      );
      assert.equal(config["s3.remote-signing-enabled"], "true");
      assert.equal(
        `${config["s3.signer.uri"]}/${config["s3.signer.endpoint"]}`,
        `${stack.url}/functions/v1${route(mine)}`,
      );
      assert.equal(config["s3.access-key-id"], undefined);
      assert.equal(credentials, undefined);
    }
  });
  await t.step("what is signed is read", async () => {
    for (const asked of [{}, { path: "/iceberg/v1/aws/s3/sign" }]) {
      assert.deepEqual(await read(file, asked), { status: 206, text: "PAR1" });
      assert.equal((await read(metadata, asked)).status, 206);
      assert.equal((await read(file, { ...asked, method: "HEAD" })).status, 206);
    }
  });
  await t.step("a signature is for its method and its object", async () => {
    assert.equal((await read(file, {}, "DELETE")).status, 403);
    assert.equal((await read(file, {}, "PUT")).status, 403);
    const { body } = await sign(file);
    const headers = Object.fromEntries(
      Object.entries<string[]>(body.headers).map(([name, [value]]) => [name, value!]),
    );
    for (const url of [`${body.uri}?acl`, body.uri.replace(file, other)]) {
      const answer = await fetch(url, { headers });
      await answer.body?.cancel();
      assert.equal(answer.status, 403, url);
    }
  });
  await t.step("nobody has another's signed, nor what is in no table", async () => {
    const forbidden = [403, "ForbiddenException"] as const;
    const any = "/iceberg/v1/aws/s3/sign";
    await refused(...forbidden, other);
    await refused(...forbidden, other, { path: any });
    await refused(...forbidden, other, { path: route(theirs) });
    await refused(...forbidden, file, { token: stranger.accessToken });
    await refused(...forbidden, file, { token: stranger.accessToken, path: any });
    await refused(...forbidden, file, { token: stranger.accessToken, path: route(theirs) });
    await refused(...forbidden, ship);
    await refused(...forbidden, metadata, { path: route(mine, "ships") });
    assert.equal((await sign(ship, { path: route(mine, "ships") })).status, 200);
    const whole = (await load(stack.secretKey, "lake"))["metadata-location"]
      .replace(`s3://${bucket}/`, "");
    await refused(...forbidden, whole);
    await refused(404, "NoSuchTableException", whole, { path: route("lake") });
    await refused(404, "NoSuchTableException", whole, { path: any });
    assert.equal((await read(whole, { token: stack.secretKey, path: route("lake") })).status, 206);
    assert.equal((await read(other, { token: stack.secretKey, path: any })).status, 206);
    const [{ object_key: body }] = await sql`select object_key from objects
      where dataset_id = ${mine} and kind not in ('compacted', 'lake') limit 1`;
    await refused(...forbidden, body);
    await refused(...forbidden, body, { path: any });
    await refused(...forbidden, `${file}x`);
    // staged: somebody is about to write it
    const staged = `${metadata}.next`;
    await sql`insert into objects (object_key, kind, put_deadline, dataset_id, "table")
      values (${staged}, 'lake', now() + interval '1 hour', ${mine}, 'battles')`;
    await refused(...forbidden, staged);
    await sql`update objects set state = 'stored' where object_key = ${staged}`;
    assert.equal((await sign(staged)).status, 200);
    await sql`delete from objects where object_key = ${staged}`;
  });
  await t.step("nothing is signed but reads of one object here", async () => {
    const forbidden = [403, "ForbiddenException"] as const;
    const at = `${endpoint}/${bucket}/${file}`;
    for (const method of ["PUT", "POST", "DELETE", "PATCH", "OPTIONS"]) {
      await refused(...forbidden, file, { method });
    }
    for (
      const uri of [
        `${at}?acl`,
        `${at}?uploads`,
        `${endpoint}/${bucket}?list-type=2`,
        `${endpoint}/${bucket}/?list-type=2`,
        `${endpoint}/other/${file}`,
        at.replace("127.0.0.1", "127.0.0.2"),
        at.replace("http:", "https:"),
        `${endpoint}/${bucket}/x/../${file}`,
        `${endpoint}/${bucket}/x/%2e%2e/${file}`,
        at.replaceAll("/battles/", "%2Fbattles%2F"),
        `${at}#x`,
        "no url",
      ]
    ) await refused(...forbidden, file, { uri });
    await refused(400, "BadRequestException", file, { region: "eu-central-1" });
    const long = await call(stack, "POST", route(mine), {
      headers: user.headers,
      json: { padding: "x".repeat(20_000) },
    });
    assert.equal(long.status, 413);
    assert.equal(long.body.error.type, "BadRequestException");
    const nobody = await call(stack, "POST", route(mine), { json: {} });
    assert.equal(nobody.status, 401);
    const none = await call(stack, "POST", route(mine), { headers: user.headers, json: {} });
    assert.equal(none.status, 400);
  });
  await t.step("a key that is revoked has nothing signed from then on", async () => {
    const keys = `/battle-data/datasets/${mine}/keys`;
    const { body: key } = await call(stack, "POST", keys, { headers: user.headers, json: {} });
    const { body: session } = await call(stack, "POST", "/iceberg/v1/oauth/tokens", {
      body: new URLSearchParams({ grant_type: "client_credentials", client_secret: key.secret }),
    });
    const token = session.access_token;
    assert.equal((await read(file, { token })).status, 206);
    await refused(403, "ForbiddenException", other, { token, path: route(theirs) });
    await call(stack, "DELETE", `${keys}/${key.key_id}`, { headers: user.headers });
    await refused(403, "ForbiddenException", file, { token });
    await refused(403, "ForbiddenException", metadata, { token });
  });
  await t.step("snapshots of before are read, and what is purged is not signed", async () => {
    for (const half of [0, 1]) {
      await world.send(user, battles(mine, "2024-12-02"), `select ${half + 500}::int as id`);
    }
    await world.settle(user, mine);
    if (withPyiceberg) {
      await pyReads(own(sent), { token: user.accessToken });
      await pyReads(own(atOne), { token: user.accessToken }, one);
    }
    await icebirdReads(own(sent));
    await icebirdReads(own(atOne), user.accessToken, one);
    assert.equal((await read(file)).status, 206);
    const gone = await call(
      stack,
      "DELETE",
      `/battle-data/datasets/${mine}/tables/battles/periods/2024-11-25?purge=now`,
      { headers: user.headers },
    );
    assert.ok(gone.status < 300, JSON.stringify(gone.body));
    await sql`select advance_deletions(10000)`;
    await refused(403, "ForbiddenException", file);
    await refused(403, "ForbiddenException", file, { token: stack.secretKey, path: route("lake") });
  });
});

Deno.test("a store that gives users keys of their own has nothing signed", async () => {
  await using world = await openLakeWorld();
  const user = await signUp(world.stack, "keys@example.com");
  const { status, body } = await call(world.stack, "POST", "/iceberg/v1/aws/s3/sign", {
    headers: user.headers,
    json: {},
  });
  assert.equal(status, 405);
  assert.equal(body.error.type, "UnsupportedOperationException");
});
