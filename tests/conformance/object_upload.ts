/** What a store must do that takes objects piece by piece (`startUpload`): one suite for all of them. */
import { strict as assert } from "node:assert";

import type { ObjectUpload, PutOptions } from "../../shared/storage/object_store.ts";
import {
  assertSameBytes,
  type Case,
  checksOf,
  cut,
  noise,
  type OpenedStore,
  type Register,
  sha256,
  staysMissing,
  text,
  throwsCode,
} from "./store_case.ts";

const MiB = 1024 * 1024;

/** Registers the suite; arguments as `objectStoreConformance`. */
export function objectUploadConformance(
  name: string,
  open: () => Promise<OpenedStore>,
  test: Register = Deno.test,
): void {
  const check = checksOf(name, open, test);

  check("an upload is there whole once it is finished, and not before", async (c) => {
    for (const size of [0, 10, 5 * MiB, 12_000_003]) {
      const bytes = noise(size), key = c.key(`of-${size}`);
      const upload = await begin(c, key, { contentType: "application/x-test" });
      await writeAll(upload, bytes);
      assert.equal(await c.store.head(key), null, `${size} bytes were seen too early`);
      const info = await upload.finish();
      assert.equal(info.size, size);
      const head = await c.store.head(key);
      assert.equal(head?.etag, info.etag);
      assert.equal(head?.contentType, "application/x-test");
      assert.equal(sha256(await c.store.get(key)), sha256(bytes));
      assert.deepEqual(await upload.finish(), info, "finishing again is no other answer");
      await upload.abort();
      assert.equal((await c.store.head(key))?.size, size, "what is finished can't be given up");
    }
  });

  check("an upload that is given up leaves nothing, and its key can be used", async (c) => {
    for (const size of [10, 12_000_000]) {
      const upload = await begin(c, c.key("given-up"));
      await writeAll(upload, noise(size));
      await upload.abort();
      await staysMissing(c.store, c.key("given-up"));
      assert.equal(upload.heldBytes, 0);
      await assert.rejects(upload.write(text("more")));
      await assert.rejects(upload.finish());
    }
    await c.store.put(c.key("given-up"), text("another"));
  });

  check("an upload whose signal fired leaves nothing", async (c) => {
    const stop = new AbortController();
    const upload = await begin(c, c.key("stopped"), { signal: stop.signal });
    await writeAll(upload, noise(6 * MiB));
    stop.abort();
    await throwsCode("aborted", () => upload.finish());
    await upload.abort();
    await staysMissing(c.store, c.key("stopped"));
  });

  check("an upload to a key that is taken is refused, or replaces when told", async (c) => {
    for (const size of [10, 12_000_000]) {
      const key = c.key(`taken-${size}`), bytes = noise(size);
      await c.store.put(key, text("first"));
      const refused = await begin(c, key);
      await writeAll(refused, bytes);
      await throwsCode("already_stored", () => refused.finish());
      await refused.abort();
      assertSameBytes(await c.store.get(key), text("first"));
      const replacing = await begin(c, key, { upsert: true });
      await writeAll(replacing, bytes);
      await replacing.finish();
      assert.equal(sha256(await c.store.get(key)), sha256(bytes));
    }
  });

  check("ranges of other objects are appended as they are", async (c) => {
    const one = noise(12 * MiB + 11), other = noise(6 * MiB);
    const { etag } = await c.store.put(c.key("one"), one);
    const second = await c.store.put(c.key("other"), other);
    const upload = await begin(c, c.key("joined"));
    const expected: Uint8Array[] = [];
    const write = async (bytes: Uint8Array) => {
      expected.push(bytes.slice());
      await upload.write(bytes);
    };
    const copy = async (name: string, bytes: Uint8Array, tag: string, from: number, to: number) => {
      expected.push(bytes.subarray(from, to));
      const range = { key: c.key(name), etag: tag, start: from, length: to - from };
      const copied = await upload.copyFrom(range);
      if (!copied) await upload.write(bytes.subarray(from, to));
      assert.ok(copied || to - from < 5 * MiB, "a range of 5 MiB can be a part");
    };
    await write(text("PAR1"));
    // inside of a part, on over its end without a gap, again elsewhere, of another object, and the end of it all
    await copy("one", one, etag, 4, 6 * MiB);
    await copy("one", one, etag, 6 * MiB, 11 * MiB);
    await copy("one", one, etag, 11.5 * MiB, 12 * MiB);
    await copy("other", other, second.etag, 0, 6 * MiB);
    await write(noise(100_000));
    await copy("other", other, second.etag, 5, 5);
    await copy("one", one, etag, 12 * MiB, one.length);
    const { size } = await upload.finish();
    const whole = new Uint8Array(size);
    assert.equal(expected.reduce((at, part) => (whole.set(part, at), at + part.length), 0), size);
    assert.equal(sha256(await c.store.get(c.key("joined"))), sha256(whole));
  });

  check("a range of an object that has another ETag, or is gone, is not copied", async (c) => {
    await c.store.put(c.key("changed"), noise(11 * MiB));
    const upload = await begin(c, c.key("target"));
    await upload.write(text("before"));
    for (const name of ["changed", "gone"]) {
      const range = { key: c.key(name), etag: "0".repeat(32), start: 0, length: 11 * MiB };
      assert.equal(await upload.copyFrom(range), false);
    }
    await upload.write(text(" and after"));
    await upload.finish();
    assertSameBytes(await c.store.get(c.key("target")), text("before and after"));
  });

  check("uploads that nobody ends are given up by prefix and age, and no others", async (c) => {
    const { store } = c;
    if (store.abandonUploads === undefined) return;
    const soon = new Date(Date.now() + 60_000), before = new Date(Date.now() - 60_000);
    const keys = [c.key("left/a"), c.key("left/b"), c.key("left/c d"), c.key("leftover")];
    const uploads = await Promise.all(keys.map((key) => begin(c, key)));
    for (const upload of uploads) await writeAll(upload, noise(5 * MiB + 1));
    assert.equal(await store.abandonUploads(c.key("left/"), before), 0, "they are young");
    assert.equal(await store.abandonUploads(c.key("left/"), soon), 3);
    assert.equal(await store.abandonUploads(c.key("left/"), soon), 0);
    await assert.rejects(uploads[0].finish());
    assert.equal(await store.head(keys[0]), null);
    assert.equal((await uploads[3].finish()).size, 5 * MiB + 1);
  });
}

async function begin(c: Case, key: string, options?: PutOptions): Promise<ObjectUpload> {
  assert.ok(c.store.startUpload, "the store takes no uploads");
  return await c.store.startUpload(key, options);
}

/** Writes in chunks that end nowhere in particular, each of which is another one afterwards. */
async function writeAll(upload: ObjectUpload, bytes: Uint8Array): Promise<void> {
  for (const chunk of cut(bytes, 777_777)) {
    const lent = chunk.slice();
    await upload.write(lent);
    lent.fill(0);
  }
}
