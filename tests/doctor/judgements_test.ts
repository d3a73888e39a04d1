import { strict as assert } from "node:assert";
import type { DeploymentFindings } from "../../shared/catalog/upkeep_results.ts";
import { neededSchema } from "../../shared/catalog/require_schema.ts";
import { judgeClocks, judgeKey, judgeRows } from "../../supabase/doctor/api.ts";
import { judgeExtensions, judgeJobs, judgeSchema } from "../../supabase/doctor/database.ts";
import type { Answer } from "../../supabase/doctor/target.ts";

const now = Date.parse("2026-11-30T02:00:00Z");
const after = (seconds: number) => new Date(now + seconds * 1000).toISOString();

const findings: DeploymentFindings = {
  now: after(0),
  postgres: "17.6",
  migrations: ["1", "2"],
  extensions: { pgmq: "1.5.1", pg_cron: "1.6.4", pg_net: "0.20.0", supabase_vault: "0.3.1" },
  jobs: [{
    ...{ name: "sediment_tick", schedule: "30 seconds", active: true, failed: 0, succeeded: 9 },
    ...{ last_status: "succeeded", last_message: "1 row", last_started_at: after(-20) },
  }],
  secrets: {},
  ping: null,
  bucket: null,
};
const jobs = new Map([["sediment_tick", "30 seconds"]]);

Deno.test("clocks that are apart are wrong, and the one to set is told from the others", () => {
  const judge = (database: number, functions: number) =>
    judgeClocks([
      { name: "database", time: after(database), at: now },
      { name: "functions", time: after(functions), at: now },
    ]);
  assert.equal(judge(0.2, -0.3).state, "ok");
  assert.match(judge(0, 30).mend!, /of the one that differs/);
  assert.match(judge(-60, -61).mend!, /this machine's/);
  assert.equal(judgeClocks([]).state, "unknown");
});

Deno.test("a clockwork that stands still is wrong, one that never ran is unknown", () => {
  const judge = (last: string | null) =>
    judgeJobs({ ...findings, jobs: [{ ...findings.jobs![0], last_started_at: last }] }, jobs);
  assert.equal(judge(after(-20)).state, "ok");
  assert.match(judge(after(-3600)).found, /3600 s ago/);
  assert.equal(judge(after(-3600)).state, "wrong");
  assert.equal(judge(null).state, "unknown");
  assert.equal(judgeJobs({ ...findings, jobs: null }, jobs).state, "wrong");
});

Deno.test("a job at another pace is told of and not blamed", () => {
  const slower = [{ ...findings.jobs![0], schedule: "1 minute" }];
  const { state, found } = judgeJobs({ ...findings, jobs: slower }, jobs);
  assert.equal(state, "ok");
  assert.match(found, /sediment_tick runs '1 minute' in place of '30 seconds'/);
});

Deno.test("newer migrations than the checkout's are no fault, no record of them is unknown", () => {
  const judge = (versions: string[], version: number | null = neededSchema, found = findings) =>
    judgeSchema(found, versions, version);
  assert.equal(judge(["1", "2"]).state, "ok");
  assert.match(judge(["1"], neededSchema + 1).found, /1 newer/);
  assert.match(judge(["1", "2", "3"]).found, /missing: 3/);
  const unrecorded = { ...findings, migrations: null };
  assert.equal(judge(["1"], neededSchema, unrecorded).state, "unknown");
  // A schema that is too old is wrong, whatever is recorded.
  assert.equal(judge(["1"], neededSchema - 1, unrecorded).state, "wrong");
  assert.equal(judge(["1", "2"], null).state, "wrong");
});

Deno.test("an extension that is missing comes with the line that makes it", () => {
  const extensions = { ...findings.extensions, pg_cron: null };
  assert.match(judgeExtensions({ ...findings, extensions }).mend!, /create extension pg_cron;/);
});

Deno.test("a key at which nobody looked is unknown", () => {
  const judge = (status: number) =>
    judgeKey({ url: "https://x.supabase.co", key: "k" }, {
      ...{ status, json: undefined, text: "Project paused", headers: new Headers(), at: now },
    }).state;
  assert.deepEqual([200, 206, 404, 401, 403, 0, 503, 540].map(judge), [
    ...["ok", "ok", "ok", "wrong", "wrong", "wrong", "unknown", "unknown"],
  ]);
});

Deno.test("rows that did not come at all are unknown, and not a limit", () => {
  const answer = (status: number, json: unknown): Answer => ({
    ...{ status, json, text: "", headers: new Headers(), at: now },
  });
  assert.equal(judgeRows(answer(404, {})).state, "unknown");
  assert.equal(judgeRows(answer(200, Array(1000).fill({ n: 1 }))).state, "ok");
  assert.equal(judgeRows(answer(200, Array(999).fill({ n: 1 }))).state, "wrong");
});
