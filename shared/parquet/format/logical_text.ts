import { convertedType, type LogicalType, physicalType, type SchemaElement } from "./metadata.ts";
import { parquetError, printable } from "./parquet_error.ts";

/** A logical type after normalising: LogicalType, or what a ConvertedType stands for. */
export type Logical = LogicalType | { kind: "INTERVAL" };

/**
 * The logical type of an element: LogicalType first, else ConvertedType (LogicalTypes.md gives the meaning:
 * converted times and timestamps are adjusted to UTC). MAP_KEY_VALUE counts as MAP; whether it stands on an
 * outer group is for the schema tree to see.
 */
export function logicalOf(element: SchemaElement): Logical | undefined {
  if (element.logicalType !== undefined && !saysNothing(element)) return element.logicalType;
  switch (element.convertedType) {
    case undefined:
      return undefined;
    case convertedType.UTF8:
      return { kind: "STRING" };
    case convertedType.MAP:
    case convertedType.MAP_KEY_VALUE:
      return { kind: "MAP" };
    case convertedType.LIST:
      return { kind: "LIST" };
    case convertedType.ENUM:
      return { kind: "ENUM" };
    case convertedType.DECIMAL:
      return { kind: "DECIMAL", scale: element.scale ?? 0, precision: element.precision ?? 0 };
    case convertedType.DATE:
      return { kind: "DATE" };
    case convertedType.TIME_MILLIS:
      return { kind: "TIME", utc: true, unit: "MILLIS" };
    case convertedType.TIME_MICROS:
      return { kind: "TIME", utc: true, unit: "MICROS" };
    case convertedType.TIMESTAMP_MILLIS:
      return { kind: "TIMESTAMP", utc: true, unit: "MILLIS" };
    case convertedType.TIMESTAMP_MICROS:
      return { kind: "TIMESTAMP", utc: true, unit: "MICROS" };
    case convertedType.JSON:
      return { kind: "JSON" };
    case convertedType.BSON:
      return { kind: "BSON" };
    case convertedType.INTERVAL:
      return { kind: "INTERVAL" };
  }
  if (
    element.convertedType >= convertedType.UINT_8 && element.convertedType <= convertedType.INT_64
  ) {
    const step = element.convertedType - convertedType.UINT_8;
    return { kind: "INTEGER", bitWidth: 8 << (step & 3), signed: step > 3 };
  }
  throw parquetError(
    "unsupported_parquet",
    `column ${printable(element.name)} has the unknown converted type ${element.convertedType}`,
  );
}

/** parquet-java 1.10 to 1.12 wrote UNKNOWN beside the converted types that have no logical one. */
function saysNothing({ logicalType, convertedType: converted }: SchemaElement): boolean {
  return logicalType?.kind === "UNKNOWN" &&
    (converted === convertedType.INTERVAL || converted === convertedType.MAP_KEY_VALUE);
}

/** A logical type as one word with parameters: `DECIMAL(10,2)`, `TIMESTAMP(MICROS,UTC)`, `INTEGER(8,SIGNED)`. */
export function logicalText(logical: Logical): string {
  switch (logical.kind) {
    case "DECIMAL":
      return `DECIMAL(${logical.precision},${logical.scale})`;
    case "TIME":
    case "TIMESTAMP":
      return `${logical.kind}(${logical.unit},${logical.utc ? "UTC" : "LOCAL"})`;
    case "INTEGER":
      return `INTEGER(${logical.bitWidth},${logical.signed ? "SIGNED" : "UNSIGNED"})`;
    case "VARIANT":
      return logical.version === undefined ? "VARIANT" : `VARIANT(${logical.version})`;
    case "GEOMETRY":
      return logical.crs === undefined ? "GEOMETRY" : `GEOMETRY(${JSON.stringify(logical.crs)})`;
    case "GEOGRAPHY":
      return `GEOGRAPHY(${JSON.stringify(logical.crs ?? "")},${logical.algorithm ?? ""})`;
    case "OTHER":
      return `OTHER(${logical.id},${logical.member})`;
    default:
      return logical.kind;
  }
}

