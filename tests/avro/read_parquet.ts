import {
  DuckDBBlobValue,
  type DuckDBConnection,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBIntervalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  DuckDBUUIDValue,
} from "@duckdb/node-api";
import { avroToParquet, type AvroToParquetOptions } from "../../shared/avro/avro_to_parquet.ts";
import { inspectParquetBytes } from "../../shared/parquet/inspect/inspect.ts";
import { literal, openDuckdb, rows } from "../support/duckdb.ts";

/** What a file turned into, as DuckDB reads it. */
export interface ReadBack {
  /** Column by column its type in DuckDB. */
  types: Record<string, string>;
  /** Rows of {@link plain} values. */
  rows: Record<string, unknown>[];
  rowCount: number;
  rowGroupCount: number;
}

/** A DuckDB and a folder for the files that it is to read. */
export class ParquetReader {
  readonly #connection: DuckDBConnection;
  readonly #folder: string;
  #files = 0;

  private constructor(connection: DuckDBConnection, folder: string) {
    this.#connection = connection;
    this.#folder = folder;
  }

  static async open(): Promise<ParquetReader> {
    return new ParquetReader(await openDuckdb(1), await Deno.makeTempDir());
  }

  /** Converts a file and reads what came out, which our own inspection must accept too. */
  async convert(avro: Uint8Array, options?: AvroToParquetOptions): Promise<ReadBack> {
    const { parquet, rowCount } = await avroToParquet(avro, options);
    const facts = inspectParquetBytes(parquet);
    if (facts.rowCount !== rowCount) {
      throw new Error(`the footer says ${facts.rowCount} rows of ${rowCount}`);
    }
    return { ...await this.read(parquet), rowCount, rowGroupCount: facts.rowGroupCount };
  }

  /** Reads a Parquet file. */
  async read(parquet: Uint8Array): Promise<Pick<ReadBack, "types" | "rows">> {
    const path = `${this.#folder}/${this.#files++}.parquet`;
    await Deno.writeFile(path, parquet);
    const from = `read_parquet(${literal(path)})`;
    const described = await rows(this.#connection, `describe select * from ${from}`);
    const read = await rows(this.#connection, `select * from ${from}`);
    await Deno.remove(path);
    return {
      types: Object.fromEntries(
        described.map((column) => [String(column.column_name), String(column.column_type)]),
      ),
      rows: read.map((row) =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)]))
      ),
    };
  }

  async close(): Promise<void> {
    this.#connection.closeSync();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** A value of DuckDB as one that can be compared: nothing of it is rounded. */
function plain(value: unknown): unknown {
  if (value instanceof DuckDBListValue) return value.items.map(plain);
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(
      Object.entries(value.entries).map(([name, inner]) => [name, plain(inner)]),
    );
  }
  if (value instanceof DuckDBMapValue) {
    return { map: value.entries.map((entry) => [plain(entry.key), plain(entry.value)]) };
  }
  if (value instanceof DuckDBBlobValue) return { bytes: hex(value.bytes) };
  if (value instanceof DuckDBDateValue) return { days: value.days };
  if (value instanceof DuckDBTimeValue) return { timeMicros: value.micros };
  if (value instanceof DuckDBTimestampValue) return { localMicros: value.micros };
  if (value instanceof DuckDBTimestampTZValue) return { micros: value.micros };
  if (value instanceof DuckDBTimestampNanosecondsValue) return { localNanos: value.nanos };
  if (value instanceof DuckDBDecimalValue) return { unscaled: value.value, scale: value.scale };
  if (value instanceof DuckDBUUIDValue) return { uuid: value.toString() };
  if (value instanceof DuckDBIntervalValue) {
    return { months: value.months, days: value.days, micros: value.micros };
  }
  return value;
}

/** Bytes as hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
