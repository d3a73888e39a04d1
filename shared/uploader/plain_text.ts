/** Text of others as it may be shown: a terminal does what control characters say. */

// C0 and C1 controls, line and paragraph separators, marks that turn the direction of what follows
// deno-lint-ignore no-control-regex
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** The text with U+FFFD in place of each control character. */
export function plainText(text: string): string {
  return text.replace(controls, "\ufffd");
}

/** A JSON value with all of its texts, names of members too, made plain. */
export function plainValue<T>(value: T): T {
  if (typeof value === "string") return plainText(value) as T;
  if (Array.isArray(value)) return value.map(plainValue) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [plainText(name), plainValue(member)]),
  ) as T;
}
