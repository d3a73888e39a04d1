import type { KeyValue } from "./metadata.ts";
import { fields, requireFields } from "./thrift/required_fields.ts";
import type { ThriftReader } from "./thrift/thrift_reader.ts";
import type { ThriftWriter } from "./thrift/thrift_writer.ts";
import { wire } from "./thrift/wire.ts";

/** Fields that parquet.thrift requires of KeyValue. */
const keyValueFields = fields(1);

/** Reads a list of KeyValue structs. */
export function readKeyValues(
  reader: ThriftReader,
  listType: number,
  maxCount: number,
): KeyValue[] {
  const count = reader.structs(listType, maxCount);
  const pairs: KeyValue[] = [];
  for (let i = 0; i < count; i++) {
    const pair: KeyValue = { key: "", value: undefined };
    const outer = reader.enterStruct();
    let seen = 0;
    for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
      seen = reader.note(seen);
      if (reader.fieldId === 1) pair.key = reader.string(type);
      else if (reader.fieldId === 2 && type === wire.binary) pair.value = reader.string(type);
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
