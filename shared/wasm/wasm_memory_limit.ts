import { SedimentError } from "../errors.ts";

/** Bytes of a page of wasm memory. */
const wasmPageBytes = 65_536;

/**
 * The same wasm binary with a maximum on its own memory, so that hostile sizes end in a trap and not in an
 * isolate that is killed: parquet-wasm declares none. Source: WebAssembly core spec, binary format, memory
 * section (id 5: a vector of limits; flag 0 has only a minimum, flag 1 also a maximum, in pages of 64 KiB).
 * @param maximumBytes rounded down to whole pages
 */
export function withMemoryLimit(
  wasm: Uint8Array,
  maximumBytes: number,
): Uint8Array<ArrayBuffer> {
  const maximum = Math.floor(maximumBytes / wasmPageBytes);
  let at = 8;
  while (at < wasm.length) {
    const id = wasm[at];
    const size = readVarint(wasm, at + 1);
    const body = size.next;
    if (id !== 5) {
      at = body + size.value;
      continue;
    }
    const count = readVarint(wasm, body);
    const flags = readVarint(wasm, count.next);
    const minimum = readVarint(wasm, flags.next);
    if (count.value !== 1 || flags.value > 1) break;
    if (minimum.value > maximum) {
      throw new SedimentError(
        "misconfigured",
        `the wasm module starts with ${minimum.value} pages of memory, over the limit of ${maximum}`,
      );
    }
    const limits = [...varint(1), ...varint(1), ...varint(minimum.value), ...varint(maximum)];
    const section = [5, ...varint(limits.length), ...limits];
    const rest = wasm.subarray(body + size.value);
    const result = new Uint8Array(at + section.length + rest.length);
    result.set(wasm.subarray(0, at));
    result.set(section, at);
    result.set(rest, at + section.length);
    return result;
  }
  throw new SedimentError("misconfigured", "the wasm module has no memory of its own to limit");
}

function readVarint(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[at++];
    value |= (byte & 127) << shift;
    if (byte < 128) return { value: value >>> 0, next: at };
  }
  throw new SedimentError("misconfigured", "the wasm module is broken");
}

function varint(value: number): number[] {
  const bytes = [];
  for (; value >= 128; value >>>= 7) bytes.push((value & 127) | 128);
  bytes.push(value);
  return bytes;
}
