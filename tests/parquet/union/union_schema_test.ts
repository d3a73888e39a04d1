import { strict as assert } from "node:assert";
import { SedimentError } from "../../../shared/errors.ts";
import type { SchemaTree } from "../../../shared/parquet/format/schema.ts";
import { schemaJson } from "../../../shared/parquet/format/schema_json.ts";
import { schemaText } from "../../../shared/parquet/format/schema_text.ts";
import { planByName } from "../../../shared/parquet/merge/union/plan_by_name.ts";
import { schemaFromJson } from "../../../shared/parquet/merge/union/schema_from_json.ts";
import { compatibleGroups, unionSchema } from "../../../shared/parquet/merge/union/union_schema.ts";
import { schemaOf } from "./schema_of.ts";

const textOfUnion = (...schemas: string[]) => schemaText(unionSchema(schemas.map(schemaOf)));

Deno.test("schemas that are equal unite to the first as it is", () => {
  const [one, other] = [
    schemaOf('"a":INT32?,"b":{"c":STRING!}!'),
    schemaOf('"a":INT32?,"b":{"c":STRING!}!'),
  ];
  assert.equal(unionSchema([one, other]), one);
});

Deno.test("columns come in the order in which they are first met, and missing ones are nullable", () => {
  assert.equal(
    textOfUnion('"a":INT32!,"b":INT32!', '"c":INT32!,"a":INT32!'),
    '"a":INT32!,"b":INT32?,"c":INT32?',
  );
});

Deno.test("structs are united by name at every depth, inside of lists and maps too", () => {
  assert.equal(
    textOfUnion('"s":{"x":{"a":INT32?}?}?', '"s":{"x":{"b":INT32?}?,"y":INT32!}!'),
    '"s":{"x":{"a":INT32?,"b":INT32?}?,"y":INT32?}?',
  );
  assert.equal(
    textOfUnion('"l":list<{"a":INT32!}!>!', '"l":list<{"b":INT32!}?>?'),
    '"l":list<{"a":INT32?,"b":INT32?}?>?',
  );
  assert.equal(
    textOfUnion('"m":map<STRING!,{"a":INT32!}!>?', '"m":map<STRING!,{"b":INT64!}?>!'),
    '"m":map<STRING!,{"a":INT32?,"b":INT64?}?>?',
  );
});

const widenings: [string, string, string][] = [
  ["INTEGER(8,SIGNED)", "INTEGER(16,SIGNED)", "INTEGER(16,SIGNED)"],
  ["INTEGER(8,SIGNED)", "INT32", "INT32"],
  ["INT32", "INT64", "INT64"],
  ["INTEGER(8,UNSIGNED)", "INTEGER(8,SIGNED)", "INTEGER(16,SIGNED)"],
  ["INTEGER(16,UNSIGNED)", "INTEGER(8,SIGNED)", "INT32"],
  ["INTEGER(32,UNSIGNED)", "INTEGER(64,UNSIGNED)", "INTEGER(64,UNSIGNED)"],
  ["INTEGER(32,UNSIGNED)", "INT32", "INT64"],
  ["FLOAT", "DOUBLE", "DOUBLE"],
  ["INT32", "DOUBLE", "DOUBLE"],
  ["DECIMAL(9,2):INT32", "DECIMAL(9,2):INT64", "DECIMAL(9,2):INT64"],
  [
    "DECIMAL(9,2):INT32",
    "DECIMAL(20,2):FIXED_LEN_BYTE_ARRAY(16)",
    "DECIMAL(20,2):FIXED_LEN_BYTE_ARRAY(16)",
  ],
  ["DECIMAL(9,2):BYTE_ARRAY", "DECIMAL(12,2):INT64", "DECIMAL(12,2):FIXED_LEN_BYTE_ARRAY(8)"],
  ["TIMESTAMP(MILLIS,UTC)", "TIMESTAMP(MICROS,UTC)", "TIMESTAMP(MICROS,UTC)"],
  ["TIME(MILLIS,LOCAL)", "TIME(MICROS,LOCAL)", "TIME(MICROS,LOCAL)"],
  ["ENUM", "STRING", "STRING"],
  ["JSON", "STRING", "STRING"],
  ["INTEGER(32,UNSIGNED)", "DOUBLE", "DOUBLE"],
  ["INTEGER(16,SIGNED)", "FLOAT", "FLOAT"],
  ["DECIMAL(5,2):INT32", "DECIMAL(5,3):INT32", "DECIMAL(6,3):INT32"],
  ["DECIMAL(9,2):INT32", "DECIMAL(9,3):INT32", "DECIMAL(10,3):INT64"],
  ["DECIMAL(9,0):INT32", "DECIMAL(18,18):INT64", "DECIMAL(27,18):FIXED_LEN_BYTE_ARRAY(12)"],
  ["DECIMAL(9,2):INT32", "INT32", "DECIMAL(12,2):INT64"],
  ["DECIMAL(4,1):BYTE_ARRAY", "INT64", "DECIMAL(20,1):FIXED_LEN_BYTE_ARRAY(9)"],
];

