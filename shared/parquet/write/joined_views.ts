import type { FileWriter } from "./file_writer.ts";

/**
 * Writes views of one buffer that follow each other as one piece: what was read at once and is looked at in parts needs no
 * write a part, nor a copy of the small ones.
 */
export class JoinedViews {
  readonly #writer: FileWriter;
  #held: Uint8Array[] = [];
  #bytes = 0;

  constructor(writer: FileWriter) {
    this.#writer = writer;
  }

  /** Where the next bytes come to stand in the file. */
  get offset(): number {
    return this.#writer.offset + this.#bytes;
  }

  /** Appends bytes, which must stay as they are until {@link flush} resolves. */
  add(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    const last = this.#held.at(-1);
    const follows = last !== undefined && last.buffer === bytes.buffer &&
      last.byteOffset + last.length === bytes.byteOffset;
    if (!follows) this.#held.push(bytes);
    else {
      const both = last.length + bytes.length;
      this.#held[this.#held.length - 1] = new Uint8Array(last.buffer, last.byteOffset, both);
    }
  }

  /** Writes what is held. */
  async flush(): Promise<void> {
    const held = this.#held;
    this.#held = [];
    for (const bytes of held) {
      this.#bytes -= bytes.length;
      await this.#writer.write(bytes);
    }
  }
}
