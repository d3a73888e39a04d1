/** What a merge finds of sound files that have no place beside others, and what comes of it. */
import { strict as assert } from "node:assert";
import type { ApartMark } from "../../shared/compaction/plan/data_file.ts";
import { planCompaction, type PlanRequest } from "../../shared/compaction/plan/plan.ts";
import { plannerVersion } from "../../shared/compaction/plan/planner_version.ts";
import { uniteSchemas } from "../../shared/compaction/plan/unite_schemas.ts";
import type { Merge } from "../../shared/compaction/run/ports.ts";
import { SedimentError } from "../../shared/errors.ts";
import type { ApartKind } from "../../shared/parquet/merge/union/set_apart.ts";
import { file, now, settings } from "./plan_file.ts";
import { lineMerge, world } from "./turn_world.ts";

const user = "00000000-0000-4000-8000-000000000001";
const dataset = "00000000-0000-4000-8000-0000000000d1";

/** A merge of lines that sets files apart which have a question mark. */
const apartMerge = (kind: ApartKind): Merge => async (plan, readers, sink, options) => {
  const apart = new Set<string>();
  for (const { id } of plan.inputs) {
    const reader = readers.get(id)!;
    const text = new TextDecoder().decode(await reader.read(0, reader.size));
    if (text.includes("?")) apart.add(id);
  }
  const inputs = plan.inputs.filter(({ id }) => !apart.has(id));
  const result = await lineMerge({ ...plan, inputs }, readers, sink, options);
  const error = new SedimentError("schema_incompatible", "the value 7 does not fit");
  for (const id of apart) result.rejected.push({ id, error, apart: kind });
  return result;
};

const byHand = { user, dataset, table: "lines", periodTag: "0", priority: "manual" };

for (const kind of ["values", "memory", "schema"] as const) {
  Deno.test(`a file that is set apart (${kind}) stays sound, and no later run reads it again for that`, async () => {
    const merge = apartMerge(kind);
    const { catalog, turn, visible, rows } = await world(["1\n", "2\n", "3?\n", "4\n"], { merge });
    await turn();
    const outputs = () =>
      catalog.state.calls.filter(({ method }) => method === "stageOutput").length;
    const [left] = visible().filter(({ level }) => level === 0);
    assert.deepEqual([visible().length, left.state, left.apart?.kind], [2, "active", kind]);
    assert.equal(outputs(), 1);
    await catalog.requestCompaction(byHand);
    const { runs } = await turn();
    assert.match(
      runs[0].decision!,
      kind === "memory"
        ? /1 file for which a merge had no memory, readable as they are/
        : /1 file set apart \(file \d+: the value 7 does not fit\)/,
    );
    assert.equal(outputs(), 1);
    assert.deepEqual(rows(), ["1", "2", "3?", "4"]);
  });
}

Deno.test("inputs that are too much for memory together are merged in parts, and none is lost or accused", async () => {
  const merge: Merge = (plan, readers, sink, options) => {
    if (plan.inputs.length > 3) {
      throw new SedimentError("merge_too_large", "there is no memory for the rows");
    }
    return lineMerge(plan, readers, sink, options);
  };
  const texts = Array.from({ length: 8 }, (_, i) => `${i}\n`);
  const { turn, visible, rows } = await world(texts, { merge });
  const { runs } = await turn();
  assert.ok(runs.every(({ outcome }) => outcome !== "failed"));
  assert.deepEqual(rows(), texts.map((text) => text.trim()));
  assert.ok(
    visible().length < 4 && visible().every(({ state, apart }) => state === "active" && !apart),
  );
});

