/** What every object store must do, whatever is behind it: one suite for all adapters. */
import { strict as assert } from "node:assert";

import { SedimentError } from "../../shared/errors.ts";
import {
  assertSameBytes,
  Case,
  cut,
  noise,
  type OpenedStore,
  sha256,
  staysMissing,
  streamOf,
  text,
  throwsCode,
} from "./store_case.ts";

/**
 * Registers the suite.
 * @param name of the store, in the tests' names
 * @param open opens a store; its objects outside of a prefix of its own are left alone
 * @param test where the tests go
 */
export function objectStoreConformance(
  name: string,
  open: () => Promise<OpenedStore>,
  test: (name: string, run: () => Promise<void>) => void = Deno.test,
): void {
  const check = (sentence: string, run: (c: Case) => Promise<void>) =>
    test(`${name}: ${sentence}`, async () => {
      const opened = await open();
      const c = new Case(opened);
      try {
        await run(c);
      } finally {
        await c.cleanUp();
        await opened.close();
      }
    });

  check("what was put is got back, with its size and type", async ({ store, key }) => {
    const bytes = noise(100_000);
    const put = await store.put(key("a.parquet"), bytes, {
      contentType: "application/vnd.apache.parquet",
    });
    assert.equal(put.size, bytes.byteLength);
    assert.notEqual(put.etag, "");
    assert.ok(!put.etag.includes('"'), `the ETag ${put.etag} has quotes`);
    assertSameBytes(await store.get(key("a.parquet")), bytes);
    const head = await store.head(key("a.parquet"));
    assert.equal(head?.size, bytes.byteLength);
    assert.equal(head?.etag, put.etag);
    assert.equal(head?.contentType, "application/vnd.apache.parquet");
    assert.ok(head.lastModified instanceof Date && !isNaN(head.lastModified.getTime()));
  });

  check("an empty object is an object", async ({ store, key }) => {
    assert.equal((await store.put(key("empty"), new Uint8Array())).size, 0);
    assert.equal((await store.get(key("empty"))).byteLength, 0);
    assert.equal((await store.head(key("empty")))?.size, 0);
    await throwsCode("range_not_satisfiable", () => store.getRange(key("empty"), 0, 1));
  });

  check("a view into a larger buffer is stored, not the buffer", async ({ store, key }) => {
    const bytes = noise(1000);
    await store.put(key("view"), bytes.subarray(100, 300));
    assertSameBytes(await store.get(key("view")), bytes.slice(100, 300));
  });

  check("a second put is refused and leaves the first object", async ({ store, key }) => {
    await store.put(key("once"), text("first"));
    await throwsCode("already_stored", () => store.put(key("once"), text("second")));
    await throwsCode("already_stored", () => store.putStream(key("once"), streamOf([text("3rd")])));
    assertSameBytes(await store.get(key("once")), text("first"));
  });

  check("a put with upsert replaces", async ({ store, key }) => {
    const first = await store.put(key("again"), text("first"), { upsert: true });
    const second = await store.put(key("again"), text("second!"), { upsert: true });
    assert.notEqual(first.etag, second.etag);
    assertSameBytes(await store.get(key("again")), text("second!"));
  });

  for (const told of [true, false]) {
    check(
      `a stream of ${told ? "a told" : "an unknown"} size arrives whole`,
      async ({ store, key }) => {
        // Over two parts of a multipart upload, in chunks that end nowhere in particular.
        const bytes = noise(20_000_003);
        const info = await store.putStream(
          key("stream"),
          streamOf(cut(bytes, 777_777)),
          told ? { size: bytes.byteLength } : {},
        );
        assert.equal(info.size, bytes.byteLength);
        assert.equal(sha256(await store.get(key("stream"))), sha256(bytes));
        assertSameBytes(
          await store.getRange(key("stream"), 8_388_600, 100),
          bytes.slice(8_388_600, 8_388_700),
        );
      },
    );
  }

  check("small and empty streams arrive", async ({ store, key }) => {
    await store.putStream(key("small"), streamOf([text("a"), new Uint8Array(), text("b")]));
    assertSameBytes(await store.get(key("small")), text("ab"));
    assert.equal((await store.putStream(key("none"), streamOf([]))).size, 0);
    assert.equal((await store.head(key("none")))?.size, 0);
  });

  check("a stream that breaks off leaves nothing", async ({ store, key }) => {
    for (const size of [1000, 12_000_000]) {
      const broken = streamOf(cut(noise(size), 500_000), new Error("the source broke"));
      await throwsCode("store_failed", () => store.putStream(key("broken"), broken));
      await staysMissing(store, key("broken"));
    }
  });

  check("what a stream fails with is what its put fails with", async ({ store, key }) => {
    for (const size of [0, 1000, 20_000_000]) {
      const failure = new SedimentError("hash_mismatch", "the source found out at its end");
      const chunks = cut(noise(size), 500_000);
      await throwsCode("hash_mismatch", () => store.putStream(key("x"), streamOf(chunks, failure)));
    }
  });

  check("a put of a stream that stalls can be aborted", async ({ store, key }) => {
    const stop = new AbortController();
    let cancelled = false;
    const stalling = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (++pulls < 3) return controller.enqueue(noise(300_000));
        queueMicrotask(() => stop.abort());
        return new Promise(() => {});
      },
      cancel() {
        cancelled = true;
      },
    });
    let pulls = 0;
    const { signal } = stop;
    await throwsCode("aborted", () => store.putStream(key("stalled"), stalling, { signal }));
    await staysMissing(store, key("stalled"));
    assert.ok(cancelled, "the source should be told");
  });

  check("a put that is aborted midway leaves nothing", async ({ store, key }) => {
    const stop = new AbortController();
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(noise(300_000));
        if (++pulls === 10) stop.abort();
      },
    });
    let pulls = 0;
    await throwsCode(
      "aborted",
      () => store.putStream(key("aborted"), endless, { signal: stop.signal }),
    );
    await staysMissing(store, key("aborted"));
  });

  check("a call whose signal has fired does nothing", async ({ store, key }) => {
    await store.put(key("there"), text("there"));
    const signal = AbortSignal.abort();
    const calls: [string, () => Promise<unknown>][] = [
      ["put", () => store.put(key("new"), text("x"), { signal })],
      ["putStream", () => store.putStream(key("new"), streamOf([text("x")]), { signal })],
      ["get", () => store.get(key("there"), { signal })],
      ["getRange", () => store.getRange(key("there"), 0, 1, { signal })],
      ["head", () => store.head(key("there"), { signal })],
      ["deleteMany", () => store.deleteMany([key("there")], { signal })],
      ["list", () => store.list(key(""), { signal })],
      ["copy", () => store.copy(key("there"), key("new"), { signal })],
    ];
    for (const [, call] of calls) await throwsCode("aborted", call);
    assertSameBytes(await store.get(key("there")), text("there"));
    assert.equal(await store.head(key("new")), null);
  });

  check("a range is exactly the bytes asked for", async ({ store, key }) => {
    const bytes = noise(10_000);
    await store.put(key("ranges"), bytes);
    const range = (start: number, length: number) => store.getRange(key("ranges"), start, length);
    assertSameBytes(await range(0, 1), bytes.slice(0, 1));
    assertSameBytes(await range(1234, 4321), bytes.slice(1234, 5555));
    assertSameBytes(await range(9999, 1), bytes.slice(9999));
    assertSameBytes(await range(0, 10_000), bytes);
    assertSameBytes(await range(9990, 500), bytes.slice(9990), "short at the object's end");
    assert.equal((await range(5, 0)).byteLength, 0);
    await throwsCode("range_not_satisfiable", () => range(10_000, 1));
    await throwsCode("range_not_satisfiable", () => range(1_000_000, 10));
  });

  check("what isn't there is missing, not a failure", async ({ store, key }) => {
    assert.equal(await store.head(key("nothing")), null);
    await throwsCode("object_missing", () => store.get(key("nothing")));
    await throwsCode("object_missing", () => store.getRange(key("nothing"), 0, 4));
    await throwsCode("object_missing", () => store.copy(key("nothing"), key("copy")));
    await store.deleteMany([key("nothing")]);
    await store.deleteMany([]);
    assert.deepEqual(await store.list(key("nothing")), { objects: [], cursor: undefined });
  });

  check("many keys are deleted at once, and only they", async ({ store, key }) => {
    for (const name of ["a", "b", "c"]) await store.put(key(name), text(name));
    const absent = Array.from({ length: 1100 }, (_, i) => key(`absent/${i}`));
    await store.deleteMany([key("a"), ...absent, key("c")]);
    assert.deepEqual((await store.list(key(""))).objects.map((o) => o.key), [key("b")]);
    assert.equal(await store.head(key("a")), null);
    await store.put(key("a"), text("a deleted key can be written again"));
  });

  check("a listing is in key order, by prefix, page by page", async ({ store, key }) => {
    const names = ["t/1", "t-1", "t/10", "t/2/x", "t.1", "T/1", "u", "t/2"];
    for (const name of names) await store.put(key(name), text(name));
    const sorted = names.map((name) => key(name)).sort();
    const all = await store.list(key(""));
    assert.deepEqual(all.objects.map((object) => object.key), sorted);
    assert.equal(all.cursor, undefined);
    assert.equal(all.objects[0].size, sorted[0].length - key("").length);
    assert.equal(all.objects[0].etag, (await store.head(sorted[0]))?.etag);

    const under = async (prefix: string) =>
      (await store.list(key(prefix))).objects.map((object) => object.key);
    assert.deepEqual(await under("t/"), sorted.filter((k) => k.startsWith(key("t/"))));
    assert.deepEqual(await under("t/1"), [key("t/1"), key("t/10")], "a prefix isn't a folder");
    assert.deepEqual(await under("t/2/"), [key("t/2/x")]);

    const paged: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.list(key(""), { limit: 3, cursor });
      assert.ok(page.objects.length <= 3);
      paged.push(...page.objects.map((object) => object.key));
      cursor = page.cursor;
    } while (cursor !== undefined);
    assert.deepEqual(paged, sorted);
  });

  check("a copy is another object with the same bytes", async ({ store, key }) => {
    const bytes = noise(300_000);
    await store.put(key("from"), bytes, { contentType: "application/x-test" });
    await store.copy(key("from"), key("deep/to"));
    await store.deleteMany([key("from")]);
    assertSameBytes(await store.get(key("deep/to")), bytes);
    assert.equal((await store.head(key("deep/to")))?.contentType, "application/x-test");
    await store.put(key("from"), text("other"));
    await throwsCode("already_stored", () => store.copy(key("from"), key("deep/to")));
    assertSameBytes(await store.get(key("deep/to")), bytes);
  });

  check("an object may lie where another has a folder", async ({ store, key }) => {
    await store.put(key("a/b"), text("below"));
    await store.put(key("a"), text("above"));
    await store.put(key("a/b/c"), text("deep"));
    assertSameBytes(await store.get(key("a")), text("above"));
    await store.deleteMany([key("a/b")]);
    assertSameBytes(await store.get(key("a")), text("above"));
    assertSameBytes(await store.get(key("a/b/c")), text("deep"));
  });

  check("keys keep every character that is allowed, and their case", async ({ store, key }) => {
    const names = ["UPPER", "upper", "a b+c", "!-.*'()&$@=;:,?", "100.5_x", "...", "x".repeat(200)];
    for (const name of names) await store.put(key(name), text(name));
    for (const name of names) assertSameBytes(await store.get(key(name)), text(name), name);
    assert.deepEqual(
      (await store.list(key(""))).objects.map((object) => object.key),
      names.map((name) => key(name)).sort(),
    );
    await store.copy(key("a b+c"), key("c+b a"));
    assertSameBytes(await store.get(key("c+b a")), text("a b+c"));
    await store.deleteMany(names.map((name) => key(name)));
    assert.deepEqual((await store.list(key(""))).objects.map((o) => o.key), [key("c+b a")]);
  });

  check("a key that would be another path is refused", async ({ store, key }) => {
    const hostile = [
      "",
      "/",
      "/etc/passwd",
      "..",
      "../x",
      key("a/../b"),
      key("./a"),
      key("a//b"),
      key("a/"),
      key("..%2fx"),
      key("a\0b"),
      key("a\\b"),
      key("a\nb"),
      key("ü"),
      key("a#b"),
      key("k".repeat(1024)),
    ];
    for (const bad of hostile) {
      const said = JSON.stringify(bad);
      await throwsCode("invalid_name", () => store.put(bad, text("x")), said);
      await throwsCode("invalid_name", () => store.get(bad), said);
      await throwsCode("invalid_name", () => store.head(bad), said);
      await throwsCode("invalid_name", () => store.signUpload(bad), said);
    }
    assert.deepEqual((await store.list(key(""))).objects, []);
  });

  check("twenty puts at once all arrive", async ({ store, key }) => {
    const names = Array.from({ length: 20 }, (_, i) => `p/${i}`);
    await Promise.all(names.map((name) => store.put(key(name), text(name.repeat(1000)))));
    const got = await Promise.all(names.map((name) => store.get(key(name))));
    got.forEach((bytes, i) => assertSameBytes(bytes, text(names[i].repeat(1000))));
  });

  check("a body over the bucket's limit is too large", async ({ store, key, opened }) => {
    const limit = opened.maxObjectBytes;
    if (limit === undefined) return;
    await throwsCode("body_too_large", () => store.put(key("large"), noise(limit + 1)));
    const stream = streamOf(cut(noise(limit + 1), 100_000));
    await throwsCode("body_too_large", () => store.putStream(key("large"), stream));
    assert.equal(await store.head(key("large")), null);
    assert.equal((await store.put(key("fits"), noise(limit))).size, limit);
  });

  check("a signed download URL works without a key", async ({ store, key, opened }) => {
    const bytes = noise(5000);
    await store.put(key("d b/signed+1"), bytes);
    const url = await store.signDownload(key("d b/signed+1"), 600);
    if (opened.fetchable === false) return;
    const whole = await fetch(url);
    assert.equal(whole.status, 200);
    assertSameBytes(new Uint8Array(await whole.arrayBuffer()), bytes);
    const part = await fetch(url, { headers: { range: "bytes=100-199" } });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get("content-range"), "bytes 100-199/5000");
    assertSameBytes(new Uint8Array(await part.arrayBuffer()), bytes.slice(100, 200));

    const forged = await fetch(url.replaceAll("signed%2B1", "other").replaceAll("+1", "+2"));
    await forged.body?.cancel();
    assert.ok(forged.status >= 400, `a forged URL was answered ${forged.status}`);
  });

  check("a signed upload URL takes a PUT without a key", async ({ store, key, opened }) => {
    const { url, expiresAt } = await store.signUpload(key("u/signed"));
    assert.ok(expiresAt.getTime() > Date.now());
    if (opened.fetchable === false) return;
    const answer = await fetch(url, {
      method: "PUT",
      body: text("uploaded"),
      headers: { "content-type": "application/octet-stream" },
    });
    assert.equal(answer.status, 200, await answer.text());
    assertSameBytes(await store.get(key("u/signed")), text("uploaded"));

    const forged = await fetch(url.replace("u/signed", "u/other"), { method: "PUT", body: "x" });
    await forged.body?.cancel();
    assert.ok(forged.status >= 400, `a forged URL was answered ${forged.status}`);
    assert.equal(await store.head(key("u/other")), null);
  });
}
