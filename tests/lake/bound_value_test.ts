/** Bounds in Iceberg's binary form, against the specification's table and values worked out by hand. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { boundValue } from "../../shared/iceberg/bound_value.ts";

Deno.test("a bound is the bytes that Iceberg's specification says of its type", () => {
  for (
    const [text, type, hex] of [
      ["1", "int", "01000000"],
      ["-2", "int", "feffffff"],
      ["9007199254740993", "long", "0100000000002000"],
      ["-9223372036854775808", "long", "0000000000000080"],
      ["1.5", "float", "0000c03f"],
      ["-2.5", "double", "00000000000004c0"],
      // the lesser zero, in Iceberg's order
      ["0", "double", "0000000000000080"],
      ["1970-01-02", "date", "01000000"],
      ["1969-12-31", "date", "ffffffff"],
      ["0001-01-01", "date", "c606f5ff"],
      ["1970-01-01 00:00:01.000002", "timestamp", "42420f0000000000"],
      ["1969-12-31 23:59:59.999999", "timestamp", "ffffffffffffffff"],
      ["1970-01-01 00:00:00.000001+00", "timestamptz", "0100000000000000"],
      ["0.00", "decimal(9,2)", "00"],
      ["1.27", "decimal(9,2)", "7f"],
      ["1.28", "decimal(9,2)", "0080"],
      ["-1.28", "decimal(9,2)", "80"],
      ["-1.29", "decimal(9,2)", "ff7f"],
      ["-0.25", "decimal(9,2)", "e7"],
      ["7", "decimal(3,0)", "07"],
      ["5.1", "decimal(9,2)", "01fe"],
      ["", "string", ""],
      ["a~", "string", "617e"],
    ]
  ) {
    assert.equal(Buffer.from(boundValue(text, type)!).toString("hex"), hex, `${type} ${text}`);
  }
});

Deno.test("what is unknown, or of no type that has bounds, has none", () => {
  for (
    const [text, type] of [
      [null, "int"],
      ["2147483648", "int"],
      ["1", "binary"],
      ["1", "struct"],
      ["1e999", "double"],
      ["1.005", "decimal(9,2)"],
    ] as const
  ) assert.equal(boundValue(text, type), null, `${type} ${text}`);
});

Deno.test("what is written in another form than the catalog's has no bounds, and stops no table", () => {
  for (
    const [text, type] of [
      ["2024-11-25 00:00:00", "timestamp"],
      ["2024-11-25 00:00:00.500000000", "timestamp"],
      ["infinity", "timestamptz"],
      ["12345-01-01", "date"],
      ["1.5", "long"],
      ["1e3", "int"],
      ["NaN", "decimal(9, 2)"],
    ] as const
  ) assert.equal(boundValue(text, type), null, `${text} as ${type}`);
});
