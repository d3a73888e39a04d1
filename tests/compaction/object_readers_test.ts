import { strict as assert } from "node:assert";
import { openReaders } from "../../shared/compaction/run/output/object_readers.ts";
import { SedimentError } from "../../shared/errors.ts";
import { createMemoryStore } from "../support/memory_store.ts";

const signal = new AbortController().signal;

/** Readers over `count` small objects, and how often each was asked for. */
async function readers(count: number, ahead: number) {
  const asked: string[] = [];
  const store = createMemoryStore({
    before: (call) => {
      if (call.method === "getRange") asked.push(String(call.key));
    },
  });
  const inputs = await Promise.all(Array.from({ length: count }, async (_, i) => {
    const object_key = `battle_data/00000000-0000-4000-8000-000000000001/t/0/${
      String(i).padStart(8, "0")
    }-0000-4000-8000-000000000001.parquet`;
    await store.put(object_key, new Uint8Array(100).fill(i));
    return { id: String(i), object_key, start_byte: 0, byte_length: 100 };
  }));
  return { asked, inputs, map: openReaders(store, inputs, signal, { ahead }) };
}

Deno.test("a file that was read whole is fetched once, until its bytes are given back", async () => {
  const { asked, map } = await readers(1, 0);
  const reader = map.get("0")!;
  const bytes = await reader.read(0, 100);
  await reader.read(20, 10);
  assert.equal(asked.length, 1);
  reader.release!(bytes);
  assert.deepEqual(await reader.read(20, 10), new Uint8Array(10));
  assert.equal(asked.length, 2);
});

Deno.test("files ahead are fetched before they are asked for, and none twice", async () => {
  const { asked, map } = await readers(6, 2);
  for (let i = 0; i < 6; i++) {
    const reader = map.get(String(i))!;
    const bytes = await reader.read(0, 100);
    assert.equal(asked.length, Math.min(6, i + 3));
    reader.release!(bytes);
  }
  assert.equal(new Set(asked).size, 6);
});

Deno.test("a large file's page indexes come with its end, and nothing else is read beforehand", async () => {
  const asked: string[] = [];
  const store = createMemoryStore({
    before: ({ method, key }) => void (method === "getRange" && asked.push(key)),
  });
  const bytes = new Uint8Array(100_000).map((_, i) => i >> 8);
  const inputs = ["a", "b"].map((id) => ({
    id,
    object_key: `battle_compacted/${id}`,
    start_byte: 100,
    byte_length: 90_000,
  }));
  for (const { object_key } of inputs) await store.put(object_key, bytes);
  const readers = openReaders(store, inputs, signal, { wholeBytes: 1000, tailBytes: 5000 });
  const read = async (id: string, start: number, length: number) =>
    assert.deepEqual(
      await readers.get(id)!.read(start, length),
      bytes.subarray(100 + start, 100 + start + length),
    );
  await read("a", 89_000, 1000); // the footer
  await read("a", 0, 40_000);
  await read("a", 86_000, 500); // indexes
  await read("a", 85_000, 5000);
  assert.equal(asked.length, 2);
  await read("a", 84_999, 2); // begins before what came with the end
  assert.equal(asked.length, 3);
  await read("b", 89_000, 1000);
  await read("b", 88_000, 500);
  assert.equal(asked.length, 4);
});

Deno.test("an end that could not be read is asked for again", async () => {
  let failures = 2; // each range is tried twice
  const store = createMemoryStore({
    before: ({ method }) => {
      if (method === "getRange" && failures-- > 0) throw new SedimentError("store_failed", "503");
    },
  });
  await store.put("k", new Uint8Array(9000).fill(7));
  const input = { id: "k", object_key: "k", start_byte: 0, byte_length: 9000 };
  const reader = openReaders(store, [input], signal, { wholeBytes: 1000 }).get("k")!;
  await assert.rejects(reader.read(8000, 1000), { code: "store_failed" });
  assert.deepEqual(await reader.read(8000, 1000), new Uint8Array(1000).fill(7));
});

Deno.test("bytes that are given back are freed at once, but for those that other reads may see", async () => {
  const store = createMemoryStore();
  await store.put("k", new Uint8Array(9000).fill(7));
  const input = { id: "k", object_key: "k", start_byte: 0, byte_length: 9000 };
  const open = (wholeBytes: number) =>
    openReaders(store, [input], signal, { wholeBytes, tailBytes: 3000 }).get("k")!;
  const length = async (reader: ReturnType<typeof open>, start: number, length: number) => {
    const bytes = await reader.read(start, length);
    reader.release!(bytes);
    return bytes.byteLength;
  };
  const large = open(1000);
  assert.equal(await length(large, 0, 4000), 0);
  assert.equal(await length(large, 8000, 1000), 1000); // a part of the end
  assert.equal(await length(large, 6000, 3000), 3000); // all of it
  assert.deepEqual(await large.read(6000, 3000), new Uint8Array(3000).fill(7));
  const small = open(9000);
  const part = await small.read(0, 4000);
  assert.equal(await length(small, 4000, 4000), 4000);
  assert.equal(part.byteLength, 4000);
  assert.equal(await length(small, 0, 9000), 0);
  assert.deepEqual(await small.read(0, 9000), new Uint8Array(9000).fill(7));
});
