import { strict as assert } from "node:assert";
import type { Uploader } from "../../shared/uploader/uploader.ts";
import { eventually } from "../support/eventually.ts";
import type { Fault } from "./support/fake_service.ts";
import { bytesOf, fragment, withUploader } from "./support/setup.ts";

const refused: Fault = { answer: 401, code: "unauthenticated" };
const tick = () => new Promise((resolve) => setTimeout(resolve, 20));
/** Until no batch is under way. */
const rest = async ({ state }: Pick<Uploader, "state">) => {
  do await tick(); while (state().state === "running");
};

Deno.test("five attempts that reach the server are an item's last, with their reason", async () => {
  await withUploader({ service: { fault: () => ({ answer: 500 }) } }, async (setup) => {
    const { uploader, service, clock, log } = setup;
    await uploader.upload(bytesOf(1), fragment());
    for (let batch = 0; batch < 10; batch++) {
      clock.skip(3601);
      await uploader.retry();
    }
    assert.equal(service.requests.length, 5);
    const [dead] = await uploader.dead();
    assert.deepEqual([dead.attempt_count, dead.last_error?.code], [5, "attempts_exhausted"]);
    assert.match(dead.last_error!.message, /http_500/);
    assert.deepEqual(log.filter((event) => event.event === "retried").map((e) => e.attempt), [
      2,
      3,
      4,
      5,
    ]);
  });
});

Deno.test("attempts wait longer and longer, and an interval before its time makes no request", async () => {
  await withUploader({ service: { fault: () => ({ answer: 500 }) } }, async (setup) => {
    const { uploader, service, clock } = setup;
    await uploader.upload(bytesOf(1), fragment());
    const waits: number[] = [];
    for (let attempt = 2; attempt <= 4; attempt++) {
      const [item] = await uploader.pending();
      waits.push(Math.round((Date.parse(item.next_attempt_at) - clock.now()) / 1000));
      clock.skip(waits.at(-1)! - 10);
      const another = await setup.another();
      another.start();
      await tick();
      await another.stop();
      assert.equal(service.requests.length, attempt - 1, "too early");
      clock.skip(11);
      await uploader.retry();
      assert.equal(service.requests.length, attempt);
    }
    assert.deepEqual(waits, [60, 120, 240]);
  });
});

Deno.test("without a network no attempt is spent, and the batch stops at the first item", async () => {
  await withUploader({ service: { fault: () => "refuse_connection" } }, async (setup) => {
    const { uploader, service, clock } = setup;
    for (let i = 0; i < 5; i++) await uploader.upload(bytesOf(i), fragment());
    assert.equal(service.requests.length, 1); // the first; then the service was known to be away
    for (let batch = 0; batch < 20; batch++) {
      clock.skip(3600);
      assert.equal((await uploader.retry()).attempted, 1);
    }
    const pending = await uploader.pending();
    assert.deepEqual(pending.map((item) => item.attempt_count), [0, 0, 0, 0, 0]);
    assert.equal(uploader.state().state, "paused");
    service.fault = undefined;
    assert.equal((await uploader.retry()).stored, 5);
    assert.equal(uploader.state().state, "idle");
  });
});

Deno.test("a refused session parks the whole batch after one request, without spending an attempt", async () => {
  await withUploader({}, async ({ uploader, service, session, names }) => {
    service.fault = () => "refuse_connection";
    for (let i = 0; i < 10; i++) await uploader.upload(bytesOf(i), fragment());
    service.fault = () => refused;
    const before = service.requests.length;
    const report = await uploader.retry();
    assert.deepEqual([report.attempted, service.requests.length - before], [1, 1]);
    assert.equal(uploader.state().state, "parked");
    const spent = (await uploader.pending()).map((item) => item.attempt_count);
    assert.deepEqual(spent, Array(10).fill(0));

    // A new upload while parked is saved, and not sent.
    const outcome = await uploader.upload(bytesOf(11), fragment());
    assert.ok(outcome.status === "pending" && outcome.reason.code === "unauthenticated");
    assert.equal(service.requests.length - before, 1);

    service.fault = undefined;
    uploader.start();
    await tick();
    assert.equal(service.stored.size, 0, "the same session resumed it");
    session.token = "token-2";
    session.emit("TOKEN_REFRESHED");
    await eventually("11 are stored", () => service.stored.size >= 11);
    await eventually("rest", () => uploader.state().state === "idle");
    assert.deepEqual(await uploader.pending(), []);
    assert.ok(names().includes("parked") && names().includes("resumed"));
  });
});

