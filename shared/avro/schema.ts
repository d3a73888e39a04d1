/**
 * The schema of an Avro file as a tree (Avro 1.12 specification, "Schema Declaration"). A reference to a
 * named type is the very object of its definition; there are no cycles, recursion is refused in parsing.
 */
export type AvroType =
  | AvroPrimitive
  | AvroFixed
  | AvroEnum
  | AvroArray
  | AvroMap
  | AvroRecord
  | AvroUnion;

export type PrimitiveKind =
  | "null"
  | "boolean"
  | "int"
  | "long"
  | "float"
  | "double"
  | "bytes"
  | "string";

/** How large a type is when every reference in it is written out: what the limits are about. */
export interface Extent {
  /** Types in it, itself counted. */
  nodes: number;
  /** Levels in it, itself counted. */
  depth: number;
  /** Arrays and maps inside of one another. */
  lists: number;
  /** Fewest bytes that a value takes in the binary encoding. */
  minBytes: number;
}

export interface AvroPrimitive extends Extent {
  kind: PrimitiveKind;
  logical?: LogicalType;
}
export interface AvroFixed extends Extent {
  kind: "fixed";
  name: string;
  size: number;
  logical?: LogicalType;
}
export interface AvroEnum extends Extent {
  kind: "enum";
  name: string;
  symbols: string[];
}
export interface AvroArray extends Extent {
  kind: "array";
  items: AvroType;
}
export interface AvroMap extends Extent {
  kind: "map";
  values: AvroType;
}
export interface AvroField {
  name: string;
  type: AvroType;
}
export interface AvroRecord extends Extent {
  kind: "record";
  name: string;
  fields: AvroField[];
}
export interface AvroUnion extends Extent {
  kind: "union";
  branches: AvroType[];
}

export type TimeUnit = "millis" | "micros" | "nanos";

/** A logical type that fits the type it stands on; one that does not fit is ignored, as the spec wants. */
export type LogicalType =
  | { kind: "date" }
  | { kind: "time"; unit: "millis" | "micros" }
  | { kind: "timestamp"; unit: TimeUnit; utc: boolean }
  | { kind: "decimal"; precision: number; scale: number }
  | { kind: "uuid" }
  | { kind: "duration" };
