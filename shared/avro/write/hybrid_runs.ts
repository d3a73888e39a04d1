/**
 * One run of the RLE/bit-packing hybrid (parquet-format, Encodings.md): repeated where all values are equal,
 * else bit-packed. The page is read again at once by the kernels, which choose the runs of the file.
 *
 * @param width bits of a value, 1 to 24
 * @param target where to write; it must have room for {@link hybridRunBound}
 * @returns the position after the run
 */
export function writeHybridRun(
  values: Uint8Array | Int32Array,
  from: number,
  to: number,
  width: number,
  target: Uint8Array,
  at: number,
): number {
  const count = to - from;
  if (count === 0) return at;
  if (allEqual(values, from, to)) {
    at = writeVarint(count * 2, target, at);
    for (let bits = 0; bits < width; bits += 8) target[at++] = values[from] >>> bits;
    return at;
  }
  const groups = (count + 7) >> 3;
  at = writeVarint(groups * 2 + 1, target, at);
  return writeBits(values, from, to, width, target, at, groups * width);
}

/** Bit-packs values, the lowest bit first, into so many bytes, the rest of them zeros. */
export function writeBits(
  values: Uint8Array | Int32Array,
  from: number,
  to: number,
  width: number,
  target: Uint8Array,
  at: number,
  bytes: number,
): number {
  const end = at + bytes;
  let hold = 0, held = 0;
  for (let n = from; n < to; n++) {
    hold |= values[n] << held;
    held += width;
    while (held >= 8) {
      target[at++] = hold;
      hold >>>= 8;
      held -= 8;
    }
  }
  if (held > 0) target[at++] = hold;
  target.fill(0, at, end);
  return end;
}

/** Most bytes that a run of so many values takes. */
export function hybridRunBound(count: number, width: number): number {
  return 8 + ((count + 7) >> 3) * width;
}

/** Bits that hold the values 0 to `highest`. */
export function bitWidth(highest: number): number {
  return 32 - Math.clz32(highest);
}

function allEqual(values: Uint8Array | Int32Array, from: number, to: number): boolean {
  const first = values[from];
  for (let n = from + 1; n < to; n++) {
    if (values[n] !== first) return false;
  }
  return true;
}

function writeVarint(value: number, target: Uint8Array, at: number): number {
  while (value > 0x7f) {
    target[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  target[at++] = value;
  return at;
}
