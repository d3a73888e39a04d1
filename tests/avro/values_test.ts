import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { avroFile, fileOf, join, long, record, text } from "./avro_writer.ts";
import { ParquetReader, type ReadBack } from "./read_parquet.ts";
import { thrown } from "./thrown.ts";

async function converted(file: Uint8Array): Promise<ReadBack> {
  const reader = await ParquetReader.open();
  try {
    return await reader.convert(file);
  } finally {
    await reader.close();
  }
}

/** One column `x` of rows that are encoded already. */
async function column(type: unknown, rows: Uint8Array[]): Promise<unknown[]> {
  return (await converted(fileOf(record({ x: type }), rows))).rows.map(({ x }) => x);
}

async function faulty(type: unknown, row: Uint8Array, words: RegExp, path = "x") {
  const file = fileOf(record({ x: type }), [row]);
  const error = await thrown("invalid_avro", () => converted(file));
  assert.match(error.message, words);
  assert.equal(error.field, path, error.message);
  assert.deepEqual(error.extra, { block: 0, row: 0 });
}

Deno.test("every type has its counterpart in Parquet", async () => {
  const logical = (type: string, logicalType: string, more = {}) => ({
    type,
    logicalType,
    ...more,
  });
  const fixed = (name: string, size: number, more = {}) => ({ type: "fixed", name, size, ...more });
  const { types } = await converted(fileOf(
    record({
      boolean: "boolean",
      int: "int",
      long: "long",
      float: "float",
      double: "double",
      bytes: "bytes",
      string: "string",
      fixed: fixed("F", 3),
      enumeration: { type: "enum", name: "E", symbols: ["A"] },
      list: { type: "array", items: "string" },
      map: { type: "map", values: ["null", "long"] },
      struct: record({ a: "int", b: ["null", "string"] }, "S"),
      date: logical("int", "date"),
      time_millis: logical("int", "time-millis"),
      time_micros: logical("long", "time-micros"),
      at_millis: logical("long", "timestamp-millis"),
      at_micros: logical("long", "timestamp-micros"),
      at_nanos: logical("long", "timestamp-nanos"),
      local_millis: logical("long", "local-timestamp-millis"),
      local_micros: logical("long", "local-timestamp-micros"),
      local_nanos: logical("long", "local-timestamp-nanos"),
      decimal_9: logical("bytes", "decimal", { precision: 9, scale: 2 }),
      decimal_18: fixed("D", 8, { logicalType: "decimal", precision: 18 }),
      decimal_38: logical("bytes", "decimal", { precision: 38, scale: 38 }),
      uuid_text: logical("string", "uuid"),
      uuid_fixed: fixed("U", 16, { logicalType: "uuid" }),
      duration: fixed("P", 12, { logicalType: "duration" }),
      unknown: logical("long", "sidereal-day"),
    }),
    [],
  ));
  assert.deepEqual(types, {
    boolean: "BOOLEAN",
    int: "INTEGER",
    long: "BIGINT",
    float: "FLOAT",
    double: "DOUBLE",
    bytes: "BLOB",
    string: "VARCHAR",
    fixed: "BLOB",
    enumeration: "VARCHAR",
    list: "VARCHAR[]",
    map: "MAP(VARCHAR, BIGINT)",
    struct: "STRUCT(a INTEGER, b VARCHAR)",
    date: "DATE",
    time_millis: "TIME",
    time_micros: "TIME",
    at_millis: "TIMESTAMP WITH TIME ZONE",
    at_micros: "TIMESTAMP WITH TIME ZONE",
    // DuckDB has no instants in nanoseconds; the file does
    at_nanos: "TIMESTAMP WITH TIME ZONE",
    local_millis: "TIMESTAMP",
    local_micros: "TIMESTAMP",
    local_nanos: "TIMESTAMP_NS",
    decimal_9: "DECIMAL(9,2)",
    decimal_18: "DECIMAL(18,0)",
    decimal_38: "DECIMAL(38,38)",
    uuid_text: "UUID",
    uuid_fixed: "UUID",
    duration: "INTERVAL",
    unknown: "BIGINT",
  });
});

Deno.test("a file without rows is a Parquet file without rows", async () => {
  const { rows, rowCount, rowGroupCount } = await converted(avroFile(record({ a: "int" }), []));
  assert.deepEqual({ rows, rowCount, rowGroupCount }, { rows: [], rowCount: 0, rowGroupCount: 0 });
});

