import { BOOLEAN, BYTE_ARRAY } from "./column";
import { chunk } from "./open_chunk";

/** The bytes that `n` PLAIN values of the source take at `p`, or 0xffffffff when they aren't all there. */
export function plainExtent(p: usize, available: u32, n: u32): u32 {
  if (chunk.type == BYTE_ARRAY) {
    const end = p + available;
    let at = p;
    for (let i: u32 = 0; i < n; i++) {
      if (<u32> (end - at) < 4) return 0xffffffff;
      const length = load<u32>(at);
      at += 4;
      if (length > <u32> (end - at)) return 0xffffffff;
      at += length;
    }
    return <u32> (at - p);
  }
  const bytes: u64 = chunk.type == BOOLEAN ? (<u64> n + 7) >> 3 : <u64> n * chunk.width;
  return bytes > available ? 0xffffffff : <u32> bytes;
}
