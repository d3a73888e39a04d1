/** Columns of the null type (Arrow null, logical UNKNOWN) beside columns of others. */
import { strict as assert } from "node:assert";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { schemaText } from "../../../shared/parquet/format/schema_text.ts";
import { planByName } from "../../../shared/parquet/merge/union/plan_by_name.ts";
import { unionSchema } from "../../../shared/parquet/merge/union/union_schema.ts";
import { mergeBytes, paths } from "../core/merge_bytes.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { withFooter } from "../with_footer.ts";
import { bothUnions, mergeUnited, treeOf } from "./union_merge.ts";

/** A file whose last leaf, of nulls, is annotated as arrow-rs and polars do it: INT32, UNKNOWN. */
async function annotated(query: string): Promise<Uint8Array> {
  return withFooter(await writeWithDuckDb(query), ({ schema }) => {
    schema.at(-1)!.convertedType = undefined;
    schema.at(-1)!.logicalType = { kind: "UNKNOWN" };
  });
}

const nulls = await annotated("select null::integer as x from range(3)");
const lists = await annotated(
  "select * from (values ([null::integer]), ([]), ([null, null])) t(x)",
);
const structs = await annotated("select {'a': null::integer} as x from range(3)");

const pairs: [string, Uint8Array, string][] = [
  ["text", nulls, "select * from (values ('a'), (null), ('')) t(x)"],
  ["booleans", nulls, "select true as x"],
  ["decimals", nulls, "select -1.25::decimal(30, 2) as x"],
  ["lists", nulls, "select * from (values ([1, null]), (null), ([])) t(x)"],
  ["structs", nulls, "select {'a': 1, 'b': [{'c': 'd'}]} as x"],
  ["maps", nulls, "select map(['k'], [1.5::double]) as x"],
  ["lists of text", lists, "select * from (values (['a', null]), (null), ([])) t(x)"],
  ["lists of structs", lists, "select * from (values ([{'a': 1, 'b': [2, 3]}, null]), ([])) t(x)"],
  ["structs of times", structs, "select {'a': timestamp '1969-12-31 23:59:59.5'} as x"],
];

for (const [what, file, query] of pairs) {
  Deno.test(`nulls unite with ${what} as DuckDB unites them, whichever is first`, async () => {
    const other = await writeWithDuckDb(query);
    for (const files of [[file, other], [other, file]]) {
      const { result, output } = await mergeUnited(files);
      assert.deepEqual(result.rejected, []);
      const { ours, theirs } = await bothUnions(files, output);
      assert.deepEqual(ours, theirs);
    }
    // the other's types, nullable where the nulls stood
    const strict = (text: string) => text.replaceAll(/[!?]/g, "");
    const { output } = await mergeUnited([file, other]);
    assert.equal(strict(schemaText(treeOf(output))), strict(schemaText(treeOf(other))));
  });
}

Deno.test("nulls unite with lists and structs page by page, too", async () => {
  const query = "select {'a': [i], 'b': {'c': i, 'd': i::varchar}} as x from range(2000) r(i)";
  const other = await writeWithDuckDb(query);
  const many = await annotated("select null::integer as x from range(3000)");
  const schema = unionSchema([treeOf(many), treeOf(other)]);
  const { result, output } = await mergeBytes([many, other, many], 8000, {
    schema,
    planSource: planByName,
    settings: paths["page by page"],
  });
  assert.deepEqual(result.rejected, []);
  const { ours, theirs } = await bothUnions([many, other, many], output);
  assert.deepEqual(ours, theirs);
});

Deno.test("nulls in a struct unite with a list, where DuckDB has no union", async () => {
  const other = "select {'a': [{'b': 1}, null]} as x";
  const files = [structs, await writeWithDuckDb(other)];
  const { result, output } = await mergeUnited(files);
  assert.deepEqual(result.rejected, []);
  const expected = await writeWithDuckDb(
    `select {'a': null::struct(b integer)[]} as x from range(3) union all ${other}`,
  );
  assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(expected));
});

Deno.test("files of nothing but nulls stay what they are", async () => {
  const { result, output } = await mergeUnited([nulls, nulls]);
  assert.deepEqual(result.rejected, []);
  assert.equal(schemaText(treeOf(output)), schemaText(treeOf(nulls)));
  assert.equal(inspectParquetBytes(output).rowCount, 6);
});

Deno.test("a column that says that it is null and has values leaves its file out", async () => {
  const liars = [
    await annotated("select 7::integer as x"),
    await annotated("select i::integer as x from range(100) r(i)"),
    await annotated("select 'a' as x from range(100)"),
    await annotated("select true as x"),
  ];
  for (const query of ["select 'text' as x", "select 5::bigint as x", "select false as x"]) {
    const good = await writeWithDuckDb(query);
    for (const liar of liars) {
      const { result, output } = await mergeUnited([good, liar, good]);
      assert.deepEqual(result.rejected.map(({ id, error }) => [id, error.code]), [
        ["1", "schema_incompatible"],
      ]);
      const twice = await rowsOfBytes(good, good);
      assert.deepEqual([...await rowsOfBytes(output)], [...twice]);
    }
  }
});
