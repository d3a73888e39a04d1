import type { RangeReader } from "../../format/range_reader.ts";

/** Gives bytes that were fetched. */
export type FetchedBytes = (start: number, length: number) => Uint8Array;

/**
 * Fetches ranges of a file, such as lie together by one read.
 * @param gap most bytes between two of them that are read to save a request
 */
export async function readRanges(
  reader: RangeReader,
  ranges: readonly { start: number; length: number }[],
  gap: number,
  signal?: AbortSignal,
): Promise<FetchedBytes> {
  const spans: { start: number; end: number; bytes?: Uint8Array }[] = [];
  for (const { start, length } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = spans.at(-1);
    if (last !== undefined && start - last.end <= gap) {
      last.end = Math.max(last.end, start + length);
    } else spans.push({ start, end: start + length });
  }
  for (const span of spans) {
    const bytes = await reader.read(span.start, span.end - span.start, signal);
    span.bytes = bytes.slice(); // what is given are views of it
    reader.release?.(bytes);
  }
  return (start, length) => {
    const span = spans.find((one) => one.start <= start && start + length <= one.end)!;
    return span.bytes!.subarray(start - span.start, start - span.start + length);
  };
}
