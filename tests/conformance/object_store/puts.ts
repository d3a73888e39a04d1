/** Putting bytes and streams. Part of the suite of object stores. */
import { strict as assert } from "node:assert";

import {
  assertSameBytes,
  type Check,
  cut,
  noise,
  sha256,
  streamOf,
  text,
  throwsCode,
} from "../store_case.ts";

/** Registers these checks. */
export function putChecks(check: Check): void {
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
}
