import { strict as assert } from "node:assert";
import { avroFile, fileOf, join, long, record, text } from "./avro_writer.ts";
import { ParquetReader } from "./read_parquet.ts";
import { thrown } from "./thrown.ts";

async function converted(type: unknown, values: unknown[]) {
  const reader = await ParquetReader.open();
  try {
    const file = avroFile(record({ u: type }), values.map((u) => ({ u })));
    const { types, rows } = await reader.convert(file);
    return { type: types.u, values: rows.map(({ u }) => u) };
  } finally {
    await reader.close();
  }
}

Deno.test("null with one other type, in either order, is that type with nulls", async () => {
  const values = [null, { string: "" }, { string: "x" }, null];
  for (const type of [["null", "string"], ["string", "null"]]) {
    assert.deepEqual(await converted(type, values), {
      type: "VARCHAR",
      values: [null, "", "x", null],
    });
  }
});

Deno.test("a union of one type is that type, and of nothing but null a column of nulls", async () => {
  assert.deepEqual(await converted(["long"], [{ long: 5n }]), { type: "BIGINT", values: [5n] });
  assert.deepEqual((await converted(["null"], [null, null])).values, [null, null]);
  assert.deepEqual((await converted("null", [null, null])).values, [null, null]);
});

Deno.test("int with long is long, float with double is double, nulls beside or not", async () => {
  const most = 2n ** 63n - 1n;
  for (const type of [["int", "long"], ["long", "null", "int"]]) {
    assert.deepEqual(
      await converted(type, [{ int: -(2 ** 31) }, { long: most }, { int: 7 }]),
      { type: "BIGINT", values: [-(2n ** 31n), most, 7n] },
    );
  }
  const tenth = Math.fround(0.1);
  assert.deepEqual(
    await converted(["null", "float", "double"], [{ float: tenth }, { double: 0.1 }, null, {
      float: -0,
    }, { float: NaN }]),
    { type: "DOUBLE", values: [tenth, 0.1, null, -0, NaN] },
  );
});

Deno.test("a logical type keeps int and long apart", async () => {
  const date = { type: "int", logicalType: "date" };
  const { type, values } = await converted([date, "long"], [{ int: -1 }, { long: 3n }]);
  assert.equal(type, "STRUCT(member0 DATE, member1 BIGINT)");
  assert.deepEqual(values, [
    { member0: { days: -1 }, member1: null },
    { member0: null, member1: 3n },
  ]);
});

Deno.test("other unions are structs whose members are numbered without null", async () => {
  const type = [
    "int",
    "null",
    "string",
    { type: "array", items: "int" },
    record({ a: "int" }, "A"),
  ];
  const read = await converted(type, [{ string: "s" }, null, { array: [1, 2] }, { int: 4 }, {
    A: { a: 9 },
  }, { array: [] }]);
  assert.equal(
    read.type,
    "STRUCT(member0 INTEGER, member1 VARCHAR, member2 INTEGER[], member3 STRUCT(a INTEGER))",
  );
  const none = { member0: null, member1: null, member2: null, member3: null };
  assert.deepEqual(read.values, [
    { ...none, member1: "s" },
    null,
    { ...none, member2: [1, 2] },
    { ...none, member0: 4 },
    { ...none, member3: { a: 9 } },
    { ...none, member2: [] },
  ]);
});

Deno.test("a branch that does not exist is invalid_avro, and a fault inside one names the member", async () => {
  const reader = await ParquetReader.open();
  try {
    for (const index of [-1, 2, 5]) {
      const file = fileOf(record({ u: ["null", "int"] }), [long(0), long(index)]);
      const error = await thrown("invalid_avro", () => reader.convert(file));
      assert.match(error.message, /branch -?\d of a union that has 2/);
      assert.deepEqual([error.field, error.extra], ["u", { block: 0, row: 1 }]);
    }
    const schema = record({ u: ["int", { type: "map", values: "string" }] });
    const row = join(long(1), long(1), text("k"), text(Uint8Array.of(0xff)), [0]);
    const error = await thrown("invalid_avro", () => reader.convert(fileOf(schema, [row])));
    assert.equal(error.field, "u.member1{}");
  } finally {
    await reader.close();
  }
});
