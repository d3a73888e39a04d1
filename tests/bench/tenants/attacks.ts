/** What the hostile user of `bench tenants` does. */
import { brotliCompressSync, gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { call, parquet, upload, type User } from "./user.ts";

const MiB = 1024 * 1024;

function bomb(codec: "BROTLI" | "GZIP", groups: number, bytes: number): Uint8Array<ArrayBuffer> {
  let packed: Uint8Array | undefined;
  const compress = codec === "GZIP" ? gzipSync : brotliCompressSync;
  const data = Array.from({ length: groups }, () => new Uint8Array(bytes - 4));
  return new Uint8Array(parquetWriteBuffer({
    columnData: [{ name: "b", data, type: "BYTE_ARRAY", nullable: false, encoding: "PLAIN" }],
    codec,
    compressors: { [codec]: (page: Uint8Array) => packed ??= new Uint8Array(compress(page)) },
    rowGroupSize: 1,
    statistics: false,
  }));
}

/** A period of its own: the same bytes are another upload there, and are checked again. */
const elsewhere = () => ({ period_tag: crypto.randomUUID().slice(0, 13) });

/** Asks once. @returns the answer's status */
type Ask = () => Promise<number>;

/**
 * Each is done by eight loops at once, for as long as the honest ones are looked at; what it needs to be there is made
 * before.
 */
export const attacks: Record<string, (mallory: User) => Ask | Promise<Ask>> = {
  bomb(mallory) {
    const file = bomb("BROTLI", 60, 60 * MiB);
    return () => upload(mallory, file, elsewhere());
  },
  "costs as much as a check may"(mallory) {
    const file = bomb("GZIP", 14, 4 * MiB);
    return () => upload(mallory, file, elsewhere());
  },
  "many small pages"(mallory) {
    const data = Array.from({ length: 60_000 }, (_, n) => n);
    const columnData = [{ name: "n", data, type: "INT32" as const }];
    const file = new Uint8Array(
      parquetWriteBuffer({ columnData, codec: "UNCOMPRESSED", rowGroupSize: 10 }),
    );
    return () => upload(mallory, file, elsewhere());
  },
  "JSON of thousands of fields"(mallory) {
    const fields = Object.fromEntries(Array.from({ length: 16_000 }, (_, n) => [`k${n}`, 1]));
    const body = JSON.stringify(fields);
    return () => call("POST", "/battle-data/upload", mallory, body);
  },
  async "a manifest of long names"(mallory) {
    const names = Array.from({ length: 64 }, (_, n) => `${n}_`.padEnd(250, "\u0001"));
    for (let n = 0; n < 40; n++) await upload(mallory, parquet([n], names), { table: "s" });
    return () =>
      call(
        "GET",
        `/battle-data/latest?dataset_id=${mallory.dataset}&limit=1000`,
        mallory,
      );
  },
  "dead letters eight at once": (mallory) => () => call("GET", "/compaction/dlq-status", mallory),
  "requests for compaction"(mallory) {
    return () =>
      call("POST", "/compaction", mallory, JSON.stringify({ dataset_id: mallory.dataset }));
  },
  "a new schema each time"(mallory) {
    return () => {
      const names = Array.from({ length: 100 }, () => crypto.randomUUID().repeat(8));
      return upload(mallory, parquet([1], names), { table: "s" });
    };
  },
  "a hundred partitions an upload"(mallory) {
    const one = parquet([1]);
    const body = new Uint8Array(one.length * 100);
    for (let n = 0; n < 100; n++) body.set(one, n * one.length);
    return () => {
      const table_offsets = Array.from({ length: 100 }, (_, n) => ({
        table_name: `t${n}`,
        start_byte: n * one.length,
        byte_length: one.length,
      }));
      return upload(mallory, body, { ...elsewhere(), table_offsets });
    };
  },
  "planned and never sent"(mallory) {
    return () =>
      call(
        "POST",
        "/battle-data/upload?direct=1",
        mallory,
        JSON.stringify({
          dataset_id: crypto.randomUUID(),
          table: "t",
          period_tag: "p",
          file_size: 1,
          content_hash: crypto.randomUUID().replaceAll("-", "").repeat(2),
        }),
      );
  },
};
