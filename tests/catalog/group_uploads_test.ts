import { strict as assert } from "node:assert";
import type { Catalog } from "../../shared/catalog/catalog.ts";
import { type GroupOptions, groupUploads } from "../../shared/catalog/group_uploads.ts";
import { SedimentError } from "../../shared/errors.ts";

type Sent = Record<string, unknown>[];
type Answer = undefined | ((stages: Sent) => unknown[]);

/** A catalog that keeps what it was called with; calls wait until they are let go. */
function recording(stagesAnswer: Answer = undefined) {
  const sent: unknown[] = [];
  const held: (() => void)[] = [];
  const wait = () => new Promise<void>((resolve) => held.push(resolve));
  const catalog = {
    async stageUpload(args: { contentHash: string }) {
      sent.push(args.contentHash);
      await wait();
      return staged(args.contentHash);
    },
    async commitUpload(args: { stage: string }) {
      sent.push(args.stage);
      await wait();
      return answered(args.stage);
    },
    async groupUploadCalls({ stages, commits }: { stages: Sent; commits: Sent }) {
      sent.push([...stages, ...commits].map((call) => call.p_content_hash));
      await wait();
      return {
        stages: stagesAnswer?.(stages) ??
          stages.map((call) => ({ answer: staged(String(call.p_content_hash)) })),
        commits: commits.map((call) => ({ answer: answered(String(call.p_content_hash)) })),
      };
    },
  } as unknown as Catalog;
  return {
    sent,
    grouped: (options?: GroupOptions) => groupUploads(catalog, options),
    /** Lets all calls go that wait now, and whatever they start, until nothing waits. */
    async release() {
      while (held.length > 0) {
        for (const go of held.splice(0)) go();
        await new Promise((resolve) => setTimeout(resolve));
      }
    },
  };
}

const uuid = "00000000-0000-4000-8000-000000000001";

const staged = (name: string) => ({
  stage_id: uuid,
  dataset_id: uuid,
  object_key: name,
  incoming_key: null,
  expires_at: "2026-11-22T02:00:00+00:00",
  duplicate: false,
  answer: null,
});

const answered = (name: string) => ({
  key: name,
  size: 1,
  uploaded_at: "2026-11-22T02:00:00+00:00",
  metricId: uuid,
  duplicate: false,
  dataset_id: uuid,
  version: 1,
  files: [],
  runs: [],
});

const stageArgs = (name: string) => ({
  user: uuid,
  dataset: uuid,
  table: "t",
  periodTag: "0",
  size: 1,
  contentHash: name,
  offsetsDigest: "",
});

const commitArgs = (name: string, files = 1) => ({
  stage: name,
  user: uuid,
  size: 1,
  etag: null,
  contentHash: name,
  files: Array.from({ length: files }, () => ({}) as never),
});

Deno.test("calls that come while one is on its way go together, each with its own answer", async () => {
  const { grouped, sent, release } = recording();
  const catalog = grouped();
  const one = catalog.stageUpload(stageArgs("one"));
  const two = catalog.stageUpload(stageArgs("two"));
  const three = catalog.commitUpload(commitArgs("three"));
  assert.deepEqual(sent, ["one"], "the first goes at once and alone");
  await release();
  assert.deepEqual(sent, ["one", ["two", "three"]]);
  assert.equal((await one).object_key, "one");
  assert.equal((await two).object_key, "two");
  assert.equal((await three).key, "three");
  const four = catalog.stageUpload(stageArgs("four"));
  assert.equal(sent.at(-1), "four", "nothing is on its way any more");
  await release();
  await four;
});

Deno.test("the next group leaves before the answers of the last one are handed on", async () => {
  const { grouped, sent, release } = recording();
  const catalog = grouped();
  const seen: unknown[] = [];
  const first = catalog.stageUpload(stageArgs("first")).then(() => seen.push(...sent));
  const second = catalog.stageUpload(stageArgs("second"));
  await release();
  await Promise.all([first, second]);
  assert.deepEqual(seen, ["first", "second"]);
});

Deno.test("an error of a call in a group is the error that it has alone", async () => {
  const { grouped, release } = recording((stages) => [
    {
      error: {
        code: "SD429",
        message: "rate_limited",
        details: "over 5 uploads a minute",
        hint: "retry after 7 s",
      },
    },
    ...stages.slice(1).map(() => ({ answer: staged("fine") })),
  ]);
  const catalog = grouped();
  const first = catalog.stageUpload(stageArgs("first"));
  const limited = catalog.stageUpload(stageArgs("limited"));
  const fine = catalog.stageUpload(stageArgs("fine"));
  limited.catch(() => {});
  await release();
  await first;
  await assert.rejects(limited, (error: SedimentError) => {
    assert.equal(error.code, "rate_limited");
    assert.equal(error.retryAfterSeconds, 7);
    return true;
  });
  assert.equal((await fine).object_key, "fine");
});

Deno.test("calls that would have waited for a lock are made again, each alone", async () => {
  const { grouped, sent, release } = recording(() => [
    { answer: staged("a") },
    { busy: true },
    { busy: true },
  ]);
  const catalog = grouped();
  const calls = ["first", "a", "b", "c"].map((name) => catalog.stageUpload(stageArgs(name)));
  await release();
  assert.deepEqual(sent, ["first", ["a", "b", "c"], "b", "c"]);
  const keys = (await Promise.all(calls)).map((answer) => answer.object_key);
  assert.deepEqual(keys, ["first", "a", "b", "c"]);
});

