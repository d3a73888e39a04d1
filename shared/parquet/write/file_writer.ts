import type { RangeReader } from "../format/range_reader.ts";
import type { ThriftWriter } from "../format/thrift/thrift_writer.ts";

/** Takes a file's bytes in order; opening, closing and giving up are the caller's. */
export interface ByteSink {
  /** Resolves when more may be written; the bytes may be reused afterwards. */
  write(chunk: Uint8Array): Promise<void>;
  /** As `copy` of the merge's Sink. */
  copy?(input: RangeReader, start: number, length: number): Promise<boolean>;
}

/** Small writes are joined to blocks of this size. */
const blockBytes = 256 * 1024;

/** Counts what goes to a sink, and joins small pieces; awaits the sink, so that it can hold the writer back. */
export class FileWriter {
  readonly #sink: ByteSink;
  #block: Uint8Array | undefined;
  #used = 0;
  /** Bytes written so far: the offset of the next one. */
  offset = 0;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** Appends bytes; the caller may reuse them once this resolves. */
  async write(bytes: Uint8Array): Promise<void> {
    this.offset += bytes.length;
    if (bytes.length >= blockBytes / 2) {
      await this.flush();
      await this.#sink.write(bytes);
      return;
    }
    if (this.#used + bytes.length > blockBytes) await this.flush();
    this.#block ??= new Uint8Array(blockBytes);
    this.#block.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** Appends a range of an input without reading it; false when the sink can't, and nothing was appended. */
  async copy(input: RangeReader, start: number, length: number): Promise<boolean> {
    if (this.#sink.copy === undefined) return false;
    await this.flush();
    if (!await this.#sink.copy(input, start, length)) return false;
    this.offset += length;
    return true;
  }

  /** Appends what a Thrift writer holds. */
  async writeThrift(writer: ThriftWriter): Promise<void> {
    await this.write(writer.view());
  }

  /** Hands on what waits to be joined. */
  async flush(): Promise<void> {
    if (this.#block === undefined || this.#used === 0) return;
    const full = this.#block.subarray(0, this.#used);
    await this.#sink.write(full);
    this.#used = 0;
  }
}
