import { crc32 } from "node:zlib";
import { kernelError, kernelErrors } from "../../kernels/kernel_error.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import type { ParquetPlace } from "../../format/parquet_error.ts";

/** Of a page the kernels see so much at first: its header, with the beginning of its body. */
const glanceBytes = 128;

/** A header has at most some hundred bytes, unless its statistics are long. */
const longestHeader = 64 * 1024;

/**
 * Checks the pages of a chunk that an earlier merge wrote while its bytes go by: their headers by the kernels, their
 * bodies by their CRC alone, which says that they are as they were written. The bodies stay out of the kernels' memory:
 * to copy them there took more than their CRCs.
 */
export class CountedPages {
  readonly #kernels: Kernels;
  readonly #place: ParquetPlace;
  /** The beginning of a header that goes on in the next part. */
  #begun = new Uint8Array(0);
  /** Of the page whose body goes by. */
  #bodyLeft = 0;
  #crc = 0;
  #declaredCrc = 0;

  /** Whether the chunk that `bytes` begin can be checked so: what an upload brought and a merge copied may have no CRCs. */
  static startsWithCrc(kernels: Kernels, bytes: Uint8Array): boolean {
    const seen = bytes.subarray(0, glanceBytes);
    return kernels.wasm.startsWithCrc(kernels.input(seen), seen.length) !== 0;
  }

  /** @param place names the column */
  constructor(kernels: Kernels, place: ParquetPlace) {
    this.#kernels = kernels;
    this.#place = place;
  }

  /**
   * Checks the next bytes of the open chunk. Throws what is wrong with them, and `unsupported_parquet` of a page without
   * a CRC, of which nothing is counted then.
   */
  add(bytes: Uint8Array, last: boolean): void {
    const { wasm } = this.#kernels;
    let at = 0;
    if (this.#begun.length > 0) {
      const begun = this.#begun;
      const joined = new Uint8Array(begun.length + bytes.length);
      joined.set(begun);
      joined.set(bytes, begun.length);
      this.#begun = new Uint8Array(0);
      bytes = joined;
    }
    while (at < bytes.length) {
      if (this.#bodyLeft === 0) {
        if (wasm.chunkIsRead() !== 0) return;
        const header = this.#count(bytes.subarray(at));
        if (header === 0 && (last || bytes.length - at >= longestHeader)) {
          throw kernelError(kernelErrors.badHeader, at, 0, this.#placeOf(0));
        }
        if (header === 0) {
          this.#begun = bytes.slice(at);
          return;
        }
        at += header;
        this.#bodyLeft = wasm.getPageSize();
        this.#crc = 0;
        this.#declaredCrc = wasm.getPageCrc() >>> 0;
      }
      const length = Math.min(this.#bodyLeft, bytes.length - at);
      // Deno 2.1 gives it as a signed number, and takes none
      this.#crc = crc32(bytes.subarray(at, at + length), this.#crc) >>> 0;
      at += length;
      this.#bodyLeft -= length;
      if (this.#bodyLeft === 0 && this.#crc !== this.#declaredCrc) {
        throw kernelError(kernelErrors.badCrc, this.#declaredCrc, 0, this.#placeOf(1));
      }
    }
    if (last && this.#bodyLeft > 0) {
      const size = wasm.getPageSize();
      throw kernelError(
        kernelErrors.pagePastChunk,
        size,
        size - this.#bodyLeft,
        this.#placeOf(1),
      );
    }
  }

  /** The length of the header that `bytes` begin with; 0 when it isn't there as a whole. */
  #count(bytes: Uint8Array): number {
    for (const most of [glanceBytes, longestHeader]) {
      const seen = bytes.subarray(0, most);
      const length = this.#kernels.wasm.countPage(this.#kernels.input(seen), seen.length);
      if (length < 0) throw this.#kernels.error(this.#placeOf(0));
      if (length > 0 || seen.length === bytes.length) return length;
    }
    return 0;
  }

  /** The page that is looked at, of which `counted` was counted already. */
  #placeOf(counted: 0 | 1): ParquetPlace {
    return { ...this.#place, page: this.#kernels.wasm.getPagesRead() - counted };
  }
}
