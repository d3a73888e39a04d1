/** Takes a merge's output, to be put by one request. */

/**
 * Bytes written one after the other to one buffer. Its size is guessed beforehand: memory that was never written takes
 * none, and chunks that are joined at the end would be there twice.
 */
export class OutputBuffer {
  #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** @param expected bytes that are likely to come */
  constructor(expected: number) {
    this.#buffer = new Uint8Array(Math.ceil(expected * 1.05) + 65_536);
  }

  /** Appends a copy. */
  write(chunk: Uint8Array): Promise<void> {
    const length = this.#length + chunk.byteLength;
    if (length > this.#buffer.byteLength) {
      const bigger = new Uint8Array(Math.ceil(length * 1.25));
      bigger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer.buffer.transfer(0);
      this.#buffer = bigger;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = length;
    return Promise.resolve();
  }

  /** What was written, until the next {@link write}. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }
}
