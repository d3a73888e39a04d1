/** A Parquet schema as Arrow has it. Types are those of the values, so that none is rounded. */
import * as arrow from "apache-arrow";
import { physicalType } from "../../parquet/format/metadata.ts";
import { parquetError } from "../../parquet/format/parquet_error.ts";
import type { SchemaNode, SchemaTree } from "../../parquet/format/schema.ts";
import { type FieldView, fieldView } from "../../parquet/merge/union/field_view.ts";

/** Most digits of Arrow's 128 and 256 bit decimals. */
const digits128 = 38, digits256 = 76;

/** The Arrow schema of a table. Throws `unsupported_parquet` for decimals of more than 76 digits. */
export function arrowSchema(tree: SchemaTree): arrow.Schema {
  return new arrow.Schema(tree.root.children.map((node) => arrowField(fieldView(node))));
}

/** The Arrow field of a field, under its own name or another. */
function arrowField(view: FieldView, name = view.name): arrow.Field {
  return new arrow.Field(name, arrowType(view), view.nullable, metadata(view));
}

function arrowType(view: FieldView): arrow.DataType {
  switch (view.kind) {
    case "leaf":
      return leafArrowType(view.node);
    case "list":
      return new arrow.List(arrowField(view.children[0], "element"));
    case "map": {
      const [key, value] = view.children;
      const entries = new arrow.Struct([
        arrowField({ ...key, nullable: false }, "key"),
        arrowField(value, "value"),
      ]);
      // deno-lint-ignore no-explicit-any -- the declared type wants the key's and the value's
      return new arrow.Map_(new arrow.Field("entries", entries as any, false), false);
    }
    case "struct":
    case "variant":
      return new arrow.Struct(view.children.map((child) => arrowField(child)));
  }
}

/** Canonical extension types say what fixed bytes, or a struct, stand for. */
function metadata(view: FieldView): Map<string, string> | undefined {
  const name = view.kind === "variant"
    ? "arrow.parquet.variant"
    : view.kind !== "leaf"
    ? undefined
    : { UUID: "arrow.uuid", JSON: "arrow.json" }[view.node.logical?.kind as string];
  return name === undefined ? undefined : new Map([
    ["ARROW:extension:name", name],
    ["ARROW:extension:metadata", ""],
  ]);
}

/** The Arrow type of a leaf's values. */
function leafArrowType(node: SchemaNode): arrow.DataType {
  const { logical, element } = node;
  switch (logical?.kind) {
    case "STRING":
    case "ENUM":
    case "JSON":
      return new arrow.Utf8();
    case "UNKNOWN":
      return new arrow.Null();
    case "DATE":
      return new arrow.DateDay();
    case "FLOAT16":
      return new arrow.Float16();
    case "TIME":
      return {
        MILLIS: () => new arrow.TimeMillisecond(),
        MICROS: () => new arrow.TimeMicrosecond(),
        NANOS: () => new arrow.TimeNanosecond(),
      }[logical.unit]();
    case "TIMESTAMP": {
      const unit = {
        MILLIS: arrow.TimeUnit.MILLISECOND,
        MICROS: arrow.TimeUnit.MICROSECOND,
        NANOS: arrow.TimeUnit.NANOSECOND,
      }[logical.unit];
      return new arrow.Timestamp(unit, logical.utc ? "UTC" : null);
    }
    case "INTEGER":
      return integerType(logical.bitWidth, logical.signed);
    case "DECIMAL":
      return decimalType(node, logical.precision, logical.scale);
  }
  switch (element.type) {
    case physicalType.BOOLEAN:
      return new arrow.Bool();
    case physicalType.INT32:
      return new arrow.Int32();
    case physicalType.INT64:
      return new arrow.Int64();
    case physicalType.INT96:
      return new arrow.Timestamp(arrow.TimeUnit.NANOSECOND, null);
    case physicalType.FLOAT:
      return new arrow.Float32();
    case physicalType.DOUBLE:
      return new arrow.Float64();
    case physicalType.FIXED_LEN_BYTE_ARRAY:
      return new arrow.FixedSizeBinary(element.typeLength!);
  }
  return new arrow.Binary();
}

function integerType(bits: number, signed: boolean): arrow.DataType {
  switch (bits) {
    case 8:
      return signed ? new arrow.Int8() : new arrow.Uint8();
    case 16:
      return signed ? new arrow.Int16() : new arrow.Uint16();
    case 32:
      return signed ? new arrow.Int32() : new arrow.Uint32();
  }
  return signed ? new arrow.Int64() : new arrow.Uint64();
}

function decimalType(node: SchemaNode, precision: number, scale: number): arrow.DataType {
  if (precision > digits256) {
    throw parquetError(
      "unsupported_parquet",
      `a decimal of ${precision} digits has no Arrow type`,
      { column: node.path },
      { expected: `at most ${digits256} digits, or a scan of other columns` },
    );
  }
  return new arrow.Decimal(scale, precision, precision > digits128 ? 256 : 128);
}
