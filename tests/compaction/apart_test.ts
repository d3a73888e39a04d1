import { strict as assert } from "node:assert";
import { SedimentError } from "../../shared/errors.ts";
import { isPermanent } from "../../shared/compaction/run/failure_class.ts";
import { fewerToMerge, othersToMerge } from "../../shared/compaction/run/output/apart.ts";
import type { InputFile } from "../../shared/compaction/run/ports.ts";
import { uniteSchemas } from "../../shared/compaction/plan/unite_schemas.ts";

const error = new SedimentError("schema_incompatible", "spelled otherwise");
const inputs = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ id: i + 1 }) as InputFile);
/** `m` was merged, `a` set apart, `x` is broken. */
function others(kinds: string, adjacent: boolean): string | undefined {
  const all = inputs(kinds.length);
  const idsOf = (kind: string) =>
    all.filter((_, i) => kinds[i] === kind).map(({ id }) => String(id));
  const result = {
    merged: idsOf("m"),
    rejected: [
      ...idsOf("a").map((id) => ({ id, error, apart: "schema" as const })),
      ...idsOf("x").map((id) => ({ id, error })),
    ],
  };
  return othersToMerge(all, result, adjacent)?.map(({ id }) => id).join("");
}

Deno.test("what was set apart is merged in place of a single file that decided, and later where others were merged", () => {
  assert.equal(others("maaa", false), "234");
  assert.equal(others("mama", false), undefined);
  assert.equal(others("ma", false), undefined);
  assert.equal(others("mmm", false), undefined);
  assert.equal(others("mxaa", false), "34");
  // a file for which there is no memory even alone isn't tried for ever
  assert.equal(others("aaa", false), undefined);
});

Deno.test("where the last writer of a key wins, only files with nothing between them meet", () => {
  assert.equal(others("mama", true), undefined);
  assert.equal(others("mammm", true), "345");
  assert.equal(others("mmaaa", true), "345");
  assert.equal(others("mmmaa", true), undefined);
});

Deno.test("an output that is refused is planned again once, and then its partition rests", () => {
  const refused = new SedimentError("output_refused", "its footer is too large");
  assert.deepEqual([1, 2, 3].map((attempt) => isPermanent(refused, attempt)), [false, true, true]);
});

Deno.test("schemas of two readings are two groups, and a UUID beside a text is one where a table says so", () => {
  const schema = (logical: string, reading?: string) => ({
    name: "root",
    children: [{
      name: "x",
      type: logical === "UUID" ? "FIXED_LEN_BYTE_ARRAY(16)" : "BYTE_ARRAY",
      logical,
      repetition: "optional" as const,
    }],
    ...(reading !== undefined && { reading }),
  });
  const members = (groups: { members: number[] }[]) => groups.map((group) => group.members);
  const spark = '{"calendar":[["org.apache.spark.legacyDateTime",""]]}';
  const texts = [schema("STRING"), schema("STRING", spark), schema("STRING")];
  const groups = uniteSchemas(texts);
  assert.deepEqual(members(groups), [[0, 2], [1]]);
  assert.match(groups[1].refusal!, /keys are to be read otherwise/);
  assert.equal(groups[1].schema.reading, spark);
  const both = [schema("UUID"), schema("STRING")];
  assert.deepEqual(members(uniteSchemas(both)), [[0], [1]]);
  const united = uniteSchemas(both, { uuidAsText: true });
  assert.deepEqual(members(united), [[0, 1]]);
  assert.equal(united[0].schema.children![0].logical, "STRING");
});

Deno.test("the first half of what is too much for memory is merged, and of two the heavier is left out", () => {
  const heavy = (weights: number[]) =>
    weights.map((uncompressed_bytes, i) => ({ id: i + 1, uncompressed_bytes }) as InputFile);
  const idsOf = (inputs: readonly InputFile[]) => inputs.map(({ id }) => id);
  const five = fewerToMerge(heavy([1, 2, 3, 4, 5]));
  assert.deepEqual([idsOf(five.inputs), five.apart], [[1, 2, 3], undefined]);
  const two = fewerToMerge(heavy([9, 3]));
  assert.deepEqual([idsOf(two.inputs), two.apart?.id], [[2], 1]);
  const one = fewerToMerge(heavy([9]));
  assert.deepEqual([idsOf(one.inputs), one.apart?.id], [[], 1]);
});
