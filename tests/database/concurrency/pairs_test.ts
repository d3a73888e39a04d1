import { strict as assert } from "node:assert";
import { startCluster } from "../cluster.ts";
import { type Meeting, openMeeting, type Outcome } from "./meeting.ts";
import { barriers, type Operation, operations } from "./operations.ts";

/**
 * Every pair of functions that change the catalog meets in forced interleavings. Whatever the order: no deadlock,
 * no error but the refusals that are part of the protocol, and every invariant of the catalog holds afterwards
 * (tests/simulation/invariants.sql; a lost wake-up is one: demand that no message stands for).
 */
const names = Object.keys(operations) as Operation[];

/** Refusals that a caller must expect: its lease, its stage or its inputs are gone, or it is asked twice. */
const expected = /^SD(409 (lease_lost|run_finished|inputs_changed)|410 stage_expired)$/;

Deno.test("no interleaving of two functions deadlocks or breaks an invariant", async (t) => {
  await using cluster = await startCluster(17);
  const database = await cluster.newDatabase();
  await using meeting = await openMeeting(database.url);
  await meeting.reset();
  assert.deepEqual(await meeting.violations(), [], "the world itself is in order");

  await t.step("each alone answers", async () => {
    for (const name of names) {
      await meeting.reset();
      const outcomes = await meeting.whileOpen(operations[name], "select 1", "commit");
      assert.ok("answer" in outcomes[0], `${name}: ${JSON.stringify(outcomes[0])}`);
      await check(meeting, [name], outcomes);
    }
  });

  await t.step("the second begins while the first is not yet committed", async () => {
    for (const [index, first] of names.entries()) {
      for (const second of names.slice(index)) {
        // either order, and the first coming to nothing
        const ways: [Operation, Operation, "commit" | "rollback"][] = [
          [first, second, "commit"],
          [first, second, "rollback"],
        ];
        if (first !== second) ways.push([second, first, "commit"]);
        for (const [a, b, end] of ways) {
          await meeting.reset();
          const outcomes = await meeting.whileOpen(operations[a], operations[b], end);
          await check(meeting, [a, b, end], outcomes);
        }
      }
    }
  });

  await t.step("both wait in their middle for the same row, then go on together", async () => {
    let met = 0;
    for (const [barrier, hold] of Object.entries(barriers)) {
      const waiting: Operation[] = [];
      for (const name of names) {
        await meeting.reset();
        if (await meeting.waits(hold, operations[name])) waiting.push(name);
      }
      for (const [index, first] of waiting.entries()) {
        for (const second of waiting.slice(index)) {
          met++;
          await meeting.reset();
          const [a, b] = (index + met) % 2 ? [first, second] : [second, first];
          const outcomes = await meeting.behind(hold, operations[a], operations[b]);
          await check(meeting, [a, b, `behind ${barrier}`], outcomes);
        }
      }
    }
    assert.ok(met > 100, `only ${met} pairs waited: the barriers hold nothing that matters`);
  });
});

async function check(meeting: Meeting, what: string[], outcomes: Outcome[]): Promise<void> {
  const label = what.join(" and ");
  for (const outcome of outcomes) {
    const refused = !("error" in outcome) || expected.test(outcome.error);
    assert.ok(refused, `${label}: ${JSON.stringify(outcome)}`);
  }
  assert.deepEqual(await meeting.violations(), [], label);
}
