/** Filters beside DuckDB's: SQL's logic of three values, and statistics that must rule out nothing that matches. */
import { strict as assert } from "node:assert";
import { openDuckDb } from "../parquet/duckdb_rows.ts";
import { writeWithDuckDb } from "../parquet/sample_files.ts";
import fc from "../support/fast_check.ts";
import { readParquet } from "../support/duckdb.ts";
import { thrownBy } from "../support/thrown_by.ts";
import type { Literal, Where } from "../../shared/reader/where/where.ts";
import { batchRows, duckRows } from "./support/exact_rows.ts";
import { openFake } from "./support/fake_service.ts";

/** More with `FUZZ_RUNS`. */
const runs = Number(Deno.env.get("FUZZ_RUNS") ?? 60);

/** A column: its type in SQL, or one a file, values in SQL, and literals as the reader takes them and in SQL. */
interface Column {
  types: string[];
  values: string[];
  literals: [ours: Literal, sql: string][];
  isFloating?: true;
}

const day = (text: string): [Literal, string] => [new Date(text), `timestamp '${text}'`];

const columns: Record<string, Column> = {
  i: {
    types: ["integer", "smallint", "bigint"],
    values: ["-32768", "-1", "0", "1", "7", "32767"],
    literals: [[0, "0"], [7n, "7"], [-1, "-1"], [1.5, "1.5::double"], [
      2n ** 70n,
      "(2::double^70)",
    ]],
  },
  u: {
    types: ["ubigint"],
    values: ["0", "1", "9007199254740993", "18446744073709551615"],
    literals: [
      [9007199254740993n, "9007199254740993::ubigint"],
      [18446744073709551615n, "18446744073709551615::ubigint"],
      [1, "1"],
    ],
  },
  f: {
    types: ["double", "float"],
    values: ["'nan'", "'-0'", "0", "'inf'", "'-inf'", "1.5", "-2.25"],
    literals: [[0, "0"], [-0, "0"], [1.5, "1.5"], [Infinity, "'inf'"], [-3n, "-3"]],
    isFloating: true,
  },
  d: {
    types: ["decimal(9,2)", "decimal(5,1)", "decimal(20,4)"],
    values: ["-999.9", "-0.1", "0", "0.1", "12.5", "999.9"],
    literals: [
      ["12.5", "12.5::decimal(9,2)"],
      ["0.05", "0.05::decimal(9,2)"],
      ["-0.000001", "-0.000001::decimal(12,6)"],
      [0, "0"],
      [-999n, "-999"],
    ],
  },
  s: {
    types: ["varchar"],
    values: ["''", "'a'", "'ä'", "'z'", "'zz'", "'\uff5e'", "'😀'", "repeat('long ', 40)"],
    literals: [["a", "'a'"], ["\uff5e", "'\uff5e'"], ["😀", "'😀'"], ["", "''"], [
      "long ",
      "'long '",
    ]],
  },
  t: {
    types: ["timestamp", "timestamp_ms"],
    values: [
      "'1969-12-31 23:59:59.999'",
      "'2024-02-29 12:00:00'",
      "'2024-02-29 12:00:00.001'",
      "'9999-01-01'",
    ],
    literals: [
      [new Date("2024-02-29T12:00:00Z"), "timestamp '2024-02-29 12:00:00'"],
      [new Date("2024-02-29T12:00:00.001Z"), "timestamp '2024-02-29 12:00:00.001'"],
      [new Date(-1), "timestamp '1969-12-31 23:59:59.999'"],
    ],
  },
  dt: {
    types: ["date"],
    values: ["'0001-01-01'", "'1969-12-31'", "'2024-02-29'", "'9999-12-31'"],
    literals: [
      day("2024-02-29"),
      day("1969-12-31"),
      [new Date("2024-02-29T11:00:00Z"), "timestamp '2024-02-29 11:00:00'"],
      [-1n, "date '1969-12-31'"],
    ],
  },
  b: {
    types: ["boolean"],
    values: ["true", "false"],
    literals: [[true, "true"], [false, "false"]],
  },
  uu: {
    types: ["uuid"],
    values: ["'00000000-0000-0000-0000-000000000000'", "'7e57d004-2b97-4e7a-b45f-5387367791cd'"],
    literals: [[
      "7e57d004-2b97-4e7a-b45f-5387367791cd",
      "'7e57d004-2b97-4e7a-b45f-5387367791cd'::uuid",
    ]],
  },
  bl: {
    types: ["blob"],
    values: ["''", "'\\x00\\xff'", "'abc'"],
    literals: [[new Uint8Array([0, 255]), "'\\x00\\xff'::blob"], [new Uint8Array(0), "''::blob"]],
  },
  li: { types: ["integer[]"], values: ["[1]", "[]", "[null]"], literals: [] },
};
const names = Object.keys(columns);

