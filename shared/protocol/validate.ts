/** What comes from outside, checked: what does not fit becomes a SedimentError that names the field and what was expected. */
import * as z from "zod/v4/core";
import { type ErrorCode, SedimentError } from "../errors.ts";
import { respell } from "./spellings.ts";

/** Fields whose faults have a code of their own; everything else is `invalid_request`. */
const codeOfField: Record<string, ErrorCode> = {
  table: "invalid_name",
  table_name: "invalid_name",
  period_tag: "invalid_name",
  key: "invalid_name",
  relative_path: "invalid_name",
  file_name: "invalid_name",
  table_offsets: "invalid_offsets",
  cursor: "invalid_cursor",
};

/**
 * Checks a request: its fields may be spelled the older way.
 *
 * @returns the schema's output
 * @throws SedimentError of the first fault: the code of its outermost known field, `field` as a path such as
 *   `table_offsets[2].start_byte` in the sender's spelling, `expected` in words
 */
export function validate<T>(schema: z.$ZodType<T>, request: unknown): T {
  refuseCrowd(request);
  const { value, sent } = respell(request);
  const result = z.safeParse(schema, value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const unknown = issue.code === "unrecognized_keys";
  const path = unknown ? [...issue.path, issue.keys[0]!] : issue.path;
  const outermost = String(path[0] ?? "");
  const code = Object.hasOwn(codeOfField, outermost) ? codeOfField[outermost]! : "invalid_request";
  const [first, ...rest] = path;
  const field = first === undefined
    ? ""
    : pathText([typeof first === "string" ? sent.get(first) ?? first : first, ...rest]);
  const where = field === "" ? "The body" : `\`${field}\``;
  throw new SedimentError(code, `${where} is ${shown(valueAt(value, path))}`, {
    field: field === "" ? "body" : field,
    expected: unknown ? knownFields(schema) : issue.message,
  });
}

/** More fields than any request has: looking at each of 60,000 took 80 ms. */
const mostFields = 200;

function refuseCrowd(request: unknown): void {
  if (typeof request !== "object" || request === null || Array.isArray(request)) return;
  const count = Object.keys(request).length;
  if (count <= mostFields) return;
  throw new SedimentError("invalid_request", `The body has ${count} fields`, {
    field: "body",
    expected: `at most ${mostFields} fields`,
  });
}

/** What is said of a field that the schema does not have. */
function knownFields(schema: z.$ZodType): string {
  const { def } = schema._zod;
  return def.type === "object"
    ? `only ${Object.keys((def as z.$ZodObjectDef).shape).join(", ")}`
    : "no other fields";
}

function pathText(path: PropertyKey[]): string {
  return path.map((part, depth) =>
    typeof part === "number" ? `[${part}]` : depth === 0 ? String(part) : `.${String(part)}`
  ).join("");
}

/** What stands at a path of own properties; undefined where there is nothing. */
export function valueAt(value: unknown, path: PropertyKey[]): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
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
