/** What users ask wrongly, or may not, leaves no ERROR in the database's log: a thousand of them would hide a real one. */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import openapi from "../../functions/openapi/openapi.json" with { type: "json" };
import { type CatalogWay, catalogWays, startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, type TestUser, uploadForm } from "../support/client.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

const bytes = tinyParquet([1, 2, 3]);
const nobody = "00000000-0000-4000-8000-000000000000";
const secretOf = (prefix: string) => `${prefix}_${"0".repeat(64)}`;
const cursorOf = (value: unknown) => btoa(JSON.stringify(value));

/** Cursors that no list gave: of another shape, with fields of other types, with texts that SQL can't hold. */
function forgedCursors(real: string): string[] {
  const fields: Record<string, unknown> = JSON.parse(atob(real));
  const others = ["x", "", -1, 1e300, 0.5, null, [], {}, true, nobody, "9".repeat(30), "\u0000"];
  return [
    "AAAA",
    cursorOf([]),
    cursorOf({}),
    cursorOf({ v: "x", k: "x" }),
    ...Object.keys(fields).flatMap((name) =>
      others.map((other) => cursorOf({ ...fields, [name]: other }))
    ),
  ];
}

/** What is alice's; the others ask for it. */
interface Target {
  dataset: string;
  file: string;
  stage: string;
  upload: string;
  run: string;
  key: string;
}

/** Methods whose requests carry JSON here; a PUT carries a file. */
const withBody = new Set(["post", "patch"]);

/** A body of each route that takes one, which is right but for whose it is. */
function bodiesOf({ dataset, file }: Target): Record<string, unknown[]> {
  const fragment = { dataset_id: dataset, table: "t", period_tag: "0" };
  const described = { file_size: bytes.length, content_hash: sha256(bytes) };
  const asset = { key: "a.txt", ...described };
  return {
    "/battle-data/upload": [{ ...fragment, ...described }],
    "/battle-data/datasets/{dataset}/invitations": [{ role: "reader" }, { role: "owner" }],
    "/battle-data/datasets/{dataset}/tables/{table}/rename": [{ name: "u" }],
    "/battle-data/invitations/accept": [{ token: secretOf("sdi") }],
    "/battle-data/datasets/{dataset}/keys": [{}, { label: "\u0000" }, { label: "\ud800" }],
    "/battle-data/keys/session": [{ secret: secretOf("sdk") }],
    "/iceberg/v1/oauth/tokens": [{}, { client_secret: secretOf("sdk") }],
    "/iceberg/v1/aws/s3/sign": [{ uri: "", region: "local", method: "GET", headers: {} }],
    "/compaction": [{ ...fragment }, { dataset_id: nobody }, { ...fragment, period_tag: "1" }],
    "/compaction/rewrite": [{ dataset_id: dataset, table: "t" }, {
      dataset_id: nobody,
      table: "t",
    }],
    "/compaction/sanitize-state": [{ dataset_id: dataset }],
    "/compaction/quarantine/retry": [{ dataset_id: dataset }, {
      dataset_id: dataset,
      files: [Number(file), 1, Number.MAX_SAFE_INTEGER],
    }],
    "/compaction/dlq/redrive": [{ ids: [1, Number.MAX_SAFE_INTEGER] }, { dataset_id: dataset }],
    "/compaction/dlq/drop": [{ ids: [1, Number.MAX_SAFE_INTEGER] }, { ids: [] }],
    "/compaction/settings": [{ changes: { max_workers: 1 } }, { changes: { nope: "\u0000" } }, {}],
    "/asset-sync/upload": [asset, { ...asset, key: "a.nope" }, { ...asset, file_name: "a\u0000" }],
  };
}