Deno.test("null stands at each level: list, item, record, field", async () => {
  const item = ["null", record({ f: ["null", { type: "array", items: ["null", "int"] }] }, "I")];
  const schema = record({ x: ["null", { type: "array", items: item }] });
  const some = (list: unknown[]) => ({ x: { array: list } });
  const rows = [
    { x: null },
    some([]),
    some([null]),
    some([{ I: { f: null } }, null, { I: { f: { array: [] } } }]),
    some([{ I: { f: { array: [null, { int: 0 }, null] } } }]),
  ];
  assert.deepEqual((await converted(avroFile(schema, rows))).rows, [
    { x: null },
    { x: [] },
    { x: [null] },
    { x: [{ f: null }, null, { f: [] }] },
    { x: [{ f: [null, 0, null] }] },
  ]);
});

Deno.test("arrays and maps may come in many blocks, with or without their sizes", async () => {
  const items = join(long(2), long(7), long(8), long(-2), long(2), long(9), long(10), [0]);
  const negative = join(long(-1), long(2), long(-1000), [0]);
  assert.deepEqual(await column({ type: "array", items: "int" }, [items, negative, long(0)]), [
    [7, 8, 9, 10],
    [-1000],
    [],
  ]);
  const entry = (key: string, value: number) => join(text(key), long(value));
  const pairs = join(long(-1), long(3), entry("b", 1), long(2), entry("a", 2), entry("b", 3), [0]);
  assert.deepEqual(await column({ type: "map", values: "int" }, [pairs]), [
    { map: [["b", 1], ["a", 2], ["b", 3]] },
  ]);
});

Deno.test("floats keep their signs, infinities and NaN", async () => {
  const values = [0, -0, Infinity, -Infinity, NaN, Math.fround(1e-45), Math.fround(3.4e38)];
  const rows = values.map((x) => ({ f: x, d: x }));
  const schema = record({ f: "float", d: "double" });
  assert.deepEqual((await converted(avroFile(schema, rows))).rows, rows);
});

Deno.test("an enum of many symbols keeps each", async () => {
  const symbols = Array.from({ length: 300 }, (_, n) => `S${n}`);
  const type = { type: "enum", name: "E", symbols };
  const order = Array.from({ length: 500 }, (_, n) => (n * 7) % 300);
  assert.deepEqual(await column(type, order.map(long)), order.map((n) => symbols[n]));
  await faulty(type, long(300), /symbol 300 of an enum that has 300/);
  await faulty(type, long(-1), /symbol -1/);
});

Deno.test("types with a name are the same wherever they are named, with columns of their own", async () => {
  const point = record({ x: "int", y: "int" }, "Point");
  const schema = record({ a: point, b: ["null", "Point"], c: { type: "array", items: "Point" } });
  const row = { a: { x: 1, y: 2 }, b: { Point: { x: 3, y: 4 } }, c: [{ x: 5, y: 6 }] };
  const [read] = (await converted(avroFile(schema, [row]))).rows;
  assert.deepEqual(read, { a: row.a, b: { x: 3, y: 4 }, c: row.c });
});

Deno.test("rows fill as many row groups as they need", async () => {
  const reader = await ParquetReader.open();
  try {
    const rows = Array.from({ length: 3_000 }, (_, n) => ({ n, s: `text ${n}`.repeat(n % 5) }));
    const file = avroFile(record({ n: "int", s: "string" }), rows, "deflate", 700);
    const read = await reader.convert(file, { limits: { rowGroupBytes: 16 * 1024 } });
    assert(read.rowGroupCount > 3, `${read.rowGroupCount} row groups`);
    assert.deepEqual(read.rows, rows);
  } finally {
    await reader.close();
  }
});

Deno.test("columns longer than a page keep their order", async () => {
  const list = { type: "array", items: ["null", "string"] };
  const rows = Array.from({ length: 30_000 }, (_, n) => ({
    n: BigInt(n),
    list: n % 7 === 0 ? [{ string: `v${n % 100}` }, null] : [],
    long: { string: n % 3000 === 0 ? "x".repeat(300_000) : String(n) },
  }));
  const schema = record({ n: "long", list, long: ["null", "string"] });
  const read = await converted(avroFile(schema, rows, "null", 5_000));
  assert.deepEqual(
    read.rows,
    rows.map(({ n, list, long }) => ({
      n,
      list: list.map((item) => item?.string ?? null),
      long: long.string,
    })),
  );
});

