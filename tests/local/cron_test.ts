import { strict as assert } from "node:assert";
import postgres, { type Sql } from "postgres";
import { readSchedule } from "../../supabase/local/cron/schedule.ts";
import { type Stack, startStack } from "../../supabase/local/stack.ts";
import { eventually } from "../support/eventually.ts";

let stack: Stack;
let sql: Sql;
Deno.test.beforeAll(async () => {
  stack = await startStack({ migrations: false, functions: false, tickSeconds: 0.2 });
  sql = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });
  await sql`create extension pg_cron`;
  await sql`create table public.fired (job text, as_user text, at timestamptz default now())`;
});
Deno.test.afterAll(async () => {
  await sql.end();
  await stack.stop();
});

const fire = (job: string) => `insert into public.fired values ('${job}', session_user)`;

const runsOf = (job: string) =>
  sql`select d.* from cron.job_run_details d join cron.job j using (jobid)
    where j.jobname = ${job} order by runid`;

Deno.test("a job fires as the role that scheduled it, and its run is recorded", async () => {
  await sql`select cron.schedule('a_second', '1 seconds', ${fire("a_second")})`;
  const rows = await eventually("a second run", async () => {
    const found = await sql`select * from public.fired where job = 'a_second'`;
    return found.length > 1 && found;
  });
  assert.equal(rows[0].as_user, "postgres");
  const [run] = await runsOf("a_second");
  assert.equal(run.status, "succeeded");
  assert.equal(run.username, "postgres");
  assert.ok(run.end_time >= run.start_time && run.job_pid > 0);
});

Deno.test("tickSeconds replaces the schedule of sediment_tick, and of no other job", async () => {
  await sql`select cron.schedule('sediment_tick', '59 seconds', ${fire("tick")})`;
  await sql`select cron.schedule('slow', '0 0 29 2 *', ${fire("slow")})`;
  await eventually("two ticks", async () => (await runsOf("sediment_tick")).length > 1);
  assert.equal((await runsOf("slow")).length, 0);
});

Deno.test("a job that fails is recorded with the error, and fires again", async () => {
  await sql`select cron.schedule('broken', '1 seconds', 'select 1/0')`;
  const runs = await eventually("two failures", async () => {
    const found = (await runsOf("broken")).filter((run) => run.status === "failed");
    return found.length > 1 && found;
  });
  assert.match(runs[0].return_message, /division by zero/);
});

Deno.test("a job never runs beside itself", async () => {
  await sql`create table public.overlap (at timestamptz, other_alive boolean)`;
  await sql`select cron.schedule('long', '1 seconds', ${`
    insert into public.overlap select clock_timestamp(),
      (select count(*) > 1 from cron.job_run_details where command like '%public.overlap%' and status = 'running');
    select pg_sleep(1.5);`})`;
  await eventually("three long runs", async () => (await runsOf("long")).length > 2);
  const [{ both }] = await sql`select bool_or(other_alive) as both from public.overlap`;
  assert.equal(both, false);
  await sql`select cron.unschedule('long')`;
});

Deno.test("at most eight jobs run at once, and the others follow", async () => {
  await sql`create table public.crowd (job int, running int)`;
  for (let n = 1; n <= 10; n++) {
    await sql`select cron.schedule(${`crowd_${n}`}, '1 seconds', ${`
      insert into public.crowd select ${n},
        (select count(*) from pg_stat_activity where query like '%public.crowd%' and state = 'active'
          and backend_type = 'client backend' and pid <> pg_backend_pid());
      select pg_sleep(2) /* public.crowd */;`})`;
  }
  await eventually("a run of each", async () => {
    const [{ jobs }] = await sql`select count(distinct job)::int as jobs from public.crowd`;
    return jobs === 10;
  });
  for (let n = 1; n <= 10; n++) await sql`select cron.unschedule(${`crowd_${n}`})`;
  const [{ most }] = await sql`select max(running) + 1 as most from public.crowd`;
  assert.ok(most > 1 && most <= 8, `${most} at once`);
});

Deno.test("scheduling a name again changes the job; unscheduling it ends it", async () => {
  const [{ first }] = await sql`select cron.schedule('named', '59 seconds', 'select 1') as first`;
  const [{ second }] = await sql`
    select cron.schedule('named', '1 seconds', ${fire("named")}) as second`;
  assert.equal(first, second);
  await eventually("the new schedule", async () => (await runsOf("named")).length > 0);
  await sql`select cron.unschedule('named')`;
  const [{ left }] = await sql`select count(*)::int as left from cron.job where jobname = 'named'`;
  assert.equal(left, 0);
  await assert.rejects(sql`select cron.unschedule('named')`, /could not find valid entry/);
});

Deno.test("a job scheduled in a transaction that is rolled back never is", async () => {
  await sql.begin(async (tx) => {
    await tx`select cron.schedule('ghost', '1 seconds', ${fire("ghost")})`;
    throw new Error("undo");
  }).catch(() => {});
  const [{ left }] = await sql`select count(*)::int as left from cron.job where jobname = 'ghost'`;
  assert.equal(left, 0);
});

Deno.test("a schedule that pg_cron would refuse is refused", async () => {
  for (const schedule of ["60 seconds", "0 seconds", "every day", "* * * *", "1.5 seconds"]) {
    await assert.rejects(
      sql`select cron.schedule('bad', ${schedule}, 'select 1')`,
      /invalid schedule/,
    );
  }
});

Deno.test("five fields are read in UTC, $ is the last day of the month", () => {
  const from = Date.parse("2026-02-27T23:30:00Z");
  const next = (schedule: string) => new Date(readSchedule(schedule).next(from)!).toISOString();
  assert.equal(next("0 2 * * *"), "2026-02-28T02:00:00.000Z");
  assert.equal(next("* * * * *"), "2026-02-27T23:31:00.000Z");
  assert.equal(next("0 12 $ * *"), "2026-02-28T12:00:00.000Z");
  assert.equal(next("30 seconds"), "2026-02-27T23:30:30.000Z");
});
