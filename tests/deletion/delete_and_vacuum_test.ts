import { strict as assert } from "node:assert";
import {
  deleteAndVacuum,
  type DeletionTurnPorts,
} from "../../shared/deletion/delete_and_vacuum.ts";

/** A catalog of which each slice takes ten seconds, and what was asked of it when. */
function worldOf(slices: { deletions: number; vacuums: number }) {
  let now = 0;
  const asked: [what: string, second: number][] = [];
  const ask = (what: string, takes: number) => {
    asked.push([what, now / 1000]);
    now += takes * 1000;
  };
  const catalog = {
    advanceDeletions: () => {
      ask("delete", 10);
      return Promise.resolve({ more: slices.deletions-- > 0 });
    },
    stageSplits: () => Promise.resolve({ splits: [], more: false }),
    planVacuum: ({ dryRun }: { dryRun?: boolean | null }) => {
      ask(dryRun ? "say" : "vacuum", 10);
      const more = slices.vacuums-- > 0;
      return Promise.resolve({ versions: [], files_dropped: Number(more), delete: [], more });
    },
    commitVacuum: () => Promise.resolve({ tombstones: 0, ignored: 0 }),
    wakeVacuum: () => {
      ask("wake", 0);
      return Promise.resolve({ woken: true });
    },
  };
  const ports = { catalog, store: {}, clock: { now: () => now } } as unknown as DeletionTurnPorts;
  const turn = (dryRun = false) =>
    deleteAndVacuum(ports, { seconds: 60, dryRun, signal: new AbortController().signal });
  return { asked, turn };
}

const count = (asked: [string, number][], what: string) =>
  asked.filter(([one]) => one === what).length;

Deno.test("deletions have half of a turn, the vacuum has the rest, and another turn is asked for", async () => {
  const { asked, turn } = worldOf({ deletions: 100, vacuums: 100 });
  const report = await turn();
  assert.deepEqual(asked.map(([what]) => what), [
    ...["delete", "delete", "delete"],
    ...["vacuum", "vacuum", "vacuum"],
    "wake",
  ]);
  assert.deepEqual([report.unfinished, report.deletion_slices], [true, 3]);
});

Deno.test("where deletions end early the vacuum has their time", async () => {
  const { asked, turn } = worldOf({ deletions: 0, vacuums: 100 });
  await turn();
  assert.deepEqual([count(asked, "delete"), count(asked, "vacuum")], [1, 5]);
});

Deno.test("deletions that are left wake another turn, though the vacuum is done", async () => {
  const { asked, turn } = worldOf({ deletions: 100, vacuums: 0 });
  assert.equal((await turn()).unfinished, true);
  assert.equal(count(asked, "wake"), 1);
});

Deno.test("nobody is woken when all is done", async () => {
  const { asked, turn } = worldOf({ deletions: 0, vacuums: 0 });
  assert.equal((await turn()).unfinished, false);
  assert.equal(count(asked, "wake"), 0);
});

Deno.test("a turn that only says what it would do deletes nothing and wakes nobody", async () => {
  const { asked, turn } = worldOf({ deletions: 100, vacuums: 100 });
  await turn(true);
  assert.deepEqual(asked.map(([what]) => what), ["say"]);
});
