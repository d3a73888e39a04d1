/**
 * The scheduler of the pg_cron stand-in: fires the jobs of cron.job and records their runs. As pg_cron does it:
 * at most eight jobs at once, a job never beside itself (a start that comes due meanwhile follows at once),
 * runs that were missed while the stack was down are not made up for.
 */
import postgres, { type Sql } from "postgres";
import { everySeconds, readSchedule, type Schedule } from "./schedule.ts";

interface Job {
  jobid: string;
  jobname: string | null;
  schedule: string;
  command: string;
  database: string;
  username: string;
  active: boolean;
}

interface Entry {
  job: Job;
  schedule: Schedule;
  lastStart: number;
  running: boolean;
  due: boolean;
}

const maxRunning = 8;

export interface CronOptions {
  /** Superuser connections for the bookkeeping. */
  sql: Sql;
  /** URL of the superuser: each run gets a session of its own, as the job's user. */
  databaseUrl: string;
  /** Seconds between runs by job name, in place of the job's own schedule: tests speed jobs up with it. */
  everySeconds?: Record<string, number>;
}

export interface CronRunner {
  /** Reads the jobs again; called when the database says that they changed. */
  reload(): void;
  stop(): Promise<void>;
}

/** Starts the scheduler. */
export function startCronRunner(options: CronOptions): CronRunner {
  const { sql } = options;
  const entries = new Map<string, Entry>();
  const running = new Set<Promise<void>>();
  const backends = new Set<number>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let loading: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  const load = async () => {
    do {
      again = false;
      const [{ known }] = await sql`select to_regclass('cron.job') is not null as known`;
      const jobs = known ? await sql<Job[]>`select * from cron.job where active` : [];
      const ids = new Set(jobs.map((job) => job.jobid));
      for (const id of entries.keys()) if (!ids.has(id)) entries.delete(id);
      for (const job of jobs) {
        const entry = entries.get(job.jobid);
        if (entry?.job.schedule === job.schedule && entry.job.jobname === job.jobname) {
          entry.job = job;
          continue;
        }
        const schedule = await scheduleOf(job);
        if (!schedule) continue;
        entries.set(job.jobid, {
          job,
          schedule,
          lastStart: Date.now(),
          running: entry?.running ?? false,
          due: false,
        });
      }
    } while (again);
    arm();
  };

  const scheduleOf = async (job: Job): Promise<Schedule | undefined> => {
    const every = options.everySeconds?.[job.jobname ?? ""];
    if (every !== undefined) return everySeconds(every);
    try {
      return readSchedule(job.schedule);
    } catch (error) {
      await record(job, "failed", `invalid schedule: ${(error as Error).message}`);
    }
  };

  const arm = () => {
    clearTimeout(timer);
    if (stopped) return;
    let earliest = Date.now() + 60_000; // setTimeout's limit is far away; the clock may be set
    for (const { schedule, lastStart, due } of entries.values()) {
      const next = due ? undefined : schedule.next(lastStart);
      if (next !== undefined && next < earliest) earliest = next;
    }
    timer = setTimeout(fire, Math.max(0, earliest - Date.now()));
  };

  const fire = () => {
    if (stopped) return;
    const now = Date.now();
    for (const entry of entries.values()) {
      const next = entry.schedule.next(entry.lastStart);
      if (next !== undefined && next <= now) {
        entry.lastStart = now; // from now, not from then: what was missed is not replayed
        entry.due = true;
      }
    }
    startDue();
    arm();
  };

  const startDue = () => {
    for (const entry of entries.values()) {
      if (!entry.due || entry.running || running.size >= maxRunning || stopped) continue;
      entry.due = false;
      entry.running = true;
      const run: Promise<void> = runJob(entry.job).catch(() => {}).finally(() => {
        entry.running = false;
        const current = entries.get(entry.job.jobid);
        if (current) current.running = false;
        running.delete(run);
        startDue();
      });
      running.add(run);
    }
  };

  const runJob = async (job: Job) => {
    // A session of its own, as pg_cron gives: nothing of a run is left for the next one.
    const session = postgres(options.databaseUrl, { max: 1, onnotice: () => {}, prepare: false });
    let runid: string | undefined;
    let pid = 0;
    try {
      const user = '"' + job.username.replaceAll('"', '""') + '"';
      await session.unsafe(`set session authorization ${user}`);
      [{ pid }] = await session`select pg_backend_pid() as pid`;
      backends.add(pid);
      [{ runid }] = await sql`
        insert into cron.job_run_details (jobid, job_pid, database, username, command, status, start_time)
        values (${job.jobid}, ${pid}, ${job.database}, ${job.username}, ${job.command}, 'running',
          clock_timestamp())
        returning runid`;
      await finish(runid!, "succeeded", await runCommand(session, job.command));
    } catch (error) {
      if (runid !== undefined) await finish(runid, "failed", `ERROR: ${(error as Error).message}`);
    } finally {
      backends.delete(pid);
      await session.end({ timeout: 1 });
    }
  };

  const finish = (runid: string, status: string, message: string) =>
    sql`update cron.job_run_details
      set status = ${status}, return_message = ${message}, end_time = clock_timestamp()
      where runid = ${runid}`;

  const record = (job: Job, status: string, message: string) =>
    sql`insert into cron.job_run_details
        (jobid, database, username, command, status, return_message, start_time, end_time)
      values (${job.jobid}, ${job.database}, ${job.username}, ${job.command}, ${status}, ${message},
        clock_timestamp(), clock_timestamp())`;

  const reload = () => {
    if (stopped) return;
    if (loading) {
      again = true;
      return;
    }
    loading = load().catch(() => {}).finally(() => loading = undefined);
  };
  const poll = setInterval(reload, 10_000); // a notification can be lost with its connection
  reload();
  return {
    reload,
    async stop() {
      stopped = true;
      clearInterval(poll);
      clearTimeout(timer);
      await loading;
      clearTimeout(timer);
      // A job that hangs must not keep the stack up.
      const cut = setTimeout(() => {
        sql`select pg_terminate_backend(pid) from unnest(${[...backends]}::int[]) pid`
          .catch(() => {});
      }, 1_500);
      await Promise.all(running);
      clearTimeout(cut);
    },
  };
}

/** Runs a job's SQL, one or many statements; what pg_cron would record as its message. */
async function runCommand(session: Sql, command: string): Promise<string> {
  const result = await session.unsafe(command).simple();
  const last = Array.isArray(result[0]) ? result[result.length - 1] : result;
  const { count, command: tag } = last as unknown as { count: number | null; command: string };
  return tag === "SELECT" ? `${count} row${count === 1 ? "" : "s"}` : String(tag);
}
