/** zod at the edge: what does not fit becomes a SedimentError that names the field and what was expected. */
import type * as z from "zod";
import { type ErrorCode, SedimentError } from "../errors.ts";

/** Fields whose faults have a code of their own; everything else is `invalid_request`. */
const codeOfField: Record<string, ErrorCode> = {
  table: "invalid_name",
  table_name: "invalid_name",
  tableId: "invalid_name",
  period_tag: "invalid_name",
  kc_period_tag: "invalid_name",
  periodTag: "invalid_name",
  key: "invalid_name",
  relative_path: "invalid_name",
  file_name: "invalid_name",
  table_offsets: "invalid_offsets",
  cursor: "invalid_cursor",
};

/**
 * Checks a value from outside.
 *
 * @returns the schema's output
 * @throws SedimentError of the first fault: the code of its outermost known field, `field` as a path such as
 *   `table_offsets[2].start_byte`, `expected` in words
 */
export function validate<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const path = issue.path.length === 0 && issue.code === "unrecognized_keys"
    ? [issue.keys[0]!]
    : issue.path;
  const field = pathText(path);
  const code = codeOfField[String(path[0] ?? "")] ?? "invalid_request";
  const where = field === "" ? "The body" : `\`${field}\``;
  throw new SedimentError(code, `${where} is ${shown(valueAt(value, path))}`, {
    field: field === "" ? "body" : field,
    expected: issue.message,
  });
}

function pathText(path: PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === "number"
        ? `${text}[${part}]`
        : text === ""
        ? String(part)
        : `${text}.${String(part)}`,
    "",
  );
}

function valueAt(value: unknown, path: PropertyKey[]): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null) return undefined;
    at = (at as Record<PropertyKey, unknown>)[part];
  }
  return at;
}

/** A short, harmless picture of a value: what an error may repeat to whoever sent it. */
function shown(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object") return "an object";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
