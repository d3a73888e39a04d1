/** A data file's bytes by its signed URL, which is asked for again when it has run out. */
import { isErrorCode, SedimentError } from "../../errors.ts";
import { checkRange, type RangeReader } from "../../parquet/format/range_reader.ts";
import type { DataFile, ManifestPage } from "./manifest.ts";
import { fetchRange, type RangeFetch, Refused } from "../bytes/fetch_range.ts";
import { tryTwice } from "../bytes/try_twice.ts";

/** How a signed file is read. */
export interface SignedFetch extends Omit<RangeFetch, "signal"> {
  /** Milliseconds before a request is tried once more. */
  pauseMs: number;
}

/** Seconds before its end from which a URL is not used any more. */
const margin = 15;

/** A page that was fetched less long ago is not asked for again because of a clock: one of the two clocks is wrong. */
const freshMs = 30_000;

/** The addresses of a page's files, renewed together. */
export class PageUrls {
  #page: ManifestPage;
  #renewal: Promise<void> | undefined;

  constructor(page: ManifestPage) {
    this.#page = page;
  }

  /** A file's URL, a fresh one where the last has run out by this machine's clock. */
  async url(id: number): Promise<string> {
    let file = this.#find(id);
    if (this.#hasEnded(file)) {
      await this.renew(file.url);
      file = this.#find(id);
    }
    return file.url!;
  }

  /** Gets fresh addresses, unless a file's has changed already since `seen` was tried. */
  async renew(seen: string | undefined): Promise<void> {
    if (!this.#page.files.some(({ url }) => url === seen)) return;
    this.#renewal ??= this.#page.renew().then((page) => {
      this.#page = page;
    }).finally(() => this.#renewal = undefined);
    await this.#renewal;
  }

  #find(id: number): DataFile {
    const file = this.#page.files.find((file) => file.id === id);
    if (file === undefined) {
      throw new SedimentError("unexpected_answer", `file ${id} is no more in its version's list`);
    }
    if (file.url === undefined) throw unreadable(file);
    return file;
  }

  #hasEnded({ url_expires_at }: DataFile): boolean {
    const end = Date.parse(url_expires_at ?? "");
    return end - margin * 1000 < Date.now() && performance.now() - this.#page.fetchedAt > freshMs;
  }
}

/** What the service said of a file that it can't give. */
export function unreadable({ id, error }: DataFile): SedimentError {
  return new SedimentError(
    isErrorCode(error?.code) ? error.code : "object_missing",
    `file ${id} can't be read: ${error?.message ?? "the service gave no address"}`,
  );
}

/** A reader of a listed file. @param urls of its page */
export function signedReader(file: DataFile, urls: PageUrls, options: SignedFetch): RangeReader {
  const { size } = file;
  const once = async (start: number, length: number, signal?: AbortSignal) => {
    const url = await urls.url(file.id);
    try {
      return await fetchRange(url, start, length, size, { ...options, signal });
    } catch (thrown) {
      if (!(thrown instanceof Refused)) throw thrown;
      await urls.renew(url);
      return await fetchRange(await urls.url(file.id), start, length, size, { ...options, signal });
    }
  };
  return {
    size,
    async read(start, length, signal) {
      checkRange(start, length, size);
      if (length === 0) return new Uint8Array(0);
      try {
        return await tryTwice(signal, options.pauseMs, () => once(start, length, signal));
      } catch (thrown) {
        if (!(thrown instanceof Refused)) throw thrown;
        throw new SedimentError(
          "object_missing",
          `the store answers ${thrown.status}, also with a fresh address`,
        );
      }
    },
  };
}
