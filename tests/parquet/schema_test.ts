import { strict as assert } from "node:assert";
import { SedimentError } from "../../shared/errors.ts";
import { footerOfBytes } from "../../shared/parquet/format/footer.ts";
import {
  convertedType,
  type LogicalType,
  physicalType,
  repetition,
  type SchemaElement,
} from "../../shared/parquet/format/metadata.ts";
import { schemaTree } from "../../shared/parquet/format/schema.ts";
import { schemaJson } from "../../shared/parquet/format/schema_json.ts";
import { schemaFingerprint } from "../../shared/parquet/format/schema_fingerprint.ts";
import { schemaText, shapeText } from "../../shared/parquet/format/schema_text.ts";
import { mixedRows, writeWithDuckDb } from "./sample_files.ts";

const { REQUIRED, OPTIONAL, REPEATED } = repetition;
const { INT32, INT64, BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY } = physicalType;

function element(name: string, some: Partial<SchemaElement>): SchemaElement {
  return {
    type: undefined,
    typeLength: undefined,
    repetition: OPTIONAL,
    name,
    numChildren: undefined,
    convertedType: undefined,
    scale: undefined,
    precision: undefined,
    fieldId: undefined,
    logicalType: undefined,
    ...some,
  };
}

const root = (numChildren: number) => element("schema", { numChildren, repetition: undefined });
const list: LogicalType = { kind: "LIST" };
const textOf = (...elements: SchemaElement[]) => schemaText(schemaTree(elements));

Deno.test("levels count the optional and repeated nodes on the way down", () => {
  const { leaves } = schemaTree([
    root(2),
    element("a", { numChildren: 1, logicalType: list }),
    element("list", { numChildren: 1, repetition: REPEATED }),
    element("element", { type: INT32 }),
    element("b", { type: INT64, repetition: REQUIRED }),
  ]);
  const levels = leaves.map((leaf) => [leaf.path, leaf.definitionLevel, leaf.repetitionLevel]);
  assert.deepEqual(levels, [[["a", "list", "element"], 3, 1], [["b"], 0, 0]]);
});

Deno.test("lists of two and three levels, by any names of their groups, have one type", () => {
  const three = (repeated: string, item: string, kind: number = REQUIRED) =>
    textOf(
      root(1),
      element("a", { numChildren: 1, convertedType: convertedType.LIST }),
      element(repeated, { numChildren: 1, repetition: REPEATED }),
      element(item, { type: INT32, repetition: kind }),
    );
  const two = textOf(
    root(1),
    element("a", { numChildren: 1, convertedType: convertedType.LIST, logicalType: list }),
    element("array", { type: INT32, repetition: REPEATED }),
  );
  assert.equal(two, '"a":list<INT32!>?');
  assert.equal(three("list", "element"), two);
  assert.equal(three("bag", "array_element"), two);
  assert.notEqual(three("list", "element", OPTIONAL), two);
  // one that the rules read as a list of structs of one field, and DuckDB as a list of numbers
  for (const name of ["array", "a_tuple"]) {
    assert.equal(
      three(name, "element"),
      `"a":list<{"element":INT32!}~{"element"!:INT32}!>~LIST{"${name}"*{"element"!:INT32}}?`,
    );
  }
});