/** A filter and the same in SQL. */
interface Both {
  where: Where;
  sql: string;
}

const comparison: fc.Arbitrary<Both> = fc.constantFrom(...names).chain((name) => {
  const { literals, isFloating } = columns[name];
  const isNull = fc.boolean().map((negated): Both => {
    const op = negated ? "is not null" : "is null";
    return { where: { column: name, op }, sql: `${name} ${op}` };
  });
  if (literals.length === 0) return isNull;
  const one = fc.record({
    op: fc.constantFrom("=", "!=", "<", "<=", ">", ">=" as const),
    literal: fc.constantFrom(...literals),
  }).map(({ op, literal: [value, text] }): Both => {
    const plain = `${name} ${op} ${text}`;
    // DuckDB has NaN equal to itself and above all others; here it is as IEEE 754 has it
    const sql = isFloating
      ? `(case when isnan(${name}) then ${op === "!="} else ${plain} end)`
      : plain;
    return { where: { column: name, op, value } as Where, sql };
  });
  const list = fc.array(fc.constantFrom(...literals), { minLength: 1, maxLength: 3 }).map(
    (some): Both => ({
      where: { column: name, op: "in", values: some.map(([value]) => value) },
      sql: `(${
        some.map(([, text]) =>
          isFloating
            ? `(case when isnan(${name}) then false else ${name} = ${text} end)`
            : `${name} = ${text}`
        ).join(" or ")
      })`,
    }),
  );
  return fc.oneof({ weight: 5, arbitrary: one }, list, isNull);
});

const { filter } = fc.letrec<{ filter: Both }>((tie) => ({
  filter: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    { weight: 3, arbitrary: comparison },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.boolean(), fc.array(tie("filter"), { minLength: 1, maxLength: 3 }))
        .map(([isAnd, parts]): Both => {
          const wheres = parts.map(({ where }) => where);
          return {
            where: isAnd ? { and: wheres } : { or: wheres },
            sql: `(${parts.map(({ sql }) => sql).join(isAnd ? " and " : " or ")})`,
          };
        }),
    },
    {
      weight: 1,
      arbitrary: tie("filter").map(({ where, sql }): Both => ({
        where: { not: where },
        sql: `(not ${sql})`,
      })),
    },
  ),
}));

/** The rows of a file: it has few values of each column, so that statistics say something. */
const file = fc.record({
  kept: fc.shuffledSubarray(names, { minLength: names.length - 2 }),
  step: fc.nat(5),
  rows: fc.array(
    fc.tuple(
      ...names.map((name) => fc.option(fc.constantFrom(...columns[name].values), { freq: 4 })),
    ),
    { minLength: 1, maxLength: 8 },
  ),
  few: fc.tuple(...names.map((name) => fc.constantFrom(...columns[name].values))),
  narrow: fc.tuple(...names.map(() => fc.boolean())),
}).map(({ kept, step, rows, few, narrow }) =>
  rows.map((row) =>
    `select ${
      kept.map((name) => {
        const at = names.indexOf(name);
        const { types } = columns[name];
        const type = types[step % types.length];
        const value = narrow[at] ? few[at] : row[at] ?? "null";
        return `(${value})::${type} as ${name}`;
      }).join(", ")
    }`
  ).join(" union all ")
);

