import type { Kernels } from "../kernels/kernels.ts";

/** Hands parts of the open chunk to the kernels, keeping what doesn't make a whole page for the next part. */
export class PageFeeder {
  readonly #kernels: Kernels;
  #rest = new Uint8Array(0);

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /** Forgets what was left of the last chunk. */
  start(): void {
    this.#rest = new Uint8Array(0);
  }

  /**
   * Appends the whole pages of the rest and `bytes` to the column at `address`. False when a page is broken.
   * @param onPage called after each data page when given
   */
  feed(address: number, bytes: Uint8Array, last: boolean, onPage?: () => void): boolean {
    const { wasm } = this.#kernels;
    let all = bytes;
    if (this.#rest.length > 0) {
      all = new Uint8Array(this.#rest.length + bytes.length);
      all.set(this.#rest);
      all.set(bytes, this.#rest.length);
    }
    const at = this.#kernels.input(all);
    let done = 0;
    while (done < all.length) {
      const taken = wasm.appendPages(
        address,
        at + done,
        all.length - done,
        last ? 1 : 0,
        onPage === undefined ? 0 : 1,
      );
      if (taken < 0) return false;
      if (taken === 0) break;
      done += taken;
      onPage?.();
    }
    this.#rest = last ? new Uint8Array(0) : all.slice(done);
    return true;
  }
}
