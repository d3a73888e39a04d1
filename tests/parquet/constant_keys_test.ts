/** Keys that describe the schema of a file that a merge gave columns. */
import {
  Dictionary,
  DurationMicrosecond,
  Field,
  Int32,
  Int64,
  List,
  Schema,
  Struct,
  Table,
  tableFromIPC,
  tableToIPC,
  TimestampMicrosecond,
  Utf8,
} from "apache-arrow";
import { strict as assert } from "node:assert";
import { withoutFields, withTextFields } from "../../shared/parquet/key_values/arrow_fields.ts";
import { keysWith, keysWithout } from "../../shared/parquet/key_values/constant_keys.ts";

const columns = [{ name: "dataset_id", value: "d" }, { name: "período", value: "007" }];
const names = columns.map(({ name }) => name);

/** `ARROW:schema` of a schema, as its writers make it. */
function messageOf(schema: Schema): string {
  const stream = tableToIPC(new Table(schema), "stream");
  const length = 8 + new DataView(stream.buffer, stream.byteOffset).getInt32(4, true);
  return btoa(String.fromCharCode(...stream.subarray(0, length)));
}

/** The schema of a message, as Arrow's own reader has it. */
function schemaOf(base64: string): Schema {
  const message = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const end = new Uint8Array([255, 255, 255, 255, 0, 0, 0, 0]);
  return tableFromIPC(new Uint8Array([...message, ...end])).schema;
}

const text = (schema: Schema) =>
  schema.fields.map(({ name, type, nullable, metadata }) =>
    `${name}: ${type}${nullable ? "?" : ""} ${JSON.stringify([...metadata])}`
  );

const kinds: [string, Schema][] = [
  ["one column", new Schema([new Field("id", new Int64(), true)])],
  ["no column", new Schema([])],
  [
    "nested columns and metadata",
    new Schema([
      new Field("when", new TimestampMicrosecond("Europe/Paris"), true, new Map([["unit", "µs"]])),
      new Field("word", new Dictionary(new Utf8(), new Int32()), true),
      new Field("took", new DurationMicrosecond(), false),
      new Field(
        "list",
        new List(new Field("item", new Struct([new Field("a", new Utf8(), true)]), true)),
        true,
      ),
    ], new Map([["pandas", '{"columns": []}'], ["own", "word"]])),
  ],
  [
    "many columns",
    new Schema(Array.from({ length: 700 }, (_, i) => new Field(`column ${i}`, new Int32(), true))),
  ],
];

for (const [kind, schema] of kinds) {
  Deno.test(`an Arrow schema of ${kind} gets required texts behind its own, and loses them again`, () => {
    const before = messageOf(schema);
    const after = withTextFields(before, names)!;
    const told = schemaOf(after);
    assert.deepEqual(text(told), [
      ...text(schemaOf(before)),
      ...names.map((name) => `${name}: Utf8 []`),
    ]);
    assert.deepEqual(told.metadata, schemaOf(before).metadata);
    assert.equal(withoutFields(after), before);
  });
}

Deno.test("what is no Arrow schema gets no fields, and what has none of ours loses none", () => {
  const message = messageOf(kinds[0][1]);
  for (
    const value of ["", "no base64!", btoa("short"), btoa("\xff".repeat(64)), message.slice(0, 80)]
  ) {
    assert.equal(withTextFields(value, names), undefined);
    assert.equal(withoutFields(value), undefined);
  }
  assert.equal(withoutFields(message), undefined);
});

const describing = {
  "pandas": '{"columns":[{"name":"id"}],"index_columns":[]}',
  "org.apache.spark.sql.parquet.row.metadata":
    '{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}}]}',
  "parquet.avro.schema": '{"type":"record","name":"row","fields":[{"name":"id","type":"long"}]}',
  "writer.model.name": "avro",
  "geo": '{"columns":{"g":{}}}',
};
const pairsOf = (keys: Record<string, string>) =>
  Object.entries(keys).map(([key, value]) => ({ key, value }));

Deno.test("pandas, Spark and Avro are told of the columns, and of none once these are gone", () => {
  const pairs = pairsOf(describing);
  const given = keysWith(pairs, columns)!;
  const valueOf = (key: string) => JSON.parse(given.find((pair) => pair.key === key)!.value!);
  const told = [
    valueOf("pandas").columns,
    valueOf("org.apache.spark.sql.parquet.row.metadata").fields,
    valueOf("parquet.avro.schema").fields,
  ];
  for (const list of told) {
    assert.deepEqual(list.map(({ name }: { name: string }) => name), ["id", ...names]);
  }
  assert.deepEqual(told[1][1], {
    name: "dataset_id",
    type: "string",
    nullable: false,
    metadata: {},
  });
  assert.deepEqual(given.slice(3), pairs.slice(3), "what names no columns stays as it is");
  assert.deepEqual(keysWithout(given, 2), pairs);
});

Deno.test("a key that speaks of field ids, or of no columns that can be read, goes with the columns", () => {
  const ids = messageOf(
    new Schema([new Field("id", new Int64(), true, new Map([["PARQUET:field_id", "7"]]))]),
  );
  const pairs = pairsOf({
    "ARROW:schema": ids,
    "iceberg.schema": '{"fields":[{"id":7}]}',
    "pandas": "[]",
    "avro.schema": '"string"',
  });
  assert.equal(keysWith(pairs, columns), undefined);
  assert.deepEqual(keysWith(pairs, []), pairs, "where there are no columns all of them stay");
  assert.equal(keysWith(undefined, columns), undefined);
});
