import type { RangeReader } from "../../format/range_reader.ts";

/** An input whose turn has come; `bytes` is the whole file when it is small. */
export interface ReadInput {
  id: string;
  reader: RangeReader;
  bytes: Uint8Array | undefined;
  /** What reading it threw. */
  error: unknown;
}

/** Bounds of {@link ReadAhead}. */
export interface AheadLimits {
  wholeFileBytes: number;
  readsAhead: number;
  aheadBytes: number;
}

/**
 * Gives the inputs in order, reading small ones whole ahead of their turn: a bounded number at once, and a
 * bounded number of bytes. Large ones come without bytes. No generator: of thousands of small files those of its
 * promises would be a good part of all garbage.
 */
export class ReadAhead {
  readonly #inputs: readonly { id: string }[];
  readonly #readers: ReadonlyMap<string, RangeReader>;
  readonly #limits: AheadLimits;
  readonly #signal: AbortSignal | undefined;
  readonly #waiting: Promise<ReadInput>[] = [];
  #begun = 0;
  #bytesAhead = 0;

  constructor(
    inputs: readonly { id: string }[],
    readers: ReadonlyMap<string, RangeReader>,
    limits: AheadLimits,
    signal?: AbortSignal,
  ) {
    this.#inputs = inputs;
    this.#readers = readers;
    this.#limits = limits;
    this.#signal = signal;
    this.#begin();
  }

  /** The next input, undefined after the last; its room is given to further reads at once. */
  next(): Promise<ReadInput> | undefined {
    return this.#waiting.shift();
  }

  /** Says that the input was taken out of the reads that wait. */
  taken(input: ReadInput): void {
    this.#bytesAhead -= this.#wholeBytes(input.reader);
    this.#begin();
  }

  /** The bytes of a file that is read whole, else 0. */
  #wholeBytes({ size }: RangeReader): number {
    return size <= this.#limits.wholeFileBytes ? size : 0;
  }

  #begin(): void {
    const { readsAhead, aheadBytes } = this.#limits;
    while (this.#begun < this.#inputs.length && this.#waiting.length < readsAhead) {
      const { id } = this.#inputs[this.#begun];
      const reader = this.#readers.get(id)!;
      const size = this.#wholeBytes(reader);
      if (this.#waiting.length > 0 && this.#bytesAhead + size > aheadBytes) return;
      this.#begun++;
      this.#bytesAhead += size;
      this.#waiting.push(
        size === 0
          ? Promise.resolve({ id, reader, bytes: undefined, error: undefined })
          : this.#read(id, reader, size),
      );
    }
  }

  #read(id: string, reader: RangeReader, size: number): Promise<ReadInput> {
    return reader.read(0, size, this.#signal).then(
      (bytes) => ({ id, reader, bytes, error: undefined }),
      (error) => ({ id, reader, bytes: undefined, error }),
    );
  }
}
