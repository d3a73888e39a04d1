import { strict as assert } from "node:assert";
import fc from "../../support/fast_check.ts";
import { parquetWriteBuffer, type SchemaElement } from "hyparquet-writer";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { convertedType } from "../../../shared/parquet/format/metadata.ts";
import { schemaText } from "../../../shared/parquet/format/schema_text.ts";
import { writeWithDuckDb } from "../sample_files.ts";
import { withFooter } from "../with_footer.ts";
import { randomColumns, randomQuery, type RandomType, variantOf } from "./random_tables.ts";
import { bothUnions, mergeUnited, treeOf } from "./union_merge.ts";

type Table = RandomType & { kind: "struct" };

Deno.test("random tables of which one lacks, widens or reorders columns unite as DuckDB unites them", async () => {
  const pair = randomColumns.chain((table) =>
    fc.tuple(variantOf(table), variantOf(table)).chain(([one, other]) =>
      fc.tuple(randomQuery(one as Table), randomQuery(other as Table))
    )
  );
  await fc.assert(
    fc.asyncProperty(pair, async ([one, other]) => {
      const files = [await writeWithDuckDb(one), await writeWithDuckDb(other)];
      const { result, output } = await mergeUnited(files);
      assert.deepEqual(result.rejected, []);
      const { ours, theirs } = await bothUnions(files, output);
      assert.deepEqual(ours, theirs);
      assert.equal(inspectParquetBytes(output).schemaFingerprint, result.schemaFingerprint);
    }),
    { numRuns: 60, endOnFailure: true },
  );
});

const field = (name: string, some: Partial<SchemaElement>): SchemaElement => ({ name, ...some });
const REQUIRED = { repetition_type: "REQUIRED" as const };
const OPTIONAL = { repetition_type: "OPTIONAL" as const };
const REPEATED = { repetition_type: "REPEATED" as const };

interface Spelling {
  schema: SchemaElement[];
  /** Whether lists, and elements, may be null. */
  nulls: boolean;
  nullElements: boolean;
  /** Whether the wrapper of the elements is taken out of the schema, which leaves the levels as they are. */
  unwrapped?: boolean;
}

/** Ways to spell a list of numbers. */
const spellings: Record<string, Spelling> = {
  "three levels, all nullable": {
    schema: [
      field("l", { ...OPTIONAL, num_children: 1, converted_type: "LIST" }),
      field("list", { ...REPEATED, num_children: 1 }),
      field("element", { ...OPTIONAL, type: "INT32" }),
    ],
    nulls: true,
    nullElements: true,
  },
  "three levels, nothing nullable": {
    schema: [
      field("l", { ...REQUIRED, num_children: 1, converted_type: "LIST" }),
      field("bag", { ...REPEATED, num_children: 1 }),
      field("array_element", { ...REQUIRED, type: "INT32" }),
    ],
    nulls: false,
    nullElements: false,
  },
  "two levels, the list nullable": {
    schema: [
      field("l", { ...OPTIONAL, num_children: 1, converted_type: "LIST" }),
      field("list", { ...REPEATED, num_children: 1 }),
      field("element", { ...REQUIRED, type: "INT32" }),
    ],
    nulls: true,
    nullElements: false,
    unwrapped: true,
  },
  "three levels of int64, elements nullable": {
    schema: [
      field("l", { ...REQUIRED, num_children: 1, converted_type: "LIST" }),
      field("list", { ...REPEATED, num_children: 1 }),
      field("item", { ...OPTIONAL, type: "INT64" }),
    ],
    nulls: false,
    nullElements: true,
  },
};

function listFile(name: string): Uint8Array {
  const { schema, nulls, nullElements, unwrapped } = spellings[name];
  const wide = schema.at(-1)!.type === "INT64";
  const rows = [[1, 2, 3], [], ...(nulls ? [null] : []), [4, ...(nullElements ? [null] : []), 5], [
    -6,
  ]];
  const data = rows.map((row) => row?.map((n) => n !== null && wide ? BigInt(n) : n) ?? null);
  const file = new Uint8Array(parquetWriteBuffer({
    columnData: [{ name: "id", data: rows.map((_, i) => i) }, { name: "l", data }],
    schema: [
      field("root", { num_children: 2 }),
      field("id", { ...REQUIRED, type: "INT32" }),
      ...schema,
    ],
  }));
  return unwrapped ? twoLevels(file) : file;
}

/** The file with its list of required elements spelled in two levels. */
function twoLevels(file: Uint8Array): Uint8Array {
  return withFooter(file, ({ schema, rowGroups }) => {
    const [element] = schema.splice(4, 1);
    schema[3] = { ...element, name: "array", repetition: 2 };
    rowGroups[0].columns[1].metaData!.path = ["l", "array"];
  });
}

