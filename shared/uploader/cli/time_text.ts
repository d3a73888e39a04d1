/** Dates and timestamps of Arrow, for people. */

/** The ends of what a Date can be: ECMA-262, "Time Values and Time Range". */
const farthest = 8.64e15;

/**
 * A date or timestamp as ISO 8601; null for all else.
 * @param type Arrow's name of the column's type, such as `Timestamp<MICROSECOND, UTC>`
 * @param value what apache-arrow gives of it: milliseconds since 1970, whatever the unit
 */
export function timeText(type: string, value: unknown): string | null {
  if (!/^(Date|Timestamp)/.test(type) || typeof value !== "number") return null;
  if (!(Math.abs(value) <= farthest)) return null;
  const text = new Date(value).toISOString();
  if (type.startsWith("Date32")) return text.slice(0, text.indexOf("T"));
  // A zone says that the value is an instant; without one it is what a clock on the wall showed.
  return type.includes(",") ? text : text.slice(0, -1);
}
