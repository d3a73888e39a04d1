import { strict as assert } from "node:assert";
import postgres from "postgres";
import { planCompaction } from "../../shared/compaction/plan/plan.ts";
import { waitingIn } from "../../shared/compaction/plan/waiting.ts";
import { file, now, settings } from "../compaction/plan_file.ts";
import fc from "../support/fast_check.ts";
import { startCluster } from "./cluster.ts";

Deno.test("the catalog looks at what waits no later than the planner would act", async () => {
  await using cluster = await startCluster(17);
  const sql = postgres((await cluster.newDatabase()).url, { max: 1, onnotice: () => {} });
  const files = fc.array(
    fc.record({
      byte_length: fc.oneof(
        fc.integer({ min: 1, max: 200_000 }),
        fc.constantFrom(32_767, 32_768, 65_536, 131_072),
      ),
      level: fc.constantFrom(0, 0, 0, 1),
      schema_fingerprint: fc.constantFrom("s1", "s1", "s2"),
      age: fc.integer({ min: 0, max: 7_200 }),
    }),
    { maxLength: 12 },
  );
  const some = fc.record({
    min_inputs: fc.integer({ min: 1, max: 9 }),
    max_age_seconds: fc.integer({ min: 0, max: 7_200 }),
    dedupe_keys: fc.constantFrom<string[][]>([], [], ["key"]),
  });
  let acted = 0, waited = 0;
  try {
    await fc.assert(
      fc.asyncProperty(files, files, some, async (before, since, changed) => {
        const table = { ...settings, ...changed };
        const filesOf = (list: typeof before) =>
          list.map(({ age, ...rest }) =>
            file({ ...rest, uploaded_at: new Date(now.getTime() - age * 1000).toISOString() })
          );
        // what a run left, and what came since
        const old = filesOf(before);
        const left = planCompaction({ files: old, settings: table, forced: false, now });
        fc.pre(left.outputs.length === 0);
        const came = filesOf(since.map((one) => ({ ...one, level: 0 })));
        const waiting = waitingIn(left.groups, table);
        // all that came may be of one group, whatever it is
        const more = waitingIn([came], { ...table, dedupe_keys: [] });
        const [{ look }] = await sql`
          select sediment.next_look(sediment.add_tiers(${waiting.files}, ${more.files}),
            sediment.oldest_of_tiers(${waiting.oldest}::timestamptz[], ${more.oldest}::timestamptz[]),
            ${table.min_inputs}, ${table.max_age_seconds}, ${now.toISOString()}::timestamptz) as look`;
        const plan = planCompaction({
          files: [...old, ...came],
          settings: table,
          forced: false,
          now,
        });
        const acts = plan.outputs.length > 0 ? now : plan.nextDueAt;
        if (acts === null) return;
        if (acts === now) acted++;
        else waited++;
        // the partition is due by what the run said, or by what came
        const looks = [look, left.nextDueAt].filter((at) => at !== null);
        assert.ok(
          looks.some((at) => at <= acts),
          `looked at ${looks}, the planner acts at ${acts}: ${plan.decision}`,
        );
      }),
      { numRuns: 600 },
    );
    assert.ok(acted > 50 && waited > 20, `${acted} acted, ${waited} waited`);
  } finally {
    await sql.end();
  }
});