Deno.test("a list or map that DuckDB takes for a struct has a type of its own", () => {
  const entries = (outer: Partial<SchemaElement>, children: number) =>
    textOf(
      root(1),
      element("x", { numChildren: 1, ...outer }),
      element("g", { numChildren: children, repetition: REPEATED }),
      ...["k", "v"].slice(0, children).map((name) => element(name, { type: INT32 })),
    );
  const { LIST, MAP, MAP_KEY_VALUE } = convertedType;
  const map: LogicalType = { kind: "MAP" };
  const lists = [{ convertedType: LIST }, { convertedType: LIST, logicalType: list }];
  assert.deepEqual(lists.map((outer) => entries(outer, 1)), [
    '"x":list<INT32?>?',
    '"x":list<INT32?>?',
  ]);
  assert.equal(
    entries({ logicalType: list }, 1),
    '"x":list<INT32?>~LIST~logical{"g"*{"k"?:INT32}}?',
  );
  const maps = [{ convertedType: MAP }, { convertedType: MAP, logicalType: map }];
  assert.deepEqual(maps.map((outer) => entries(outer, 2)), [
    '"x":map<INT32?,INT32?>?',
    '"x":map<INT32?,INT32?>?',
  ]);
  const others = [{ logicalType: map }, { convertedType: MAP_KEY_VALUE }];
  assert.deepEqual(others.map((outer) => entries(outer, 2)), [
    '"x":map<INT32?,INT32?>~MAP~logical{"g"*{"k"?:INT32,"v"?:INT32}}?',
    '"x":map<INT32?,INT32?>~MAP~MAP_KEY_VALUE{"g"*{"k"?:INT32,"v"?:INT32}}?',
  ]);
});

Deno.test("a map of both annotations is the map of the old one", () => {
  const map = (outer: Partial<SchemaElement>) =>
    textOf(
      root(1),
      element("m", { numChildren: 1, ...outer }),
      element("entries", { numChildren: 2, repetition: REPEATED }),
      element("k", { type: BYTE_ARRAY, repetition: REQUIRED, convertedType: convertedType.UTF8 }),
      element("v", { type: INT32 }),
    );
  const both = { convertedType: convertedType.MAP, logicalType: { kind: "MAP" as const } };
  assert.equal(map(both), '"m":map<STRING!,INT32?>?');
  assert.equal(map({ convertedType: convertedType.MAP }), map(both));
});

Deno.test("a converted type is the logical type that it stands for, unless a reader answers otherwise", () => {
  const leaf = (some: Partial<SchemaElement>) => textOf(root(1), element("a", some));
  const utc: LogicalType = { kind: "TIMESTAMP", utc: true, unit: "MICROS" };
  const local: LogicalType = { kind: "TIMESTAMP", utc: false, unit: "MICROS" };
  const micros = convertedType.TIMESTAMP_MICROS;
  assert.equal(leaf({ type: INT64, logicalType: utc }), '"a":TIMESTAMP(MICROS,UTC)?');
  assert.equal(
    leaf({ type: INT64, convertedType: micros, logicalType: utc }),
    leaf({ type: INT64, logicalType: utc }),
  );
  // which DuckDB takes for a local time
  assert.equal(
    leaf({ type: INT64, convertedType: micros }),
    '"a":TIMESTAMP(MICROS,UTC)~converted?',
  );
  const text: LogicalType = { kind: "STRING" };
  assert.equal(
    leaf({ type: BYTE_ARRAY, convertedType: convertedType.UTF8 }),
    leaf({ type: BYTE_ARRAY, convertedType: convertedType.UTF8, logicalType: text }),
  );
  // which DuckDB takes for bytes
  assert.equal(leaf({ type: BYTE_ARRAY, logicalType: text }), '"a":STRING~logical?');
  assert.equal(
    leaf({ type: INT64, convertedType: micros, logicalType: local }),
    '"a":TIMESTAMP(MICROS,LOCAL)?',
  );
  assert.equal(leaf({ type: INT32, convertedType: convertedType.INT_32 }), leaf({ type: INT32 }));
  assert.equal(
    leaf({ type: INT32, convertedType: convertedType.UINT_16 }),
    '"a":INTEGER(16,UNSIGNED)?',
  );
  const decimal = { convertedType: convertedType.DECIMAL, precision: 9, scale: 2 };
  assert.equal(leaf({ type: INT32, ...decimal }), '"a":DECIMAL(9,2):INT32?');
});

