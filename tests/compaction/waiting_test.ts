import { strict as assert } from "node:assert";
import { planCompaction } from "../../shared/compaction/plan/plan.ts";
import {
  groupsAfter,
  hasNextChoice,
  type MadeFile,
  nextDueAfter,
  waitingIn,
} from "../../shared/compaction/plan/waiting.ts";
import { file, now, settings } from "./plan_file.ts";

/** An output of files. */
const madeOf = (ids: number[], byte_length: number | null): MadeFile => ({
  inputs: new Set(ids),
  file: byte_length === null ? null : file({ byte_length, level: 1, uploaded_at: "" }),
});

const groupsOf = (files: ReturnType<typeof file>[], some = {}) =>
  planCompaction({ files, settings: { ...settings, ...some }, forced: false, now }).groups;

Deno.test("what waits is counted by tier, as many as the fullest group of schemas has", () => {
  const old = "2026-11-22T11:00:00.000Z";
  const files = [
    file({ uploaded_at: old }),
    file({ schema_fingerprint: "s2" }),
    file({ schema_fingerprint: "s2" }),
    file({ byte_length: 600_000, level: 1, uploaded_at: old }),
    file({ byte_length: 30_000_000 }),
  ];
  assert.deepEqual(waitingIn(groupsOf(files), settings), {
    files: [2, 0, 0, 1],
    oldest: [old, null, null, null],
  });
});

Deno.test("where the last writer wins only the newest stretch can grow", () => {
  const files = [file(), file(), file({ byte_length: 30_000_000 }), file()];
  const some = { dedupe_keys: ["key"] };
  assert.deepEqual(waitingIn(groupsOf(files, some), { ...settings, ...some }).files, [1]);
});

Deno.test("an output counts in its tier instead of its inputs, and does not age", () => {
  const files = [file(), file(), file()];
  const made = [madeOf([files[0].id, files[1].id], 40_000)];
  assert.deepEqual(waitingIn(groupsAfter([files], made), settings), {
    files: [1, 1],
    oldest: [files[2].uploaded_at, null],
  });
});

Deno.test("an output of a file in no group may belong to any, and one without rows to none", () => {
  const made = [madeOf([-1], 100), madeOf([-2], null)];
  assert.deepEqual(waitingIn(groupsAfter([[file()], []], made), settings).files, [2]);
  assert.deepEqual(waitingIn(groupsAfter([], made), settings).files, [1]);
});

Deno.test("a plan goes on where what was made fills a tier", () => {
  const large = [1, 2, 3].map(() => file({ byte_length: 40_000, level: 1 }));
  const small = [file(), file(), file(), file()];
  const made = [madeOf(small.map(({ id }) => id), 50_000)];
  assert.equal(hasNextChoice([[...large, ...small]], made, settings, now), true);
  assert.equal(hasNextChoice([[...large.slice(1), ...small]], made, settings, now), false);
  // what was full before, and was left, is not the output's doing
  assert.equal(hasNextChoice([small, [file()]], [], settings, now), false);
});

Deno.test("an upload that a merge has left alone is due with its output, when it is old", () => {
  const uploaded_at = "2026-11-22T11:30:00.000Z";
  const alone = file({ byte_length: 100_000, uploaded_at });
  const small = [file(), file(), file(), file()];
  const made = [madeOf(small.map(({ id }) => id), 50_000)];
  const due = new Date("2026-11-22T12:30:00.000Z");
  assert.deepEqual(nextDueAfter([[...small, alone]], made, settings, now), due);
  assert.equal(nextDueAfter([small, [alone]], made, settings, now), null, "of another group");
  const larger = [madeOf(small.map(({ id }) => id), 5_000_000)];
  assert.equal(nextDueAfter([[...small, alone]], larger, settings, now), null, "of a larger tier");
});
