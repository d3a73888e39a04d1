import fc from "../../support/fast_check.ts";

/** A column's type in DuckDB's words; `steps` are types of which any two have a union without loss. */
export type RandomType =
  | { kind: "leaf"; steps: string[]; step: number }
  | { kind: "struct"; fields: { name: string; type: RandomType }[] }
  | { kind: "list"; element: RandomType }
  | { kind: "map"; value: RandomType };

const ladders = [
  ["tinyint", "smallint", "integer", "bigint"],
  ["utinyint", "usmallint", "uinteger", "ubigint"],
  ["utinyint", "smallint", "integer", "double"],
  ["uinteger", "bigint"],
  ["float", "double"],
  ["decimal(4,2)", "decimal(9,2)", "decimal(18,2)", "decimal(30,2)"],
  ["decimal(5,1)", "decimal(9,4)", "decimal(17,0)", "decimal(30,6)", "decimal(4,2)"],
  ["tinyint", "decimal(9,4)", "integer", "bigint", "decimal(20,8)"],
  ["utinyint", "decimal(4,2)", "usmallint"],
  ["tinyint", "smallint", "float"],
  ["uinteger", "double"],
  ["timestamp_ms", "timestamp"],
  ["varchar"],
  ["boolean"],
  ["date"],
  ["time"],
  ["timestamptz"],
  ["timestamp_ns"],
  ["uuid"],
  ["blob"],
];

const leaf: fc.Arbitrary<RandomType> = fc.constantFrom(...ladders).chain((steps) =>
  fc.record({
    kind: fc.constant("leaf" as const),
    steps: fc.constant(steps),
    step: fc.nat({ max: steps.length - 1 }),
  })
);

const { type } = fc.letrec<{ type: RandomType; struct: RandomType }>((tie) => ({
  struct: fc.uniqueArray(fc.constantFrom("a", "b", "c", "d e", "f.g"), {
    minLength: 1,
    maxLength: 3,
  })
    .chain((names) =>
      fc.tuple(...names.map((name) => fc.record({ name: fc.constant(name), type: tie("type") })))
    ).map((fields) => ({ kind: "struct" as const, fields })),
  type: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    { weight: 5, arbitrary: leaf },
    { weight: 2, arbitrary: tie("struct") },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("list" as const), element: tie("type") }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("map" as const), value: tie("type") }) },
  ),
}));

/** Columns c0, c1, … of random types. */
export const randomColumns: fc.Arbitrary<RandomType> = fc.array(type, {
  minLength: 1,
  maxLength: 4,
}).map((types) => ({
  kind: "struct",
  fields: types.map((type, i) => ({ name: `c${i}`, type })),
}));

/** The same table as another writer may have had it: other widths, fields that are left out or come in another order. */
export function variantOf(table: RandomType): fc.Arbitrary<RandomType> {
  switch (table.kind) {
    case "leaf":
      return fc.nat({ max: table.steps.length - 1 }).map((step) => ({ ...table, step }));
    case "list":
      return variantOf(table.element).map((element) => ({ kind: "list", element }));
    case "map":
      return variantOf(table.value).map((value) => ({ kind: "map", value }));
    case "struct":
      return fc.shuffledSubarray(table.fields, { minLength: 1 }).chain((fields) =>
        fc.tuple(...fields.map(({ name, type }) => variantOf(type).map((type) => ({ name, type }))))
      ).map((fields) => ({ kind: "struct", fields }));
  }
}

/** The type in SQL. */
function sqlType(type: RandomType): string {
  switch (type.kind) {
    case "leaf":
      return type.steps[type.step];
    case "list":
      return `${sqlType(type.element)}[]`;
    case "map":
      return `map(varchar, ${sqlType(type.value)})`;
    case "struct":
      return `struct(${
        type.fields.map((field) => `"${field.name}" ${sqlType(field.type)}`).join(", ")
      })`;
  }
}

