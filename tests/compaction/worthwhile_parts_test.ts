import { strict as assert } from "node:assert";
import { worthwhileParts } from "../../shared/compaction/plan/write_amplification.ts";
import { file, settings } from "./plan_file.ts";

const MB = 1_000_000;
const files = (...sizes: number[]) => sizes.map((byte_length) => file({ byte_length }));
const parts = (sizes: number[], some = {}) =>
  worthwhileParts(files(...sizes), { ...settings, ...some })
    .map((part) => part.map(({ byte_length }) => byte_length));

Deno.test("what makes its largest file half as large again is written", () => {
  assert.deepEqual(parts([4 * MB, 2 * MB]), [[4 * MB, 2 * MB]]);
  assert.deepEqual(parts([4 * MB, 1.9 * MB]), []);
});

Deno.test("a large file is left out, and the small ones beside it go on without it", () => {
  assert.deepEqual(parts([MB, 9 * MB, MB, MB]), [[MB, MB, MB]]);
  const dedupe_keys = ["id"];
  assert.deepEqual(parts([MB, 9 * MB, MB, MB], { dedupe_keys }), [[MB, MB]]);
});

Deno.test("what becomes full grown by it is written however small the rest is", () => {
  assert.deepEqual(parts([24.9 * MB, 0.4 * MB]), [[24.9 * MB, 0.4 * MB]]);
});

Deno.test("the smallest files are not told apart", () => {
  assert.deepEqual(parts([30_000, 1_000]), [[30_000, 1_000]]);
});
