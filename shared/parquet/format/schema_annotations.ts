import { convertedTypeOf, type Logical, logicalText } from "./logical_text.ts";
import { convertedType, enumName, type SchemaElement } from "./metadata.ts";
import { parquetError, printable } from "./parquet_error.ts";
import { blankElement } from "./schema_element.ts";

/** A root that says that it is a list or a map is taken for one by DuckDB, for a struct by others. */
export function checkRoot(root: SchemaElement): void {
  const kind = root.logicalType?.kind;
  const { LIST, MAP, MAP_KEY_VALUE } = convertedType;
  const nested = kind === "LIST" || kind === "MAP" ||
    [LIST, MAP, MAP_KEY_VALUE].some((one) => root.convertedType === one);
  if (!nested) return;
  throw parquetError("invalid_parquet", "the root of the schema is annotated as a list or map");
}

/** The element as it may be written: a root without type and annotations, and always a repetition. */
export function normalised(element: SchemaElement, kind: number, isRoot: boolean): SchemaElement {
  if (isRoot) {
    return { ...blankElement(element.name), repetition: kind, numChildren: element.numChildren };
  }
  return element.repetition === kind ? element : { ...element, repetition: kind };
}

/** Whether a converted type stands for the logical type, or for the same time in another zone. */
function agrees(converted: number | undefined, logical: Logical): boolean {
  if (converted === undefined || converted === convertedTypeOf(logical)) return true;
  if (logical.kind === "MAP") return converted === convertedType.MAP_KEY_VALUE;
  // writers add it to local times too, for readers that know nothing else
  return (logical.kind === "TIME" || logical.kind === "TIMESTAMP") &&
    converted === convertedTypeOf({ ...logical, utc: true });
}

const texts: readonly (string | number)[] = [
  "STRING",
  "ENUM",
  "JSON",
  convertedType.UTF8,
  convertedType.ENUM,
  convertedType.JSON,
];

/** Whether both annotations are of a text, of whatever kind: it stays as its writer has it. */
function areTexts(converted: number | undefined, logical: Logical): boolean {
  return converted !== undefined && texts.includes(logical.kind) && texts.includes(converted);
}

/**
 * Throws when the two annotations of an element mean different things: the logical one should win by the format,
 * DuckDB takes the other, so whichever is written would be wrong for somebody. Kinds of text are all text.
 */
export function checkAnnotations(element: SchemaElement, logical: Logical | undefined): void {
  const converted = element.convertedType;
  if (logical === undefined || converted === undefined) return;
  const scaled = logical.kind !== "DECIMAL" ||
    ((element.scale ?? 0) === logical.scale && element.precision === logical.precision);
  if (scaled && agrees(converted, logical)) return;
  if (areTexts(converted, logical)) return;
  throw parquetError(
    "invalid_parquet",
    `element ${printable(element.name)} of the schema is annotated as ${
      logicalText(logical)
    } and as ` +
      `${enumName(convertedType, converted)}, which contradict each other`,
  );
}
