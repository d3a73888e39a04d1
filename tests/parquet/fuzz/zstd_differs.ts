import * as zlib from "node:zlib";
import { Buffer } from "node:buffer";
import { chunkExtent } from "../../../shared/parquet/inspect/check_chunks.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { unpackZstd } from "../unpack_zstd.ts";
import { codec } from "../../../shared/parquet/format/metadata.ts";
import { readPageHeader } from "../../../shared/parquet/format/page_header.ts";

/**
 * Whether a page of the file is a zstd frame that node:zlib's libzstd and the kernels decompress to different bytes.
 * Frames in Parquet carry no checksum, and libzstd promises nothing of frames that are broken: which symbols a damaged
 * Huffman table gives depends on its version and word size.
 */
export function zstdDiffers(bytes: Uint8Array): boolean {
  if (zlib.zstdDecompressSync === undefined) return false; // Deno 2.1
  for (const { columns } of footerOfBytes(bytes).metadata.rowGroups) {
    for (const { metaData } of columns) {
      if (metaData?.codec !== codec.ZSTD) continue;
      const { start, length } = chunkExtent(metaData);
      for (let at = start; at < start + length;) {
        const header = readPageHeader(bytes, at);
        at += header.headerLength;
        const levels = header.definitionLevelsLength + header.repetitionLevelsLength;
        const body = bytes.subarray(at + levels, at + header.compressedSize);
        at += header.compressedSize;
        if (!header.isCompressed) continue;
        const ours = unpackZstd(body, header.uncompressedSize - levels);
        if (ours === undefined) return true;
        if (Buffer.compare(zlib.zstdDecompressSync(body), ours) !== 0) return true;
      }
    }
  }
  return false;
}
