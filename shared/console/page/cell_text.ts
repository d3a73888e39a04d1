/** A value of an Arrow vector as people read it; nothing is rounded that its type can tell exactly. */
import * as arrow from "apache-arrow";

/** Longest text of a cell. */
const longest = 200;

/** The text of a value that is not null, by its column's type. */
export function cellText(value: unknown, type: arrow.DataType): string {
  const text = whole(value, type);
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

function whole(value: unknown, type: arrow.DataType): string {
  if (arrow.DataType.isTimestamp(type)) {
    // in milliseconds, whatever the unit
    const time = new Date(Number(value));
    if (Number.isNaN(time.getTime())) return String(value);
    return time.toISOString().slice(0, type.timezone ? undefined : -1);
  }
  if (arrow.DataType.isDate(type)) return new Date(Number(value)).toISOString().slice(0, 10);
  if (arrow.DataType.isDecimal(type)) return decimalText(value as Uint32Array, type.scale);
  if (value instanceof Uint8Array) return hexText(value);
  if (typeof value === "object") return JSON.stringify(value, plain);
  return String(value);
}

/** A decimal's digits: a whole number of 32-bit words, the least first, in two's complement. */
function decimalText(words: Uint32Array, scale: number): string {
  let number = 0n;
  for (let i = words.length - 1; i >= 0; i--) number = number << 32n | BigInt(words[i]);
  number = BigInt.asIntN(words.length * 32, number);
  const digits = (number < 0n ? -number : number).toString().padStart(scale + 1, "0");
  const point = digits.length - scale;
  return `${number < 0n ? "-" : ""}${digits.slice(0, point)}${
    scale > 0 ? `.${digits.slice(point)}` : ""
  }`;
}

function hexText(bytes: Uint8Array): string {
  return [...bytes.subarray(0, longest / 2)].map((byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}

/** What JSON has no words for. */
function plain(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return hexText(value);
  return value;
}
