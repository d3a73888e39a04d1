import { SedimentError } from "../errors.ts";
import { Zstd } from "../compression/zstd.ts";
import type { WasmLoader } from "../wasm/pinned_module.ts";
import { avroError } from "./avro_error.ts";
import { readAvroBlocks } from "./blocks.ts";
import { readAvroHeader } from "./header.ts";
import { type AvroLimits, avroLimitsWith } from "./limits.ts";
import { parquetSchema } from "./parquet_schema.ts";
import { RowReader } from "./row_reader.ts";
import { ParquetOutput } from "./write/parquet_output.ts";

export interface AvroToParquetOptions {
  /** Limits that differ from the defaults. */
  limits?: Partial<AvroLimits>;
  /** Ends the conversion with `aborted`, between blocks. */
  signal?: AbortSignal;
  /** Where zstd.wasm comes from, when codec zstandard needs it; without it node_modules. */
  zstd?: WasmLoader;
}

/** How long the conversion keeps the event loop to itself, but for the block that it is in. */
const turnMs = 40;

/** What came out of a conversion. */
export interface ConvertedAvro {
  /** A whole Parquet file, compressed with snappy. */
  parquet: Uint8Array;
  rowCount: number;
}

/**
 * Converts an Avro Object Container File to Parquet, a block at a time.
 *
 * Types: records are structs, arrays LIST, maps MAP, enums dictionary-encoded strings, `fixed`
 * FIXED_LEN_BYTE_ARRAY. Logical types become their Parquet counterparts: date, time-*, timestamp-* (an instant
 * in UTC), local-timestamp-* (without a zone), decimal up to 38 digits, uuid (on a string too), duration
 * (INTERVAL). What may be null by the schema is OPTIONAL, all else REQUIRED. Unions: see `unionMembers`.
 *
 * @param bytes the file, or the slice of a body that holds it; it is read while the conversion runs
 * @throws SedimentError not_avro; invalid_avro for what breaks the format; unsupported_avro for recursive
 *   types, codecs bzip2 and xz, empty records and what is over a limit. `field` is the field's path,
 *   `extra.block` and `extra.row` count from 0.
 */
export async function avroToParquet(
  bytes: Uint8Array,
  options: AvroToParquetOptions = {},
): Promise<ConvertedAvro> {
  const limits = avroLimitsWith(options.limits);
  const header = readAvroHeader(bytes, limits);
  const zstd = header.codec === "zstandard" ? await Zstd.open(options.zstd) : undefined;
  const rows = new RowReader(header.schema, limits);
  const output = new ParquetOutput(parquetSchema(header.schema));
  let rowCount = 0;
  const writeRows = async () => {
    rowCount += rows.rows;
    try {
      await output.writeRows(rows.columns(), rows.rows);
    } catch (thrown) {
      throw asAvroError(thrown);
    }
    rows.clear();
  };
  let resumed = performance.now();
  for (const block of readAvroBlocks(bytes, { limits, signal: options.signal, header, zstd })) {
    rows.open(block);
    while (!rows.read()) await writeRows();
    if (performance.now() - resumed < turnMs) continue;
    await new Promise((resume) => setTimeout(resume)); // others get a turn, and timers abort signals
    resumed = performance.now();
  }
  await writeRows();
  return { parquet: await output.finish(), rowCount };
}

/** A row too large for the writer is the file's fault; whatever else it finds wrong is ours. */
function asAvroError(thrown: unknown): unknown {
  if (!(thrown instanceof SedimentError)) return thrown;
  const { code, message } = thrown;
  return code === "page_too_large"
    ? avroError("unsupported_avro", `a row is too large for a page: ${message}`)
    : new SedimentError("internal", `the Parquet writer failed: ${message}`, { cause: thrown });
}