for (const [one, other, union] of widenings) {
  Deno.test(`${one} and ${other} unite to ${union}, whichever is first`, () => {
    assert.equal(textOfUnion(`"a":${one}?`, `"a":${other}?`), `"a":${union}?`);
    assert.equal(textOfUnion(`"a":${other}!`, `"a":${one}!`), `"a":${union}!`);
  });
}

const clashes: [string, string][] = [
  ["INTEGER(64,UNSIGNED)", "INTEGER(8,SIGNED)"],
  ["INT64", "DOUBLE"],
  ["INTEGER(64,UNSIGNED)", "DOUBLE"],
  ["INTEGER(32,UNSIGNED)", "DECIMAL(9,2):INT32"],
  ["INT32", "FLOAT"],
  ["INT32", "BOOLEAN"],
  ["INT32", "STRING"],
  ["BYTE_ARRAY", "STRING"],
  ["DATE", "INT32"],
  ["DATE", "TIMESTAMP(MICROS,LOCAL)"],
  ["TIMESTAMP(MICROS,UTC)", "TIMESTAMP(MICROS,LOCAL)"],
  ["TIMESTAMP(MILLIS,UTC)", "TIMESTAMP(NANOS,UTC)"],
  ["DECIMAL(38,2):FIXED_LEN_BYTE_ARRAY(16)", "DECIMAL(9,3):INT32"],
  ["DECIMAL(9,2):INT32", "DOUBLE"],
  ["INTEGER(16,SIGNED)", "JSON"],
  ["INT96", "TIMESTAMP(MICROS,LOCAL)"],
  ["UUID", "FIXED_LEN_BYTE_ARRAY(16)"],
  ["FIXED_LEN_BYTE_ARRAY(4)", "FIXED_LEN_BYTE_ARRAY(5)"],
  ["FLOAT16", "FLOAT"],
  ["INT32", "list<INT32?>"],
  ['{"x":INT32?}', "list<INT32?>"],
  ["map<STRING!,INT32?>", "list<INT32?>"],
];

for (const [one, other] of clashes) {
  Deno.test(`${one} and ${other} have no union, and the error shows both`, () => {
    assert.throws(
      () => textOfUnion(`"s":{"a":${one}?}?`, `"s":{"a":${other}?}?`),
      (error) => {
        assert.ok(error instanceof SedimentError);
        assert.equal(error.code, "schema_incompatible");
        assert.deepEqual(error.extra, { column: ["s", "a"] });
        assert.match(error.message, /^column s\.a: the types .* and .* have no common one/);
        return true;
      },
    );
  });
}

Deno.test("a name that differs in case only is no other column but an error", () => {
  assert.throws(
    () => textOfUnion('"a":INT32?', '"A":INT32?'),
    /named A in one file and a in another/,
  );
});

Deno.test("variants unite when they are shredded alike and not otherwise", () => {
  const variant = (type: string) =>
    `"v":VARIANT(1){"metadata":BYTE_ARRAY!,"value":BYTE_ARRAY?,"typed_value":${type}?}`;
  assert.equal(textOfUnion(`${variant("INT32")}!`, `${variant("INT32")}?`), `${variant("INT32")}?`);
  assert.throws(() => textOfUnion(`${variant("INT32")}?`, `${variant("INT64")}?`), SedimentError);
});

