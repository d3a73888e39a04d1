import type { FileWriter } from "./file_writer.ts";

/**
 * Writes views of one buffer that follow each other as one piece: what was read at once and is looked at in parts needs no
 * write a part, nor a copy of the small ones.
 */
export class JoinedViews {
  readonly #writer: FileWriter;
  #held: Uint8Array | undefined;

  constructor(writer: FileWriter) {
    this.#writer = writer;
  }

  /** Where the next bytes come to stand in the file. */
  get offset(): number {
    return this.#writer.offset + (this.#held?.length ?? 0);
  }

  /** Appends bytes, which must stay as they are until {@link flush} resolves. */
  async add(bytes: Uint8Array): Promise<void> {
    const held = this.#held;
    const follows = held !== undefined && held.buffer === bytes.buffer &&
      held.byteOffset + held.length === bytes.byteOffset;
    if (follows) {
      this.#held = new Uint8Array(held.buffer, held.byteOffset, held.length + bytes.length);
      return;
    }
    await this.flush();
    this.#held = bytes;
  }

  /** Writes what is held. */
  async flush(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) await this.#writer.write(held);
  }
}
