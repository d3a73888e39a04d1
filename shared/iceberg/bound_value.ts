/** Bounds of columns as manifests have them. https://iceberg.apache.org/spec/#binary-single-value-serialization */

const utf8 = new TextEncoder();

const digits = /^-?\d+$/;
const time = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}(\+00)?$/;

/** How the catalog writes bounds of a type. One that is written otherwise is no bound: it must not stop a whole table. */
const forms: Record<string, RegExp> = {
  int: digits,
  long: digits,
  date: /^\d{4}-\d\d-\d\d$/,
  timestamp: time,
  timestamptz: time,
};

/**
 * A bound's bytes.
 *
 * @param text as the catalog has it (`lake_bound.sql`): digits, a date, a time or a text
 * @param type of the column in Iceberg
 * @returns null where none is known, or it is none of the type
 */
export function boundValue(text: string | null, type: string): Uint8Array | null {
  if (text === null || forms[type]?.test(text) === false) return null;
  switch (type) {
    case "int":
      return integer(BigInt(text), 4);
    case "long":
      return integer(BigInt(text), 8);
    case "float":
      return fraction(Number(text), 4);
    case "double":
      return fraction(Number(text), 8);
    case "date":
      return integer(BigInt(Date.parse(`${text}T00:00:00Z`)) / 86_400_000n, 4);
    case "timestamp":
    case "timestamptz":
      return integer(microseconds(text), 8);
    case "string":
      return utf8.encode(text);
  }
  const decimal = /^decimal\((\d+),\s*(\d+)\)$/.exec(type);
  return decimal === null ? null : unscaled(text, Number(decimal[2]));
}

function integer(value: bigint, bytes: 4 | 8): Uint8Array | null {
  if (BigInt.asIntN(bytes * 8, value) !== value) return null;
  const view = new DataView(new ArrayBuffer(8));
  view.setBigInt64(0, value, true);
  return new Uint8Array(view.buffer, 0, bytes);
}

/** Zero is the negative one, which is below the other in Iceberg's order, and one with it to SQL: only lower bounds are told. */
function fraction(value: number, bytes: 4 | 8): Uint8Array | null {
  if (!Number.isFinite(value)) return null;
  const view = new DataView(new ArrayBuffer(bytes));
  if (bytes === 4) view.setFloat32(0, value || -0, true);
  else view.setFloat64(0, value || -0, true);
  return new Uint8Array(view.buffer);
}

/** Since 1970 of `2024-11-25 00:00:00.000001`, with `+00` behind it or not. */
function microseconds(text: string): bigint {
  const [seconds, fraction] = text.replace("+00", "").split(".");
  return BigInt(Date.parse(`${seconds.replace(" ", "T")}Z`)) * 1000n + BigInt(fraction);
}

/** A decimal's digits as the shortest big-endian two's complement. */
function unscaled(text: string, scale: number): Uint8Array | null {
  const [whole, fraction = ""] = text.split(".");
  if (!/^-?\d+(\.\d+)?$/.test(text) || fraction.length > scale) return null;
  let value = BigInt(whole + fraction.padEnd(scale, "0"));
  const bytes: number[] = [];
  for (;;) {
    const byte = Number(BigInt.asUintN(8, value));
    bytes.unshift(byte);
    value >>= 8n;
    if (value === (byte < 0x80 ? 0n : -1n)) return new Uint8Array(bytes);
  }
}