Deno.test("inputs that can be sorted only range by range are merged in parts that can be sorted whole", async () => {
  const sizes: number[] = [];
  const merge: Merge = async (plan, readers, sink, options) => {
    const result = await lineMerge(plan, readers, sink, options);
    sizes.push(plan.inputs.length);
    return { ...result, sortedRanges: plan.inputs.length > 4 ? 2 : 1 };
  };
  const texts = Array.from({ length: 8 }, (_, i) => `${i}\n`);
  const { turn, visible, rows } = await world(texts, { merge });
  const { runs } = await turn();
  assert.ok(runs.every(({ outcome }) => outcome !== "failed"));
  assert.deepEqual(sizes.slice(0, 2), [8, 4]);
  assert.deepEqual(rows(), texts.map((text) => text.trim()));
  assert.ok(visible().every(({ state, apart }) => state === "active" && !apart));
  assert.ok(visible().every(({ level }) => level > 0));
});

Deno.test("of two files that are too much together the heavier is left alone, and the other goes on with others", async () => {
  const merge: Merge = async (plan, readers, sink, options) => {
    for (const { id } of plan.inputs) {
      const { size } = readers.get(id)!;
      if (size > 100) throw new SedimentError("merge_too_large", "there is no memory for the rows");
    }
    return await lineMerge(plan, readers, sink, options);
  };
  const { turn, visible } = await world([`${"x".repeat(200)}\n`, "b\n", "c\n"], { merge });
  await turn();
  assert.deepEqual(
    visible().map(({ level, row_count, apart }) => [level, row_count, apart?.kind]),
    [
      [0, 1, "memory"],
      [1, 2, undefined],
    ],
  );
});

const mark = (
  kind: ApartKind,
  reason = "it does not fit",
  planner = plannerVersion,
): ApartMark => ({
  kind,
  reason,
  planner,
});
const column = (name: string, logical: string) => ({
  name: "root",
  children: [{ name, type: "INT64", logical, repetition: "optional" as const }],
});
const schemas = {
  s1: column("t", "TIMESTAMP(MILLIS,UTC)"),
  s2: column("t", "TIMESTAMP(MICROS,UTC)"),
};
const plan = (files: PlanRequest<ReturnType<typeof file>>["files"], some = {}) =>
  planCompaction({
    files,
    settings: { ...settings, ...some },
    schemas,
    unite: uniteSchemas,
    forced: true,
    now,
  });

Deno.test("files whose values don't fit a wider type are merged with each other, in the type that they have", () => {
  const files = [
    file(),
    file({ schema_fingerprint: "s2" }),
    file({ apart: mark("values", "the value 7 does not fit") }),
    file({ schema_fingerprint: "s2" }),
    file({ apart: mark("values", "the value 8 does not fit") }),
  ];
  const { outputs } = plan(files);
  assert.deepEqual(
    outputs.map(({ inputs, schema }) => [inputs.map((one) => files.indexOf(one)), !schema]),
    [
      [[0, 1, 3], false],
      [[2, 4], true],
    ],
  );
});

Deno.test("files of another schema than the catalog has of them meet those of which a merge said the same", () => {
  const files = ["a", "b", "a", "b", "a"].map((reason) => file({ apart: mark("schema", reason) }));
  const groups = plan([...files, file()]).outputs.map(({ inputs }) =>
    inputs.map((one) => files.indexOf(one))
  );
  assert.deepEqual(groups, [[0, 2, 4], [1, 3]]);
});

Deno.test("what an older planner set apart is tried again", () => {
  const files = [file(), file({ apart: mark("memory", "no memory", plannerVersion - 1) })];
  assert.equal(plan(files).outputs[0].inputs.length, 2);
});

Deno.test("where the last writer wins, a file that is set apart keeps those at its sides from meeting", () => {
  for (const kind of ["values", "memory"] as const) {
    const files = [file(), file(), file({ apart: mark(kind) }), file(), file()];
    const { outputs } = plan(files, { dedupe_keys: ["t"] });
    assert.deepEqual(outputs.map(({ inputs }) => inputs.map((one) => files.indexOf(one))), [
      [0, 1],
      [3, 4],
    ]);
  }
});
