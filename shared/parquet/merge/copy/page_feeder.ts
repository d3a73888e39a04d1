import type { Kernels } from "../../kernels/kernels.ts";

/** Hands parts of the open chunk to the kernels, keeping what doesn't make a whole page for the next part. */
export class PageFeeder {
  readonly #kernels: Kernels;
  /** Where the last part ends in the kernels' memory, and how many of its last bytes are left. */
  #end = 0;
  #left = 0;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /** Forgets what was left of the last chunk. */
  start(): void {
    this.#left = 0;
  }

  /**
   * Appends the whole pages of what was left and `bytes` to the column at `address`. False when a page is broken.
   * @param onPage called after each page when given, with the length of its header and body
   */
  feed(
    address: number,
    bytes: Uint8Array,
    last: boolean,
    onPage?: (length: number) => void,
  ): boolean {
    const { wasm } = this.#kernels;
    const length = this.#left + bytes.length;
    const at = this.#kernels.inputBehind(this.#end, this.#left, bytes);
    let done = 0;
    while (done < length) {
      const taken = wasm.appendPages(
        address,
        at + done,
        length - done,
        last ? 1 : 0,
        onPage === undefined ? 0 : 1,
      );
      if (taken < 0) return false;
      if (taken === 0) break;
      done += taken;
      onPage?.(taken);
    }
    this.#end = at + length;
    this.#left = last ? 0 : length - done;
    return true;
  }
}
