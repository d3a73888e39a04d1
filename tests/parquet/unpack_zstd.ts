import { MiB } from "../../shared/parquet/format/healthy_group.ts";
import { HostKernels } from "../../shared/parquet/kernels/host_kernels.ts";

const kernels = new HostKernels({
  memoryBytes: 112 * MiB,
  pageBytes: 64 * MiB,
  pageValues: 16 * MiB,
});

/** What the kernels make of a zstd page of `length` bytes; undefined when they refuse it. */
export function unpackZstd(packed: Uint8Array, length: number): Uint8Array | undefined {
  const { wasm } = kernels;
  const at = kernels.input(packed), to = kernels.alloc(length);
  const isDone = wasm.zstdDecode(at, packed.length, to, length) !== 0;
  const bytes = isDone ? kernels.bytes(to, length).slice() : undefined;
  wasm.free(to);
  return bytes;
}
