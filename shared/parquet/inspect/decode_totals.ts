/** What decoding all pages of a file takes, from the page headers: what an upload's check is priced by. */
import { codec } from "../format/metadata.ts";
import type { PageHeader } from "../format/page_header.ts";
import type { HostCodec } from "./merge_facts.ts";

/** Sums over the pages of a file; bytes are those after decompression. */
export interface DecodeTotals {
  pages: number;
  /** Of data pages, nulls and the entries of lists counted. */
  values: number;
  bytes: number;
  /** Of these the ones that the kernels leave to others. */
  unpacked: Record<HostCodec, number>;
  /** The largest page of each of those. */
  largest: Record<HostCodec, number>;
}

const hostCodecs: Record<number, HostCodec> = {
  [codec.GZIP]: "gzip",
  [codec.BROTLI]: "brotli",
  [codec.ZSTD]: "zstd",
};

/** Adds up pages. */
export class DecodeTotalling {
  readonly totals: DecodeTotals = {
    pages: 0,
    values: 0,
    bytes: 0,
    unpacked: { gzip: 0, brotli: 0, zstd: 0 },
    largest: { gzip: 0, brotli: 0, zstd: 0 },
  };

  /** @param chunkCodec the codec of the page's chunk */
  addPage(
    page: Pick<PageHeader, "numValues" | "uncompressedSize" | "isCompressed">,
    chunkCodec: number,
  ): void {
    const { totals } = this;
    totals.pages++;
    totals.values += page.numValues;
    totals.bytes += page.uncompressedSize;
    const host = page.isCompressed ? hostCodecs[chunkCodec] : undefined;
    if (host === undefined) return;
    totals.unpacked[host] += page.uncompressedSize;
    totals.largest[host] = Math.max(totals.largest[host], page.uncompressedSize);
  }
}