const names = Object.keys(spellings);
for (const one of names) {
  for (const other of names) {
    if (one === other) continue;
    Deno.test(`lists of ${one} unite with lists of ${other}`, async () => {
      const files = [listFile(one), listFile(other)];
      const { result, output } = await mergeUnited(files);
      assert.deepEqual(result.rejected, []);
      const { ours, theirs } = await bothUnions(files, output);
      assert.deepEqual(ours, theirs);
      const text = schemaText(treeOf(output));
      const any = [one, other].map((name) => spellings[name]);
      const wide = any.some(({ schema }) => schema.at(-1)!.type === "INT64");
      assert.equal(
        text,
        `"id":INT32!,"l":list<${wide ? "INT64" : "INT32"}${
          any.some((s) => s.nullElements) ? "?" : "!"
        }>${any.some((s) => s.nulls) ? "?" : "!"}`,
      );
    });
  }
}

Deno.test("a repeated field without annotation unites with a list, and is missing as null", async () => {
  const bare = withFooter(listFile("three levels, nothing nullable"), ({ schema, rowGroups }) => {
    const [, , element] = schema.splice(2, 3);
    schema.push({ ...element, name: "l", repetition: 2 });
    rowGroups[0].columns[1].metaData!.path = ["l"];
  });
  const lists = await writeWithDuckDb(
    "select * from (values (3, [5, null]), (4, null), (5, [])) t(id, l)",
  );
  const without = await writeWithDuckDb("select 6::integer as id");
  for (const files of [[bare, lists], [lists, bare], [bare, without], [without, bare]]) {
    const { result, output } = await mergeUnited(files);
    assert.deepEqual(result.rejected, []);
    const { ours, theirs } = await bothUnions(files, output);
    assert.deepEqual(ours, theirs);
  }
});

Deno.test("decimals of all storages unite by sign extension", async () => {
  const values = [-1n, 0n, 1n, -12345n, 999999999n];
  const fixed = (bytes: number) => (value: bigint) => {
    const result = new Uint8Array(bytes);
    for (let i = bytes - 1, rest = value; i >= 0; i--, rest >>= 8n) {
      result[i] = Number(BigInt.asUintN(8, rest));
    }
    return result;
  };
  const file = (some: Partial<SchemaElement>, data: Uint8Array[]) =>
    withFooter(
      new Uint8Array(parquetWriteBuffer({
        columnData: [{ name: "d", data }],
        schema: [field("root", { num_children: 1 }), field("d", { ...REQUIRED, ...some })],
      })),
      ({ schema }) =>
        Object.assign(schema[1], { convertedType: convertedType.DECIMAL, scale: 2, precision: 9 }),
    );
  const files = [
    await writeWithDuckDb("select -123.45::decimal(9, 2) as d"),
    await writeWithDuckDb("select -1234567890123.45::decimal(18, 2) as d"),
    await writeWithDuckDb("select -12345678901234567890123456.45::decimal(30, 2) as d"),
    file({ type: "FIXED_LEN_BYTE_ARRAY", type_length: 5 }, values.map(fixed(5))),
    file({ type: "FIXED_LEN_BYTE_ARRAY", type_length: 20 }, values.map(fixed(20))),
    // as long as need be: 1 to 4 bytes
    file({ type: "BYTE_ARRAY" }, [
      fixed(1)(-1n),
      fixed(1)(0n),
      fixed(2)(-12345n),
      fixed(4)(999999999n),
    ]),
  ];
  for (let i = 0; i < files.length; i++) {
    for (let j = 0; j < files.length; j++) {
      const pair = [files[i], files[j]];
      const { result, output } = await mergeUnited(pair);
      assert.deepEqual(result.rejected, [], `${i} and ${j}`);
      const { ours, theirs } = await bothUnions(pair, output);
      assert.deepEqual([...ours].sort(), [...theirs].sort(), `${i} and ${j}`);
    }
  }
});

Deno.test("milliseconds that overflow microseconds set their file apart, which is sound", async () => {
  const millis = new Uint8Array(parquetWriteBuffer({
    columnData: [{ name: "t", data: [2n ** 60n] }],
    schema: [
      field("root", { num_children: 1 }),
      field("t", {
        ...REQUIRED,
        type: "INT64",
        logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MILLIS" },
      }),
    ],
  }));
  const micros = await writeWithDuckDb("select '2020-01-01'::timestamptz as t");
  const { result } = await mergeUnited([micros, millis]);
  assert.deepEqual(result.merged, ["0"]);
  assert.deepEqual(result.rejected.map(({ id, error, apart }) => [id, error.code, apart]), [
    ["1", "schema_incompatible", "values"],
  ]);
  // with its like it is merged
  const alike = await mergeUnited([millis, millis]);
  assert.deepEqual([alike.result.rejected, alike.result.rowCount], [[], 2]);
});
