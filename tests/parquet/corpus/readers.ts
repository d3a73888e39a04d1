/** Other readers, which open what the merge wrote. */
import { parquetReadObjects } from "hyparquet";
import polars from "nodejs-polars";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { readParquet } from "parquet-wasm/node";
import { libzstdPages } from "../libzstd_pages.ts";

const compressors = {
  GZIP: (input: Uint8Array) => new Uint8Array(gunzipSync(input)),
  BROTLI: (input: Uint8Array) => new Uint8Array(brotliDecompressSync(input)),
  ZSTD: await libzstdPages(),
};

/** Reads a file whole, and gives its count of rows. Throws what the reader does. */
export const readers: Record<string, (path: string) => Promise<number> | number> = {
  async hyparquet(path) {
    const file = Deno.readFileSync(path).buffer;
    return (await parquetReadObjects({ file, compressors })).length;
  },
  "parquet-wasm"(path) {
    const table = readParquet(Deno.readFileSync(path));
    let rows = 0;
    for (const batch of table.recordBatches()) rows += batch.numRows;
    table.free();
    return rows;
  },
  polars: (path) => polars.readParquet(path).height,
};
