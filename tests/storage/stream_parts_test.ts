import { strict as assert } from "node:assert";

import fc from "../support/fast_check.ts";

import { streamParts } from "../../shared/storage/stream_parts.ts";

Deno.test("parts are of one size but for the last, and joined are the stream", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 12 }),
      fc.integer({ min: 1, max: 25 }),
      async (chunks, partBytes) => {
        const stream = ReadableStream.from(chunks) as ReadableStream<Uint8Array>;
        const parts = await Array.fromAsync(streamParts(stream, partBytes));
        const whole = chunks.flatMap((chunk) => [...chunk]);
        assert.deepEqual(parts.flatMap((part) => [...part]), whole);
        assert.ok(parts.slice(0, -1).every((part) => part.length === partBytes));
        assert.equal(parts.length, Math.max(1, Math.ceil(whole.length / partBytes)));
      },
    ),
  );
});

Deno.test("the source is told when nobody wants the rest", async () => {
  const { stream, cancelled } = endless();
  for await (const _part of streamParts(stream, 10)) break;
  assert.ok(cancelled());
});

Deno.test("a signal ends a read that waits", async () => {
  const stop = new AbortController();
  let cancelled = false;
  const stalled = new ReadableStream<Uint8Array>({
    pull: () => new Promise(() => {}),
    cancel: () => void (cancelled = true),
  });
  const reading = Array.fromAsync(streamParts(stalled, 10, stop.signal));
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
