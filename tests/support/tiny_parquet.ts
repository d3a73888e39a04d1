/** Small Parquet files made without DuckDB, for tests that run on the edge runtime's Deno too. */
import { parquetWriteBuffer } from "hyparquet-writer";

/** A file of one column `n` of whole numbers, in one row group. */
export function tinyParquet(values: number[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [{ name: "n", data: values, type: "INT32" }],
      codec: "UNCOMPRESSED",
    }),
  );
}
