import { strict as assert } from "node:assert";
import { planCompaction } from "../../shared/compaction/plan/plan.ts";
import {
  type GroupFingerprints,
  uniteLater,
  waitingAfter,
} from "../../shared/compaction/plan/waiting_groups.ts";
import { plannerVersion } from "../../shared/compaction/plan/planner_version.ts";
import { file, now, settings } from "./plan_file.ts";

const groupsOf = (files: ReturnType<typeof file>[], some = {}) =>
  planCompaction({ files, settings: { ...settings, ...some }, forced: false, now }).groups;
const alone: GroupFingerprints = (fingerprints) => fingerprints.map((one) => [one]);
const uploaded_at = "2026-11-22T11:30:00.000Z";
const of = (schema_fingerprint: string, some = {}) =>
  file({ schema_fingerprint, uploaded_at, ...some });

Deno.test("what waits is told by groups of schemas where there are several", () => {
  const files = [of("s1"), of("s2"), of("s1"), of("s2", { byte_length: 40_000 })];
  assert.deepEqual(waitingAfter(groupsOf(files), [], settings, alone), {
    files: [2, 1],
    oldest: [uploaded_at, uploaded_at],
    groups: [
      { schemas: ["s1"], files: [2], oldest: [uploaded_at] },
      { schemas: ["s2"], files: [1, 1], oldest: [uploaded_at, uploaded_at] },
    ],
  });
  const one = [of("s1"), of("s1")];
  assert.equal(waitingAfter(groupsOf(one), [], settings, alone).groups, undefined);
  assert.equal(waitingAfter(groupsOf(files), [], settings, () => undefined).groups, undefined);
});

Deno.test("an output is in the group of the schema that it was written in", () => {
  const files = [of("s1"), of("s2"), of("s1")];
  const made = [{
    inputs: new Set([files[0].id, files[2].id]),
    file: of("s1", { seq_min: files[0].seq_min, level: 1, uploaded_at: "", byte_length: 40_000 }),
  }];
  assert.deepEqual(waitingAfter(groupsOf(files), made, settings, alone).groups, [
    { schemas: ["s1"], files: [0, 1], oldest: [null, null] },
    { schemas: ["s2"], files: [1], oldest: [uploaded_at] },
  ]);
});

Deno.test("groups are those of the next plan: without the schema that parted them others meet", () => {
  // s1 and s2 meet where s3 is not
  const unite: GroupFingerprints = (fingerprints) =>
    fingerprints.includes("s3")
      ? [fingerprints.filter((one) => one !== "s2"), ["s2"]]
      : [[...fingerprints]];
  const files = [of("s3"), of("s1"), of("s2")];
  const groups = [[files[0], files[1]], [files[2]]];
  const grown = [{ inputs: new Set([files[0].id]), file: of("s3", { byte_length: 31_000_000 }) }];
  const gone = [{ inputs: new Set([files[0].id]), file: null }];
  assert.equal(uniteLater(groups, [], settings, unite), false);
  assert.equal(uniteLater(groups, gone, settings, unite), true);
  assert.deepEqual(waitingAfter(groups, gone, settings, unite).groups, undefined);
  // what is full grown has no part in a union
  assert.equal(uniteLater(groups, grown, settings, unite), true);
});

Deno.test("where the last writer wins only the group of the newest stretch has something to grow", () => {
  const some = { dedupe_keys: ["key"] };
  const files = [of("s1"), of("s1"), of("s2"), of("s1")];
  const waiting = waitingAfter(groupsOf(files, some), [], { ...settings, ...some }, alone);
  assert.deepEqual(waiting.groups!.map(({ schemas, files }) => ({ schemas, files })), [
    { schemas: ["s1"], files: [1] },
    { schemas: ["s2"], files: [] },
  ]);
});

Deno.test("nothing comes to what was set apart, nor is more than eight groups told", () => {
  const apart = { kind: "values" as const, reason: "too large", planner: plannerVersion };
  const files = [of("s1"), of("s1"), of("s1", { apart })];
  assert.deepEqual(
    waitingAfter(groupsOf(files), [], settings, alone).groups!.map((one) => one.schemas),
    [["s1"], []],
  );
  const many = Array.from(
    { length: 12 },
    (_, n) => Array.from({ length: n < 9 ? 3 : 2 }, () => of(`s${n}`)),
  ).flat();
  const { groups } = waitingAfter(groupsOf(many), [], settings, alone);
  assert.equal(groups!.length, 8);
  assert.deepEqual(groups!.at(-1), { schemas: [], files: [3], oldest: [uploaded_at] });
});
