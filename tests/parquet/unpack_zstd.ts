import { strict as assert } from "node:assert";
import { MiB } from "../../shared/parquet/format/healthy_group.ts";
import { HostKernels } from "../../shared/parquet/kernels/host_kernels.ts";

const kernels = new HostKernels({
  memoryBytes: 112 * MiB,
  pageBytes: 64 * MiB,
  pageValues: 16 * MiB,
});

/** What kernels may write behind an output: assembly/memory.ts. */
const slackBytes = 16;
/** Around an output, where nothing may be written: what stands there is of other files, and of other tenants. */
const guardBytes = 1024;
const mark = 0xa5;

/** What the kernels make of a zstd page of `length` bytes; undefined when they refuse it. */
export function unpackZstd(packed: Uint8Array, length: number): Uint8Array | undefined {
  const { wasm } = kernels;
  const at = kernels.input(packed), room = kernels.alloc(2 * guardBytes + slackBytes + length);
  const to = room + guardBytes;
  const guards = () => [
    kernels.bytes(room, guardBytes),
    kernels.bytes(to + length + slackBytes, guardBytes),
  ];
  for (const guard of guards()) guard.fill(mark);
  const isDone = wasm.zstdDecode(at, packed.length, to, length) !== 0;
  const bytes = isDone ? kernels.bytes(to, length).slice() : undefined;
  for (const guard of guards()) {
    assert.ok(guard.every((byte) => byte === mark), "written elsewhere");
  }
  wasm.free(room);
  return bytes;
}
