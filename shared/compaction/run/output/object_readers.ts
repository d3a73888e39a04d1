/**
 * Range readers over the objects of a merge's inputs. A fragment of 15 KB costs more to ask for than to
 * send, so small files are fetched whole, once, a few ahead of the one being read. Large ones are read by range; with
 * the end of one, where its footer is, come its page indexes, which lie before the footer and are asked for group by
 * group.
 */
import { SedimentError } from "../../../errors.ts";
import { checkRange, type RangeReader } from "../../../parquet/format/range_reader.ts";
import type { ObjectStore } from "../../../storage/object_store.ts";
import { readStored, type StoredInput } from "./read_stored.ts";

/** Bounds of {@link openReaders}. */
export interface ReaderLimits {
  /** Files up to this many bytes are fetched whole. @default 1 MiB */
  wholeBytes?: number;
  /** Bytes of whole files that are kept at a time. @default 16 MiB */
  cacheBytes?: number;
  /** Whole files that are fetched ahead. @default 8 */
  ahead?: number;
  /** Bytes fetched with the end of a large file. @default 256 KiB */
  tailBytes?: number;
}

/**
 * A reader for each input.
 *
 * @param inputs in the order in which they will be read
 * @param signal stops every read
 */
export function openReaders(
  store: ObjectStore,
  inputs: StoredInput[],
  signal: AbortSignal,
  limits: ReaderLimits = {},
): Map<string, RangeReader> {
  const { wholeBytes = 1024 * 1024, cacheBytes = 16 * 1024 * 1024, ahead = 8 } = limits;
  const { tailBytes = 256 * 1024 } = limits;
  /** Whole files by index, in order of use: the first is the one that was not used for longest. */
  const cache = new Map<number, Promise<Uint8Array>>();
  let cached = 0;

  const fetchRange = (input: StoredInput, start: number, length: number) =>
    readStored(store, input, start, length, signal);

  const fetchWhole = (index: number): Promise<Uint8Array> => {
    const known = cache.get(index);
    if (known !== undefined) {
      cache.delete(index);
      cache.set(index, known);
      return known;
    }
    const input = inputs[index]!;
    const bytes = fetchRange(input, 0, input.byte_length);
    // A failure is the reader's to report, when it gets there; it is not kept for the next try.
    bytes.catch(() => {
      if (cache.get(index) === bytes && cache.delete(index)) cached -= input.byte_length;
    });
    cache.set(index, bytes);
    cached += input.byte_length;
    for (const oldest of cache.keys()) {
      if (cached <= cacheBytes || oldest === index) break;
      cache.delete(oldest);
      cached -= inputs[oldest]!.byte_length;
    }
    return bytes;
  };

  /** The highest index for which fetching ahead was begun. */
  let begun = -1;
  const fetchAhead = (index: number) => {
    for (
      let next = Math.max(index, begun) + 1;
      next <= index + ahead && next < inputs.length;
      next++
    ) {
      begun = next;
      const size = inputs[next]!.byte_length;
      if (size <= wholeBytes && cached + size <= cacheBytes) fetchWhole(next);
    }
  };

  /** The end of the large file that was begun last: they are read one after the other. */
  let tail: { input: StoredInput; start: number; bytes: Promise<Uint8Array> } | undefined;
  const shared = new WeakSet<ArrayBufferLike>();
  const readLarge = async (input: StoredInput, start: number, length: number) => {
    const end = start + length;
    if (end === input.byte_length && length < tailBytes && tail?.input !== input) {
      const from = Math.max(0, end - tailBytes);
      const bytes = fetchRange(input, from, end - from);
      const mine = tail = { input, start: from, bytes };
      bytes.then(
        ({ buffer }) => shared.add(buffer),
        () => void (tail === mine && (tail = undefined)),
      );
    }
    if (tail?.input !== input || start < tail.start) return await fetchRange(input, start, length);
    const { bytes, start: from } = tail;
    return (await bytes).subarray(start - from, end - from);
  };

  const isShared = ({ buffer, byteLength }: Uint8Array) =>
    byteLength < buffer.byteLength || shared.has(buffer);

  return new Map(inputs.map((input, index): [string, RangeReader] => [input.id, {
    size: input.byte_length,
    async read(start, length, own) {
      if (signal.aborted || own?.aborted) {
        throw new SedimentError("aborted", "A read was stopped", { cause: signal.reason });
      }
      checkRange(start, length, input.byte_length);
      if (input.byte_length <= wholeBytes) {
        fetchAhead(index);
        return (await fetchWhole(index)).subarray(start, start + length);
      }
      return await readLarge(input, start, length);
    },
    // Left to the collector they stay for long: it is asked only once tens of megabytes have come together.
    release(bytes) {
      const isWhole = bytes.byteLength === input.byte_length;
      if (input.byte_length <= wholeBytes) {
        if (cache.delete(index)) cached -= input.byte_length;
        // a part of it may be next to others that are still read
        if (isWhole) free(bytes);
      } else if (!isShared(bytes)) free(bytes);
    },
  }]));
}

function free({ buffer }: Uint8Array): void {
  (buffer as ArrayBuffer).transfer(0);
}
