import { strict as assert } from "node:assert";
import { schemaSource } from "../database/schema_source.ts";

/** Runs a day of the schedules that the catalog has. */
function runsADay(schedule: string): number {
  const [, seconds] = /^(\d+) seconds?$/.exec(schedule) ?? [];
  if (seconds !== undefined) return 86_400 / Number(seconds);
  if (schedule === "* * * * *") return 1440;
  const [, minutes] = /^([\d,]+) \* \* \* \*$/.exec(schedule) ?? [];
  if (minutes !== undefined) return 24 * minutes.split(",").length;
  assert.match(schedule, /^\d+ \d+ \* \* \*$/);
  return 1;
}

Deno.test("docs/deploy.md tells how many rows a day and a week the jobs write", async () => {
  const jobs = [
    ...(await schemaSource("schedule_jobs")).matchAll(/cron\.schedule\('\w+', '([^']+)'/g),
  ];
  const rows = jobs.reduce((sum, [, schedule]) => sum + runsADay(schedule), 0);
  const words = await Deno.readTextFile(new URL("../../docs/deploy.md", import.meta.url));
  const [, day] = /some ([\d,]+) rows a day/.exec(words) ?? [];
  const [, week] = /a week of them, some ([\d,]+)\./.exec(words) ?? [];
  const hundreds = (count: number) => (Math.round(count / 100) * 100).toLocaleString("en-US");
  assert.deepEqual([day, week], [hundreds(rows), hundreds(rows * 7)]);
  const [, minutely, theirs] = /(\d+) jobs each\s+minute ([\d,]+\d)/.exec(words) ?? [];
  const each = jobs.filter(([, schedule]) => runsADay(schedule) === 1440).length;
  assert.deepEqual([minutely, theirs], [String(each), (each * 1440).toLocaleString("en-US")]);
});
