/** Tables of the lake: every upload becomes an object of its own, with the lake's columns, at its age. */
import { strict as assert } from "node:assert";
import type { PlanFile, PlanSettings } from "../../shared/compaction/plan/data_file.ts";
import { planCompaction } from "../../shared/compaction/plan/plan.ts";
import { uniteSchemas } from "../../shared/compaction/plan/unite_schemas.ts";
import { file, now, settings } from "./plan_file.ts";

const MiB = 1024 * 1024;
const lake = { dataset_column: "dataset_id", period_column: "period_tag" };
const hoursAgo = (hours: number) => new Date(now.getTime() - hours * 3_600_000).toISOString();
const plan = (files: PlanFile[], some: Partial<PlanSettings> = {}) =>
  planCompaction({ files, settings: { ...settings, lake, ...some }, forced: false, now });
const taken = (files: PlanFile[], some: Partial<PlanSettings> = {}) =>
  plan(files, some).outputs.map(({ inputs }) =>
    inputs.map(({ id }) => files.findIndex((one) => one.id === id))
  );

Deno.test("an upload alone is written anew at max_age, and waits until then", () => {
  const aged = file({ uploaded_at: hoursAgo(2) });
  assert.deepEqual(taken([aged]), [[0]]);
  assert.match(plan([aged]).decision, /alone after max_age 3600 s, for the lake/);
  const fresh = plan([file()]);
  assert.equal(fresh.outputs.length, 0);
  assert.equal(fresh.nextDueAt?.toISOString(), "2026-11-22T12:59:00.000Z");
});

Deno.test("of a table that isn't in the lake it stays as it is", () => {
  const { outputs, nextDueAt } = plan([file({ uploaded_at: hoursAgo(2) })], { lake: undefined });
  assert.deepEqual([outputs.length, nextDueAt], [0, null]);
});

Deno.test("what has the columns, or can't have them, is never written anew for them", () => {
  for (const lake_version of [0, 1]) {
    for (const level of [0, 1]) {
      const { outputs, nextDueAt } = plan([
        file({ lake_version, level, uploaded_at: hoursAgo(2) }),
      ]);
      assert.deepEqual([outputs.length, nextDueAt], [0, null]);
    }
  }
});

Deno.test("an output of before is left to the mark", () => {
  const output = file({ level: 1, lake_version: null, uploaded_at: hoursAgo(2) });
  assert.deepEqual(taken([output]), []);
  assert.deepEqual(
    taken([{ ...output, rewrite: { reason: "its table is in the lake", schema: null } }]),
    [[0]],
  );
});

Deno.test("aged uploads are merged with what there is, and only those without company go alone", () => {
  const files = [
    file({ uploaded_at: hoursAgo(2) }),
    file({ level: 1, lake_version: 1, uploaded_at: hoursAgo(9) }),
    file({ uploaded_at: hoursAgo(2), schema_fingerprint: "s2" }),
    file({ uploaded_at: hoursAgo(2), byte_length: 40 * MiB, uncompressed_bytes: 40 * MiB }),
    file({ byte_length: 40 * MiB, uncompressed_bytes: 40 * MiB }),
  ];
  assert.deepEqual(taken(files), [[0, 1], [2], [3]]);
  assert.equal(plan(files).nextDueAt?.toISOString(), "2026-11-22T12:59:00.000Z", "the last one's");
});

Deno.test("where the last writer of a key wins each goes where it is", () => {
  const files = [
    file({ uploaded_at: hoursAgo(3) }),
    file({ state: "quarantined", uploaded_at: hoursAgo(3) }),
    file({ uploaded_at: hoursAgo(2) }),
  ];
  assert.deepEqual(taken(files, { dedupe_keys: ["key"] }), [[0], [2]]);
});

Deno.test("what was just merged is not to be looked at again when it would have been old enough", () => {
  const files = Array.from({ length: 4 }, () => file());
  const { outputs, nextDueAt } = plan(files);
  assert.deepEqual([outputs.length, nextDueAt], [1, null]);
});

Deno.test("schemas with a column that is called as one of the lake's are merged with each other alone", () => {
  const schema = (...names: string[]) => ({
    name: "root",
    children: names.map((name) => ({ name, type: "INT64", repetition: "optional" as const })),
  });
  const schemas = { s1: schema("id"), s2: schema("id", "Period_Tag"), s3: schema("id", "more") };
  const files = ["s1", "s2", "s3", "s2"].map((schema_fingerprint) =>
    file({ schema_fingerprint, uploaded_at: hoursAgo(2) })
  );
  const outputsOf = (some: Partial<PlanSettings>) =>
    planCompaction({
      files,
      settings: { ...settings, ...some },
      schemas,
      unite: uniteSchemas,
      forced: false,
      now,
    }).outputs.map(({ inputs }) => inputs.map(({ id }) => files.findIndex((one) => one.id === id)));
  assert.deepEqual(outputsOf({ lake }), [[0, 2], [1, 3]]);
  assert.deepEqual(outputsOf({}), [[0, 1, 2, 3]]);
});
