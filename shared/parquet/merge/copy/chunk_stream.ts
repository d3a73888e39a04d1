import { type RangeReader } from "../../format/range_reader.ts";
import { parquetError } from "../../format/parquet_error.ts";

/** A part of a column chunk's bytes. */
export interface ChunkPart {
  /** Index of the chunk in the row group. */
  chunk: number;
  /** Offset of the part in the chunk. */
  offset: number;
  bytes: Uint8Array;
  /** Whether the chunk ends with this part. */
  last: boolean;
}

interface Extent {
  start: number;
  length: number;
}

/**
 * Reads chunks one after the other in windows: neighbours share a window when the bytes between them are few,
 * and the next window is read while this one is used. The parts of a window come together, as a step of a generator costs
 * more than a small part; their bytes are given back when the next window is asked for.
 */
export async function* readChunks(
  reader: RangeReader,
  extents: readonly Extent[],
  windowBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<ChunkPart[]> {
  const windows = planWindows(extents, windowBytes);
  const read = (i: number) => {
    if (i >= windows.length) return undefined;
    const promise = reader.read(windows[i].start, windows[i].length, signal);
    promise.catch(() => {}); // awaited below, or dropped when the consumer stops
    return promise;
  };
  let next = read(0);
  for (let i = 0; i < windows.length; i++) {
    const bytes = await next!;
    next = read(i + 1);
    const { start, length, parts } = windows[i];
    if (bytes.length !== length) {
      throw parquetError("invalid_parquet", `a read of ${length} bytes gave ${bytes.length}`);
    }
    yield parts.map((part) => ({
      chunk: part.chunk,
      offset: part.offset,
      bytes: bytes.subarray(part.start - start, part.start - start + part.length),
      last: part.last,
    }));
    reader.release?.(bytes);
  }
}

interface Window extends Extent {
  parts: (Extent & { chunk: number; offset: number; last: boolean })[];
}

/** Bytes that nobody needs, read to save a request. */
const largestGap = 64 * 1024;

function planWindows(extents: readonly Extent[], windowBytes: number): Window[] {
  const windows: Window[] = [];
  extents.forEach(({ start, length }, chunk) => {
    if (length === 0) return;
    let offset = 0;
    while (offset < length) {
      const at = start + offset;
      let window = windows.at(-1);
      const end = window === undefined ? 0 : window.start + window.length;
      const room = window === undefined ? 0 : window.start + windowBytes - at;
      if (window === undefined || at < end || at - end > largestGap || room <= 0) {
        window = { start: at, length: 0, parts: [] };
        windows.push(window);
      }
      const taken = Math.min(length - offset, window.start + windowBytes - at);
      window.parts.push({
        chunk,
        offset,
        start: at,
        length: taken,
        last: offset + taken === length,
      });
      window.length = at + taken - window.start;
      offset += taken;
    }
  });
  return windows;
}
