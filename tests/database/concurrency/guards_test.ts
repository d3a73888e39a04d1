import { strict as assert } from "node:assert";
import { schemaSource } from "../schema_source.ts";
import { startCluster, withClient } from "../cluster.ts";
import { openMeeting } from "./meeting.ts";
import { barriers, operations } from "./operations.ts";

/** A rule taken out of one function, and the meeting at which that shows. */
interface Mutant {
  rule: string;
  sqlFunction: string;
  find: string;
  replace: string;
  behind?: keyof typeof barriers;
  pair: [keyof typeof operations, keyof typeof operations];
  shows: RegExp;
}

const mutants: Mutant[] = [
  {
    rule: "the last commit looks whether demand has come",
    sqlFunction: "close_run",
    find: "p.demand_seq > p.claimed_demand_seq;",
    replace: "false;",
    pair: ["commit_upload_of_a_and_b", "commit_nothing"],
    shows: /I4: .* has demand \d+, seen \d+, no message, and no run is kept for it/,
  },
  {
    rule: "the partition is locked before anything is read",
    sqlFunction: "lock_run_partition",
    find: "\n  for no key update;",
    replace: ";",
    pair: ["commit_upload_of_a_and_b", "commit_last"],
    shows: /I4: upload .* was told of run .*, and nobody knows it/,
  },
  {
    rule: "a claim waits for no partition",
    sqlFunction: "claim_message",
    find: "for no key update skip locked;",
    replace: "for no key update;",
    behind: "partition_b",
    pair: ["request_dataset", "claim_compaction"],
    shows: /40P01 deadlock/,
  },
  {
    rule: "the queue comes after the partitions",
    sqlFunction: "fail_compaction",
    find: "  p := sediment.lock_lease",
    replace: "  perform 1 from pgmq.q_compaction_realtime for update; p := sediment.lock_lease",
    behind: "partition_a",
    pair: ["commit_compaction", "fail_for_now"],
    shows: /40P01 deadlock/,
  },
  {
    rule: "the dataset comes after the partitions",
    sqlFunction: "request_compaction",
    find: "  if p_period_tag is not null then\n    perform",
    replace: "  perform 1 from public.datasets for no key update;\n" +
      "  if p_period_tag is not null then\n    perform",
    behind: "partition_a",
    pair: ["commit_upload_of_a_and_b", "request_partition"],
    shows: /40P01 deadlock/,
  },
];

Deno.test("each rule of the locks is missed at some meeting when it is taken out", async (t) => {
  await using cluster = await startCluster(17);
  for (const { rule, sqlFunction, find, replace, behind, pair, shows } of mutants) {
    await t.step(rule, async () => {
      const text = await schemaSource(sqlFunction);
      assert.ok(text.includes(find), `${sqlFunction} has no «${find}»`);
      const { url } = await cluster.newDatabase();
      await using meeting = await openMeeting(url);
      const meet = async () => {
        await meeting.reset();
        const [first, second] = pair.map((name) => operations[name]);
        const outcomes = behind
          ? await meeting.behind(barriers[behind], first, second)
          : await meeting.whileOpen(first, second, "commit");
        return [JSON.stringify(outcomes), ...await meeting.violations()].join("\n");
      };
      assert.doesNotMatch(await meet(), shows, "with the rule all is well");
      await withClient(url, (sql) => sql.unsafe(text.replace(find, replace)).simple());
      assert.match(await meet(), shows);
    });
  }
});