/** Queries of the routes that take one. */
function queriesOf({ dataset, file }: Target, cursors: string[]): Record<string, string[]> {
  const lists = ["", "&version=999999999999999", "&version=0", "&table=u&from=z&to=a"];
  const pages = cursors.map((cursor) => `&cursor=${encodeURIComponent(cursor)}`);
  const of = (first: string, ...rest: string[][]) => rest.flat().map((more) => `?${first}${more}`);
  const manifest = of(`dataset_id=${dataset}`, lists, pages);
  const hash = `content_hash=${sha256(bytes)}`;
  return {
    "/battle-data/chunks": manifest,
    "/battle-data/latest": manifest,
    "/battle-data/tables": of(`dataset_id=${dataset}`, ["", "&version=99"], pages),
    "/compaction/dlq-status": of("limit=1", ["", `&dataset_id=${dataset}`], pages),
    "/compaction/datasets": of("limit=1", [""], pages),
    "/compaction/partitions": [
      "",
      "?state=stuck",
      "?state=debt",
      ...of(`dataset_id=${dataset}`, ["", "&table=u", "&state=running"], pages),
    ],
    "/compaction/runs": [
      "",
      `?before=${nobody}`,
      `?dataset_id=${dataset}`,
      ...[
        "x",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:60Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T25:00:00Z",
        "2026-01-01T00:00:00..Z",
        "2026-01-01T00:00:00+99:99",
        "2026-01-01T00:00:00.000001+15:59",
        "1970-01-01T00:00:00Z",
      ].map((time) => `?before=${encodeURIComponent(time)}`),
    ],
    "/compaction/quarantine": ["", `?dataset_id=${dataset}`, `?dataset_id=${nobody}`],
    "/compaction/rewrite": ["", `?dataset_id=${dataset}`],
    "/iceberg/v1/namespaces": ["", "?pageToken=", "?pageToken=x&pageSize=1", "?pageToken=%00"],
    "/compaction/overview": ["", "?window=x", "?window=1", "?window=15m"],
    "/asset-sync/keys": of("limit=1", ["", "&prefix=%25_%5C", "&prefix=%F0%9F%98%80"], pages),
    "/asset-sync/check-hash": [`?key=a.txt&${hash}`, `?key=..%2Fa&${hash}`, `?key=%00&${hash}`],
    "/asset-sync/url": ["?key=a.txt", "?key=%ED%A0%80"],
    "/battle-data/upload": ["", "?direct=1", "?again=1"],
    "/battle-data/files/{id}/content": ["", "?token=x", `?token=${file}`],
  };
}

/** The places of a path: alice's, one that is not there, what is no id. */
function pathsOf(path: string, target: Target): string[] {
  const places: Record<string, string[]> = {
    stage: [target.stage, nobody, "x"],
    id: [target.file, "999", "9".repeat(16), "%00"],
    dataset: [target.dataset, nobody, "%00"],
    table: ["t", "u"],
    period: ["0", "1"],
    namespace: [target.dataset, nobody, "lake", "%00", "%1F"],
    upload: [target.upload, nobody, "x"],
    user: [nobody],
    deletion: [nobody, "x"],
    member: [nobody, "x"],
    invitation: [nobody, "x"],
    key: [target.key, nobody, "x"],
    instanceId: [target.run, nobody, "%00"],
  };
  const name = /\{(\w+)\}/.exec(path)?.[1];
  if (name === undefined) return [path];
  assert.ok(name in places, `no place for {${name}}`);
  return places[name].flatMap((place) => pathsOf(path.replace(`{${name}}`, place), target));
}

