import { strict as assert } from "node:assert";
import { HeldOutput } from "../../shared/compaction/run/output/held_output.ts";
import { createMemoryStore } from "../support/memory_store.ts";

const { signal } = new AbortController();

/** Puts an output of some bytes; gives the calls that were made and the largest chunk of a stream. */
async function putOutput(size: number, failures = 0) {
  const calls: string[] = [];
  let largest = 0;
  const memory = createMemoryStore({
    before: ({ method }) => {
      if (!method.startsWith("put")) return;
      calls.push(method);
      if (failures-- > 0) throw new Error("503");
    },
  });
  const store = {
    ...memory,
    putStream: (
      key: string,
      body: ReadableStream<Uint8Array>,
      options?: Parameters<typeof memory.putStream>[2],
    ) => {
      const watch = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          largest = Math.max(largest, chunk.byteLength);
          controller.enqueue(chunk);
        },
      });
      return memory.putStream(key, body.pipeThrough(watch), options);
    },
  };
  const output = new HeldOutput(store, "k", size, signal);
  const bytes = new Uint8Array(size).map((_, i) => i % 251);
  await output.write(bytes);
  while (true) {
    try {
      await output.put();
      break;
    } catch (thrown) {
      if (calls.length > 5) throw thrown;
    }
  }
  assert.deepEqual(await memory.get("k"), bytes);
  return { calls, largest };
}

Deno.test("a small output is put at once, a large one slice by slice, and both are whole", async () => {
  assert.deepEqual(await putOutput(1000), { calls: ["put"], largest: 0 });
  const { calls, largest } = await putOutput(3_000_001);
  assert.deepEqual(calls, ["putStream"]);
  assert.ok(largest > 0 && largest <= 262_144, String(largest));
});

Deno.test("a large output whose put failed can be put again", async () => {
  assert.deepEqual((await putOutput(3_000_001, 2)).calls.length, 3);
});
