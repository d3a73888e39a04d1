import { broken } from "../compression_fault.ts";
import type { Output } from "../output.ts";
import { buildFse, type FseTable, nextState, readFse, singleSymbol } from "./fse.ts";
import { ReverseBits } from "./reverse_bits.ts";

/** What later blocks of a frame take over from earlier ones. */
export interface SequenceState {
  lengths?: FseTable;
  offsets?: FseTable;
  matches?: FseTable;
  /** The three repeated offsets (RFC 8878, 3.1.1.5). */
  recent: [number, number, number];
}

// RFC 8878, 3.1.1.3.2.1.1: base and extra bits of the literal length and match length codes
// deno-fmt-ignore
const lengthExtra = [
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12,
  13, 14, 15, 16,
];
// deno-fmt-ignore
const matchExtra = [
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
  1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
];
const lengthBase = bases(lengthExtra, 0);
const matchBase = bases(matchExtra, 3);

/** A code's base is where the one before it ended. The last twelve or so begin at powers of two. */
function bases(extra: number[], first: number): number[] {
  const base: number[] = [];
  for (let code = 0, next = first; code < extra.length; code++) {
    base.push(next);
    next += 2 ** extra[code];
  }
  return base;
}

// RFC 8878, 3.1.1.3.2.2: the predefined distributions
// deno-fmt-ignore
const defaultLengths = [
  4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1,
  -1, -1, -1,
];
// deno-fmt-ignore
const defaultMatches = [
  1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
];
// deno-fmt-ignore
const defaultOffsets = [
  1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
];
const predefined = {
  lengths: buildFse(defaultLengths, 6),
  offsets: buildFse(defaultOffsets, 5),
  matches: buildFse(defaultMatches, 6),
};
const allowed = {
  lengths: { accuracy: 9, symbol: 35 },
  offsets: { accuracy: 8, symbol: 31 },
  matches: { accuracy: 9, symbol: 52 },
};

/**
 * Reads the sequences section of a compressed block (RFC 8878, 3.1.1.3.2) and carries it out.
 *
 * @param literals those of the block
 * @param frameStart where the frame's output begins: offsets must not reach before it
 */
export function runSequences(
  input: Uint8Array,
  from: number,
  to: number,
  literals: Uint8Array,
  state: SequenceState,
  output: Output,
  frameStart: number,
): void {
  let at = from;
  if (at >= to) throw tooShort();
  let count = input[at++];
  if (count === 0) {
    if (at !== to) throw broken("zstandard: bytes after a block without sequences");
    output.append(literals);
    return;
  }
  if (count === 255) {
    if (at + 2 > to) throw tooShort();
    count = input[at] + (input[at + 1] << 8) + 0x7f00;
    at += 2;
  } else if (count >= 128) {
    if (at >= to) throw tooShort();
    count = ((count - 128) << 8) + input[at++];
  }
  if (at >= to) throw tooShort();
  const modes = input[at++];
  if ((modes & 3) !== 0) throw broken("zstandard: reserved bits of the sequences are set");
  const table = (kind: keyof typeof allowed, mode: number): FseTable => {
    const limit = allowed[kind];
    if (mode === 0) state[kind] = predefined[kind];
    else if (mode === 1) {
      if (at >= to) throw tooShort();
      if (input[at] > limit.symbol) throw broken("zstandard: a sequence code does not exist");
      state[kind] = singleSymbol(input[at++]);
    } else if (mode === 2) {
      [state[kind], at] = readFse(input, at, to, limit.accuracy, limit.symbol);
    } else if (state[kind] === undefined) {
      throw broken("zstandard: a block refers to a table that is not there");
    }
    return state[kind]!;
  };
  const lengths = table("lengths", modes >>> 6);
  const offsets = table("offsets", (modes >>> 4) & 3);
  const matches = table("matches", (modes >>> 2) & 3);

  const stream = new ReverseBits(input, at, to);
  let lengthState = stream.read(lengths.accuracy);
  let offsetState = stream.read(offsets.accuracy);
  let matchState = stream.read(matches.accuracy);
  let used = 0;
  for (let n = 0; n < count; n++) {
    const offsetCode = offsets.symbols[offsetState];
    const matchCode = matches.symbols[matchState];
    const lengthCode = lengths.symbols[lengthState];
    if (offsetCode > 27) throw broken("zstandard: an offset is beyond any window we allow");
    let offset = 1 << offsetCode;
    if (offsetCode > 16) {
      offset += stream.read(offsetCode - 16) * 65536;
      offset += stream.read(16);
    } else offset += stream.read(offsetCode);
    const match = matchBase[matchCode] + stream.read(matchExtra[matchCode]);
    const length = lengthBase[lengthCode] + stream.read(lengthExtra[lengthCode]);
    if (n < count - 1) {
      lengthState = nextState(lengths, lengthState, stream);
      matchState = nextState(matches, matchState, stream);
      offsetState = nextState(offsets, offsetState, stream);
    }
    if (stream.left < 0) throw tooShort();
    if (used + length > literals.length) {
      throw broken("zstandard: the sequences take more literals than there are");
    }
    if (length > 16) output.append(literals.subarray(used, used + length));
    else if (length > 0) {
      output.reserve(length);
      const { bytes, length: start } = output;
      for (let n = 0; n < length; n++) bytes[start + n] = literals[used + n];
      output.length = start + length;
    }
    used += length;
    const distance = resolveOffset(offset, length, state.recent);
    if (distance > output.length - frameStart) {
      throw broken("zstandard: an offset reaches before the frame");
    }
    output.repeat(distance, match);
  }
  if (stream.left !== 0) throw broken("zstandard: the sequences do not end where they must");
  output.append(literals.subarray(used));
}

/** An offset value as a distance; the repeated offsets move (RFC 8878, 3.1.1.5). */
function resolveOffset(value: number, length: number, recent: [number, number, number]): number {
  if (value > 3) {
    recent[2] = recent[1];
    recent[1] = recent[0];
    return recent[0] = value - 3;
  }
  const index = length === 0 ? value : value - 1;
  if (index === 0) return recent[0];
  const distance = index === 3 ? recent[0] - 1 : recent[index];
  if (distance === 0) throw broken("zstandard: an offset is 0");
  if (index > 1) recent[2] = recent[1];
  recent[1] = recent[0];
  return recent[0] = distance;
}

function tooShort() {
  return broken("zstandard: the sequences end too soon");
}