Deno.test("the incident: a session refreshed for ever, the same table saved for ever, is one item and few requests", async () => {
  await withUploader({ service: { userOf: () => null } }, async (setup) => {
    const { uploader, service, session, clock } = setup;
    uploader.start();
    let refreshes = 0;
    for (let minute = 0; minute < 600; minute++) { // ten hours
      await uploader.upload(bytesOf(1), fragment());
      session.token = `token-${++refreshes}`;
      session.emit("TOKEN_REFRESHED");
      await new Promise((resolve) => setTimeout(resolve, 0));
      clock.skip(60);
    }
    await rest(uploader);
    assert.equal((await uploader.pending()).length, 1);
    // 2 at once, then 300, 600, 1200, 2400, 3600, 3600 … seconds apart
    assert.ok(service.requests.length <= 2 + 4 + 10, `${service.requests.length} requests`);
    assert.equal((await uploader.pending())[0].attempt_count, 0);
  });
});

Deno.test("a park outlives the process: a restart with the refused session makes no request", async () => {
  await withUploader(
    { service: { userOf: (token) => token === "good" ? "u" : null } },
    async (setup) => {
      const { uploader, service, session } = setup;
      await uploader.upload(bytesOf(1), fragment());
      await uploader.stop();
      for (let restart = 0; restart < 5; restart++) {
        const again = await setup.another();
        again.start();
        await tick();
        assert.equal(again.state().state, "parked");
        await again.stop();
      }
      assert.equal(service.requests.length, 1);
      session.token = "good";
      const after = await setup.another();
      after.start();
      await eventually("it is stored", () => service.stored.size >= 1);
      await after.stop();
      assert.deepEqual(await (await setup.another()).pending(), []);
    },
  );
});

Deno.test("without a session nothing is sent, and a sign-in sends all at once", async () => {
  await withUploader({ token: null }, async ({ uploader, service, session }) => {
    for (let i = 0; i < 3; i++) {
      const outcome = await uploader.upload(bytesOf(i), fragment());
      assert.ok(outcome.status === "pending" && outcome.reason.code === "not_signed_in");
    }
    uploader.start();
    await tick();
    assert.equal(service.requests.length, 0);
    session.token = "token-1";
    session.emit("SIGNED_IN");
    await eventually("3 are stored", () => service.stored.size >= 3);
  });
});

Deno.test("another's dataset parks its item and lets the others through", async () => {
  await withUploader({}, async ({ uploader, service, session }) => {
    service.fault = () => "refuse_connection";
    const foreign = crypto.randomUUID();
    service.owners.set(foreign, "somebody else");
    await uploader.upload(bytesOf(1), fragment("battle", { dataset_id: foreign }));
    await uploader.upload(bytesOf(2), fragment());
    await uploader.upload(bytesOf(3), fragment());
    service.fault = undefined;
    const report = await uploader.retry();
    assert.deepEqual([report.stored, report.failed], [2, 1]);
    const [item] = await uploader.pending();
    assert.deepEqual([item.state, item.last_error?.code, item.attempt_count], [
      "parked",
      "dataset_forbidden",
      0,
    ]);
    // The same session doesn't try it again; a new upload still goes through.
    const before = service.requests.length;
    uploader.start();
    await tick();
    assert.equal(service.requests.length, before);
    assert.equal((await uploader.upload(bytesOf(4), fragment())).status, "stored");
    await rest(uploader); // a session that changes during a batch lifts no park of it
    session.token = "token-2";
    session.emit("SIGNED_IN");
    await eventually("both try again", () => service.requests.length >= before + 3);
  });
});

