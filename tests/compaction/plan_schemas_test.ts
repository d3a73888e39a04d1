import { strict as assert } from "node:assert";
import type { PlanFile } from "../../shared/compaction/plan/data_file.ts";
import { planCompaction } from "../../shared/compaction/plan/plan.ts";
import type { UniteSchemas } from "../../shared/compaction/plan/schema_groups.ts";
import { uniteSchemas } from "../../shared/compaction/plan/unite_schemas.ts";
import type { SchemaJson } from "../../shared/parquet/format/schema_json.ts";
import { file, now, settings } from "./plan_file.ts";

const MiB = 1024 * 1024;

const leaf = (name: string, type: string, logical?: string): SchemaJson => ({
  name,
  type,
  ...(logical !== undefined && { logical }),
  repetition: "optional",
});
const table = (...children: SchemaJson[]): SchemaJson => ({ name: "schema", children });
const key = leaf("key", "INT32");
const schemas: Record<string, SchemaJson> = {
  narrow: table(key, leaf("v", "INT32")),
  wide: table(key, leaf("v", "INT64")),
  added: table(leaf("extra", "DOUBLE"), leaf("v", "INT32"), key),
  text: table(key, leaf("v", "BYTE_ARRAY", "STRING")),
  keyless: table(leaf("v", "INT32")),
};

const several = (count: number, fingerprint: string, some: Partial<PlanFile> = {}) =>
  Array.from({ length: count }, () => file({ schema_fingerprint: fingerprint, ...some }));

const plan = (files: PlanFile[], dedupe_keys: string[] = [], unite: UniteSchemas = uniteSchemas) =>
  planCompaction({
    files,
    settings: { ...settings, dedupe_keys },
    schemas,
    unite,
    forced: false,
    now,
  });
const ids = (files: PlanFile[]) => files.map(({ id }) => id);
const columns = (schema?: SchemaJson) => schema?.children?.map(({ name, type }) => [name, type]);

Deno.test("files whose schemas have a union become one output in it, in upload order", () => {
  const files = [...several(2, "narrow"), ...several(1, "wide"), ...several(1, "added")];
  const { outputs, decision } = plan(files.toReversed());
  assert.deepEqual(outputs.map(({ inputs }) => ids(inputs)), [ids(files)]);
  assert.deepEqual(columns(outputs[0].schema), [
    ["key", "INT32"],
    ["v", "INT64"],
    ["extra", "DOUBLE"],
  ]);
  assert.match(
    decision,
    /^Merge 4 of 4 files .*3 schemas\) into 1: .*min_inputs 4, 3 schemas united/,
  );
});

Deno.test("an output of one schema is given none, whatever lies beside it", () => {
  const { outputs, decision } = plan(several(4, "narrow"));
  assert.equal(outputs[0].schema, undefined);
  assert.doesNotMatch(decision, /united|apart/);
});

Deno.test("files whose schemas have no union stay apart, and the decision says which column and why", () => {
  const numbers = several(3, "narrow"), texts = several(4, "text"), more = several(1, "wide");
  const { outputs, decision } = plan([...numbers, ...texts, ...more]);
  assert.deepEqual(
    outputs.map(({ inputs }) => ids(inputs)),
    [[...numbers, ...more], texts].map(ids),
  );
  assert.deepEqual(columns(outputs[0].schema), [["key", "INT32"], ["v", "INT64"]]);
  assert.equal(outputs[1].schema, undefined);
  assert.match(
    decision,
    /into 2: .*2 schemas united; .*2 groups of schemas stay apart: .*\bv\b.*STRING/,
  );
});

Deno.test("a file of a schema that is not known meets its like only", () => {
  const { outputs } = plan([...several(4, "narrow"), ...several(4, "unheard-of")]);
  assert.deepEqual(outputs.map(({ inputs }) => inputs[0].schema_fingerprint), [
    "narrow",
    "unheard-of",
  ]);
});

Deno.test("a full grown file gives no columns to the outputs beside it", () => {
  const grown = several(1, "added", { byte_length: 40 * MiB, level: 2 });
  const { outputs } = plan([...grown, ...several(2, "narrow"), ...several(2, "wide")]);
  assert.deepEqual(columns(outputs[0].schema), [["key", "INT32"], ["v", "INT64"]]);
});

Deno.test("in a table that dedupes, schemas with a union are neighbours and others are barriers", () => {
  const before = [...several(2, "narrow"), ...several(2, "wide")];
  const barrier = several(1, "text");
  const after = [...several(2, "added"), ...several(2, "narrow")];
  const { outputs } = plan([...before, ...barrier, ...after].toReversed(), ["key"]);
  assert.deepEqual(outputs.map(({ inputs }) => ids(inputs)), [before, after].map(ids));
  assert.ok(outputs.every(({ schema }) => schema !== undefined));
});

Deno.test("a file without the dedupe key is not united with files that have it, where a null would be one key", () => {
  const keyed = several(4, "narrow"), keyless = several(4, "keyless");
  const { outputs, decision } = plan([...keyed, ...keyless], ["key"]);
  assert.deepEqual(outputs.map(({ inputs }) => ids(inputs)), [keyed, keyless].map(ids));
  assert.match(decision, /stay apart: not all have the dedupe keys/);
  assert.equal(plan([...keyed, ...keyless]).outputs.length, 1, "without dedupe they meet");
});

Deno.test("thousands of files ask once, with each schema once", () => {
  const asked: number[] = [];
  const files = Array.from({ length: 2000 }, (_, n) => several(1, n % 2 ? "narrow" : "wide")[0]);
  plan(files, [], (all) => {
    asked.push(all.length);
    return uniteSchemas(all);
  });
  assert.deepEqual(asked, [2]);
});

Deno.test("a schema that can't be read, or is one too many, is a group of its own", () => {
  const broken = uniteSchemas([schemas.narrow, { name: "schema-a" }, schemas.wide]);
  assert.deepEqual(broken.map(({ members }) => members), [[0, 2], [1]]);
  const wide = (n: number) =>
    table(...Array.from({ length: 2000 }, (_, i) => leaf(`c${i}`, i === n ? "INT64" : "INT32")));
  const groups = uniteSchemas(Array.from({ length: 20 }, (_, n) => wide(n)));
  assert.ok(groups[0].members.length > 1 && groups.length > 1);
  assert.deepEqual(groups.flatMap(({ members }) => members).sort((a, b) => a - b), [
    ...Array(20).keys(),
  ]);
  assert.match(groups.at(-1)!.refusal!, /too many schemas/);
});

Deno.test("schemas whose union would have more columns than can be read back stay apart", () => {
  const half = (prefix: string) =>
    table(...Array.from({ length: 6000 }, (_, i) => leaf(`${prefix}${i}`, "INT32")));
  const groups = uniteSchemas([half("a"), half("b")]);
  assert.equal(groups.length, 2);
  assert.match(groups[1].refusal!, /12001 elements/);
});
