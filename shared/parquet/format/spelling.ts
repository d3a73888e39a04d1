/**
 * How a type is spelled. The format has two annotations, and a reader may know one of them only: DuckDB 1.5 reads a
 * LogicalType of times, UUID, geometries and the null type alone, and of all else the ConvertedType. A merge that adds
 * or leaves out one of the two changes what such a reader answers, so types that are spelled differently are kept apart.
 */
import { convertedTypeOf, type Logical } from "./logical_text.ts";
import { convertedType, enumName, type SchemaElement } from "./metadata.ts";
import { parquetError } from "./parquet_error.ts";

/** The two annotations of an element. */
type Annotations = Pick<SchemaElement, "convertedType" | "logicalType">;

/**
 * What is not as usual in the annotations of an element, where a reader would answer something else for it; "" where
 * nothing is. `converted`: a time in UTC by its ConvertedType alone, which DuckDB reads as local. `logical`: a
 * LogicalType without the ConvertedType that it has, for which DuckDB shows what is stored. `unknown`: UNKNOWN beside a
 * ConvertedType, which DuckDB reads as nulls. Else the name of a ConvertedType that stands beside another LogicalType.
 */
export function spellingOf(element: Annotations, logical: Logical | undefined): string {
  if (logical === undefined) return "";
  if (element.logicalType !== undefined && element.logicalType.kind !== logical.kind) {
    return "unknown";
  }
  const usual = convertedTypeOf(logical);
  const { convertedType: converted, logicalType } = element;
  if (logical.kind === "TIME" || logical.kind === "TIMESTAMP") {
    return logicalType === undefined ? "converted" : "";
  }
  if (usual === undefined || converted === usual) return "";
  if (converted !== undefined) return enumName(convertedType, converted);
  // plain integers of these widths are signed already
  const plain = logical.kind === "INTEGER" && logical.signed && logical.bitWidth >= 32;
  return plain ? "" : "logical";
}

/** The annotations of a type in a spelling that {@link spellingOf} gave. Throws `invalid_parquet` for another. */
export function spelled(
  logical: Logical,
  spelling: string,
): Annotations {
  const usual = convertedTypeOf(logical);
  const logicalType = logical.kind === "INTERVAL" ? undefined : logical;
  switch (spelling) {
    case "":
      return { convertedType: usual, logicalType };
    case "converted":
      return { convertedType: usual, logicalType: undefined };
    case "logical":
      return { convertedType: undefined, logicalType };
    case "unknown":
      return { convertedType: usual, logicalType: { kind: "UNKNOWN" } };
  }
  const other = convertedType[spelling as keyof typeof convertedType];
  if (other === undefined) {
    throw parquetError("invalid_parquet", `there is no spelling ${spelling.slice(0, 80)}`);
  }
  return { convertedType: other, logicalType };
}
