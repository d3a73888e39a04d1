import { strict as assert } from "node:assert";
import postgres, { type Sql } from "postgres";
import {
  connectCatalog,
  type ConnectedCatalog,
  type ConnectOptions,
} from "../../shared/catalog/connect_catalog.ts";
import { sqlArguments } from "../../shared/catalog/catalog_methods.ts";
import { quietPort } from "../support/quiet_port.ts";
import { eventually } from "../support/eventually.ts";
import { thrownBy } from "../support/thrown_by.ts";
import { startCluster } from "./cluster.ts";
import { startTcpProxy, through } from "./tcp_proxy.ts";

const user = "00000000-0000-4000-8000-00000000a11c";

/** A catalog that closes itself. */
function connect(url: string, options: ConnectOptions = {}): ConnectedCatalog & AsyncDisposable {
  const connected = connectCatalog(url, options);
  return { ...connected, [Symbol.asyncDispose]: () => connected.close() };
}

const codeOf = async (work: Promise<unknown>) => (await thrownBy(work)).code;

/** Makes calls of uploads wait on the server until `release`. */
async function blockUploads(admin: Sql): Promise<{ release(): Promise<void> }> {
  const holder = await admin.reserve();
  await holder`begin`;
  await holder`lock table public.service_settings in access exclusive mode`;
  return {
    async release() {
      await holder`rollback`;
      holder.release();
    },
  };
}

/** Waits until so many backends wait for a lock; gives their pids. */
const waiters = (admin: Sql, count: number) =>
  eventually("calls that wait for a lock", async () => {
    const found = await admin`select pid from pg_stat_activity
      where wait_event_type = 'Lock' and datname = current_database()`;
    return found.length === count && found.map((row) => row.pid as number);
  });

