import type { KeyValue } from "./metadata.ts";
import { fields, requireFields } from "./thrift/required_fields.ts";
import type { ThriftReader } from "./thrift/thrift_reader.ts";
import type { ThriftWriter } from "./thrift/thrift_writer.ts";
import { wire } from "./thrift/wire.ts";

/** Fields that parquet.thrift requires of KeyValue. */
const keyValueFields = fields(1);

/** Keys that describe the schema, and so hold for a merged file when all inputs agree on them. */
const schemaKeys = [
  "ARROW:schema",
  "pandas",
  "geo",
  "avro.schema",
  "parquet.avro.schema",
  "iceberg.schema",
  "writer.model.name",
  "org.apache.spark.version",
  "org.apache.spark.sql.parquet.row.metadata",
];

/**
 * The key-value metadata of a file made of others with the same schema: keys about the schema that all inputs
 * have with equal values. What speaks of one file's rows is taken out of them first: the ranges of a pandas
 * index, the bounding boxes of GeoParquet. `undefined` when nothing is left.
 */
export function commonKeyValues(
  inputs: readonly (readonly KeyValue[] | undefined)[],
): KeyValue[] | undefined {
  if (inputs.length === 0) return undefined;
  const common: KeyValue[] = [];
  for (const key of schemaKeys) {
    const first = valueOf(inputs[0], key);
    if (first === undefined) continue;
    const cleaned = withoutRows(key, first);
    const same = (input: readonly KeyValue[] | undefined) => {
      const value = valueOf(input, key);
      return value !== undefined && (value === first || withoutRows(key, value) === cleaned);
    };
    if (cleaned !== undefined && inputs.every(same)) common.push({ key, value: cleaned });
  }
  return common.length === 0 ? undefined : common;
}

function valueOf(pairs: readonly KeyValue[] | undefined, key: string): string | undefined {
  return pairs?.find((pair) => pair.key === key)?.value;
}

/** A value without what holds for one file only; undefined when it can't be told apart. */
function withoutRows(key: string, value: string): string | undefined {
  if (key !== "pandas" && key !== "geo") return value;
  try {
    const json = JSON.parse(value);
    if (key === "pandas" && Array.isArray(json.index_columns)) {
      // a range is an object { kind: "range", start, stop, step }; a stored index is a column's name
      json.index_columns = json.index_columns.filter((one: unknown) => typeof one === "string");
    }
    if (key === "geo" && typeof json.columns === "object" && json.columns !== null) {
      for (const column of Object.values<Record<string, unknown>>(json.columns)) delete column.bbox;
    }
    return JSON.stringify(json);
  } catch {
    return undefined;
  }
}

/** Reads a list of KeyValue structs. */
export function readKeyValues(
  reader: ThriftReader,
  listType: number,
  maxCount: number,
): KeyValue[] {
  const count = reader.list(listType, wire.struct, maxCount);
  const pairs: KeyValue[] = [];
  for (let i = 0; i < count; i++) {
    const pair: KeyValue = { key: "", value: undefined };
    const outer = reader.enterStruct();
    let seen = 0;
    for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
      seen = reader.note(seen);
      if (reader.fieldId === 1) pair.key = reader.string(type);
      else if (reader.fieldId === 2) pair.value = reader.string(type);
      else reader.skip(type);
    }
    reader.leaveStruct(outer);
    requireFields(seen, keyValueFields, "a key-value pair");
    pairs.push(pair);
  }
  return pairs;
}

/** Writes a list of KeyValue structs as field `id`. */
export function writeKeyValues(writer: ThriftWriter, id: number, pairs: KeyValue[]): void {
  writer.list(id, wire.struct, pairs.length);
  for (const pair of pairs) {
    writer.begin();
    writer.bytes(1, pair.key);
    writer.bytes(2, pair.value);
    writer.end();
  }
}
