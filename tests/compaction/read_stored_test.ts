import { strict as assert } from "node:assert";
import { checksumOf } from "../../shared/compaction/checksum.ts";
import { readStored } from "../../shared/compaction/run/output/read_stored.ts";
import { SedimentError } from "../../shared/errors.ts";
import { createMemoryStore } from "../support/memory_store.ts";

const signal = new AbortController().signal;
const bytes = new Uint8Array(100).map((_, index) => index);

/** A store with one object of 100 bytes, whose first answers to a range are what is given. */
async function stored(answers: (SedimentError | Uint8Array)[], kept: Uint8Array = bytes) {
  const store = createMemoryStore();
  await store.put("k", kept);
  let calls = 0;
  const getRange: typeof store.getRange = async (...args) => {
    const answer = answers[calls++];
    if (answer instanceof SedimentError) throw answer;
    return answer ?? await store.getRange(...args);
  };
  const input = {
    id: "7",
    object_key: "k",
    start_byte: 0,
    byte_length: 100,
    checksum: checksumOf(bytes),
  };
  return {
    store,
    calls: () => calls,
    read: (start = 0, length = 100) =>
      readStored({ getRange, head: store.head }, input, start, length, signal),
  };
}
const gone = new SedimentError("object_missing", "404");
const failed = new SedimentError("store_failed", "500");

Deno.test("a 404 that the next request does not repeat is no loss", async () => {
  const { read, calls } = await stored([gone]);
  assert.deepEqual(await read(), bytes);
  assert.equal(calls(), 2);
});

Deno.test("a range that comes short once is asked for again", async () => {
  const { read } = await stored([bytes.subarray(0, 50)]);
  assert.deepEqual(await read(), bytes);
});

Deno.test("an object that is there and gives no range is an outage of the store", async () => {
  for (const answer of [gone, failed, bytes.subarray(0, 50)]) {
    const { read } = await stored([answer, answer]);
    const error = await read().then(() => null, (thrown) => thrown);
    assert.equal(error.code, "store_failed");
    assert.deepEqual(error.extra, { part: "store_read" });
  }
});

Deno.test("an object that two requests and a look miss is lost, and names its file", async () => {
  const { read, store } = await stored([]);
  await store.deleteMany(["k"]);
  await assert.rejects(
    read(),
    (error: SedimentError) => error.code === "object_missing" && error.extra?.file === "7",
  );
});

Deno.test("a 500 to a range means a shorter object only where the object is shorter", async () => {
  const { read } = await stored([failed, failed], bytes.subarray(0, 60));
  await assert.rejects(read(0, 100), { code: "object_changed" });
  const inside = await stored([failed, failed], bytes.subarray(0, 60));
  await assert.rejects(inside.read(0, 50), { code: "store_failed" });
});

Deno.test("a byte that changed is found by the checksum of what is read whole", async () => {
  const rotted = bytes.slice();
  rotted[40] ^= 1;
  const { read, calls } = await stored([], rotted);
  await assert.rejects(read(), { code: "object_changed" });
  assert.equal(calls(), 2, "twice, before it is believed");
});

Deno.test("a byte that changed on its way is read again", async () => {
  const rotted = bytes.slice();
  rotted[40] ^= 1;
  const { read } = await stored([rotted]);
  assert.deepEqual(await read(), bytes);
});
