/** Rows as texts that differ whenever a value does, of Arrow's batches and of DuckDB's results. */
import * as arrow from "apache-arrow";
import {
  DuckDBBlobValue,
  type DuckDBConnection,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBIntervalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  DuckDBUUIDValue,
} from "@duckdb/node-api";
import { half } from "../../../shared/reader/where/evaluate.ts";

const hex = (bytes: Uint8Array) =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
const floating = (value: number) => Object.is(value, -0) ? "-0" : String(value);

const nanosOf = [1_000_000_000n, 1_000_000n, 1_000n, 1n];

/** A value of Arrow data, from its buffers: the getters of apache-arrow round times and big numbers. */
export function arrowText(data: arrow.Data, i: number): string {
  const { type } = data;
  const at = data.offset + i;
  if (arrow.DataType.isNull(type)) return "null";
  if (data.nullCount > 0 && ((data.nullBitmap[at >> 3] >> (at & 7)) & 1) === 0) return "null";
  const { values, valueOffsets } = data;
  if (arrow.DataType.isBool(type)) {
    return ((values[at >> 3] >> (at & 7)) & 1) === 1 ? "true" : "false";
  }
  if (arrow.DataType.isInt(type)) return String(values[i]);
  if (arrow.DataType.isFloat(type)) {
    return floating(type.precision === arrow.Precision.HALF ? half(values[i]) : values[i]);
  }
  if (arrow.DataType.isUtf8(type)) {
    return JSON.stringify(
      new TextDecoder().decode(values.subarray(valueOffsets[i], valueOffsets[i + 1])),
    );
  }
  if (arrow.DataType.isBinary(type)) {
    return `x${hex(values.subarray(valueOffsets[i], valueOffsets[i + 1]))}`;
  }
  if (arrow.DataType.isFixedSizeBinary(type)) {
    return `x${hex(values.subarray(i * type.byteWidth, (i + 1) * type.byteWidth))}`;
  }
  if (arrow.DataType.isDecimal(type)) {
    const words = type.bitWidth / 32;
    let number = 0n;
    for (let k = words - 1; k >= 0; k--) number = (number << 32n) | BigInt(values[i * words + k]);
    return `${BigInt.asIntN(type.bitWidth, number)}e-${type.scale}`;
  }
  if (arrow.DataType.isDate(type)) return `day ${values[i]}`;
  if (arrow.DataType.isTime(type)) return `time ${BigInt(values[i]) * nanosOf[type.unit]}`;
  if (arrow.DataType.isTimestamp(type)) {
    return `${type.timezone ?? "local"} ${BigInt(values[i]) * nanosOf[type.unit]}`;
  }
  if (arrow.DataType.isStruct(type)) {
    return `{${
      type.children.map((f, k) => `${f.name}:${arrowText(data.children[k], i)}`).join(",")
    }}`;
  }
  const [child] = data.children;
  const entries: string[] = [];
  for (let k = valueOffsets[i]; k < valueOffsets[i + 1]; k++) {
    entries.push(
      arrow.DataType.isMap(type)
        ? `${arrowText(child.children[0], k)}=${arrowText(child.children[1], k)}`
        : arrowText(child, k),
    );
  }
  return arrow.DataType.isMap(type) ? `map(${entries.join(",")})` : `[${entries.join(",")}]`;
}

/** A value that DuckDB gives. */
export function duckText(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "number") return floating(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof DuckDBBlobValue) return `x${hex(value.bytes)}`;
  if (value instanceof DuckDBUUIDValue) return `x${value.toString().replaceAll("-", "")}`;
  if (value instanceof DuckDBDecimalValue) return `${value.value}e-${value.scale}`;
  if (value instanceof DuckDBDateValue) return `day ${value.days}`;
  if (value instanceof DuckDBTimeValue) return `time ${value.micros * 1000n}`;
  if (value instanceof DuckDBTimestampTZValue) return `UTC ${value.micros * 1000n}`;
  if (value instanceof DuckDBTimestampValue) return `local ${value.micros * 1000n}`;
  if (value instanceof DuckDBTimestampMillisecondsValue) {
    return `local ${value.millis * 1_000_000n}`;
  }
  if (value instanceof DuckDBTimestampNanosecondsValue) return `local ${value.nanos}`;
  if (value instanceof DuckDBIntervalValue) return `interval ${value}`;
  if (value instanceof DuckDBListValue) return `[${value.items.map(duckText).join(",")}]`;
  if (value instanceof DuckDBStructValue) {
    return `{${Object.entries(value.entries).map(([k, v]) => `${k}:${duckText(v)}`).join(",")}}`;
  }
  if (value instanceof DuckDBMapValue) {
    return `map(${
      value.entries.map(({ key, value }) => `${duckText(key)}=${duckText(value)}`).join(",")
    })`;
  }
  return String(value);
}

/** The rows of batches in order. */
export function batchRows(batches: readonly arrow.RecordBatch[]): string[] {
  return batches.flatMap((batch) =>
    Array.from(
      { length: batch.numRows },
      (_, i) =>
        batch.schema.fields.map(({ name }, k) => `${name}:${arrowText(batch.data.children[k], i)}`)
          .join(","),
    )
  );
}

/** The rows of a query in order. */
export async function duckRows(connection: DuckDBConnection, sql: string): Promise<string[]> {
  const reader = await connection.runAndReadAll(sql);
  const names = reader.columnNames();
  return reader.getRows().map((row) =>
    row.map((value, k) => `${names[k]}:${duckText(value)}`).join(",")
  );
}
