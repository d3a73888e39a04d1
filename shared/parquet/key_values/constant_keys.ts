/**
 * The keys that describe a file's schema, of a file that a merge gave further columns (format/constant_columns.ts): they name
 * these too, since some readers refuse a file of which they name fewer columns, and others don't show what they don't name.
 */
import type { ConstantColumn } from "../format/constant_columns.ts";
import type { KeyValue } from "../format/metadata.ts";
import { withoutFields, withTextFields } from "./arrow_fields.ts";

/** How a key's value gets columns behind its own, and loses its last ones. Undefined where it is not what it should be. */
interface ColumnsOf {
  add(value: string, columns: readonly ConstantColumn[]): string | undefined;
  drop(value: string, count: number): string | undefined;
}

/** A JSON text with a list of columns at its top. */
function listIn(name: string, entry: (column: ConstantColumn) => unknown): ColumnsOf {
  const edited = (value: string, edit: (list: unknown[]) => unknown[]) => {
    try {
      const json = JSON.parse(value);
      if (!Array.isArray(json[name])) return undefined;
      return JSON.stringify({ ...json, [name]: edit(json[name]) });
    } catch {
      return undefined; // no JSON
    }
  };
  return {
    add: (value, columns) => edited(value, (list) => [...list, ...columns.map(entry)]),
    drop: (value, count) => edited(value, (list) => list.slice(0, -count)),
  };
}

const avro = listIn("fields", ({ name }) => ({ name, type: "string" }));

const described: Record<string, ColumnsOf> = {
  "ARROW:schema": {
    // readers take the ids in it for those of the columns
    add: (value, columns) =>
      mentionsFieldIds(value) ? undefined : withTextFields(value, columns.map(({ name }) => name)),
    drop: (value) => withoutFields(value),
  },
  "pandas": listIn("columns", ({ name }) => ({
    name,
    field_name: name,
    pandas_type: "unicode",
    numpy_type: "object",
    metadata: null,
  })),
  "org.apache.spark.sql.parquet.row.metadata": listIn("fields", ({ name }) => ({
    name,
    type: "string",
    nullable: false,
    metadata: {},
  })),
  "avro.schema": avro,
  "parquet.avro.schema": avro,
  // it is about field ids, of which the file has none
  "iceberg.schema": { add: () => undefined, drop: () => undefined },
};

/** The keys of a file that gets the columns: where one can't tell of them it is left out. */
export function keysWith(
  pairs: KeyValue[] | undefined,
  columns: readonly ConstantColumn[],
): KeyValue[] | undefined {
  if (columns.length === 0) return pairs;
  return edited(pairs, (of, value) => of.add(value, columns));
}

/** The keys of a file as if its last columns, which a merge gave it, were not there. @param count how many */
export function keysWithout(
  pairs: KeyValue[] | undefined,
  count: number,
): KeyValue[] | undefined {
  return count === 0 ? pairs : edited(pairs, (of, value) => of.drop(value, count));
}

function edited(
  pairs: KeyValue[] | undefined,
  edit: (of: ColumnsOf, value: string) => string | undefined,
): KeyValue[] | undefined {
  const kept = pairs?.flatMap(({ key, value }): KeyValue[] => {
    if (!Object.hasOwn(described, key) || value === undefined) return [{ key, value }];
    const changed = edit(described[key], value);
    return changed === undefined ? [] : [{ key, value: changed }];
  });
  return kept?.length === 0 ? undefined : kept;
}

function mentionsFieldIds(base64: string): boolean {
  try {
    return atob(base64).includes("PARQUET:field_id");
  } catch {
    return true; // not base64
  }
}