Deno.test("an item that another user saved isn't sent with this user's session", async () => {
  const jwt = (sub: string) => `x.${btoa(JSON.stringify({ sub }))}.y`;
  await withUploader({ token: jwt("anna") }, async ({ uploader, service, session }) => {
    service.fault = () => "refuse_connection";
    await uploader.upload(bytesOf(1), fragment());
    service.fault = undefined;
    const before = service.requests.length;
    session.token = jwt("bert");
    await uploader.retry();
    assert.equal(service.requests.length, before);
    assert.equal((await uploader.upload(bytesOf(2), fragment())).status, "stored");
    session.token = jwt("anna");
    assert.equal((await uploader.retry()).stored, 1);
  });
});

Deno.test("Retry-After is waited for by all, not only by the item that was told", async () => {
  const fault = (): Fault => ({
    answer: 429,
    code: "rate_limited",
    headers: { "retry-after": "600" },
  });
  await withUploader({ service: { fault } }, async ({ uploader, service, clock }) => {
    await uploader.upload(bytesOf(1), fragment());
    const outcome = await uploader.upload(bytesOf(2), fragment());
    assert.ok(outcome.status === "pending" && outcome.reason.code === "rate_limited");
    assert.equal(service.requests.length, 1);
    uploader.start();
    clock.skip(590);
    await tick();
    assert.equal(service.requests.length, 1);
    assert.equal(uploader.state().pause?.why, "throttled");
  });
});

Deno.test("three failures in a row end the batch; one is enough while the trouble lasts", async () => {
  await withUploader({}, async ({ uploader, service, clock }) => {
    service.fault = () => "refuse_connection";
    for (let i = 0; i < 10; i++) await uploader.upload(bytesOf(i), fragment());
    clock.skip(3600);
    service.fault = undefined;
    await uploader.upload(bytesOf(99), fragment()); // it goes well: the earlier trouble is over
    service.fault = () => ({ answer: 502 });
    assert.equal((await uploader.retry()).attempted, 3);
    assert.equal(uploader.state().pause?.why, "failing");
    clock.skip(3600);
    assert.equal((await uploader.retry()).attempted, 1);
    service.fault = undefined;
    assert.equal((await uploader.retry()).stored, 10);
  });
});

Deno.test("a batch goes oldest first, one until the first success, then as many at once as are set", async () => {
  for (const concurrency of [1, 3]) {
    await withUploader({ settings: { upload: { concurrency } } }, async (setup) => {
      const { uploader, service, clock } = setup;
      service.fault = () => "refuse_connection";
      const order: string[] = [];
      for (let i = 0; i < 8; i++) {
        order.push((await uploader.upload(bytesOf(i), fragment())).id);
        clock.skip(1);
      }
      let under = 0, most = 0;
      const started: string[] = [];
      const inner = service.handle.bind(service);
      service.fault = undefined;
      service.handle = async (method, url, headers, body) => {
        most = Math.max(most, ++under);
        if (headers.get("idempotency-key")) started.push(headers.get("idempotency-key")!);
        if (service.stored.size === 0) assert.equal(under, 1);
        // After the first success the others are held until as many have come as may come.
        const held = service.stored.size > 0 ? 3000 : 1;
        for (let wait = 0; wait < held && most < concurrency; wait++) await tick();
        under--;
        return inner(method, url, headers, body);
      };
      assert.equal((await uploader.retry()).stored, 8);
      assert.equal(most, concurrency);
      assert.equal(started[0], order[0]);
      if (concurrency === 1) assert.deepEqual(started, order);
    });
  }
});

Deno.test("an item past its time to live expires with a record, and is not sent", async () => {
  await withUploader({ service: { fault: () => "refuse_connection" } }, async (setup) => {
    const { uploader, service, clock, log } = setup;
    const { id } = await uploader.upload(bytesOf(1), fragment());
    service.fault = undefined;
    const before = service.requests.length;
    clock.skip(86_401);
    const report = await uploader.retry();
    assert.deepEqual([report.expired, service.requests.length], [1, before]);
    const [expired] = await uploader.dead();
    assert.deepEqual([expired.state, expired.last_error?.code], ["expired", "upload_expired"]);
    assert.equal(log.find((event) => event.event === "expired")?.id, id);
    await uploader.requeue([id]);
    assert.equal((await uploader.retry()).stored, 1);
  });
});