Deno.test("decimals of two storages have two fingerprints", () => {
  const decimal: LogicalType = { kind: "DECIMAL", precision: 9, scale: 2 };
  const one = schemaTree([root(1), element("a", { type: INT32, logicalType: decimal })]);
  const other = schemaTree([
    root(1),
    element("a", { type: FIXED_LEN_BYTE_ARRAY, typeLength: 5, logicalType: decimal }),
  ]);
  assert.notEqual(schemaFingerprint(one), schemaFingerprint(other));
  assert.notEqual(shapeText(one), shapeText(other));
});

Deno.test("a name, a type, a nullability or an order that differs makes another fingerprint", () => {
  const variants = [
    [element("a", { type: INT32 }), element("b", { type: INT32 })],
    [element("b", { type: INT32 }), element("a", { type: INT32 })],
    [element("a", { type: INT64 }), element("b", { type: INT32 })],
    [element("a", { type: INT32, repetition: REQUIRED }), element("b", { type: INT32 })],
    [element("a", { type: INT32, repetition: REPEATED }), element("b", { type: INT32 })],
    [element('a":INT32?,"c', { type: INT32 }), element("b", { type: INT32 })],
    [element("a", { numChildren: 1 }), element("b", { type: INT32 })],
  ];
  const trees = variants.map((two) =>
    two[0].type === undefined
      ? schemaTree([root(1), two[0], two[1]])
      : schemaTree([root(2), ...two])
  );
  assert.equal(new Set(trees.map((tree) => schemaFingerprint(tree))).size, variants.length);
});

Deno.test("a fingerprint is the same today as when this test was written", () => {
  const tree = schemaTree([root(1), element("id", { type: INT64, repetition: REQUIRED })]);
  assert.equal(schemaText(tree), '"id":INT64!');
  assert.equal(
    schemaFingerprint(tree),
    "3625075b1822cc7e1cbc0514b81bed92f864e9769d3cc30c1ad929cbfda7441f",
  );
});

Deno.test("two files of the same query have the same fingerprint", async () => {
  const [one, two] = [
    await writeWithDuckDb(mixedRows(0, 3)),
    await writeWithDuckDb(mixedRows(500, 2)),
  ]
    .map((file) => schemaTree(footerOfBytes(file).metadata.schema));
  assert.equal(schemaFingerprint(one), schemaFingerprint(two));
  assert.match(
    schemaText(one),
    /"ls":list<STRING\?>\?,"st":\{"a":INT64\?,"b":list<\{"c":STRING\?\}\?>\?\}\?/,
  );
});

Deno.test("the catalog's form of a schema names types, roles and repetitions", () => {
  const tree = schemaTree([
    root(2),
    element("id", { type: FIXED_LEN_BYTE_ARRAY, typeLength: 16, logicalType: { kind: "UUID" } }),
    element("st", { numChildren: 1, repetition: REQUIRED }),
    element("x", { type: INT32 }),
  ]);
  assert.deepEqual(schemaJson(tree), {
    name: "schema",
    children: [
      { name: "id", type: "FIXED_LEN_BYTE_ARRAY(16)", logical: "UUID", repetition: "optional" },
      {
        name: "st",
        repetition: "required",
        children: [{ name: "x", type: "INT32", repetition: "optional" }],
      },
    ],
  });
});

