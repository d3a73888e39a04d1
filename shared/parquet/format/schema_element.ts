import type { ParquetLimits } from "./limits.ts";
import { readLogicalType, writeLogicalType } from "./logical_type.ts";
import { knownNumbers, repetition, type SchemaElement } from "./metadata.ts";
import { fields, requireFields } from "./thrift/required_fields.ts";
import type { ThriftReader } from "./thrift/thrift_reader.ts";
import type { ThriftWriter } from "./thrift/thrift_writer.ts";
import { wire } from "./thrift/wire.ts";

/** Fields that parquet.thrift requires of SchemaElement. */
const elementFields = fields(4);

/** An element of nothing but a name, required. */
export function blankElement(name: string): SchemaElement {
  return {
    type: undefined,
    typeLength: undefined,
    repetition: repetition.REQUIRED,
    name,
    numChildren: undefined,
    convertedType: undefined,
    scale: undefined,
    precision: undefined,
    fieldId: undefined,
    logicalType: undefined,
  };
}

/** Reads an element of the schema. Throws `invalid_parquet`. */
export function readSchemaElement(
  reader: ThriftReader,
  limits: Readonly<ParquetLimits>,
): SchemaElement {
  const element: SchemaElement = {
    type: undefined,
    typeLength: undefined,
    repetition: undefined,
    name: "",
    numChildren: undefined,
    convertedType: undefined,
    scale: undefined,
    precision: undefined,
    fieldId: undefined,
    logicalType: undefined,
  };
  const outer = reader.enterStruct();
  let seen = 0;
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    seen = reader.note(seen);
    switch (reader.fieldId) {
      case 1:
        if (reader.is(type, wire.i32)) element.type = reader.enumElement(knownNumbers.physicalType);
        break;
      case 2:
        if (reader.is(type, wire.i32)) element.typeLength = reader.i32();
        break;
      case 3:
        if (reader.is(type, wire.i32)) {
          element.repetition = reader.enumElement(knownNumbers.repetition);
        }
        break;
      case 4:
        element.name = reader.string(type, limits.nameBytes);
        break;
      case 5:
        if (reader.is(type, wire.i32)) element.numChildren = reader.i32();
        break;
      case 6:
        if (reader.is(type, wire.i32)) {
          element.convertedType = reader.enumElement(knownNumbers.convertedType);
        }
        break;
      case 7:
        if (reader.is(type, wire.i32)) element.scale = reader.i32();
        break;
      case 8:
        if (reader.is(type, wire.i32)) element.precision = reader.i32();
        break;
      case 9:
        if (reader.is(type, wire.i32)) element.fieldId = reader.i32();
        break;
      case 10:
        if (reader.is(type, wire.struct)) element.logicalType = readLogicalType(reader);
        break;
      default:
        reader.skip(type);
    }
  }
  reader.leaveStruct(outer);
  requireFields(seen, elementFields, "an element of the schema");
  return element;
}

/** Writes an element of the schema as a list element. */
export function writeSchemaElement(writer: ThriftWriter, element: SchemaElement): void {
  writer.begin();
  writer.i32(1, element.type);
  writer.i32(2, element.typeLength);
  writer.i32(3, element.repetition);
  writer.bytes(4, element.name);
  writer.i32(5, element.numChildren);
  writer.i32(6, element.convertedType);
  writer.i32(7, element.scale);
  writer.i32(8, element.precision);
  writer.i32(9, element.fieldId);
  if (element.logicalType !== undefined) writeLogicalType(writer, 10, element.logicalType);
  writer.end();
}
