/**
 * Raw deflate (RFC 1951) with a bound on its output. Ours, because neither way of the platform has one that
 * holds on Deno 2.1: `inflateRawSync` ignores `maxOutputLength` there (97 KB became 100 MB), and
 * `DecompressionStream` inflates each chunk it is given whole and takes a stream cut short for complete.
 */
import { broken } from "./compression_fault.ts";
import { buildHuffman, maxCodeBits } from "./huffman.ts";
import { Output } from "./output.ts";

// RFC 1951, 3.2.5: base and extra bits of the length codes 257…285 and of the distance codes
// deno-fmt-ignore
const lengthBase = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163,
  195, 227, 258,
];
// deno-fmt-ignore
const lengthExtra = [
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];
// deno-fmt-ignore
const distanceBase = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
  3073, 4097, 6145, 8193, 12289, 16385, 24577,
];
// deno-fmt-ignore
const distanceExtra = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
/** RFC 1951, 3.2.7: the order in which the code length code's lengths are stored. */
const codeLengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

// Tables are filled anew for each deflate block; inflate() runs to its end without yielding, so one set does.
const literalTable = new Uint16Array(1 << maxCodeBits);
const distanceTable = new Uint16Array(1 << maxCodeBits);
const lengths = new Uint8Array(320);

/**
 * Inflates raw deflate data. Bytes after the last deflate block are left alone: the Python library of Avro
 * writes three of them.
 *
 * @param room most bytes of output
 * @throws CompressionFault
 */
export function inflate(input: Uint8Array, room: number): Uint8Array {
  const output = new Output(Math.min(input.length * 4, 1 << 20), room);
  inflateOnto(input, output);
  return output.done();
}

/**
 * Appends what raw deflate data holds, and gives the count of bytes that it takes of `input`.
 *
 * @throws CompressionFault
 */
export function inflateOnto(input: Uint8Array, output: Output): number {
  output.begin();
  const bits = new BitReader(input);
  for (let last = false; !last;) {
    last = bits.read(1) === 1;
    const type = bits.read(2);
    if (type === 0) output.append(bits.readStored());
    else if (type === 1) {
      const [literalBits, distanceBits] = fixedCodes();
      inflateBlock(bits, output, literalBits, distanceBits);
    } else if (type === 2) {
      const [literalBits, distanceBits] = dynamicCodes(bits);
      inflateBlock(bits, output, literalBits, distanceBits);
    } else throw broken("deflate: a block of a type that does not exist");
    bits.checkEnd();
  }
  return bits.position - (bits.held >> 3);
}

function fixedCodes(): [number, number] {
  lengths.fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280, 288);
  const literalBits = buildHuffman(lengths, 0, 288, literalTable);
  lengths.fill(5, 0, 32);
  return [literalBits, buildHuffman(lengths, 0, 32, distanceTable)];
}

function dynamicCodes(bits: BitReader): [number, number] {
  const literals = bits.read(5) + 257;
  const distances = bits.read(5) + 1;
  const codes = bits.read(4) + 4;
  if (literals > 286 || distances > 30) throw broken("deflate: too many codes");
  lengths.fill(0, 0, 19);
  for (let n = 0; n < codes; n++) lengths[codeLengthOrder[n]] = bits.read(3);
  const codeBits = buildHuffman(lengths, 0, 19, literalTable);
  const total = literals + distances;
  for (let n = 0; n < total;) {
    const symbol = bits.decode(literalTable, codeBits);
    if (symbol < 16) {
      lengths[n++] = symbol;
      continue;
    }
    if (symbol === 16 && n === 0) throw broken("deflate: a repeated length without a first");
    const value = symbol === 16 ? lengths[n - 1] : 0;
    const times = symbol === 16
      ? bits.read(2) + 3
      : symbol === 17
      ? bits.read(3) + 3
      : bits.read(7) + 11;
    if (n + times > total) throw broken("deflate: code lengths past their end");
    lengths.fill(value, n, n + times);
    n += times;
  }
  if (lengths[256] === 0) throw broken("deflate: no code ends the block");
  const literalBits = buildHuffman(lengths, 0, literals, literalTable);
  return [literalBits, buildHuffman(lengths, literals, total, distanceTable)];
}

/**
 * The symbols of one deflate block. The reader's state lives in locals here: in fields it halves the speed.
 */
