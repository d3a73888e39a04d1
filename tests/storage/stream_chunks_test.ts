import { strict as assert } from "node:assert";

import { streamChunks } from "../../shared/storage/stream_chunks.ts";

Deno.test("chunks come as they are, and end with the stream", async () => {
  const chunks = [new Uint8Array([1, 2]), new Uint8Array(), new Uint8Array([3])];
  const got = await Array.fromAsync(streamChunks(ReadableStream.from(chunks)));
  assert.deepEqual(got, chunks);
});

Deno.test("the source is told when nobody wants the rest", async () => {
  const { stream, cancelled } = endless();
  for await (const _chunk of streamChunks(stream)) break;
  assert.ok(cancelled());
});

Deno.test("a signal ends a read that waits", async () => {
  const stop = new AbortController();
  let cancelled = false;
  const stalled = new ReadableStream<Uint8Array>({
    pull: () => new Promise(() => {}),
    cancel: () => void (cancelled = true),
  });
  const reading = Array.fromAsync(streamChunks(stalled, stop.signal));
  stop.abort(new Error("enough"));
  await assert.rejects(reading, /enough/);
  assert.ok(cancelled);
});

function endless() {
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(7)),
    cancel: () => void (cancelled = true),
  });
  return { stream, cancelled: () => cancelled };
}
