/** A merge changes no answer of DuckDB, which knows one of Parquet's two annotations of each type, in any time zone. */
import { strict as assert } from "node:assert";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import type { LogicalType, SchemaElement } from "../../../shared/parquet/format/metadata.ts";
import { bytesReader } from "../../../shared/parquet/format/range_reader.ts";
import { schemaTree } from "../../../shared/parquet/format/schema.ts";
import { schemaJson } from "../../../shared/parquet/format/schema_json.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { merge } from "../../../shared/parquet/merge/merge.ts";
import type { MergeResult } from "../../../shared/parquet/merge/merge_plan.ts";
import { schemaFromJson } from "../../../shared/parquet/merge/union/schema_from_json.ts";
import { compatibleGroups, unionSchema } from "../../../shared/parquet/merge/union/union_schema.ts";
import { columnsOf, digest, fromFiles, zones } from "../corpus/truth.ts";
import { openDuckDb, rowsOf } from "../duckdb_rows.ts";
import { MemorySink } from "../memory_sink.ts";
import { writeWithDuckDb } from "../sample_files.ts";
import { withFooter } from "../with_footer.ts";

type Spelling = Partial<SchemaElement>;

const time = (kind: "TIME" | "TIMESTAMP", unit: "MILLIS" | "MICROS" | "NANOS", utc: boolean) =>
  ({ kind, unit, utc }) as LogicalType;
const integer = (bitWidth: number, signed: boolean): LogicalType => ({
  kind: "INTEGER",
  bitWidth,
  signed,
});
/** An annotation as the old one, the new one, and both. */
const ways = (convertedType: number, logicalType: LogicalType, more: Spelling = {}): Spelling[] => [
  { ...more, convertedType },
  { ...more, logicalType },
  { ...more, convertedType, logicalType },
];

/** Each physical type with all that it may be annotated as. */
const physical: { value: string; spellings: Spelling[] }[] = [
  {
    value: "1735689600000000::bigint",
    spellings: [
      {},
      ...ways(10, time("TIMESTAMP", "MICROS", true)),
      ...ways(10, time("TIMESTAMP", "MICROS", false)).slice(1),
      ...ways(14, integer(64, false)),
      ...ways(18, integer(64, true)),
      ...ways(5, { kind: "DECIMAL", precision: 18, scale: 3 }, { precision: 18, scale: 3 }),
    ],
  },
  {
    value: "86399999::bigint",
    spellings: [
      ...ways(9, time("TIMESTAMP", "MILLIS", true)),
      { logicalType: time("TIMESTAMP", "MILLIS", false) },
      { logicalType: time("TIMESTAMP", "NANOS", true) },
      { logicalType: time("TIMESTAMP", "NANOS", false) },
      ...ways(8, time("TIME", "MICROS", true)),
      ...ways(8, time("TIME", "MICROS", false)).slice(1),
      { logicalType: time("TIME", "NANOS", false) },
    ],
  },
  {
    value: "17::integer",
    spellings: [
      {},
      ...ways(6, { kind: "DATE" }),
      ...ways(7, time("TIME", "MILLIS", true)),
      { logicalType: time("TIME", "MILLIS", false) },
      ...ways(11, integer(8, false)),
      ...ways(13, integer(32, false)),
      ...ways(15, integer(8, true)),
      ...ways(17, integer(32, true)),
      ...ways(5, { kind: "DECIMAL", precision: 9, scale: 2 }, { precision: 9, scale: 2 }),
    ],
  },
  {
    value: "'\"12\"'::varchar",
    spellings: [
      { convertedType: undefined },
      ...ways(0, { kind: "STRING" }),
      ...ways(4, { kind: "ENUM" }),
      ...ways(19, { kind: "JSON" }),
      { convertedType: 0, logicalType: { kind: "JSON" } },
      { logicalType: { kind: "BSON" } },
      { logicalType: { kind: "OTHER", id: 99, member: "00" } },
    ],
  },
  { value: "uuid()", spellings: [{}, { logicalType: { kind: "UUID" } }] },
  {
    value: "interval 1 day",
    spellings: [{}, { convertedType: 21 }, {
      convertedType: 21,
      logicalType: { kind: "UNKNOWN" },
    }],
  },
];

