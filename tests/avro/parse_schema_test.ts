import { strict as assert } from "node:assert";
import { defaultAvroLimits } from "../../shared/avro/limits.ts";
import { parseSchema } from "../../shared/avro/parse_schema.ts";
import type { AvroType } from "../../shared/avro/schema.ts";
import { record } from "./avro_writer.ts";
import { thrown } from "./thrown.ts";

function parse(schema: unknown) {
  const json = typeof schema === "string" ? schema : JSON.stringify(schema);
  return parseSchema(new TextEncoder().encode(json), defaultAvroLimits);
}

function typeOf(schema: unknown): AvroType {
  return parse(record({ x: schema })).fields[0].type;
}

function refused(code: "invalid_avro" | "unsupported_avro", schema: unknown) {
  return thrown(code, () => parse(schema));
}

Deno.test("names resolve by the enclosing namespace, by fullname, and in the null namespace", () => {
  const fixed = (name: string, size: number, more = {}) => ({ type: "fixed", name, size, ...more });
  const root = parse({
    type: "record",
    name: "Outer",
    namespace: "a.b",
    fields: [
      { name: "f1", type: fixed("F", 1) },
      { name: "f2", type: fixed("x.F", 2, { namespace: "ignored" }) },
      { name: "f3", type: fixed("F", 3, { namespace: "" }) },
      { name: "f4", type: fixed("G", 4, { namespace: "" }) },
      { name: "same", type: "F" },
      { name: "full", type: "x.F" },
      { name: "object", type: { type: "a.b.F" } },
      { name: "unmarked", type: "G" },
      {
        name: "inner",
        type: {
          type: "record",
          name: "x.y.Inner",
          fields: [{ name: "g", type: fixed("F", 5) }, { name: "h", type: "F" }],
        },
      },
      { name: "after", type: "F" },
    ],
  });
  const sizes = root.fields.map(({ name, type }) =>
    type.kind === "fixed"
      ? `${name}=${type.name}:${type.size}`
      : type.kind === "record"
      ? type.fields.map((field) => `${field.name}=${(field.type as { size: number }).size}`).join()
      : type.kind
  );
  assert.deepEqual(sizes, [
    "f1=a.b.F:1",
    "f2=x.F:2",
    "f3=F:3",
    "f4=G:4",
    "same=a.b.F:1",
    "full=x.F:2",
    "object=a.b.F:1",
    "unmarked=G:4",
    "g=5,h=5",
    "after=a.b.F:1",
  ]);
});

Deno.test("a type's extent counts what its references are written out to", () => {
  const root = parse(record({
    a: record({ m: { type: "map", values: "long" }, n: ["null", "double"] }, "Pair"),
    b: { type: "array", items: "Pair" },
  }));
  // Pair: itself, map, key, value, union, null, double
  assert.equal(root.fields[0].type.nodes, 7);
  assert.equal(root.nodes, 1 + 7 + 8);
  assert.equal(root.depth, 5);
  assert.equal(root.minBytes, (1 + 1) + 1);
});

Deno.test("logical types are taken where they fit and ignored where they do not", () => {
  const logical = (type: unknown) => (typeOf(type) as { logical?: unknown }).logical;
  assert.deepEqual(logical({ type: "int", logicalType: "date" }), { kind: "date" });
  assert.deepEqual(logical({ type: "long", logicalType: "local-timestamp-nanos" }), {
    kind: "timestamp",
    unit: "nanos",
    utc: false,
  });
  assert.deepEqual(logical({ type: "bytes", logicalType: "decimal", precision: 7 }), {
    kind: "decimal",
    precision: 7,
    scale: 0,
  });
  const decimal = { type: "fixed", name: "D", size: 2, logicalType: "decimal", scale: 1 };
  assert.deepEqual(logical({ ...decimal, precision: 4 }), {
    kind: "decimal",
    precision: 4,
    scale: 1,
  });
  for (
    const ignored of [
      { type: "long", logicalType: "date" },
      { type: "int", logicalType: "timestamp-millis" },
      { type: "string", logicalType: "date" },
      { type: "long", logicalType: "no-such-type" },
      { type: "bytes", logicalType: "big-decimal" },
      { type: "bytes", logicalType: "decimal", precision: 3, scale: 4 },
      { type: "bytes", logicalType: "decimal", precision: 0 },
      { type: "bytes", logicalType: "decimal" },
      { type: "bytes", logicalType: "decimal", precision: 4, scale: -1 },
      { ...decimal, precision: 5 },
      { type: "fixed", name: "U", size: 15, logicalType: "uuid" },
      { type: "fixed", name: "T", size: 16, logicalType: "duration" },
    ]
  ) {
    assert.equal(logical(ignored), undefined, JSON.stringify(ignored));
  }
});

Deno.test("a recursive type is refused with the path of the reference", async () => {
  const list = { type: "record", name: "L", fields: [{ name: "next", type: ["null", "L"] }] };
  const error = await refused("unsupported_avro", record({ a: { type: "array", items: list } }));
  assert.equal(error.field, "a[].next");
  assert.match(error.message, /contains itself/);
});

