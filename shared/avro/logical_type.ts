import { unsupported } from "./avro_error.ts";
import type { LogicalType, PrimitiveKind } from "./schema.ts";

/** The most digits that DuckDB, Spark and Arrow's Decimal128 hold; DuckDB reads more as a double. */
const maxPrecision = 38;

/**
 * The logical type of a schema object, if it has one that we know and that fits (Avro 1.12, "Logical
 * Types"). Unknown and misplaced ones are undefined: readers must then use the underlying type.
 *
 * @param kind the underlying type
 * @param size bytes of a `fixed`
 * @throws AvroFault unsupported_avro for a decimal of more than 38 digits
 */
export function logicalTypeOf(
  attributes: Record<string, unknown>,
  kind: PrimitiveKind | "fixed",
  size = 0,
): LogicalType | undefined {
  switch (attributes.logicalType) {
    case "date":
      return kind === "int" ? { kind: "date" } : undefined;
    case "time-millis":
      return kind === "int" ? { kind: "time", unit: "millis" } : undefined;
    case "time-micros":
      return kind === "long" ? { kind: "time", unit: "micros" } : undefined;
    case "timestamp-millis":
    case "timestamp-micros":
    case "timestamp-nanos":
    case "local-timestamp-millis":
    case "local-timestamp-micros":
    case "local-timestamp-nanos":
      return kind === "long" ? timestampType(attributes.logicalType) : undefined;
    case "decimal":
      return kind === "bytes" || kind === "fixed" ? decimalType(attributes, kind, size) : undefined;
    case "uuid":
      return kind === "string" || (kind === "fixed" && size === 16) ? { kind: "uuid" } : undefined;
    case "duration":
      return kind === "fixed" && size === 12 ? { kind: "duration" } : undefined;
    default:
      return undefined;
  }
}

function timestampType(name: string): LogicalType {
  const utc = !name.startsWith("local-");
  const unit = name.slice(name.lastIndexOf("-") + 1) as "millis" | "micros" | "nanos";
  return { kind: "timestamp", unit, utc };
}

function decimalType(
  attributes: Record<string, unknown>,
  kind: "bytes" | "fixed",
  size: number,
): LogicalType | undefined {
  const { precision, scale = 0 } = attributes;
  if (!isCount(precision) || precision === 0 || !isCount(scale) || scale > precision) {
    return undefined;
  }
  if (kind === "fixed" && precision > digitsThatFit(size)) return undefined;
  if (precision > maxPrecision) {
    throw unsupported(
      `a decimal of ${precision} digits; ${maxPrecision} are the most that we keep`,
    );
  }
  return { kind: "decimal", precision, scale };
}

/** The decimal digits that any number of so many digits fits into `size` bytes of two's complement. */
function digitsThatFit(size: number): number {
  return Math.floor((8 * size - 1) * Math.log10(2));
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
