/**
 * What pandas says of a file without the ranges of its index, which are of one file's rows: an object
 * `{kind: "range", start, stop, step}` in place of a column's name. Undefined where it is no JSON of that shape.
 */
export function withoutRange(value: string): string | undefined {
  try {
    const json = JSON.parse(value);
    if (typeof json !== "object" || json === null) return undefined;
    if (Array.isArray(json.index_columns)) {
      json.index_columns = json.index_columns.filter((one: unknown) => typeof one === "string");
    }
    return JSON.stringify(json);
  } catch {
    return undefined;
  }
}