Deno.test("schemas are grouped so that each group has a union", () => {
  const schemas = ['"a":INT32?', '"a":STRING?', '"a":INT64?,"b":INT32?', '"b":INT32?', '"a":ENUM?'];
  const groups = compatibleGroups(schemas.map(schemaOf));
  assert.deepEqual(
    groups.map(({ schema, members }) => [schemaText(schema), members]),
    [['"a":INT64?,"b":INT32?', [0, 2, 3]], ['"a":STRING?', [1, 4]]],
  );
});

Deno.test("a schema comes back from the catalog's form as it was", () => {
  const types = [
    ...widenings.flat(),
    ...clashes.flat(),
    "JSON",
    "BSON",
    "INTERVAL",
    "GEOMETRY",
    'GEOMETRY("OGC:CRS84, with \\"quotes\\"")',
    'VARIANT(1){"metadata":BYTE_ARRAY!}',
  ];
  const text = types.map((type, i) => `"c${i}":${type}${"!?"[i % 2]}`).join(",");
  const tree = schemaOf(text);
  assert.equal(schemaText(tree), text);
  const json = JSON.parse(JSON.stringify(schemaJson(tree)));
  const back = schemaFromJson(json);
  assert.equal(schemaText(back), text);
  assert.deepEqual(schemaJson(back), json);
});

const planOf = (output: SchemaTree | string, source: string) =>
  planByName(typeof output === "string" ? schemaOf(output) : output)(schemaOf(source));

Deno.test("a file of the output's schema is planned to be copied", () => {
  const plan = planOf('"a":INT32?,"l":list<STRING?>?', '"a":INT32?,"l":list<STRING?>?');
  assert.deepEqual(plan, {
    identical: true,
    leaves: [{ kind: "pages", leaf: 0 }, { kind: "pages", leaf: 1 }],
  });
});

Deno.test("levels of the source become levels of the output where it adds nullable steps", () => {
  const plan = planOf('"s":{"l":list<{"a":INT64?}?>?}?', '"s":{"l":list<{"a":INT32!}!>!}!');
  assert.equal(plan.identical, false);
  // source: 0 empty list, 1 a value. output: s, l, the entry, the struct, a
  assert.deepEqual(plan.leaves[0], {
    kind: "pages",
    leaf: 0,
    levels: new Uint8Array([2, 5]),
    conversion: 1,
  });
});

Deno.test("a missing column is nulls at the root, and follows a sibling inside of a group", () => {
  const plan = planOf(
    '"a":INT32?,"s":{"x":list<INT32?>?,"y":INT32?,"z":{"w":INT32?}?}?,"l":list<{"p":INT32?,"q":INT32?}?>?',
    '"l":list<{"q":INT32?}?>?,"s":{"y":INT32?,"x":list<INT32?>?}?',
  );
  assert.deepEqual(plan.leaves, [
    { kind: "nulls", definitionLevel: 0 },
    { kind: "pages", leaf: 2 },
    { kind: "pages", leaf: 1 },
    // beside y, which repeats less than x
    { kind: "sibling", sibling: 2, repetitionLevel: 0, definitionLevel: 1 },
    { kind: "sibling", sibling: 5, repetitionLevel: 1, definitionLevel: 3 },
    { kind: "pages", leaf: 0 },
  ]);
});

Deno.test("a file that has more than the output, or needs null where it has none, is refused", () => {
  const refused: [string, string, RegExp][] = [
    ['"a":INT32?', '"a":INT32?,"b":INT32?', /column b: the column has no place in the output/],
    ['"a":INT32!', '"a":INT32?', /column a: the type INT32\? cannot become INT32!/],
    ['"a":INT32?,"b":INT32!', '"a":INT32?', /column b: the file lacks a column/],
    ['"a":INT32?', '"a":INT64?', /column a: the type INT64\? cannot become INT32\?/],
    ['"s":{"a":INT32?}!', '"s":{"b":INT32?}!', /column s\.b: the column has no place/],
  ];
  for (const [output, source, message] of refused) {
    assert.throws(() => planOf(output, source), (error) => {
      assert.ok(error instanceof SedimentError && error.code === "schema_incompatible");
      assert.match(error.message, message);
      assert.ok(error.message.includes(`the file has ${source}, the output ${output}`));
      return true;
    });
  }
});
