import type { RangeReader } from "../range_reader.ts";

/** An input whose turn has come; `bytes` is the whole file when it is small. */
export interface ReadInput {
  id: string;
  reader: RangeReader;
  bytes: Uint8Array | undefined;
  /** What reading it threw. */
  error: unknown;
}

/** Bounds of {@link readAhead}. */
export interface AheadLimits {
  wholeFileBytes: number;
  readsAhead: number;
  aheadBytes: number;
}

/**
 * Gives the inputs in order, reading small ones whole ahead of their turn: a bounded number at once, and a
 * bounded number of bytes. Large ones come without bytes.
 */
export async function* readAhead(
  inputs: readonly { id: string; reader: RangeReader }[],
  limits: AheadLimits,
  signal?: AbortSignal,
): AsyncGenerator<ReadInput> {
  const waiting: Promise<ReadInput>[] = [];
  let next = 0, bytesAhead = 0;
  const isSmall = (reader: RangeReader) => reader.size <= limits.wholeFileBytes;
  const start = () => {
    while (next < inputs.length && waiting.length < limits.readsAhead) {
      const { id, reader } = inputs[next];
      const size = isSmall(reader) ? reader.size : 0;
      if (waiting.length > 0 && bytesAhead + size > limits.aheadBytes) return;
      next++;
      bytesAhead += size;
      if (size === 0) {
        waiting.push(Promise.resolve({ id, reader, bytes: undefined, error: undefined }));
        continue;
      }
      waiting.push(
        reader.read(0, size, signal).then(
          (bytes) => ({ id, reader, bytes, error: undefined }),
          (error) => ({ id, reader, bytes: undefined, error }),
        ),
      );
    }
  };
  start();
  while (waiting.length > 0) {
    const input = await waiting.shift()!;
    if (isSmall(input.reader)) bytesAhead -= input.reader.size;
    start();
    yield input;
  }
}