Deno.test("values that break their type are refused with block, row and path", async () => {
  const logical = (type: string, logicalType: string, more = {}) => ({
    type,
    logicalType,
    ...more,
  });
  await faulty("boolean", Uint8Array.of(2), /a boolean is 2/);
  await faulty("string", text(Uint8Array.of(0xc3)), /not UTF-8/);
  await faulty("string", text(Uint8Array.of(0xed, 0xa0, 0x80)), /not UTF-8/);
  await faulty("string", text(new Uint8Array(100).fill(0xf8)), /not UTF-8/);
  await faulty("bytes", long(-1), /negative/);
  await faulty("string", join(long(5), [1, 2]), /passes the end/);
  await faulty(logical("int", "time-millis"), long(-1), /time of day/);
  await faulty(logical("int", "time-millis"), long(86_400_001), /time of day/);
  await faulty(logical("long", "time-micros"), long(86_400_000_001n), /time of day/);
  await faulty(logical("string", "uuid"), text("x"), /1 characters/);
  const uuid = "123e4567-e89b-12d3-a456-42661417400";
  await faulty(logical("string", "uuid"), text(`${uuid}g`), /hexadecimal/);
  await faulty(logical("string", "uuid"), text(`${uuid.replace("-", "0")}0`), /hyphen/);
  const decimal = logical("bytes", "decimal", { precision: 3, scale: 1 });
  await faulty(decimal, text(new Uint8Array(0)), /no bytes/);
  await faulty(decimal, text(Uint8Array.of(0x03, 0xe8)), /more than 3 digits/);
  await faulty(decimal, text(Uint8Array.of(0xfc, 0x18)), /more than 3 digits/);
  await faulty(decimal, text(Uint8Array.of(1, ...new Uint8Array(40))), /more than 3 digits/);
  const deep = record({ a: { type: "map", values: { type: "array", items: "string" } } }, "D");
  const row = join(long(1), text("k"), long(1), text(Uint8Array.of(0x80)), [0, 0]);
  await faulty(deep, row, /not UTF-8/, "x.a{}[]");
});

Deno.test("a list whose block has another size than it declares is refused", async () => {
  const row = join(long(-2), long(3), long(1), long(2), [0, 0]);
  await faulty({ type: "array", items: "int" }, row, /another size/);
});

Deno.test("bytes that are left after a block's objects are refused", async () => {
  const file = fileOf(record({ x: "int" }), [join(long(1), long(2))]);
  const error = await thrown("invalid_avro", () => converted(file));
  assert.match(error.message, /1 bytes are left after the 1 objects/);
});

Deno.test("the longest and the shortest decimal of each width are kept", async () => {
  for (const precision of [1, 9, 10, 18, 19, 28, 38]) {
    const type = { type: "bytes", logicalType: "decimal", precision, scale: 0 };
    const bound = 10n ** BigInt(precision) - 1n;
    const bytes = (value: bigint) => {
      const digits = BigInt.asUintN(136, value).toString(16).padStart(34, "0");
      return text(new Uint8Array(Buffer.from(digits, "hex")));
    };
    const values = await column(type, [bytes(bound), bytes(-bound), bytes(0n)]);
    assert.deepEqual(values, [bound, -bound, 0n].map((unscaled) => ({ unscaled, scale: 0 })));
    await faulty(type, bytes(bound + 1n), /more than/);
    await faulty(type, bytes(-bound - 1n), /more than/);
  }
});

Deno.test("a schema as deep as the limits is converted and read", async () => {
  let type: unknown = "int", value: unknown = 7, out: unknown = 7;
  for (let level = 0; level < 28; level++) {
    if (level < 8) {
      type = { type: "map", values: type };
      value = { k: value };
      out = { map: [["k", out]] };
    } else if (level < 16) {
      type = { type: "array", items: type };
      value = [value];
      out = [out];
    } else {
      type = record({ a: type }, `R${level}`);
      value = { a: value };
      out = { a: out };
    }
  }
  const read = await converted(avroFile(record({ x: type }), [{ x: value }]));
  assert.deepEqual(read.rows, [{ x: out }]);
});
