/** Random tables as SQL: schemas and values with everything that is apt to go wrong. */
import fc from "../../support/fast_check.ts";

/** A column: its SQL type and one literal for each row. */
interface RandomColumn {
  type: string;
  values: string[];
}

/** Files of one schema; each is a list of rows of literals. */
export interface RandomTable {
  types: string[];
  files: string[][][];
}

const text = (value: string) => `'${value.replaceAll("'", "''")}'`;
const integers = (low: bigint, high: bigint) =>
  fc.oneof(
    fc.constantFrom(low, high, 0n, 1n),
    fc.bigInt(low, high),
    fc.bigInt(low < 0n ? -9n : 0n, 9n),
  ).map(String);
const float = fc.oneof(
  fc.constantFrom("'nan'", "'inf'", "'-inf'", "'-0'", "0", "1e-320", "-1.5", "3.25"),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 }).map((d) => `'${d}'`),
);
const decimal = (digits: number, scale: number) =>
  fc.oneof(
    fc.constantFrom("9".repeat(digits), "-" + "9".repeat(digits), "0", "1", "-1"),
    fc.bigInt(-(10n ** BigInt(digits - 1)), 10n ** BigInt(digits - 1)).map(String),
  ).map((n) => {
    const negative = n.startsWith("-");
    const bare = (negative ? n.slice(1) : n).padStart(scale + 1, "0");
    const whole = bare.slice(0, bare.length - scale);
    return `${negative ? "-" : ""}${whole}${scale > 0 ? `.${bare.slice(-scale)}` : ""}`;
  });
const word = fc.oneof(
  fc.constantFrom("", "a", "b", "ä", "日本", "x".repeat(70), "\u007f".repeat(65), "z".repeat(200)),
  fc.string({ maxLength: 12, unit: "grapheme" }).filter((s) => !s.includes("\0")),
  fc.integer({ min: 0, max: 5 }).map((n) => `word-${n}`),
);
const instant = (unit: number) =>
  fc.oneof(
    fc.integer({ min: -60_000_000_000, max: 60_000_000_000 }),
    // the years 1 and 9999, and the last moment before 1970
    fc.constantFrom(-62_135_596_800_000, 253_402_300_799_999, -1),
  ).map((s) => `epoch_ms(${BigInt(s) * BigInt(unit)})`);

const scalars: [string, fc.Arbitrary<string>][] = [
  ["BOOLEAN", fc.constantFrom("true", "false")],
  ["TINYINT", integers(-128n, 127n)],
  ["SMALLINT", integers(-32768n, 32767n)],
  ["INTEGER", integers(-(2n ** 31n), 2n ** 31n - 1n)],
  ["BIGINT", integers(-(2n ** 63n), 2n ** 63n - 1n)],
  ["UTINYINT", integers(0n, 255n)],
  ["USMALLINT", integers(0n, 65535n)],
  ["UINTEGER", integers(0n, 2n ** 32n - 1n)],
  ["UBIGINT", integers(0n, 2n ** 64n - 1n)],
  ["FLOAT", float.map((f) => f.includes("e") && f !== "1e-320" ? "'2.5'" : f)],
  ["DOUBLE", float],
  ["DECIMAL(4,1)", decimal(4, 1)],
  ["DECIMAL(9,2)", decimal(9, 2)],
  ["DECIMAL(18,0)", decimal(18, 0)],
  ["DECIMAL(38,10)", decimal(38, 10)],
  ["VARCHAR", word.map(text)],
  ["BLOB", word.map((w) => `encode(${text(w)})`)],
  ["DATE", fc.integer({ min: -200_000, max: 200_000 }).map((d) => `date '1970-01-01' + ${d}`)],
  [
    "TIME",
    fc.integer({ min: 0, max: 86_399 }).map((s) =>
      `time '00:00:00' + interval ${text(`${s} seconds`)}`
    ),
  ],
  ["TIMESTAMP", instant(1)],
  ["TIMESTAMPTZ", instant(1).map((i) => `make_timestamptz(epoch_us(${i}))`)],
  ["TIMESTAMP_MS", instant(1).map((i) => `${i}::timestamp_ms`)],
  [
    "TIMESTAMP_NS",
    fc.bigInt(-(2n ** 62n), 2n ** 62n).map((n) => `make_timestamp_ns(${n})`),
  ],
  ["UUID", fc.uuid().map(text)],
];