Deno.test("rows that meet a filter are those that SQL gives, whatever the statistics rule out", async () => {
  const { connection, close } = await openDuckDb();
  await connection.run("set timezone = 'UTC'");
  const folder = await Deno.makeTempDir();
  let written = 0, filesPruned = 0, groupsPruned = 0;
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.array(file, { minLength: 1, maxLength: 4 }),
        fc.array(filter, { minLength: 4, maxLength: 8 }),
        async (queries, filters) => {
          const files = await Promise.all(queries.map((query) => writeWithDuckDb(query)));
          const paths = files.map((bytes) => {
            const path = `${folder}/${written++}.parquet`;
            Deno.writeFileSync(path, bytes);
            return path;
          });
          const { dataset } = await openFake(files.map((bytes) => ({ bytes })));
          const known = (await dataset.schema("t")).fields.map(({ name }) => name);
          await connection.run(`create or replace temp table t as from ${readParquet(paths)}`);
          for (const { where, sql } of filters) {
            if (!names.every((name) => known.includes(name))) continue;
            const scan = dataset.scan({ table: "t", where });
            const rows = batchRows((await scan.toTable()).batches);
            const theirs = await duckRows(
              connection,
              `select ${known.join(", ")} from t where ${sql}`,
            );
            assert.deepEqual(rows.sort(), theirs.sort(), sql);
            filesPruned += scan.report.filesPruned;
            groupsPruned += scan.report.groupsPruned;
          }
        },
      ),
      { numRuns: runs, endOnFailure: true },
    );
  } finally {
    close();
    await Deno.remove(folder, { recursive: true });
  }
  assert.ok(filesPruned > 0 && groupsPruned > 0, `${filesPruned} files, ${groupsPruned} groups`);
});

Deno.test("a filter that can't be meant is refused, naming the column and what is expected", async () => {
  const bytes = await writeWithDuckDb(
    "select 1 as i, 'a' as s, 1.5::decimal(5,2) as d, [1] as l, true as b, date '2024-01-01' as dt",
  );
  const { dataset } = await openFake([{ bytes }]);
  // deno-lint-ignore no-explicit-any -- what a caller without types may give
  const refused: [any, RegExp][] = [
    [{ column: "nope", op: "=", value: 1 }, /no column nope/],
    [{ column: "i", op: "=", value: "1" }, /column i can't be compared with "1"/],
    [{ column: "i", op: "=", value: null }, /null is never true/],
    [{ column: "i", op: "like", value: 1 }, /like is no comparison/],
    [{ column: "s", op: "<", value: 1 }, /column s/],
    [{ column: "d", op: "=", value: 1.5 }, /column d/],
    [{ column: "l", op: "=", value: 1 }, /l is a list/],
    [{ column: "b", op: "=", value: 1 }, /column b/],
    [{ column: "dt", op: "=", value: "2024-01-01" }, /column dt/],
    ["i = 1", /no object/],
  ];
  for (const [where, message] of refused) {
    for (const columns of [undefined, ["i"]]) {
      const error = await thrownBy(dataset.toTable({ table: "t", columns, where }));
      assert.deepEqual([error.code, error.field], ["invalid_request", "where"], error.message);
      assert.match(error.message, message);
      assert.ok(error.expected);
    }
  }
});

Deno.test("a number is compared with times in the column's own unit", async () => {
  const bytes = await writeWithDuckDb(
    "select i as n, make_timestamp(i) as us, epoch_ms(i)::timestamp_ms as ms, make_timestamp_ns(i) as ns, " +
      "date '1970-01-01' + i::integer as d, '00:00:00'::time + to_microseconds(i) as t from range(10) r(i)",
  );
  const { dataset } = await openFake([{ bytes }]);
  for (const column of ["us", "ms", "ns", "d", "t"]) {
    for (const value of [3, 3n]) {
      const where: Where = { column, op: "<=", value };
      const table = await dataset.toTable({ table: "t", columns: ["n"], where });
      assert.deepEqual(batchRows(table.batches), ["n:0", "n:1", "n:2", "n:3"], column);
    }
  }
});
