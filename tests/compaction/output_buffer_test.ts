import { strict as assert } from "node:assert";
import { OutputBuffer } from "../../shared/compaction/run/output/output_buffer.ts";

Deno.test("an output is what was written, whether it was guessed too small or too large", async () => {
  for (const expected of [0, 10, 1_000_000]) {
    const output = new OutputBuffer(expected);
    const written: number[] = [];
    for (let i = 0; i < 20; i++) {
      const chunk = new Uint8Array(10_000).fill(i);
      await output.write(chunk);
      written.push(...chunk);
      chunk.fill(255); // the merge uses its memory again
    }
    assert.deepEqual(output.bytes(), new Uint8Array(written));
  }
});