/** Lists and maps with what each of their elements may be, by its place in the schema behind the root. */
const list = (...inner: Spelling[]) => [ways(3, { kind: "LIST" })[0], ...inner];
const map = (...inner: Spelling[]) => [ways(1, { kind: "MAP" })[0], ...inner];
const nestings: { value: string; spellings: Spelling[][] }[] = [
  {
    value: "[1, null, 2]::bigint[]",
    spellings: [
      ...ways(3, { kind: "LIST" }).map((one) => [one]),
      [{}], // a struct, of a repeated group
      list({}, { name: "item" }),
      list({ name: "bag" }, { name: "array_element" }),
      list({ name: "array" }),
      list({ name: "x_tuple" }),
      list({ name: "array" }, { name: "item" }),
    ],
  },
  {
    value: "[{'a': 1}, null]",
    spellings: [
      ...ways(3, { kind: "LIST" }).map((one) => [one]),
      list({ name: "array" }, { name: "array" }),
      list({ name: "x_tuple" }, { name: "item" }),
    ],
  },
  {
    value: "map(['k', 'l'], [1, null])",
    spellings: [
      ...ways(1, { kind: "MAP" }).map((one) => [one]),
      [{}],
      map({ convertedType: 2 }),
      map({ name: "map" }),
      map({ name: "entries" }, { name: "k" }, { name: "v" }),
    ],
  },
];

/** The file with its first column, and what is nested in it, annotated so. */
const spelledAs = (file: Uint8Array, spelling: Spelling | Spelling[]) =>
  withFooter(file, ({ schema, columnOrders, rowGroups }) => {
    for (const [i, one] of [spelling].flat().entries()) {
      Object.assign(schema[1 + i], {
        ...((i === 0 || "convertedType" in one) && {
          convertedType: undefined,
          logicalType: undefined,
          precision: undefined,
          scale: undefined,
        }),
        ...one,
      });
    }
    const { leaves } = schemaTree(schema);
    for (const { columns } of rowGroups) {
      columns.forEach(({ metaData }, i) => metaData!.path = [...leaves[i].path]);
    }
    assert.ok(columnOrders === undefined || columnOrders.length > 0);
  });

async function mergeAs(files: Uint8Array[], schema: Parameters<typeof schemaJson>[0] | undefined) {
  const sink = new MemorySink();
  const result = await merge(
    {
      inputs: files.map((_, i) => ({ id: String(i), level: 0 })),
      target: { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "snappy" },
      ...(schema !== undefined && { schema: schemaJson(schema) }),
      expectedRows: files.length,
    },
    new Map(files.map((bytes, i) => [String(i), bytesReader(bytes)])),
    sink,
  );
  return { result, output: sink.bytes() };
}

for (const { value, spellings } of [...physical, ...nestings]) {
  Deno.test(`any two spellings of ${value} are one output where DuckDB answers the same before and after, else two`, async () => {
    const file = await writeWithDuckDb(`select ${value} as x`);
    const more = await writeWithDuckDb(`select ${value} as x, 'added' as note`);
    const folder = await Deno.makeTempDir();
    const { connection, close } = await openDuckDb();
    let united = 0, apart = 0, n = 0;
    try {
      for (const one of spellings) {
        for (const other of spellings) {
          const files = [spelledAs(file, one), spelledAs(more, other)];
          const trees = files.map((bytes) => inspectParquetBytes(bytes).tree);
          if (compatibleGroups(trees).length > 1) {
            apart++;
            continue;
          }
          const { result, output } = await mergeAs(files, unionSchema(trees));
          assert.deepEqual(result.rejected, []);
          const paths = [...files, output].map((bytes) => {
            const path = `${folder}/${n++}.parquet`;
            Deno.writeFileSync(path, bytes);
            return path;
          });
          const what = `${JSON.stringify(one)} and ${JSON.stringify(other)}`;
          const [inputs, merged] = [fromFiles(...paths.slice(0, 2)), fromFiles(paths[2])];
          // a text beside JSON stays a text, which DuckDB would take for JSON, and fail where it is none
          const columns = (await columnsOf(connection, inputs)).map(({ name, type }) => ({
            name,
            type: type === "JSON" && one !== other ? "VARCHAR" : type,
          }));
          const found = await columnsOf(connection, merged);
          assert.deepEqual(
            found.map(({ name, type }) => ({
              name,
              type: type === "JSON" && one !== other ? "VARCHAR" : type,
            })),
            columns,
            what,
          );
          for (const zone of zones) {
            await connection.run(`set timezone = '${zone}'`);
            assert.equal(
              await digest(connection, merged, columns),
              await digest(connection, inputs, columns),
              `${what}, ${zone}`,
            );
          }
          united++;
        }
      }
    } finally {
      close();
      await Deno.remove(folder, { recursive: true });
    }
    assert.ok(united >= spellings.length, "each is united with itself");
    assert.equal(united + apart, spellings.length ** 2);
  });
}

const local: Spelling = { convertedType: 10 };
const utc: Spelling = { convertedType: 10, logicalType: time("TIMESTAMP", "MICROS", true) };

