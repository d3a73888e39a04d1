import { broken } from "../compression_fault.ts";
import { type HuffmanTree, readHuffmanTree } from "./huffman_tree.ts";
import { ReverseBits } from "./reverse_bits.ts";

/** No block makes more (RFC 8878, 3.1.1.2.4). */
export const maxBlockBytes = 128 * 1024;

/** A literals section read: its bytes, the tree for later blocks, and where the sequences begin. */
export interface Literals {
  bytes: Uint8Array;
  tree: HuffmanTree | undefined;
  end: number;
}

/**
 * Reads the literals section of a compressed block (RFC 8878, 3.1.1.3.1).
 *
 * @param tree that of the block before, for a section of type "treeless"
 */
export function readLiterals(
  input: Uint8Array,
  from: number,
  to: number,
  tree: HuffmanTree | undefined,
): Literals {
  if (from >= to) throw tooShort();
  const type = input[from] & 3;
  const format = (input[from] >>> 2) & 3;
  return type < 2
    ? readPlain(input, from, to, type, format, tree)
    : readCompressed(input, from, to, type === 3, format, tree);
}

function readPlain(
  input: Uint8Array,
  from: number,
  to: number,
  type: number,
  format: number,
  tree: HuffmanTree | undefined,
): Literals {
  const headerBytes = format === 1 ? 2 : format === 3 ? 3 : 1;
  let at = from + headerBytes;
  if (at > to) throw tooShort();
  let size = input[from];
  if (headerBytes > 1) size |= input[from + 1] << 8;
  if (headerBytes > 2) size |= input[from + 2] << 16;
  size >>>= headerBytes === 1 ? 3 : 4;
  if (size > maxBlockBytes) throw broken("zstandard: a block has too many literals");
  const stored = type === 0 ? size : 1;
  if (at + stored > to) throw tooShort();
  const bytes = type === 0 ? input.subarray(at, at + size) : new Uint8Array(size).fill(input[at]);
  at += stored;
  return { bytes, tree, end: at };
}

function readCompressed(
  input: Uint8Array,
  from: number,
  to: number,
  treeless: boolean,
  format: number,
  tree: HuffmanTree | undefined,
): Literals {
  const headerBytes = format < 2 ? 3 : format + 2;
  let at = from + headerBytes;
  if (at > to) throw tooShort();
  const width = [10, 10, 14, 18][format];
  let header = 0;
  for (let n = headerBytes - 1; n >= 0; n--) header = header * 256 + input[from + n];
  header = Math.floor(header / 16);
  const size = header % 2 ** width;
  const end = at + Math.floor(header / 2 ** width);
  if (end > to) throw tooShort();
  if (size > maxBlockBytes) throw broken("zstandard: a block has too many literals");
  if (!treeless) [tree, at] = readHuffmanTree(input, at, end);
  if (tree === undefined) throw broken("zstandard: a block refers to a tree that is not there");
  const bytes = new Uint8Array(size);
  if (format === 0) {
    readStream(input, at, end, tree, bytes, 0, size);
    return { bytes, tree, end };
  }
  if (at + 6 > end || size < 4) throw tooShort();
  const share = (size + 3) >> 2;
  if (share * 3 > size) throw broken("zstandard: four streams for too few literals");
  let stream = at + 6;
  for (let n = 0; n < 4; n++) {
    const length = n < 3 ? input[at + 2 * n] | (input[at + 2 * n + 1] << 8) : end - stream;
    if (stream + length > end) throw tooShort();
    const last = n < 3 ? share * (n + 1) : size;
    readStream(input, stream, stream + length, tree, bytes, share * n, last);
    stream += length;
  }
  return { bytes, tree, end };
}

function readStream(
  input: Uint8Array,
  from: number,
  to: number,
  tree: HuffmanTree,
  output: Uint8Array,
  start: number,
  end: number,
): void {
  const stream = new ReverseBits(input, from, to);
  const { bits, table } = tree;
  const mask = (1 << bits) - 1;
  let left = stream.left;
  let at = start;
  // two codes of at most 11 bits out of one word of 25 to 32; locals, not fields, halve the time
  for (; left >= 32 && at + 2 <= end; at += 2) {
    const byte = from + ((left - 25) >> 3);
    const shift = ((left - 25) & 7) + 25;
    const word = input[byte] | (input[byte + 1] << 8) | (input[byte + 2] << 16) |
      (input[byte + 3] << 24);
    const first = table[(word >>> (shift - bits)) & mask];
    const next = shift - (first & 15);
    const second = table[(word >>> (next - bits)) & mask];
    output[at] = first >>> 4;
    output[at + 1] = second >>> 4;
    left -= (first & 15) + (second & 15);
  }
  stream.left = left;
  for (; at < end; at++) {
    const entry = table[stream.peek(bits)];
    output[at] = entry >>> 4;
    stream.left -= entry & 15;
  }
  if (stream.left !== 0) {
    throw broken("zstandard: a stream of literals does not end where it must");
  }
}

function tooShort() {
  return broken("zstandard: the literals end too soon");
}
