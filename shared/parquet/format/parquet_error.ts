import { type ErrorCode, SedimentError } from "../../errors.ts";

/** The codes that say what is wrong with a Parquet file. */
export type ParquetErrorCode = Extract<
  ErrorCode,
  | "not_parquet"
  | "invalid_parquet"
  | "unsupported_parquet"
  | "page_too_large"
  | "schema_incompatible"
>;

/** A place inside a Parquet file. Row groups and pages count from 0; a column is its path of names. */
export interface ParquetPlace {
  /** The input's id, where more than one is at hand. */
  file?: string;
  rowGroup?: number;
  column?: readonly string[];
  /** Counts every page of the chunk, the dictionary page too. */
  page?: number;
}

/** A place in words: `row group 2, column a.list.element, page 0`. */
function placeInWords(place: ParquetPlace): string {
  const words: string[] = [];
  if (place.file !== undefined) words.push(`file ${place.file}`);
  if (place.rowGroup !== undefined) words.push(`row group ${place.rowGroup}`);
  if (place.column !== undefined) words.push(`column ${printable(place.column.join("."))}`);
  if (place.page !== undefined) words.push(`page ${place.page}`);
  return words.join(", ");
}

/**
 * An error about a Parquet file that names the place; the place is also in `extra` (`file`, `row_group`,
 * `column`, `page`) for clients and tests.
 */
export function parquetError(
  code: ParquetErrorCode,
  detail: string,
  place: ParquetPlace = {},
  more: { expected?: string; cause?: unknown } = {},
): SedimentError {
  const where = placeInWords(place);
  return new SedimentError(code, where === "" ? detail : `${where}: ${detail}`, {
    ...more,
    extra: {
      ...(place.file !== undefined && { file: place.file }),
      ...(place.rowGroup !== undefined && { row_group: place.rowGroup }),
      ...(place.column !== undefined && { column: place.column.map(printable) }),
      ...(place.page !== undefined && { page: place.page }),
    },
  });
}

/** The same error with a place added, for callers that know more of it than the thrower did. */
export function atPlace(thrown: unknown, place: ParquetPlace): unknown {
  if (!(thrown instanceof SedimentError)) return thrown;
  const extra = thrown.extra ?? {};
  const known: ParquetPlace = {};
  if (place.file !== undefined && extra.file === undefined) known.file = place.file;
  if (place.rowGroup !== undefined && extra.row_group === undefined) {
    known.rowGroup = place.rowGroup;
  }
  if (place.column !== undefined && extra.column === undefined) known.column = place.column;
  if (place.page !== undefined && extra.page === undefined) known.page = place.page;
  const where = placeInWords(known);
  if (where === "") return thrown;
  return new SedimentError(thrown.code, `${where}: ${thrown.message}`, {
    field: thrown.field,
    expected: thrown.expected,
    cause: thrown.cause,
    extra: {
      ...extra,
      ...(known.file !== undefined && { file: known.file }),
      ...(known.rowGroup !== undefined && { row_group: known.rowGroup }),
      ...(known.column !== undefined && { column: known.column.map(printable) }),
      ...(known.page !== undefined && { page: known.page }),
    },
  });
}

/** A name from a hostile file cut to a length and freed of control characters, for messages. */
export function printable(name: string): string {
  // deno-lint-ignore no-control-regex
  const clean = name.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "\ufffd");
  return clean.length <= 120 ? clean : `${clean.slice(0, 120)}…`;
}
