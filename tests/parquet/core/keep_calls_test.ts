import { strict as assert } from "node:assert";
import { buildKernels, kernelBuilds } from "../../../shared/parquet/kernels/build.ts";
import { keepCalls } from "../../../shared/parquet/kernels/keep_calls.ts";

/** A module of one function, `twice`, whose body has so many bytes: it doubles its argument, over and over, and halves it. */
function moduleOf(pairs: number): Uint8Array<ArrayBuffer> {
  const leb128 = (value: number) => value < 128 ? [value] : [(value & 127) | 128, value >>> 7];
  // local.get 0, then i32.const 1, i32.shl, i32.const 1, i32.shr_u, …, i32.const 1, i32.shl
  const shifts = Array.from({ length: pairs }, () => [0x41, 1, 0x74, 0x41, 1, 0x76]).flat();
  const body = [0, 0x20, 0, ...shifts, 0x41, 1, 0x74, 0x0b];
  const code = [1, ...leb128(body.length), ...body];
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f],
    ...[3, 2, 1, 0],
    ...[7, 9, 1, 5, ...new TextEncoder().encode("twice"), 0, 0],
    ...[10, ...leb128(code.length), ...code],
  ]);
}

Deno.test("functions that an engine would inline are longer, and compute the same", () => {
  for (const [pairs, fills] of [[1, false], [30, true], [78, true], [100, false]] as const) {
    const before = moduleOf(pairs);
    const after = keepCalls(before);
    assert.equal(after.length > before.length, fills, `${pairs} pairs`);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(after)));
    assert.equal((exports.twice as (n: number) => number)(21), 42);
  }
});

Deno.test("the kernels are filled up once: a second time changes nothing", async () => {
  const build = kernelBuilds.find(({ keepsCalls }) => keepsCalls)!;
  const kernels = await buildKernels(build);
  assert.deepEqual(keepCalls(kernels), kernels);
});