Deno.test("what the specification forbids is invalid, with its path", async () => {
  const cases: [unknown, RegExp, string?][] = [
    ["{", /not JSON/],
    [record({ a: "nope" }), /not defined/, "a"],
    [record({ a: ["int", "int"] }), /int twice/, "a"],
    [record({ a: ["int", ["null"]] }), /directly in a union/, "a"],
    [record({ a: [] }), /no branches/, "a"],
    [record({ a: 7 }), /a type is/, "a"],
    [record({ a: null }), /a type is/, "a"],
    [record({ a: { type: "array" } }), /a type is/, "a[]"],
    [record({ a: { type: "enum", name: "E", symbols: ["A", "A"] } }), /twice/, "a"],
    [record({ a: { type: "enum", name: "E", symbols: "A" } }), /list of strings/, "a"],
    [record({ a: { type: "enum", symbols: ["A"] } }), /no name/, "a"],
    [record({ a: { type: "fixed", name: "F", size: -1 } }), /count of bytes/, "a"],
    [record({ a: { type: "fixed", name: "F", size: 1.5 } }), /count of bytes/, "a"],
    [record({ a: { type: "record", name: "R" } }), /lacks fields/, "a"],
    [record({ a: record({ b: "int" }), c: "int" }), /defined twice/, "a"],
    [record({ "a b": "int" }), /not a name/],
    [record({ "": "int" }), /not a name/],
    [{ type: "record", name: "R", fields: [{ name: { toString: 1 }, type: "int" }] }, /not a name/],
    [{ type: "record", name: "R", fields: [null] }, /not a name/],
    [
      {
        type: "record",
        name: "R",
        fields: [{ name: "a", type: "int" }, { name: "a", type: "int" }],
      },
      /two fields/,
    ],
  ];
  for (const [schema, words, path] of cases) {
    const error = await refused("invalid_avro", schema);
    assert.match(error.message, words);
    assert.equal(error.field, path, error.message);
  }
});

Deno.test("what Parquet has no place for is unsupported, with its path", async () => {
  const cases: [unknown, RegExp, string?][] = [
    [{ type: "long" }, /root is of type long/],
    [["null", record({ a: "int" })], /root is of type union/],
    [record({}), /no fields/],
    [record({ a: { type: "array", items: record({}, "E") } }), /no fields/, "a[]"],
    [record({ a: { type: "fixed", name: "F", size: 0 } }), /no bytes/, "a"],
    [record({ id: "int", ID: "int" }), /case only/],
    [record({ a: { type: "bytes", logicalType: "decimal", precision: 39 } }), /39 digits/, "a"],
  ];
  for (const [schema, words, path] of cases) {
    const error = await refused("unsupported_avro", schema);
    assert.match(error.message, words);
    assert.equal(error.field, path, error.message);
  }
});

Deno.test("a schema too long, too deep or too wide is refused before it is built", async () => {
  let deep: unknown = "int";
  for (let n = 0; n < 31; n++) deep = record({ a: deep }, `R${n}`);
  assert.match((await refused("unsupported_avro", deep)).message, /deeper than 30/);

  let lists: unknown = "int";
  for (let n = 0; n < 17; n++) {
    lists = n % 2 ? { type: "array", items: lists } : { type: "map", values: lists };
  }
  assert.match(
    (await refused("unsupported_avro", record({ lists }))).message,
    /more than 16 lists/,
  );

  const nested = `${"[".repeat(400_000)}${"]".repeat(400_000)}`;
  await refused("invalid_avro", nested);
  const objects = `${'{"type":'.repeat(100_000)}"int"${"}".repeat(100_000)}`;
  assert.match((await refused("unsupported_avro", objects)).message, /deeper than 30/);

  const wide = record(
    Object.fromEntries(Array.from({ length: 3_001 }, (_, n) => [`f${n}`, "int"])),
  );
  assert.match((await refused("unsupported_avro", wide)).message, /more than 3000 types/);

  const long = `"${"x".repeat(1024 * 1024)}"`;
  assert.match((await refused("unsupported_avro", long)).message, /over the limit of 1048576/);
});

Deno.test("a schema that doubles at every level is refused, however short it is", async () => {
  const fields: Record<string, unknown> = { t0: record({ a: "int", b: "int" }, "T0") };
  for (let n = 1; n < 27; n++) {
    fields[`t${n}`] = record({ a: `T${n - 1}`, b: `T${n - 1}` }, `T${n}`);
  }
  assert.match((await refused("unsupported_avro", record(fields))).message, /more than 3000 types/);

  const wide = record(
    Object.fromEntries(Array.from({ length: 99 }, (_, n) => [`f${n}`, "int"])),
    "W",
  );
  const fieldsOfIt = Array.from({ length: 31 }, (_, n) => [`w${n}`, n === 0 ? wide : "W"]);
  const root = record(Object.fromEntries(fieldsOfIt));
  assert.match((await refused("unsupported_avro", root)).message, /more than 3000 types/);
});
