/** A checked slice as the catalog takes it, and what is said of one that fails. */
import { catalogFacts } from "../catalog/file_facts.ts";
import type { UploadedFile } from "../catalog/upload_results.ts";
import { type ErrorCode, SedimentError } from "../errors.ts";
import type { ParquetFacts } from "../parquet/inspect/inspect.ts";
import type { Slice } from "./slices.ts";
import type { UploadRequest } from "./upload_request.ts";

/** The data file of slice number `ordinal`, at its place in the object. */
export function dataFile(
  request: UploadRequest,
  ordinal: number,
  start: number,
  length: number,
  facts: ParquetFacts,
  checksum: string | null,
): UploadedFile {
  return {
    ordinal,
    table: request.slices[ordinal]!.table,
    period_tag: request.periodTag,
    start_byte: start,
    byte_length: length,
    ...catalogFacts(facts),
    checksum,
  };
}

/**
 * Compares a slice's rows with `num_rows`, where the client sent it.
 *
 * @throws SedimentError `row_count_mismatch`
 */
export function checkRows(slice: Slice, facts: ParquetFacts, field: string): void {
  if (slice.rows === undefined || slice.rows === facts.rowCount) return;
  throw new SedimentError("row_count_mismatch", `The slice has ${facts.rowCount} rows`, {
    field: `${field}.num_rows`,
    expected: `${slice.rows} rows, as num_rows says`,
  });
}

/**
 * Refuses names that the catalog can't hold: PostgreSQL's text and jsonb have no NUL character.
 *
 * @throws SedimentError `unsupported_parquet`
 */
export function checkNames(facts: Pick<ParquetFacts, "schema">): void {
  if (!hasNul(facts.schema)) return;
  throw new SedimentError("unsupported_parquet", "A name of the schema holds a NUL character", {
    expected: "names of columns without U+0000",
  });
}

function hasNul({ name, children }: ParquetFacts["schema"]): boolean {
  if (name.includes("\0")) return true;
  if (children === undefined) return false;
  for (const child of children) if (hasNul(child)) return true;
  return false;
}

/** The codes that tell of a file rather than of us. */
const fileCodes = new Set<ErrorCode>([
  "not_parquet",
  "invalid_parquet",
  "unsupported_parquet",
  "page_too_large",
  "check_too_costly",
  "schema_incompatible",
  "not_avro",
  "invalid_avro",
  "unsupported_avro",
]);

/** An error about a file with the slice that it is about; other errors are left alone. */
export function atSlice(thrown: unknown, field: string): unknown {
  if (!(thrown instanceof SedimentError) || !fileCodes.has(thrown.code)) return thrown;
  return new SedimentError(thrown.code, thrown.message, {
    field,
    expected: thrown.expected,
    extra: { ...thrown.extra, ...(thrown.field === undefined ? {} : { inside: thrown.field }) },
    cause: thrown,
  });
}