Deno.test("a clock that was set back by a year holds nothing up and expires nothing", async () => {
  await withUploader({ service: { fault: () => ({ answer: 500 }) } }, async (setup) => {
    const { uploader, service, clock } = setup;
    await uploader.upload(bytesOf(1), fragment());
    service.fault = undefined;
    clock.skip(-365 * 86_400);
    const again = await setup.another();
    again.start();
    await eventually("it is stored", () => service.stored.size >= 1);
    assert.deepEqual(await uploader.dead(), []);
  });
});

Deno.test("two triggers at once make one batch, and two processes don't run two", async () => {
  await withUploader({}, async ({ uploader, service, another, names }) => {
    service.fault = () => "refuse_connection";
    for (let i = 0; i < 5; i++) await uploader.upload(bytesOf(i), fragment());
    service.fault = undefined;
    const other = await another();
    const inner = service.handle.bind(service);
    let goOn!: () => void;
    const held = new Promise<void>((resolve) => goOn = resolve);
    service.handle = async (...request) => {
      await held;
      return await inner(...request);
    };
    const before = service.requests.length;
    const first = uploader.retry();
    await eventually("a batch", () => uploader.state().state === "running");
    assert.equal((await uploader.retry()).skipped, "busy");
    await eventually(
      "an item on its way",
      async () => (await uploader.pending())[0].state === "sending",
    );
    assert.equal((await other.retry()).skipped, "busy");
    goOn();
    assert.equal((await first).stored, 5);
    assert.equal(service.requests.length - before, 10);
    assert.ok(names().includes("busy"));
  });
});

Deno.test("a failure inside a trigger is recorded, starts nothing, and the next trigger runs", async () => {
  await withUploader({}, async ({ uploader, service, session, log }) => {
    service.fault = () => "refuse_connection";
    await uploader.upload(bytesOf(1), fragment());
    service.fault = undefined;
    const credential = session.credential;
    let asked = 0;
    session.credential = () => (asked++, Promise.reject(new Error("the keychain is locked")));
    const report = await uploader.retry();
    assert.match(report.error!.message, /keychain/);
    await tick();
    assert.equal(asked, 1);
    assert.equal(log.filter((event) => event.event === "trigger_failed").length, 1);
    session.credential = credential;
    assert.equal((await uploader.retry()).stored, 1);
  });
});

Deno.test("a log that throws stops nothing", async () => {
  await withUploader({}, async ({ uploader, log }) => {
    log.push = () => {
      throw new Error("no more paper");
    };
    assert.equal((await uploader.upload(bytesOf(1), fragment())).status, "stored");
  });
});

Deno.test("stop ends what is under way, spends nothing, and nothing starts after it", async () => {
  await withUploader({}, async ({ uploader, service, another }) => {
    service.fault = () => "hang";
    const hanging = uploader.upload(bytesOf(1), fragment());
    await eventually("a request", () => service.requests.length !== 0);
    await uploader.stop();
    assert.equal((await hanging).status, "pending");
    assert.equal((await uploader.retry()).skipped, "stopped");
    service.fault = undefined;
    const next = await another();
    assert.equal((await next.pending())[0].attempt_count, 0);
    assert.equal((await next.retry()).stored, 1);
  });
});

Deno.test("what is stored but can't be removed yet is not sent again, and is removed when it can be", async () => {
  await withUploader({}, async ({ service, another }) => {
    let stuck = true;
    const uploader = await another({}, (medium) => ({
      ...medium,
      remove: (id) => stuck ? Promise.reject(new Error("EIO")) : medium.remove(id),
    }));
    assert.equal((await uploader.upload(bytesOf(1), fragment())).status, "stored");
    await uploader.retry();
    assert.equal((await uploader.pending()).length, 1);
    stuck = false;
    assert.equal((await uploader.retry()).attempted, 0);
    assert.deepEqual(await uploader.pending(), []);
    assert.equal(service.requests.length, 2);
  });
});