function inflateBlock(
  bits: BitReader,
  output: Output,
  literalBits: number,
  distanceBits: number,
): void {
  const { input } = bits;
  const literalMask = (1 << literalBits) - 1, distanceMask = (1 << distanceBits) - 1;
  let { position, hold, held } = bits;
  let bytes = output.bytes;
  let to = output.length;
  for (;;) {
    // 24 bits are enough for a literal code and its extra bits; past the end `undefined << n` gives zeros,
    // which could be symbols without end
    if (held < 20) {
      if (position > input.length + 4) throw broken("deflate: the data ends too soon");
      do {
        hold |= input[position++] << held;
        held += 8;
      } while (held < 24);
    }
    let entry = literalTable[hold & literalMask];
    let count = entry & 15;
    if (count === 0) throw broken("deflate: a code that was not declared");
    hold >>>= count;
    held -= count;
    const symbol = entry >>> 4;
    if (symbol < 256) {
      if (to === bytes.length) {
        output.length = to;
        output.reserve(1);
        bytes = output.bytes;
      }
      bytes[to++] = symbol;
      continue;
    }
    if (symbol === 256) break;
    if (symbol > 285) throw broken("deflate: a length code that does not exist");
    count = lengthExtra[symbol - 257];
    const length = lengthBase[symbol - 257] + (hold & ((1 << count) - 1));
    hold >>>= count;
    held -= count;
    while (held < 15) {
      hold |= input[position++] << held;
      held += 8;
    }
    entry = distanceTable[hold & distanceMask];
    count = entry & 15;
    if (count === 0) throw broken("deflate: a code that was not declared");
    hold >>>= count;
    held -= count;
    const code = entry >>> 4;
    if (code > 29) throw broken("deflate: a distance code that does not exist");
    count = distanceExtra[code];
    while (held < count) {
      hold |= input[position++] << held;
      held += 8;
    }
    output.length = to;
    output.repeat(distanceBase[code] + (hold & ((1 << count) - 1)), length);
    hold >>>= count;
    held -= count;
    bytes = output.bytes;
    to = output.length;
  }
  output.length = to;
  bits.position = position;
  bits.hold = hold;
  bits.held = held;
}

/** Bits of a byte string, the lowest of each byte first. Past the end it reads zeros, until it is checked. */
class BitReader {
  readonly input: Uint8Array;
  position = 0;
  hold = 0;
  held = 0;

  constructor(input: Uint8Array) {
    this.input = input;
  }

  /** The next `count` bits (at most 13) as a number. */
  read(count: number): number {
    this.#fill();
    const value = this.hold & ((1 << count) - 1);
    this.hold >>>= count;
    this.held -= count;
    return value;
  }

  /** The next symbol of a Huffman code whose table has `1 << tableBits` entries. */
  decode(table: Uint16Array, tableBits: number): number {
    this.#fill();
    const entry = table[this.hold & ((1 << tableBits) - 1)];
    const count = entry & 15;
    if (count === 0) throw broken("deflate: a code that was not declared");
    this.hold >>>= count;
    this.held -= count;
    return entry >>> 4;
  }

  /** The bytes of a stored block (RFC 1951, 3.2.4). */
  readStored(): Uint8Array {
    this.position -= this.held >> 3;
    this.hold = this.held = 0;
    const input = this.input;
    const at = this.position;
    const length = input[at] | (input[at + 1] << 8);
    const check = input[at + 2] | (input[at + 3] << 8);
    if (at + 4 + length > input.length) throw broken("deflate: the data ends too soon");
    if ((length ^ check) !== 0xffff) throw broken("deflate: a stored block's length is broken");
    this.position = at + 4 + length;
    return input.subarray(at + 4, at + 4 + length);
  }

  /** Whether all that was read was there. */
  checkEnd(): void {
    if (this.position - (this.held >> 3) > this.input.length) {
      throw broken("deflate: the data ends too soon");
    }
  }

  #fill(): void {
    while (this.held < 16) {
      if (this.position < this.input.length) {
        this.hold |= this.input[this.position] << this.held;
      } else if (this.position > this.input.length + 3) {
        throw broken("deflate: the data ends too soon"); // zeros could be symbols without end
      }
      this.position++;
      this.held += 8;
    }
  }
}
