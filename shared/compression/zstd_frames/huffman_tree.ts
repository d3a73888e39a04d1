import { broken } from "../compression_fault.ts";
import { nextState, readFse } from "./fse.ts";
import { ReverseBits } from "./reverse_bits.ts";

/** The Huffman code of literals: at the next `bits` bits stands `symbol << 4 | length`. */
export interface HuffmanTree {
  bits: number;
  table: Uint16Array;
}

/**
 * Reads a tree description (RFC 8878, 4.2.1).
 *
 * @returns the tree and the position after its description
 */
export function readHuffmanTree(
  bytes: Uint8Array,
  from: number,
  to: number,
): [HuffmanTree, number] {
  if (from >= to) throw broken("zstandard: a Huffman tree is missing");
  const header = bytes[from];
  const weights = new Uint8Array(256);
  let count: number, end: number;
  if (header >= 128) {
    count = header - 127;
    end = from + 1 + ((count + 1) >> 1);
    if (end > to) throw broken("zstandard: a Huffman tree ends too soon");
    for (let n = 0; n < count; n++) {
      const pair = bytes[from + 1 + (n >> 1)];
      weights[n] = n & 1 ? pair & 15 : pair >>> 4;
    }
  } else {
    end = from + 1 + header;
    if (end > to) throw broken("zstandard: a Huffman tree ends too soon");
    count = readWeights(bytes, from + 1, end, weights);
  }
  return [buildTree(weights, count), end];
}

/** Weights compressed by two alternating states, until the bits run out (RFC 8878, 4.2.1.2). */
function readWeights(bytes: Uint8Array, from: number, to: number, weights: Uint8Array): number {
  const [table, start] = readFse(bytes, from, to, 6, 255);
  const stream = new ReverseBits(bytes, start, to);
  const states = [stream.read(table.accuracy), stream.read(table.accuracy)];
  if (stream.left < 0) throw broken("zstandard: a Huffman tree ends too soon");
  for (let count = 0;;) {
    const turn = count & 1;
    if (count >= 254) throw broken("zstandard: a Huffman tree has too many weights");
    weights[count++] = table.symbols[states[turn]];
    states[turn] = nextState(table, states[turn], stream);
    if (stream.left < 0) {
      weights[count++] = table.symbols[states[1 - turn]];
      return count;
    }
  }
}

/** The last weight is the one that makes the sum a power of two (RFC 8878, 4.2.1.1). */
function buildTree(weights: Uint8Array, count: number): HuffmanTree {
  let sum = 0;
  for (let n = 0; n < count; n++) {
    if (weights[n] > 11) throw broken("zstandard: a Huffman weight is too large");
    if (weights[n] > 0) sum += 1 << (weights[n] - 1);
  }
  if (sum === 0) throw broken("zstandard: a Huffman tree is empty");
  const bits = 32 - Math.clz32(sum);
  const rest = (1 << bits) - sum;
  if (bits > 11 || (rest & (rest - 1)) !== 0) throw broken("zstandard: a Huffman tree is broken");
  weights[count] = 32 - Math.clz32(rest);
  const table = new Uint16Array(1 << bits);
  let at = 0;
  for (let weight = 1; weight <= bits; weight++) {
    for (let symbol = 0; symbol <= count; symbol++) {
      if (weights[symbol] !== weight) continue;
      const span = 1 << (weight - 1);
      table.fill((symbol << 4) | (bits + 1 - weight), at, at + span);
      at += span;
    }
  }
  return { bits, table };
}