async function askEverything(way: CatalogWay): Promise<void> {
  await using stack = await startStack({
    cron: false,
    catalog: way,
    env: { SEDIMENT_READS_PER_MINUTE: "1000000" },
  });
  const [alice, bob] = await Promise.all(
    ["alice", "bob"].map((name) => signUp(stack, `${name}@example.com`)),
  );
  type Who = Pick<TestUser, "headers">;
  const ask = (who: Who, method: string, path: string, json?: unknown, body?: BodyInit) =>
    call(stack, method, path, {
      headers: who.headers,
      ...(json === undefined ? { body } : { json }),
    });
  const upload = (who: Who, dataset_id: string, table: string) =>
    ask(who, "POST", "/battle-data/upload", undefined, uploadForm({ dataset_id, table }, bytes));

  const dataset = crypto.randomUUID(), own = crypto.randomUUID();
  const second = crypto.randomUUID();
  const keys: string[] = [];
  for (const table of ["t", "u"]) {
    for (const [who, id] of [[alice, dataset], [bob, own], [bob, second]] as const) {
      const { status, body } = await upload(who, id, table);
      assert.equal(status, 200);
      keys.push(body.key);
    }
  }
  const { body: listed } = await ask(
    alice,
    "GET",
    `/battle-data/latest?dataset_id=${dataset}&limit=1`,
  );
  const { body: made } = await ask(alice, "POST", `/battle-data/datasets/${dataset}/keys`, {});
  const { body: planned } = await ask(alice, "POST", "/battle-data/upload?direct=1", {
    ...{ dataset_id: dataset, table: "t", period_tag: "9" },
    ...{ file_size: bytes.length, content_hash: sha256(bytes) },
  });
  const { body: asked } = await ask(alice, "POST", "/compaction", { dataset_id: dataset });
  const { body: session } = await ask(alice, "POST", "/battle-data/keys/session", {
    secret: made.secret,
  });
  const keyHolder: Who = { headers: { authorization: `Bearer ${session.access_token}` } };
  const target: Target = {
    dataset,
    file: String(listed.files[0].id),
    stage: /upload\/([^/]+)\/complete/.exec(planned.completeUrl)![1],
    upload: /([^/]+)\.\w+$/.exec(keys[0])![1],
    run: String(asked.instanceId),
    key: made.key_id,
  };
  for (const [name, value] of Object.entries(target)) assert.ok(value, `alice has no ${name}`);
  for (const key of ["a.txt", "b.txt"]) {
    const asset = { key, file_size: bytes.length, content_hash: sha256(bytes) };
    const { body } = await ask(bob, "POST", "/asset-sync/upload", asset);
    assert.equal((await ask(bob, "PUT", body.uploadUrl, undefined, bytes)).status, 200);
  }
  /** Bob's own lists; the cursor of the one that is empty is written by hand. */
  const lists = [`/battle-data/latest?dataset_id=${own}`, `/battle-data/tables?dataset_id=${own}`];
  lists.push(
    `/compaction/partitions?dataset_id=${own}`,
    "/compaction/datasets?",
    "/asset-sync/keys?",
  );
  const given = await Promise.all(lists.map(async (list) => {
    const { body } = await ask(bob, "GET", `${list}&limit=1`);
    assert.equal(typeof body.next_cursor, "string", list);
    return body.next_cursor as string;
  }));
  lists.push("/compaction/dlq-status?");
  const cursors = [...given, cursorOf({ before: "1", at: "1" })].flatMap(forgedCursors);

  const log = join(stack.stateDir, "postgres", "postgres.log");
  const errorsIn = (text: string) =>
    text.split("\n").filter((line) => / (ERROR|FATAL): /.test(line));
  const before = (await Deno.readTextFile(log)).length;
  const statuses: Record<number, number> = {};
  let seen = before;
  const request = async (
    who: Who,
    method: string,
    path: string,
    json?: unknown,
    body?: BodyInit,
  ) => {
    const { status } = await ask(who, method, path, json, body);
    statuses[status] = (statuses[status] ?? 0) + 1;
    const text = await Deno.readTextFile(log);
    const said = errorsIn(text.slice(seen));
    seen = text.length;
    assert.deepEqual(said, [], `${method} ${path} ${JSON.stringify(json)}: ${status}`);
    assert.notEqual(status, 500, `${method} ${path} ${JSON.stringify(json)}`);
  };
  for (const who of [bob, keyHolder]) {
    await request(
      who,
      "POST",
      "/battle-data/upload",
      undefined,
      uploadForm({ dataset_id: dataset, table: "t" }, bytes),
    );
    for (const [path, methods] of Object.entries(openapi.paths)) {
      const bodies = bodiesOf(target)[path] ?? [undefined];
      const queries = queriesOf(target, who === bob ? cursors : [])[path] ?? [""];
      for (const method of Object.keys(methods).filter((name) => name !== "parameters")) {
        for (const place of pathsOf(path, target)) {
          for (const query of queries) {
            for (const json of withBody.has(method) ? bodies : [undefined]) {
              await request(who, method.toUpperCase(), `${place}${query}`, json);
            }
          }
        }
      }
    }
  }
  // bob's own lists, with cursors that were made up
  for (const cursor of cursors) {
    for (const list of lists) {
      await request(bob, "GET", `${list}&cursor=${encodeURIComponent(cursor)}`);
    }
  }
  const self = `/battle-data/users/${made.user_id}`;
  await request(keyHolder, "DELETE", self);
  for (const status of [400, 401, 403, 404]) {
    assert.ok(statuses[status] > 0, `nothing was ${status}`);
  }
}

for (const way of catalogWays) {
  Deno.test(`no request of users writes an ERROR into the database's log, over ${way}`, () =>
    askEverything(way));
}