/** A type and literals of it; nested ones hold others. */
function typed(depth: number): fc.Arbitrary<[string, fc.Arbitrary<string>]> {
  const scalar = fc.constantFrom(...scalars);
  if (depth === 0) return scalar;
  const inner = typed(depth - 1);
  return fc.oneof(
    { weight: 4, arbitrary: scalar },
    {
      weight: 1,
      arbitrary: inner.map(([type, values]): [string, fc.Arbitrary<string>] => [
        `${type}[]`,
        fc.array(nullable(type, values), { maxLength: 4 }).map((items) =>
          `[${items.join(", ")}]::${type}[]`
        ),
      ]),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(inner, inner).map(([a, b]): [string, fc.Arbitrary<string>] => [
        `STRUCT(p ${a[0]}, "q.r" ${b[0]})`,
        fc.tuple(nullable(...a), nullable(...b)).map(([p, q]) => `{'p': ${p}, 'q.r': ${q}}`),
      ]),
    },
    {
      weight: 1,
      arbitrary: inner.map(([type, values]): [string, fc.Arbitrary<string>] => [
        `MAP(VARCHAR, ${type})`,
        fc.array(nullable(type, values), { maxLength: 3 }).map((items) =>
          `map([${items.map((_, i) => `'k${i}'`).join(", ")}]::VARCHAR[], [${
            items.join(", ")
          }]::${type}[])`
        ),
      ]),
    },
  );
}

function nullable(type: string, values: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 5, arbitrary: values.map((value) => `(${value})::${type}`) },
    { weight: 1, arbitrary: fc.constant(`null::${type}`) },
  );
}

function column(rows: number): fc.Arbitrary<RandomColumn> {
  return typed(2).chain(([type, values]) =>
    fc.oneof(
      fc.array(nullable(type, values), { minLength: rows, maxLength: rows }),
      fc.constant(new Array(rows).fill(`null::${type}`)),
      nullable(type, values).map((value) => new Array(rows).fill(value)),
    ).map((list) => ({ type, values: list }))
  );
}

/** Tables of two flat columns, which may be keys, and a nested one. */
export const keyedTable: fc.Arbitrary<RandomTable> = fc.tuple(
  fc.constantFrom(...scalars),
  fc.constantFrom(...scalars),
  typed(2),
  fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 4 }),
).chain(([first, second, third, sizes]) => {
  // few distinct keys, so that some are equal
  const few = ([type, values]: [string, fc.Arbitrary<string>]) =>
    fc.array(nullable(type, values), { minLength: 1, maxLength: 6 })
      .chain((pool) => fc.array(fc.constantFrom(...pool), { minLength: 100, maxLength: 100 }));
  return fc.tuple(
    few(first),
    few(second),
    fc.array(nullable(...third), { minLength: 100, maxLength: 100 }),
  ).map(([a, b, c]) => {
    let from = 0;
    const files = sizes.map((size) => {
      const file = Array.from({ length: size }, (_, i) => [a[from + i], b[from + i], c[from + i]]);
      from += size;
      return file;
    });
    return { types: [first[0], second[0], third[0]], files };
  });
});

/** Tables of one to five columns in one to four files of up to thirty rows. */
export const randomTable: fc.Arbitrary<RandomTable> = fc.array(fc.integer({ min: 1, max: 30 }), {
  minLength: 1,
  maxLength: 4,
}).chain((sizes) => {
  const rows = sizes.reduce((sum, n) => sum + n, 0);
  return fc.array(column(rows), { minLength: 1, maxLength: 5 }).map((columns) => {
    let from = 0;
    const files = sizes.map((size) => {
      const file = Array.from({ length: size }, (_, i) => columns.map((c) => c.values[from + i]));
      from += size;
      return file;
    });
    return { types: columns.map((c) => c.type), files };
  });
});

/** `select` of a file's rows. */
export function selectOf(table: RandomTable, file: number): string {
  const names = table.types.map((_, i) => `c${i}`).join(", ");
  return `select * from (values ${
    table.files[file].map((row) => `(${row.join(", ")})`).join(", ")
  }) t(${names})`;
}