Deno.test("a catalog over connections of its own", async (t) => {
  await using cluster = await startCluster(17);
  const { url, adminUrl } = await cluster.newDatabase();
  const port = Number(new URL(url).port);
  const admin = postgres(adminUrl, { max: 3, onnotice: () => {} });
  const uncaught: unknown[] = [];
  const note = (event: PromiseRejectionEvent | ErrorEvent) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    uncaught.push("reason" in event ? event.reason : event.error);
  };
  try {
    await t.step("role and statement_timeout of the URL hold, and not the login's", async () => {
      await admin.unsafe(`
        create or replace function public.catalog_health() returns jsonb language plpgsql as $$
        begin
          raise exception using errcode = 'SD400', message = 'invalid_request', detail =
            current_user || ' of ' || session_user || ', ' || current_setting('statement_timeout');
        end $$`);
      await using connected = connect(`${url}?role=service_role&statement_timeout=1234`);
      const { message } = await thrownBy(connected.catalog.catalogHealth({}));
      assert.equal(message, "service_role of postgres, 1234ms");
      const hole = await blockUploads(admin);
      try {
        const late = await thrownBy(connected.catalog.stageUpload(stageOf("late")));
        assert.equal(late.code, "catalog_failed");
        assert.match(late.message, /57014/);
      } finally {
        await hole.release();
      }
      await connected.catalog.stageUpload(stageOf("late"));
    });

    await t.step(
      "what no retry mends is misconfigured, what may pass is catalog_failed",
      async () => {
        const of = async (changed: string | URL) => {
          await using connected = connect(String(changed));
          return await codeOf(connected.catalog.tick({}));
        };
        const wrong = new URL(url);
        wrong.password = "wrong";
        assert.equal(await of(wrong), "misconfigured");
        const nobody = new URL(url);
        nobody.username = "nobody_at_all";
        assert.equal(await of(nobody), "misconfigured");
        assert.equal(await of(url.replace(/\/[^/]*$/, "/no_such_database")), "misconfigured");
        assert.equal(await of(`${url}?role=no_such_role`), "misconfigured");
        assert.equal(await of(`${url}?role=supabase_admin`), "misconfigured");
        assert.equal(await of(`${url}?statement_timeout=soon`), "misconfigured");
        assert.equal(await of(`${url}?no_such_setting=1`), "misconfigured");
        assert.equal(await of(`${url}?target_session_attrs=sometimes`), "misconfigured");
        assert.equal(await of(`${url}?role=anon`), "misconfigured");
        assert.equal(await of(url.replace(/\/[^/]*$/, "/template1")), "misconfigured");
        assert.equal(await of(through({ port: quietPort() }, url)), "catalog_failed");
        await admin.unsafe(`alter role postgres connection limit 0`);
        assert.equal(await of(url), "catalog_failed");
        await admin.unsafe(`alter role postgres connection limit -1`);
      },
    );

    await t.step("first calls at once open no more connections than are allowed", async () => {
      await using proxy = startTcpProxy(port);
      await using connected = connect(through(proxy, url), { maxConnections: 2 });
      const hole = await blockUploads(admin);
      const calls = Array.from({ length: 9 }, (_, n) =>
        connected.catalog.groupUploadCalls({
          stages: [sqlArguments(stageOf(`first${n}`))],
          commits: [],
        }));
      await waiters(admin, 2);
      await hole.release();
      await Promise.all(calls);
      assert.equal(proxy.taken, 2);
    });

    await t.step("users' calls leave a connection for uploads, and one to each other", async () => {
      await using connected = connect(url);
      const hole = await blockUploads(admin);
      const calls = ["m1", "m2", "m3", "m4"].map((name) =>
        connected.catalog.stageUpload(stageOf(name))
      );
      await waiters(admin, 1);
      const another = crypto.randomUUID();
      calls.push(
        connected.catalog.stageUpload({ ...stageOf("a1"), user: another, dataset: another }),
      );
      await waiters(admin, 2);
      await connected.catalog.findObjects({ keys: [] });
      await hole.release();
      await Promise.all(calls);
    });

    await t.step("a user's call that takes too long is stopped on the server too", async () => {
      await using connected = connect(url, { userSeconds: 0.5 });
      const hole = await blockUploads(admin);
      const late = await thrownBy(connected.catalog.stageUpload(stageOf("too late")));
      assert.equal(late.code, "catalog_failed");
      assert.match(late.message, /no answer in 0.5 s/);
      await waiters(admin, 0);
      await hole.release();
      await using patient = connect(url);
      await patient.catalog.stageUpload(stageOf("too late"));
    });

    await t.step("of a statement that nobody waits for the server itself has enough", async () => {
      await admin.unsafe(`
        create or replace function public.catalog_health() returns jsonb language plpgsql as $$
        begin
          raise exception using errcode = 'SD400', message = 'invalid_request',
            detail = current_setting('statement_timeout');
        end $$`);
      await using connected = connect(url, { answerSeconds: 7 });
      const { message } = await thrownBy(connected.catalog.catalogHealth({}));
      assert.equal(message, "7s");
    });

    await t.step("a call that waits on the server holds up only its own connection", async () => {
      await using connected = connect(url, { maxConnections: 2 });
      const hole = await blockUploads(admin);
      const slow = connected.catalog.stageUpload(stageOf("slow"));
      await waiters(admin, 1);
      for (let n = 0; n < 5; n++) await connected.catalog.findObjects({ keys: [] });
      await hole.release();
      await slow;
    });

    await t.step("idle connections are closed, and opened again when needed", async () => {
      await using proxy = startTcpProxy(port);
      await using connected = connect(through(proxy, url), { idleSeconds: 0.1 });
      await connected.catalog.findObjects({ keys: [] });
      await eventually("no connection", () => proxy.open === 0);
      await connected.catalog.findObjects({ keys: [] });
      assert.equal(proxy.taken, 2);
    });

    await t.step("a megabyte goes in and comes out", async () => {
      await using connected = connect(url);
      const keys = Array.from({ length: 5000 }, (_, n) => `battle_data/${n}/${"é".repeat(150)}`);
      assert.deepEqual(await connected.catalog.findObjects({ keys }), { objects: [] });
      const files = Array.from({ length: 3000 }, (_, ordinal) => ({
        ordinal,
        table: "a",
        period_tag: "0",
        start_byte: ordinal,
        byte_length: 1,
        row_count: 1,
        row_group_count: 1,
        uncompressed_bytes: 1,
        schema_fingerprint: "f",
        schema: {},
        stats: { note: "é".repeat(300) },
      }));
      const stage = await connected.catalog.stageUpload({
        ...stageOf("big"),
        kind: "concatenated",
        size: 3000,
      });
      await connected.catalog.commitUpload({
        stage: stage.stage_id,
        user,
        size: 3000,
        etag: "e",
        contentHash: stageOf("big").contentHash,
        files,
      });
      const listed = await connected.catalog.listFiles({ user, dataset: user, limit: 1000 });
      assert.equal(listed.totals?.files, 3000);
      assert.ok(JSON.stringify(listed).length > 500_000);
    });

    globalThis.addEventListener("unhandledrejection", note);
    globalThis.addEventListener("error", note);

    await t.step("a backend that is killed while idle costs at most the next call", async () => {
      await using connected = connect(url);
      await connected.catalog.findObjects({ keys: [] });
      await terminate(admin);
      await connected.catalog.findObjects({ keys: [] }).catch((error) =>
        assert.equal(error.code, "catalog_failed")
      );
      await connected.catalog.findObjects({ keys: [] });
    });

    await t.step("a backend that is killed under a call fails that one only", async () => {
      await using connected = connect(url);
      for (let n = 0; n < 5; n++) {
        const hole = await blockUploads(admin);
        const call = thrownBy(connected.catalog.stageUpload(stageOf(`killed${n}`)));
        await waiters(admin, 1);
        await terminate(admin);
        assert.equal((await call).code, "catalog_failed");
        await hole.release();
        await connected.catalog.stageUpload(stageOf(`killed${n}`));
      }
    });

    await t.step("backends killed at any moment of many calls leave nothing uncaught", async () => {
      await using connected = connect(url);
      let done = false;
      const killer = (async () => {
        while (!done) {
          await terminate(admin);
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      })();
      const codes = new Set<string>();
      await Promise.all(Array.from({ length: 8 }, async (_, n) => {
        for (let i = 0; i < 60; i++) {
          await connected.catalog.stageUpload(stageOf(`storm${n}.${i}`))
            .then(() => codes.add("ok"), (error) => codes.add(error.code));
        }
      }));
      done = true;
      await killer;
      assert.deepEqual([...codes].filter((code) => code !== "ok"), ["catalog_failed"]);
      // each connection may still have to see that its backend is gone
      await eventually(
        "a call goes well",
        () => connected.catalog.stageUpload(stageOf("after the storm")).catch(() => null),
      );
    });

    await t.step(
      "a connection that goes silent ends the call, and the next has another",
      async () => {
        await using proxy = startTcpProxy(port);
        await using connected = connect(through(proxy, url), { answerSeconds: 4 });
        await connected.catalog.findObjects({ keys: [] });
        proxy.mode = "silent";
        const silent = await thrownBy(connected.catalog.findObjects({ keys: ["a"] }));
        assert.equal(silent.code, "catalog_failed");
        assert.match(silent.message, /no answer in 4 s/);
        assert.equal(await codeOf(connected.catalog.findObjects({ keys: [] })), "catalog_failed");
        await eventually("the silent connections are closed", () => proxy.open === 0);
        proxy.mode = "forward";
        await connected.catalog.findObjects({ keys: [] });
      },
    );

    await t.step("one silent connection fails no call on another", async () => {
      await using connected = connect(url, { answerSeconds: 5 });
      const hole = await blockUploads(admin);
      const slow = thrownBy(connected.catalog.stageUpload(stageOf("unanswered")));
      await waiters(admin, 1);
      let others = 0;
      let ended = false;
      const asking = (async () => {
        while (!ended) {
          await connected.catalog.findObjects({ keys: [] });
          others++;
        }
      })();
      assert.equal((await slow).code, "catalog_failed");
      ended = true;
      await asking;
      assert.ok(others > 0);
      await hole.release();
    });

    await t.step(
      "a silent connection is given up although its callers stop waiting before",
      async () => {
        await using proxy = startTcpProxy(port);
        await using connected = connect(through(proxy, url), {
          answerSeconds: 4,
          maxConnections: 1,
        });
        await connected.catalog.findObjects({ keys: [] });
        proxy.mode = "silent";
        const signal = AbortSignal.timeout(50);
        assert.equal(
          await codeOf(connected.catalog.findObjects({ keys: [] }, { signal })),
          "aborted",
        );
        proxy.mode = "forward"; // what was swallowed never comes
        await eventually("the silent connection is closed", () => proxy.open === 0);
        await connected.catalog.findObjects({ keys: [] });
      },
    );

    await t.step("who hangs up at once is not asked again and again", async () => {
      await using proxy = startTcpProxy(port);
      proxy.mode = "hang up";
      await using connected = connect(through(proxy, url), { answerSeconds: 1 });
      assert.equal(await codeOf(connected.catalog.findObjects({ keys: [] })), "catalog_failed");
      assert.ok(proxy.taken <= 2, `${proxy.taken} connections for one call`);
    });

    await t.step(
      "after many refusals a call still fails without waiting",
      async () => {
        const refused = through({ port: quietPort() }, url);
        await using connected = connect(refused, { answerSeconds: 20 });
        for (let n = 0; n < 12; n++) {
          const { message } = await thrownBy(connected.catalog.findObjects({ keys: [] }));
          assert.doesNotMatch(message, /no answer/, `call ${n + 1}`);
        }
      },
    );

    await t.step("a call that is aborted stops at once, wherever it is", async () => {
      await using proxy = startTcpProxy(port);
      await using connected = connect(through(proxy, url), {
        maxConnections: 1,
        answerSeconds: 60,
      });
      const already = AbortSignal.abort();
      assert.equal(await codeOf(connected.catalog.tick({}, { signal: already })), "aborted");
      assert.equal(proxy.taken, 0);

      await connected.catalog.findObjects({ keys: [] });
      const before = await countStaged(admin);
      const hole = await blockUploads(admin);
      const stop = new AbortController();
      const { signal } = stop;
      const running = thrownBy(connected.catalog.stageUpload(stageOf("stopped"), { signal }));
      await waiters(admin, 1);
      const queued = thrownBy(connected.catalog.stageUpload(stageOf("queued"), { signal }));
      const innocent = connected.catalog.stageUpload(stageOf("innocent"));
      stop.abort();
      assert.equal((await running).code, "aborted");
      assert.equal((await queued).code, "aborted");
      await hole.release();
      await innocent;
      // Nobody waits for what had not been sent: it is not done.
      assert.equal(await countStaged(admin), before + 2);
    });

    await t.step("aborted on a network that is gone, a call leaves nothing uncaught", async () => {
      const proxy = startTcpProxy(port);
      await using connected = connect(through(proxy, url), { answerSeconds: 4 });
      await connected.catalog.findObjects({ keys: [] });
      proxy.mode = "silent";
      const stop = new AbortController();
      const call = thrownBy(connected.catalog.findObjects({ keys: [] }, stop));
      await new Promise((resolve) => setTimeout(resolve, 50));
      await proxy[Symbol.asyncDispose]();
      stop.abort();
      assert.ok(["aborted", "catalog_failed"].includes((await call).code));
    });

    await t.step("close ends idle connections, calls on their way and calls to come", async () => {
      await using proxy = startTcpProxy(port);
      const connected = connectCatalog(through(proxy, url), { maxConnections: 1 });
      await connected.catalog.findObjects({ keys: [] });
      const hole = await blockUploads(admin);
      const calls = ["closed", "behind"].map((name) =>
        thrownBy(connected.catalog.stageUpload(stageOf(name)))
      );
      await waiters(admin, 1);
      await Promise.all([connected.close(), connected.close()]);
      for (const call of calls) assert.equal((await call).code, "catalog_failed");
      assert.equal(await codeOf(connected.catalog.tick({})), "catalog_failed");
      await connected.close();
      await eventually("no connection", () => proxy.open === 0);
      await hole.release();
    });

    await t.step("close gives a call on its way the time to end", async () => {
      const connected = connectCatalog(url);
      const hole = await blockUploads(admin);
      const call = connected.catalog.stageUpload(stageOf("ending"));
      await waiters(admin, 1);
      const closing = connected.close();
      await hole.release();
      await Promise.all([call, closing]);
    });

    await t.step(
      "closed before its first call, or while it connects, nothing is left",
      async () => {
        await connectCatalog(url).close();
        await using proxy = startTcpProxy(port);
        proxy.mode = "silent";
        const connected = connectCatalog(through(proxy, url));
        const call = thrownBy(connected.catalog.tick({}));
        await connected.close();
        assert.equal((await call).code, "catalog_failed");
      },
    );

    await t.step(
      "PostgreSQL that stops fails calls at once, and started again it is found",
      async () => {
        await using connected = connect(url);
        const call = () => connected.catalog.findObjects({ keys: [] });
        await call();
        const start = await cluster.stop();
        await codeOf(call()).then((code) => assert.equal(code, "catalog_failed"));
        assert.equal(await codeOf(call()), "catalog_failed");
        await start();
        await call();
      },
    );

    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(uncaught, []);
  } finally {
    globalThis.removeEventListener("unhandledrejection", note);
    globalThis.removeEventListener("error", note);
    await admin.end();
  }
});

function stageOf(body: string) {
  const bytes = new TextEncoder().encode(body);
  const hash = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return {
    user,
    dataset: user,
    table: "a",
    periodTag: "0",
    size: 100,
    contentHash: hash.padEnd(64, "0").slice(0, 64),
    offsetsDigest: "",
  };
}

async function countStaged(admin: Sql): Promise<number> {
  const [{ count }] = await admin`select count(*)::int from objects`;
  return count;
}

/** Kills all backends of the catalog. */
async function terminate(admin: Sql): Promise<void> {
  await admin`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and usename = 'postgres'`;
}