Deno.test("what is no tree, or no type, is refused with its code", () => {
  const refusals: [string, SchemaElement[]][] = [
    ["invalid_parquet", [root(2), element("a", { type: INT32 })]],
    ["invalid_parquet", [root(1), element("a", { type: INT32 }), element("b", { type: INT32 })]],
    ["invalid_parquet", [root(0)]],
    ["invalid_parquet", [root(-1), element("a", { type: INT32 })]],
    ["invalid_parquet", [root(2 ** 31 - 1), element("a", { type: INT32 })]],
    ["invalid_parquet", [root(1), element("a", {})]],
    ["invalid_parquet", [root(1), element("a", { type: 8 })]],
    ["invalid_parquet", [root(1), element("a", { type: INT32, repetition: 3 })]],
    ["invalid_parquet", [root(1), element("a", { type: INT32, numChildren: 1 })]],
    ["invalid_parquet", [root(1), element("a", { type: FIXED_LEN_BYTE_ARRAY })]],
    ["invalid_parquet", [root(1), element("a", { type: INT32, logicalType: { kind: "STRING" } })]],
    ["invalid_parquet", [
      root(1),
      element("a", { type: INT32, logicalType: { kind: "DECIMAL", precision: 10, scale: 0 } }),
    ]],
    ["unsupported_parquet", [root(1), element("a", { type: INT32, convertedType: 77 })]],
    ["unsupported_parquet", [
      root(2),
      element("a", { type: INT32 }),
      element("A", { type: INT32 }),
    ]],
    ["unsupported_parquet", [
      root(2),
      element("a", { type: INT32 }),
      element("a", { type: INT32 }),
    ]],
    ["invalid_parquet", Array.from({ length: 200 }, () => root(1))],
  ];
  for (const [code, elements] of refusals) {
    assert.throws(
      () => schemaTree(elements),
      (error) => error instanceof SedimentError && error.code === code,
      JSON.stringify(elements.slice(0, 3)),
    );
  }
});

Deno.test("annotations that contradict each other are refused, and kinds of text are not", () => {
  const leaf = (some: Partial<SchemaElement>) => [root(1), element("a", some)];
  const contradictions = [
    leaf({ type: BYTE_ARRAY, convertedType: convertedType.UTF8, logicalType: { kind: "BSON" } }),
    leaf({ type: INT32, convertedType: convertedType.TIME_MILLIS, logicalType: { kind: "DATE" } }),
    leaf({
      type: INT64,
      convertedType: convertedType.TIMESTAMP_MILLIS,
      logicalType: { kind: "TIMESTAMP", utc: true, unit: "MICROS" },
    }),
    leaf({
      type: INT32,
      convertedType: convertedType.DECIMAL,
      scale: 2,
      precision: 9,
      logicalType: { kind: "DECIMAL", scale: 3, precision: 9 },
    }),
    leaf({ type: INT32, convertedType: 77, logicalType: { kind: "DATE" } }),
  ];
  for (const elements of contradictions) {
    assert.throws(() => schemaTree(elements), /contradict each other/, JSON.stringify(elements[1]));
  }
  const json = schemaTree(
    leaf({ type: BYTE_ARRAY, convertedType: convertedType.UTF8, logicalType: { kind: "JSON" } }),
  );
  // it stays, since DuckDB goes by it
  assert.equal(json.leaves[0].element.convertedType, convertedType.UTF8);
  const local = schemaTree(leaf({
    type: INT64,
    convertedType: convertedType.TIMESTAMP_MICROS,
    logicalType: { kind: "TIMESTAMP", utc: false, unit: "MICROS" },
  }));
  assert.equal(local.leaves[0].element.convertedType, convertedType.TIMESTAMP_MICROS);
});

Deno.test("a group annotated as a leaf is refused, and so is a root annotated as a map; its others are left out", () => {
  const group = (logicalType: LogicalType) => [
    root(1),
    element("g", { numChildren: 1, logicalType }),
    element("a", { type: INT32 }),
  ];
  assert.throws(() => schemaTree(group({ kind: "STRING" })), /group g .* annotated STRING/);
  const annotated = (converted: number, logicalType?: LogicalType) =>
    schemaTree([
      { ...root(1), convertedType: converted, logicalType },
      element("a", { type: INT32 }),
    ]);
  assert.throws(() => annotated(convertedType.MAP), /root .* annotated as a list or map/);
  assert.throws(() => annotated(convertedType.UTF8, list), /root .* annotated as a list or map/);
  const tree = annotated(convertedType.UTF8, { kind: "STRING" });
  assert.deepEqual([tree.root.element.convertedType, tree.root.element.logicalType], [
    undefined,
    undefined,
  ]);
});
