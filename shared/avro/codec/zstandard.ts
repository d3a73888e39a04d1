/** Blocks of Avro's codec `zstandard`: zstd frames, which Avro's Java library writes without their size. */
import { broken, tooLarge } from "../../compression/compression_fault.ts";
import type { Zstd } from "../../compression/zstd.ts";

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;

/** RFC 8878, 3.1.1.2.4: no block gives more. */
const maxBlockBytes = 128 * 1024;

/** The frames of a block, one after another. @param room most bytes of output */
export function decompressZstandard(zstd: Zstd, stored: Uint8Array, room: number): Uint8Array {
  const most = mostBytes(stored, room);
  return most === 0 && stored.length === 0
    ? new Uint8Array()
    : zstd.decompressWithin(stored, Math.min(most, room), room);
}

/**
 * The most bytes that frames can give, by the sizes that they declare or by the number of their blocks, so that no
 * memory is taken for what is not there.
 *
 * @throws CompressionFault too_large where a frame declares more than `room`
 */
function mostBytes(stored: Uint8Array, room: number): number {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  let at = 0, most = 0;
  try {
    while (at < stored.length) {
      const magic = view.getUint32(at, true);
      if (magic === frameMagic) {
        const frame = readFrame(view, at + 4);
        if (frame.declared !== undefined && frame.declared > room - most) throw tooLarge(room);
        const possible = frame.blocks * maxBlockBytes;
        if (frame.declared !== undefined && frame.declared > possible) {
          throw broken("zstandard: a frame declares more than its blocks can hold");
        }
        most += frame.declared ?? possible;
        at = frame.end;
      } else if (((magic & 0xfffffff0) >>> 0) === skippableMagic) {
        at += 8 + view.getUint32(at + 4, true);
      } else throw broken("zstandard: the data does not begin as a frame");
    }
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    at = Infinity;
  }
  if (at > stored.length) throw broken("zstandard: the data ends too soon");
  return most;
}

/** Walks over a frame after its magic number (RFC 8878, 3.1.1). */
function readFrame(view: DataView, from: number) {
  const descriptor = view.getUint8(from);
  const single = (descriptor & 0x20) !== 0;
  let at = from + (single ? 1 : 2) + [0, 1, 2, 4][descriptor & 3];
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >>> 6];
  let declared: number | undefined;
  if (sizeBytes === 1) declared = view.getUint8(at);
  else if (sizeBytes === 2) declared = view.getUint16(at, true) + 256;
  else if (sizeBytes === 4) declared = view.getUint32(at, true);
  else if (sizeBytes === 8) declared = Number(view.getBigUint64(at, true));
  at += sizeBytes;
  let blocks = 0;
  for (let last = false; !last; blocks++) {
    const word = view.getUint16(at, true) | view.getUint8(at + 2) << 16;
    last = (word & 1) === 1;
    const repeats = (word >>> 1 & 3) === 1;
    at += 3 + (repeats ? 1 : word >>> 3);
  }
  return { declared, blocks, end: at + ((descriptor & 4) === 0 ? 0 : 4) };
}