/**
 * Throws unless a leaf's annotation fits its physical type, as LogicalTypes.md has it: readers disagree on
 * what a misfit means, so none is merged.
 */
export function checkLeafType(element: SchemaElement, logical: Logical | undefined): void {
  const type = element.type!;
  if (
    type === physicalType.FIXED_LEN_BYTE_ARRAY && !((element.typeLength ?? 0) > 0)
  ) {
    throw parquetError(
      "invalid_parquet",
      `column ${printable(element.name)} has a fixed length of ${element.typeLength} bytes`,
    );
  }
  if (logical === undefined || fits(logical, type, element.typeLength ?? 0)) return;
  throw parquetError(
    "invalid_parquet",
    `column ${printable(element.name)} is annotated ${
      logicalText(logical)
    }, which its physical type ${type} ` +
      `(length ${element.typeLength ?? "none"}) cannot hold`,
  );
}

function fits(logical: Logical, type: number, length: number): boolean {
  switch (logical.kind) {
    case "STRING":
    case "ENUM":
    case "JSON":
    case "BSON":
    case "GEOMETRY":
    case "GEOGRAPHY":
      return type === physicalType.BYTE_ARRAY;
    case "DECIMAL":
      return logical.precision > 0 && logical.scale >= 0 && logical.scale <= logical.precision &&
        logical.precision <= decimalDigits(type, length);
    case "DATE":
      return type === physicalType.INT32;
    case "TIME":
      return type === (logical.unit === "MILLIS" ? physicalType.INT32 : physicalType.INT64);
    case "TIMESTAMP":
      return type === physicalType.INT64;
    case "INTEGER":
      return type === (logical.bitWidth === 64 ? physicalType.INT64 : physicalType.INT32);
    case "UUID":
      return type === physicalType.FIXED_LEN_BYTE_ARRAY && length === 16;
    case "FLOAT16":
      return type === physicalType.FIXED_LEN_BYTE_ARRAY && length === 2;
    case "INTERVAL":
      return type === physicalType.FIXED_LEN_BYTE_ARRAY && length === 12;
    case "UNKNOWN":
    case "OTHER":
      return true;
    case "LIST":
    case "MAP":
    case "VARIANT":
      return false;
  }
}

/** Digits that always fit: floor(log10(2^(8n-1) - 1)) for n bytes. */
function decimalDigits(type: number, length: number): number {
  switch (type) {
    case physicalType.INT32:
      return 9;
    case physicalType.INT64:
      return 18;
    case physicalType.BYTE_ARRAY:
      return 10_000;
    case physicalType.FIXED_LEN_BYTE_ARRAY:
      return Math.floor((8 * length - 1) * Math.log10(2));
  }
  return 0;
}

/** The ConvertedType that older readers know the type by, where there is one. */
export function convertedTypeOf(logical: Logical): number | undefined {
  switch (logical.kind) {
    case "STRING":
      return convertedType.UTF8;
    case "MAP":
    case "LIST":
    case "ENUM":
    case "DECIMAL":
    case "DATE":
    case "JSON":
    case "BSON":
    case "INTERVAL":
      return convertedType[logical.kind];
    case "TIME":
    case "TIMESTAMP":
      // the converted types are adjusted to UTC
      return logical.unit === "NANOS" || !logical.utc
        ? undefined
        : convertedType[`${logical.kind}_${logical.unit}`];
    case "INTEGER":
      return integerConverted(logical);
  }
  return undefined;
}

function integerConverted(logical: LogicalType & { kind: "INTEGER" }): number {
  const step = Math.log2(logical.bitWidth) - 3;
  return (logical.signed ? convertedType.INT_8 : convertedType.UINT_8) + step;
}
