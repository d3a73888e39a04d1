/**
 * DuckDB's own iceberg extension and pyiceberg, unmodified, over the function `iceberg`: rows compared with the files that were
 * sent, while merges, deletions, publications and vacuums go on.
 */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import { createS3Client } from "../../shared/storage/s3_client.ts";
import { call, signUp } from "../support/client.ts";
import { literal, rows, scalar } from "../support/duckdb.ts";
import { hasExtensions, loadExtensions } from "../support/duckdb_extensions.ts";
import { hasPyiceberg, scanIceberg } from "../support/pyiceberg.ts";
import { openLakeWorld, type Sent } from "./lake_world.ts";

const page = await Deno.readTextFile(new URL("../../docs/lake.md", import.meta.url));
const [attachSql] = /## Iceberg REST[\s\S]*?```sql\n--.*\n([\s\S]*?)```/.exec(page)![1]!.split(";");

Deno.test({
  name: "DuckDB and pyiceberg read the lake over Iceberg REST, at every snapshot that is kept",
  ignore: !await hasExtensions("httpfs", "avro", "iceberg"),
}, async (t) => {
  await using world = await openLakeWorld();
  const { stack, sql, duckdb, sent, expected, isEqual } = world;
  const withPyiceberg = await hasPyiceberg();
  const user = await signUp(stack, "owner@example.com");
  const stranger = await signUp(stack, "stranger@example.com");
  const [first, second, third, theirs] = [1, 2, 3, 4].map(() => crypto.randomUUID());
  const uri = `${stack.url}/functions/v1/iceberg`;
  const load = (token: string, namespace = "lake", table = "battles") =>
    call(stack, "GET", `/iceberg/v1/namespaces/${namespace}/tables/${table}`, {
      headers: {
        authorization: `Bearer ${token}`,
        "x-iceberg-access-delegation": "vended-credentials",
      },
    });
  const battles = (dataset: string, period: string) => ({ dataset, table: "battles", period });

  /** The store by what a table's readers are given. */
  const storeOf = (config: Record<string, string>) =>
    createS3Client({
      endpoint: config["s3.endpoint"],
      bucket: "sediment",
      region: config["s3.region"],
      accessKeyId: config["s3.access-key-id"],
      secretAccessKey: config["s3.secret-access-key"],
      sessionToken: config["s3.session-token"],
    });

  // a table with a column of its own that is called as the lake's
  for (const half of [0, 1]) {
    await world.send(
      user,
      { dataset: first!, table: "ships", period: "0" },
      `select ${half} as id, 'mine' as Dataset_Id`,
    );
  }
  await sql`select approve_lake_table('ships'), approve_lake_table('battles')`;
  // ids of fields that would swap the columns if engines went by them; nested columns; types that widen
  for (const half of [0, 1]) {
    await world.send(
      user,
      battles(first!, "null"),
      `select (i + ${half * 50})::int as id, 'a' || i as name, [i, null] as l,
        {'x': i, 'y': ['q', null]} as s, map {'k' || i: i} as m,
        timestamptz '2024-11-25 00:00:00+00' + to_seconds(i) as sent_at from range(50) t(i)`,
      ", field_ids {id: 1, name: 2, l: {__duckdb_field_id: 3, element: 4}, s: 5, m: 6, sent_at: 7}",
    );
    await world.send(
      user,
      battles(second!, "007"),
      `select (i + ${half * 50 + 1000})::bigint + 3000000000 as id, 'b' || i as name,
        i / 4 as score, {'x': i} as s from range(50) t(i)`,
      ", field_ids {id: 2, name: 1, score: 3, s: 4}",
    );
    await world.send(
      user,
      battles(second!, "2024-11-25"),
      `select (i + ${half * 50 + 2000})::smallint as id, null::varchar as NAME from range(50) t(i)`,
    );
    await world.send(
      stranger,
      battles(theirs!, "0"),
      `select (i + ${half * 50 + 5000})::int as id, 'c' || i as theirs from range(50) t(i)`,
    );
  }
  const mine = (those: readonly Sent[]) => those.filter(({ dataset }) => dataset !== theirs);

  await loadExtensions(duckdb, "httpfs", "avro", "iceberg");
  /** As docs/lake.md has it. */
  const attach = async (name: string, token: string) => {
    await duckdb.run(`detach database if exists ${name}`);
    await duckdb.run(
      attachSql.replace("https://PROJECT.supabase.co/functions/v1/iceberg", uri)
        .replace("TOKEN", token).replace("as lake", `as ${name}`),
    );
  };
  const service = () => attach("ice", stack.secretKey);
  const lakeRows = (at = "") => `(select * from ice.lake.battles${at})`;
  /** The rows that pyiceberg finds of the lake's table are those of a relation. */
  const pyReads = async (
    right: string,
    scan: { filter?: string; snapshot?: number } = {},
    credentials: Record<string, string> = { token: stack.secretKey },
    namespace = "lake",
  ) => {
    if (!withPyiceberg) return;
    const path = join(world.folder, `read-${crypto.randomUUID()}.parquet`);
    const { counts } = await scanIceberg({ uri, ...credentials }, [namespace, "battles"], [
      { path, ...scan },
    ]);
    await isEqual(`read_parquet(${literal(path)})`, right, "as pyiceberg reads");
    assert.equal(counts[0], await scalar(duckdb, `select count(*) from ${right}`));
  };

  // the first one's spelling of a column stays
  await world.settle(user, first!);
  await world.settle(user, second!);
  const one = await world.settle(stranger, theirs!);
  const atOne = [...sent];
  await service();

  await t.step("rows are those that were sent, with their dataset and period", async () => {
    await isEqual(lakeRows(), expected("battles", sent));
    await pyReads(expected("battles", sent));
  });
  await t.step("a table keeps its own dataset_id", async () => {
    const right = expected("ships", sent, ["_dataset_id", "_period_tag"]);
    await isEqual("(select * from ice.lake.ships)", right);
  });
  await t.step("tags that look like nulls and numbers are texts", async () => {
    const columns = "select dataset_id, period_tag, id, name, s.x from";
    for (const period of ["null", "007"]) {
      const those = sent.filter((file) => file.period === period);
      await isEqual(
        `(${columns} ice.lake.battles where period_tag = ${literal(period)})`,
        `(${columns} ${expected("battles", those)})`,
      );
      await pyReads(
        `(select * from ${expected("battles", sent)} where period_tag = ${literal(period)})`,
        { filter: `period_tag = ${literal(period)}` },
      );
    }
  });
  await t.step("a filter by dataset or period opens no other file", async () => {
    for (const where of [`dataset_id = '${first}'`, "period_tag = '007'"]) {
      const [plan] = await rows(
        duckdb,
        `explain analyze select sum(id) from ice.lake.battles where ${where}`,
      );
      assert.match(JSON.stringify(Object.values(plan!)), /Total Files Read: 1\b/);
    }
  });
  await t.step("counts, least and greatest are right", async () => {
    const asked =
      "select count(*), min(id), max(id), min(dataset_id), max(period_tag), count(name), min(sent_at) from";
    await isEqual(`(${asked} ice.lake.battles)`, `(${asked} ${expected("battles", sent)})`);
  });
  await t.step("what nothing was published of since is written once", async () => {
    const before = await load(stack.secretKey);
    const [{ count }] = await sql`select count(*)::int from objects where kind = 'lake'`;
    const again = await Promise.all([1, 2, 3].map(() => load(stack.secretKey)));
    for (const { body } of again) {
      assert.equal(body["metadata-location"], before.body["metadata-location"]);
    }
    const [after] = await sql`select count(*)::int from objects where kind = 'lake'`;
    assert.equal(after.count, count);
  });

  await t.step("a user sees their own datasets, by their own rights in the store", async () => {
    await attach("own", user.accessToken);
    const seen = await rows(
      duckdb,
      `select schema_name from duckdb_schemas()
      where database_name = 'own' and schema_name <> 'main' order by 1`,
    );
    assert.deepEqual(seen.map((row) => row.schema_name), [first, second].sort());
    for (const dataset of [first, second]) {
      const own = mine(atOne).filter((file) => file.dataset === dataset);
      await isEqual(
        `(select * from own."${dataset}".battles)`,
        expected("battles", own),
      );
    }
    const own = expected("battles", atOne.filter((file) => file.dataset === second));
    await pyReads(own, {}, { token: user.accessToken }, second);
  });
  await t.step("namespaces and tables come in pages, to who asks for pages", async () => {
    const ask = async (path: string, query: string, token = user.accessToken) => {
      const { status, body } = await call(stack, "GET", `/iceberg/v1/namespaces${path}?${query}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      assert.equal(status, 200, JSON.stringify(body));
      const names = body.namespaces?.map((one: string[]) => one[0]) ??
        body.identifiers.map((one: { name: string }) => one.name);
      return [names, body["next-page-token"]];
    };
    const both = [first!, second!].sort();
    assert.deepEqual(await ask("", ""), [both, null]);
    assert.deepEqual(await ask("", "pageSize=1"), [both, null]);
    assert.deepEqual(await ask("", "pageToken="), [both, null]);
    assert.deepEqual(await ask("", "pageToken=&pageSize=1"), [[both[0]], both[0]]);
    assert.deepEqual(await ask("", `pageToken=${both[0]}&pageSize=1`), [[both[1]], null]);
    const tables = (query: string) => ask("/lake/tables", query, stack.secretKey);
    assert.deepEqual(await tables(""), [["battles", "ships"], null]);
    assert.deepEqual(await tables("pageToken=&pageSize=1"), [["battles"], "battles"]);
    assert.deepEqual(await tables("pageToken=battles"), [["ships"], null]);
    for (const query of ["pageToken=%27", "pageToken=&pageSize=0", "pageSize=x"]) {
      const { status, body } = await call(stack, "GET", `/iceberg/v1/namespaces?${query}`, {
        headers: user.headers,
      });
      assert.equal(status, 400, query);
      assert.equal(body.error.type, "BadRequestException");
    }
  });
  await t.step("nobody sees another's rows, nor the names of their columns", async () => {
    const { body } = await load(user.accessToken, first);
    assert.doesNotMatch(JSON.stringify(body), /theirs/);
    for (const namespace of [first!, "lake"]) {
      const refused = await load(stranger.accessToken, namespace);
      assert.ok([403, 404].includes(refused.status), JSON.stringify(refused.body));
      assert.equal(refused.body.error.code, refused.status);
    }
    await attach("other", stranger.accessToken);
    await assert.rejects(rows(duckdb, `from other."${first}".battles`), /Forbidden/);
    // with the credentials that they were given for their own
    const s3 = storeOf((await load(stranger.accessToken, theirs)).body.config);
    const stored = await sql`select object_key, dataset_id from objects
      where kind in ('compacted', 'lake') and state = 'stored'`;
    const readable: string[] = [];
    for (const { object_key: key } of stored) {
      const sent = s3.send({ action: "read", key }, "GET", key);
      await sent.then((answer) => (readable.push(key), answer.body?.cancel()), () => {});
    }
    assert.deepEqual(
      readable.sort(),
      stored.filter((row) => row.dataset_id === theirs).map((row) => row.object_key).sort(),
    );
    assert.ok(readable.length >= 4, "an output, a manifest, a list and the metadata");
  });
  await t.step("a key reads its dataset as long as it isn't revoked", async () => {
    const keys = `/battle-data/datasets/${second}/keys`;
    const { body: key } = await call(stack, "POST", keys, { headers: user.headers, json: {} });
    const own = expected("battles", atOne.filter((file) => file.dataset === second));
    await pyReads(own, {}, { credential: `any:${key.secret}` }, second);
    const basic = btoa(`any:${key.secret}`);
    const { body: session } = await call(stack, "POST", "/iceberg/v1/oauth/tokens", {
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({ grant_type: "client_credentials", scope: "catalog" }),
    });
    const { status, body } = await load(session.access_token, second);
    assert.equal(status, 200, JSON.stringify(body));
    const [{ object_key }] = await sql`select object_key from lake_files
      where dataset_id = ${second!} and end_snapshot is null limit 1`;
    const read = () =>
      storeOf(body.config).send({ action: "read", key: object_key }, "GET", object_key)
        .then((answer) => answer.body?.cancel());
    await read();
    const revoked = await call(stack, "DELETE", `${keys}/${key.key_id}`, { headers: user.headers });
    assert.equal(revoked.status, 200);
    assert.equal((await load(session.access_token, second)).status, 403);
    await assert.rejects(read(), "with what it was given before");
  });
  await t.step("a token is refused in OAuth 2's words", async () => {
    const grant_type = "client_credentials";
    for (
      const [form, error] of [
        [{ grant_type, client_secret: "sdk_unknown" }, "invalid_client"],
        [{ grant_type }, "invalid_client"],
        [{ grant_type: "password", client_secret: stack.secretKey }, "unsupported_grant_type"],
        [{ grant_type, client_secret: "x".repeat(20_000) }, "invalid_request"],
      ] as [Record<string, string>, string][]
    ) {
      const { status, body } = await call(stack, "POST", "/iceberg/v1/oauth/tokens", {
        body: new URLSearchParams(form),
      });
      assert.ok(status >= 400 && status < 500, JSON.stringify(body));
      assert.equal(body.error, error);
      assert.match(body.error_description, /^[ !#-[\]-~]+$/);
    }
  });
  await t.step("credentials are given for tables that are there", async () => {
    const ask = (table: string) =>
      call(stack, "GET", `/iceberg/v1/namespaces/lake/tables/${table}/credentials`, {
        headers: { authorization: `Bearer ${stack.secretKey}` },
      });
    assert.equal((await ask("battles")).status, 200);
    const { status, body } = await ask("boats");
    assert.equal(status, 404);
    assert.equal(body.error.type, "NoSuchTableException");
  });
  await t.step("what writes is refused, and says why", async () => {
    const answer = await call(stack, "POST", "/iceberg/v1/namespaces/lake/tables", {
      headers: { authorization: `Bearer ${stack.secretKey}` },
      json: { name: "x" },
    });
    assert.equal(answer.status, 405);
    assert.match(answer.body.error.message, /read-only/);
    await assert.rejects(duckdb.run("create table ice.lake.x (id int)"), /read-only|405/);
  });

  // merges go on, a column comes, and a period goes
  for (const half of [0, 1]) {
    await world.send(
      user,
      battles(first!, "null"),
      `select ${half + 500}::int as id, 'c' as name, 1.5::double as extra`,
    );
  }
  const two = await world.settle(user, first!);
  const atTwo = [...sent];
  await service();
  await isEqual(lakeRows(), expected("battles", sent));
  const removed = await call(
    stack,
    "DELETE",
    `/battle-data/datasets/${second}/tables/battles/periods/007`,
    { headers: user.headers },
  );
  assert.ok(removed.status < 300, JSON.stringify(removed.body));
  await sql`select advance_deletions(10000)`;
  const three = await world.publish();
  const atThree = sent.filter((file) => file.period !== "007");
  await sql`update service_settings set retention_seconds = 0, signed_url_seconds = 0,
    vacuum_interval_seconds = 0 where id`;
  for (let i = 0; i < 3; i++) await world.vacuum();

  await t.step(
    "each kept snapshot shows what it showed, whatever was merged, deleted and vacuumed since",
    async () => {
      await service();
      assert.ok(one < two && two < three);
      // a column stays when its last file has gone, and is there at the snapshots before it came
      const columns = (those: readonly Sent[], ...more: string[]) =>
        `(select *${more.map((name) => `, null::double as ${name}`).join("")} from ${
          expected("battles", those)
        })`;
      await isEqual(lakeRows(), columns(atThree, "score"));
      await isEqual(lakeRows(` at (version => ${one})`), columns(atOne, "extra"));
      await isEqual(lakeRows(` at (version => ${two})`), columns(atTwo));
      await pyReads(columns(atThree, "score"));
      await pyReads(columns(atOne, "extra"), { snapshot: one });
      await pyReads(columns(atTwo), { snapshot: two });
      const [{ at }] = await sql`select at::text from lake_snapshots where id = ${one}`;
      await isEqual(
        lakeRows(` at (timestamp => timestamptz ${literal(at)})`),
        columns(atOne, "extra"),
      );
    },
  );
  await t.step("manifests are reused, and what nobody names any more is deleted", async () => {
    await load(stack.secretKey);
    await sql`update objects set delete_after = now() where kind = 'lake' and state = 'deleting'`;
    for (let i = 0; i < 3; i++) await world.vacuum();
    const named = await sql`select object_key from lake_manifests
      union all select object_key from lake_manifest_lists
      union all select object_key from lake_heads where object_key is not null`;
    const stored =
      await sql`select object_key from objects where kind = 'lake' and state = 'stored'`;
    assert.deepEqual(
      stored.map((row) => row.object_key).sort(),
      named.map((row) => row.object_key).sort(),
    );
    await isEqual(
      lakeRows(` at (version => ${two})`),
      expected("battles", atTwo),
    );
  });
  await t.step(
    "while files are merged, published and vacuumed no row is missing or twice",
    async () => {
      let going = true;
      const work = (async () => {
        for (let round = 0; round < 4; round++) {
          for (const half of [0, 1]) {
            await world.send(
              user,
              battles(third!, "0"),
              `select (i + ${(2 * round + half) * 10})::int as id from range(10) t(i)`,
            );
          }
          await world.settle(user, third!);
          await world.vacuum();
        }
      })().finally(() => going = false);
      let seen = 0;
      while (going) {
        const [row] = await rows(
          duckdb,
          `select count(*) as n, count(distinct id) as ids, coalesce(max(id), -1) + 1 as next
           from ice.lake.battles where dataset_id = '${third}'`,
        );
        const [n, ids, next] = [row!.n, row!.ids, row!.next].map(Number);
        assert.equal(n, ids);
        assert.equal(n, next);
        assert.ok(n! >= seen);
        seen = n!;
      }
      await work;
      const all = expected("battles", [...atThree, ...sent.slice(atTwo.length)]);
      await isEqual(lakeRows(), `(select *, null::double as score from ${all})`);
    },
  );
  await t.step("what is purged is at no snapshot", async () => {
    const gone = await call(stack, "DELETE", `/battle-data/datasets/${second}?purge=now`, {
      headers: user.headers,
    });
    assert.ok(gone.status < 300, JSON.stringify(gone.body));
    await sql`select advance_deletions(10000)`;
    await sql`select advance_deletions(10000)`;
    await world.publish();
    await service();
    const { body } = await load(stack.secretKey);
    assert.equal(body.metadata.snapshots.length, 1, "the snapshots before had its files");
    const left = expected(
      "battles",
      [...atThree, ...sent.slice(atTwo.length)].filter(({ dataset }) => dataset !== second),
    );
    await isEqual(lakeRows(), `(select *, null::double as score from ${left})`);
    await assert.rejects(rows(duckdb, `from ice.lake.battles at (version => ${two})`));
  });
  await t.step("a table that is withdrawn is gone", async () => {
    await sql`select withdraw_lake_table('ships')`;
    await world.publish();
    assert.equal((await load(stack.secretKey, "lake", "ships")).status, 404);
    await service();
    await assert.rejects(rows(duckdb, "from ice.lake.ships"), /does not exist/);
  });
});
