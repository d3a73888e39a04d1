/**
 * Zstandard (RFC 8878) with a bound on its output, where there is no node:zlib that has it: in browsers. A tenth of
 * the bytes of zstd.wasm, and at once.
 */
import { broken, tooLarge } from "../compression_fault.ts";
import { Output } from "../output.ts";
import type { HuffmanTree } from "./huffman_tree.ts";
import { maxBlockBytes, readLiterals } from "./literals.ts";
import { runSequences, type SequenceState } from "./sequences.ts";
import { xxhash64Low } from "./xxhash64.ts";

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;

/** The frames of a page, one after another. @param room most bytes of output @throws CompressionFault */
export function unzstd(stored: Uint8Array, room: number): Uint8Array {
  const output = new Output(Math.min(stored.length * 4, 1 << 20), room);
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  let at = 0;
  while (at < stored.length) {
    if (at + 8 > stored.length) throw tooShort();
    const magic = view.getUint32(at, true);
    if (magic === frameMagic) at = readFrame(stored, view, at + 4, output, room);
    else if (((magic & 0xfffffff0) >>> 0) === skippableMagic) {
      at += 8 + view.getUint32(at + 4, true);
      if (at > stored.length) throw tooShort();
    } else throw broken("zstandard: the data does not begin as a frame");
  }
  return output.done();
}

/** Reads a frame after its magic number; gives the position after it. */
function readFrame(
  stored: Uint8Array,
  view: DataView,
  from: number,
  output: Output,
  room: number,
): number {
  const header = readFrameHeader(stored, view, from);
  const start = output.length;
  if (header.size !== undefined && header.size > room - start) throw tooLarge(room);
  let tree: HuffmanTree | undefined;
  const state: SequenceState = { recent: [1, 4, 8] };
  let at = header.end;
  for (let last = false; !last;) {
    if (at + 3 > stored.length) throw tooShort();
    const word = stored[at] | (stored[at + 1] << 8) | (stored[at + 2] << 16);
    at += 3;
    last = (word & 1) === 1;
    const type = (word >>> 1) & 3;
    const size = word >>> 3;
    if (size > maxBlockBytes || type === 3) throw broken("zstandard: a block's header is broken");
    const end = at + (type === 1 ? 1 : size);
    if (end > stored.length) throw tooShort();
    const blockStart = output.length;
    if (type === 0) output.append(stored.subarray(at, end));
    else if (type === 1) output.fill(stored[at], size);
    else {
      const literals = readLiterals(stored, at, end, tree);
      tree = literals.tree;
      runSequences(stored, literals.end, end, literals.bytes, state, output, start);
    }
    if (output.length - blockStart > maxBlockBytes) {
      throw broken("zstandard: a block is too large");
    }
    at = end;
  }
  if (header.size !== undefined && header.size !== output.length - start) {
    throw broken("zstandard: a frame has another size than it declares");
  }
  if (!header.checksum) return at;
  if (at + 4 > stored.length) throw tooShort();
  if (xxhash64Low(output.bytes.subarray(start, output.length)) !== view.getUint32(at, true)) {
    throw broken("zstandard: the checksum of a frame differs");
  }
  return at + 4;
}

/** RFC 8878, 3.1.1.1. */
function readFrameHeader(stored: Uint8Array, view: DataView, from: number) {
  const descriptor = stored[from];
  const single = (descriptor & 0x20) !== 0;
  if ((descriptor & 8) !== 0) throw broken("zstandard: a reserved bit of the frame is set");
  let at = from + (single ? 1 : 2); // the window's size is not needed: the output is the window
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3];
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >>> 6];
  if (at + dictionaryBytes + sizeBytes > stored.length) throw tooShort();
  for (let n = 0; n < dictionaryBytes; n++) {
    if (stored[at + n] !== 0) throw broken("zstandard: a frame needs a dictionary");
  }
  at += dictionaryBytes;
  let size: number | undefined;
  if (sizeBytes === 1) size = stored[at];
  else if (sizeBytes === 2) size = view.getUint16(at, true) + 256;
  else if (sizeBytes === 4) size = view.getUint32(at, true);
  else if (sizeBytes === 8) size = Number(view.getBigUint64(at, true));
  return { size, checksum: (descriptor & 4) !== 0, end: at + sizeBytes };
}

function tooShort() {
  return broken("zstandard: the data ends too soon");
}
