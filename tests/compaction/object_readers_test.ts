import { strict as assert } from "node:assert";
import { openReaders } from "../../shared/compaction/object_readers.ts";
import { createMemoryStore } from "../../shared/storage/memory_store.ts";

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