/** A schema of the catalog from before spellings were known: the text of a UTC timestamp and nothing else. */
const oldSchema = (file: Uint8Array) => {
  const json = schemaJson(inspectParquetBytes(file).tree);
  for (const child of json.children ?? []) delete child.spelling;
  return schemaFromJson(json);
};

Deno.test("a timestamp by its converted type alone stays one under a schema of the catalog that says otherwise", async () => {
  const late = "timestamp '2024-01-01 23:30:00' as ts";
  const file = spelledAs(await writeWithDuckDb(`select ${late}`), local);
  const more = spelledAs(await writeWithDuckDb(`select ${late}, 1 as added`), local);
  const { result, output } = await mergeAs([file, more], oldSchema(more));
  assert.deepEqual(result.rejected, []);
  assert.equal(footerOfBytes(output).metadata.schema[1].logicalType, undefined);
  const path = await Deno.makeTempFile({ suffix: ".parquet" });
  const { connection, close } = await openDuckDb();
  try {
    await Deno.writeFile(path, output);
    for (const zone of zones) {
      await connection.run(`set timezone = '${zone}'`);
      const rows = await rowsOf(connection, `select distinct ts::date::varchar from '${path}'`);
      assert.deepEqual([...rows.keys()], ['"2024-01-01"'], zone);
    }
  } finally {
    close();
    await Deno.remove(path);
  }
});

Deno.test("the first file decides how a column is spelled, and files of another spelling are set apart whole", async () => {
  const file = await writeWithDuckDb("select 1::bigint as x");
  const [a, b] = [spelledAs(file, local), spelledAs(file, utc)];
  const ends = ({ merged, rejected }: MergeResult) => ({
    merged,
    apart: rejected.map(({ id, error, apart }) => [id, error.code, apart]),
  });
  const first = await mergeAs([a, b, a, b], oldSchema(a));
  assert.deepEqual(ends(first.result), {
    merged: ["0", "2"],
    apart: [["1", "schema_incompatible", "schema"], ["3", "schema_incompatible", "schema"]],
  });
  assert.equal(first.result.schema.children![0].spelling, "converted");
  const second = await mergeAs([b, a], oldSchema(a));
  assert.deepEqual(ends(second.result).merged, ["0"]);
  assert.equal(second.result.schema.children![0].spelling, undefined);
});

Deno.test("a UUID beside a text is its text where that is asked for, and apart where not", async () => {
  const uuid = await writeWithDuckDb(
    "select '00112233-4455-6677-8899-aabbccddeeff'::uuid as u, [uuid()] as l",
  );
  const text = await writeWithDuckDb("select 'no uuid' as u, ['x'] as l");
  const trees = [uuid, text].map((bytes) => inspectParquetBytes(bytes).tree);
  assert.equal(compatibleGroups(trees).length, 2);
  assert.equal(compatibleGroups(trees, { uuidAsText: true }).length, 1);
  const folder = await Deno.makeTempDir();
  const { connection, close } = await openDuckDb();
  try {
    for (const files of [[uuid, text], [text, uuid, uuid]]) {
      const sink = new MemorySink();
      const plan = {
        inputs: files.map((_, i) => ({ id: String(i), level: 0 })),
        target: { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "snappy" as const },
        schema: schemaJson(unionSchema(trees, { uuidAsText: true })),
        expectedRows: files.length,
      };
      const readers = new Map(files.map((bytes, i) => [String(i), bytesReader(bytes)]));
      const { rejected } = await merge({ ...plan, union: { uuidAsText: true } }, readers, sink);
      assert.deepEqual(rejected, []);
      const paths = [...files, sink.bytes()].map((bytes, i) => {
        const path = `${folder}/${files.length}-${i}.parquet`;
        Deno.writeFileSync(path, bytes);
        return path;
      });
      const merged = fromFiles(paths.at(-1)!);
      const columns = await columnsOf(connection, merged);
      assert.deepEqual(columns.map(({ type }) => type), ["VARCHAR[]", "VARCHAR"]);
      // DuckDB would make UUIDs of both, and fail where a text is none
      const each = paths.slice(0, -1).map((path) =>
        `select l::varchar[] as l, u::varchar as u ${fromFiles(path)}`
      );
      assert.equal(
        await digest(connection, merged, columns),
        await digest(connection, `from (${each.join(" union all ")})`, columns),
      );
      const unasked = await merge(plan, readers, new MemorySink());
      assert.ok(unasked.rejected.length > 0 && unasked.rejected.every(({ apart }) => apart));
    }
  } finally {
    close();
    await Deno.remove(folder, { recursive: true });
  }
});