const bounds: Record<string, string[]> = {
  tinyint: ["-128", "127", "0"],
  smallint: ["-32768", "32767", "-1"],
  integer: ["-2147483648", "2147483647", "7"],
  bigint: ["-9223372036854775808", "9223372036854775807", "1"],
  utinyint: ["0", "255"],
  usmallint: ["0", "65535"],
  uinteger: ["0", "4294967295"],
  ubigint: ["0", "18446744073709551615"],
  float: ["'nan'", "'-0.0'", "'inf'", "'1.5e-45'", "'3.25'"],
  double: ["'nan'", "'-0.0'", "'-inf'", "'5e-324'", "'0.1'", "0"],
  "decimal(4,2)": ["-99.99", "99.99", "0"],
  "decimal(9,2)": ["-9999999.99", "0.01"],
  "decimal(18,2)": ["-9999999999999999.99", "1"],
  "decimal(30,2)": [
    "'-9999999999999999999999999999.99'",
    "'9999999999999999999999999999.99'",
    "-1",
  ],
  "decimal(5,1)": ["-9999.9", "9999.9", "0.1"],
  "decimal(9,4)": ["-99999.9999", "99999.9999", "0.0001"],
  "decimal(17,0)": ["-99999999999999999", "99999999999999999", "-1"],
  "decimal(20,8)": ["'-999999999999.99999999'", "'999999999999.99999999'", "0"],
  "decimal(30,6)": [
    "'-999999999999999999999999.999999'",
    "'999999999999999999999999.999999'",
    "'-0.000001'",
  ],
  timestamp_ms: ["'1969-12-31 23:59:59.999'", "'9999-12-31 00:00:00.001'", "'0001-01-01'"],
  timestamp: ["'1969-12-31 23:59:59.999999'", "'9999-12-31 23:59:59.999999'"],
  timestamptz: ["'1969-12-31 23:59:59.999999+00'", "'2024-02-29 12:00:00+00'"],
  timestamp_ns: ["'1969-12-31 23:59:59.999999999'", "'2261-12-31'"],
  varchar: ["''", "'a'", "'ü€😀'", "repeat('x', 300)", "'it''s'"],
  boolean: ["true", "false"],
  date: ["'1969-12-31'", "'9999-12-31'", "'0001-01-01'"],
  time: ["'00:00:00'", "'23:59:59.999999'"],
  uuid: ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
  blob: ["''", "'\\x00\\xff'", "'abc'"],
};

/** A value in SQL, null now and then at every level. */
function value(type: RandomType): fc.Arbitrary<string> {
  return fc.oneof({ weight: 1, arbitrary: fc.constant("null") }, {
    weight: 5,
    arbitrary: presentValue(type),
  });
}

function presentValue(type: RandomType): fc.Arbitrary<string> {
  switch (type.kind) {
    case "leaf":
      return fc.constantFrom(...bounds[type.steps[type.step]]).map((text) =>
        `(${text})::${type.steps[type.step]}`
      );
    case "list":
      return fc.array(value(type.element), { maxLength: 3 }).map((items) =>
        `[${items.join(", ")}]::${sqlType(type)}`
      );
    case "map":
      return fc.array(value(type.value), { maxLength: 2 }).map((items) =>
        `map([${items.map((_, i) => `'k${i}'`).join(", ")}]::varchar[], [${items.join(", ")}]::${
          sqlType(type.value)
        }[])`
      );
    case "struct":
      return fc.tuple(...type.fields.map((field) => value(field.type))).map((values) =>
        `{${type.fields.map((field, i) => `'${field.name}': ${values[i]}`).join(", ")}}::${
          sqlType(type)
        }`
      );
  }
}

/** A query that gives rows of the table. */
export function randomQuery(table: RandomType & { kind: "struct" }): fc.Arbitrary<string> {
  const row = fc.tuple(...table.fields.map(({ type }) => value(type)));
  return fc.array(row, { minLength: 1, maxLength: 6 }).map((rows) =>
    rows.map((values) =>
      `select ${
        table.fields.map(({ name, type }, i) => `(${values[i]})::${sqlType(type)} as "${name}"`)
          .join(", ")
      }`
    ).join(" union all ")
  );
}
