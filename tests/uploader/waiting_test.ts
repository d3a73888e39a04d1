import { strict as assert } from "node:assert";
import { SedimentError } from "../../shared/errors.ts";
import { eventually } from "../support/eventually.ts";
import { bytesOf, fragment, withUploader } from "./support/setup.ts";

Deno.test("a clock that was set back makes no item wait for its return", async () => {
  await withUploader({}, async ({ uploader, service, clock, another }) => {
    await uploader.upload(bytesOf(1), fragment(), { sendNow: false });
    service.fault = () => ({ answer: 500 });
    await uploader.upload(bytesOf(2), fragment());
    service.fault = undefined;
    clock.skip(-1800);
    const restarted = await another();
    restarted.start();
    await eventually("2 are stored", () => service.stored.size >= 2);
  });
});

Deno.test("a Retry-After of a day is a day for its item, and an hour at most for the others", async () => {
  await withUploader({}, async ({ uploader, service, clock, another }) => {
    const day = { "retry-after": "80000" };
    service.fault = () => ({ answer: 429, code: "quota_exceeded", headers: day });
    await uploader.upload(bytesOf(1), fragment());
    const [item] = await uploader.pending();
    const wait = (Date.parse(item.next_attempt_at) - clock.now()) / 1000;
    assert.equal(wait, 80_000);
    const { pause } = uploader.state();
    assert.ok(pause!.until - clock.now() <= 3_600_000);
    clock.skip(3601);
    const requests = service.requests.length;
    const later = await another();
    later.start();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(service.requests.length, requests, "asked before its day was over");
    service.fault = undefined;
    assert.equal((await later.upload(bytesOf(2), fragment())).status, "stored");
  });
});

Deno.test("Retry-After dates are read by the server's clock, not by ours", async () => {
  await withUploader({}, async ({ uploader, service, clock }) => {
    const server = Date.UTC(2020, 0, 1);
    const at = (seconds: number) => new Date(server + seconds * 1000).toUTCString();
    service.fault = () => ({
      answer: 503,
      headers: { date: at(0), "retry-after": at(900) },
    });
    await uploader.upload(bytesOf(1), fragment());
    const [item] = await uploader.pending();
    const wait = (Date.parse(item.next_attempt_at) - clock.now()) / 1000;
    assert.equal(wait, 900);
  });
});

Deno.test("a hotel's login page spends no attempt, and one request is made for all that is pending", async () => {
  await withUploader({}, async ({ uploader, service, clock }) => {
    service.fault = () => ({ answer: 200, html: true });
    for (let i = 0; i < 5; i++) await uploader.upload(bytesOf(i), fragment());
    assert.equal(service.requests.length, 1);
    for (let night = 0; night < 20; night++) {
      clock.skip(1000);
      await uploader.retry();
    }
    assert.equal(service.requests.length, 21);
    assert.deepEqual((await uploader.pending()).map((item) => item.attempt_count), [0, 0, 0, 0, 0]);
    service.fault = () => ({ answer: 302, html: true });
    await uploader.retry();
    service.fault = undefined;
    assert.equal((await uploader.retry()).stored, 5);
  });
});

Deno.test("an unknown answer to bytes that have left spends an attempt: they may have arrived", async () => {
  await withUploader({}, async ({ uploader, service }) => {
    service.fault = (request) => request.step === "put" ? { answer: 200, html: true } : undefined;
    await uploader.upload(bytesOf(1), fragment());
    assert.equal((await uploader.pending())[0].attempt_count, 1);
  });
});

Deno.test("items expire also while nobody can be asked who is signed in", async () => {
  await withUploader({}, async ({ uploader, session, clock }) => {
    await uploader.upload(bytesOf(1), fragment(), { sendNow: false });
    session.credential = () =>
      Promise.reject(new SedimentError("server_unreachable", "no network"));
    clock.skip(86_401);
    assert.equal((await uploader.retry()).expired, 1);
    assert.equal((await uploader.dead())[0].state, "expired");
  });
});

Deno.test("a quota that is full for days costs an item neither attempts nor its life", async () => {
  await withUploader({}, async ({ uploader, service, clock }) => {
    service.fault = () => ({
      answer: 429,
      code: "quota_exceeded",
      headers: { "retry-after": "3600" },
    });
    await uploader.upload(bytesOf(1), fragment());
    for (let hour = 0; hour < 100; hour++) {
      clock.skip(3601);
      await uploader.retry();
    }
    const [item] = await uploader.pending();
    assert.deepEqual([item.state, item.attempt_count], ["waiting", 0]);
    assert.equal(item.last_error?.code, "quota_exceeded");
    assert.ok(service.requests.length >= 100);
    service.fault = undefined;
    clock.skip(3601);
    assert.equal((await uploader.retry()).stored, 1);
  });
});

Deno.test("once nothing limits it any more an item lives as long as any other", async () => {
  await withUploader({}, async ({ uploader, service, clock }) => {
    service.fault = () => ({ answer: 429, headers: { "retry-after": "3600" } });
    await uploader.upload(bytesOf(1), fragment());
    service.fault = () => "refuse_connection";
    clock.skip(3600 + 86_300);
    assert.equal((await uploader.retry()).expired, 0);
    clock.skip(200);
    assert.equal((await uploader.retry()).expired, 1);
  });
});