Deno.test("when a group has no answer, each of its calls is made alone", async () => {
  const { grouped, sent, release } = recording(() => {
    throw new SedimentError("catalog_failed", "the connection was cut");
  });
  const catalog = grouped();
  const calls = ["first", "a", "b"].map((name) => catalog.stageUpload(stageArgs(name)));
  await release();
  assert.deepEqual(sent, ["first", ["a", "b"], "a", "b"]);
  assert.equal((await calls[2]).object_key, "b");
});

Deno.test("a call that hangs holds up others for a bounded time", async () => {
  const { grouped, sent, release } = recording();
  const catalog = grouped({ maxWaitMs: 1 });
  const hanging = catalog.stageUpload(stageArgs("hanging"));
  const other = catalog.stageUpload(stageArgs("other"));
  while (sent.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(sent, ["hanging", "other"]);
  await release();
  await Promise.all([hanging, other]);
});

Deno.test("a group holds so many calls and data files; a call with more files goes alone", async () => {
  const { grouped, sent, release } = recording();
  const catalog = grouped({ maxCalls: 2, maxFiles: 4 });
  const calls = [
    catalog.stageUpload(stageArgs("first")),
    catalog.commitUpload(commitArgs("large", 5)),
    catalog.commitUpload(commitArgs("three", 3)),
    catalog.commitUpload(commitArgs("two", 2)),
    catalog.stageUpload(stageArgs("x")),
    catalog.stageUpload(stageArgs("y")),
  ];
  assert.deepEqual(sent, ["first", "large"]);
  await release();
  assert.deepEqual(sent, ["first", "large", "three", ["x", "two"], "y"]);
  await Promise.all(calls);
});

Deno.test("a commit whose columns have long names goes alone, as one of many data files does", async () => {
  const { grouped, sent, release } = recording();
  const catalog = grouped();
  const named = (name: string, length: number) => {
    const children = Array.from({ length: 10 }, () => ({ name: "c".repeat(length) }));
    return { ...commitArgs(name), files: [{ schema: { name: "root", children } }] as never[] };
  };
  const calls = [
    catalog.stageUpload(stageArgs("first")),
    catalog.commitUpload(named("long", 2_000)),
    catalog.commitUpload(commitArgs("many", 17)),
    catalog.commitUpload(named("ordinary", 100)),
    catalog.commitUpload(commitArgs("few", 16)),
  ];
  assert.deepEqual(sent, ["first", "long", "many"]);
  await release();
  assert.deepEqual(sent.slice(3), [["ordinary", "few"]]);
  await Promise.all(calls);
});

Deno.test("where kinds are not mixed, they take turns by who has waited longest", async () => {
  const { grouped, sent, release } = recording();
  const catalog = grouped({ mixed: false, maxCalls: 2 });
  const calls = [
    catalog.stageUpload(stageArgs("first")),
    catalog.commitUpload(commitArgs("a")),
    catalog.stageUpload(stageArgs("x")),
    catalog.commitUpload(commitArgs("b")),
    catalog.commitUpload(commitArgs("c")),
    catalog.stageUpload(stageArgs("y")),
  ];
  await release();
  assert.deepEqual(sent, ["first", ["a", "b"], ["x", "y"], "c"]);
  await Promise.all(calls);
});

Deno.test("a call that was stopped while it waited is not sent", async () => {
  const { grouped, sent, release } = recording();
  const catalog = grouped();
  const stop = new AbortController();
  const first = catalog.stageUpload(stageArgs("first"));
  const stopped = catalog.stageUpload(stageArgs("stopped"), { signal: stop.signal });
  const third = catalog.stageUpload(stageArgs("third"));
  stopped.catch(() => {});
  stop.abort(new Error("the client left"));
  await release();
  assert.deepEqual(sent, ["first", ["third"]]);
  await assert.rejects(stopped, { code: "aborted" });
  await Promise.all([first, third]);
});

Deno.test("a group whose calls were all stopped is no request", async () => {
  const { grouped, sent, release } = recording();
  const catalog = grouped();
  const signal = AbortSignal.abort(new Error("the client left"));
  const first = catalog.stageUpload(stageArgs("first"));
  const stopped = ["a", "b"].map((name) => catalog.stageUpload(stageArgs(name), { signal }));
  const ended = Promise.allSettled(stopped);
  await release();
  assert.deepEqual(sent, ["first"]);
  assert.deepEqual((await ended).map(({ status }) => status), ["rejected", "rejected"]);
  await first;
});

Deno.test("an answer of another shape fails its own call only", async () => {
  const { grouped, release } = recording(() => [{ answer: {} }, { answer: staged("b") }]);
  const catalog = grouped();
  const [first, odd, fine] = ["first", "odd", "b"].map((name) =>
    catalog.stageUpload(stageArgs(name))
  );
  odd.catch(() => {});
  await release();
  await assert.rejects(odd, { code: "misconfigured" });
  assert.equal((await fine).object_key, "b");
  await first;
});
