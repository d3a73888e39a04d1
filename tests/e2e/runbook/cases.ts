/** What the runbook names, how it comes about, and what its line says to do. */
import { strict as assert } from "node:assert";
import postgres from "postgres";
import type { Stack } from "../../../supabase/local/stack.ts";
import { call, until } from "../../support/client.ts";
import type { World } from "./world.ts";

/** A line of the runbook, tried. */
export interface RunbookCase {
  /** As the runbook has it. */
  name: string;
  /** Of what it is told: of a reason of health, of an incident, or of an alert of a moment. */
  told: "reason" | "incident" | "alert";
  /** The name of the incident or alert, where it is another. */
  as?: string;
  breaks(world: World): Promise<void>;
  /** What the line says to do; nothing where it ends by itself. */
  mends(world: World): Promise<void>;
}

const schemaFile = (path: string) =>
  Deno.readTextFile(new URL(`../../../supabase/schemas/${path}`, import.meta.url));

/** The line of schedule_jobs.sql that schedules a job. */
async function scheduleOf(job: string): Promise<string> {
  const lines = (await schemaFile("upkeep/schedule_jobs.sql")).split("\n");
  const line = lines.find((line) => line.startsWith(`select cron.schedule('${job}'`));
  assert.ok(line !== undefined && line.endsWith(";"), job);
  return line;
}

/** Settings of the case, by the console's way. */
async function setting({ stack }: World, changes: Record<string, unknown>): Promise<void> {
  const { status, body } = await call(stack, "PATCH", "/compaction/settings", {
    headers: { apikey: stack.secretKey },
    json: { changes },
  });
  assert.equal(status, 200, JSON.stringify(body));
}

const vault = ({ sql }: World, name: string, value: string) =>
  sql`select vault.update_secret(id, ${value}) from vault.secrets where name = ${name}`;

/** As long ago as it takes for a standstill to be one. */
const madeLate = ({ admin }: World, table: string) =>
  admin`update public.partitions set ready_at = now() - interval '2 minutes'
    where "table" = ${table} and msg_id is not null`;

/** Whether the database takes connections; those that are open end where it does not. */
async function letIn({ adminDbUrl }: Stack, open: boolean): Promise<void> {
  const url = new URL(adminDbUrl);
  url.pathname = "/template1";
  const sql = postgres(url.href, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(`alter database postgres allow_connections ${open}`);
    if (!open) {
      await sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = 'postgres' and backend_type = 'client backend'`;
    }
  } finally {
    await sql.end();
  }
}

let busy: { run_id: string; token: string };

export const cases: RunbookCase[] = [
  {
    name: "schema_outdated",
    told: "reason",
    async breaks({ admin }) {
      // before anything was asked: functions ask once
      await admin`create or replace function public.schema_version() returns jsonb language sql stable as 'select to_jsonb(1)'`;
    },
    async mends({ sql }) {
      await sql.unsafe(await schemaFile("upkeep/schema_version.sql"));
    },
  },
  {
    name: "jobs_missing",
    told: "incident",
    async breaks({ sql }) {
      await sql`select cron.unschedule('sediment_vacuum')`;
    },
    async mends({ sql }) {
      await sql.unsafe(await scheduleOf("sediment_vacuum"));
    },
  },
  {
    name: "jobs_failing",
    told: "incident",
    async breaks({ sql }) {
      await sql`alter function public.end_aged rename to end_aged_no_more`;
    },
    async mends({ sql }) {
      await sql`alter function public.end_aged_no_more rename to end_aged`;
    },
  },
  {
    name: "leases_overdue",
    told: "incident",
    async breaks(world) {
      await setting(world, { max_workers: 0, realtime_delay_seconds: 0 });
      await world.job("sediment_leases", false);
      await world.uploads("leases", 4);
      const { run_id } = await world.claim();
      await world.admin`update public.partitions set lease_expires_at = now() - interval '3 minutes'
        where run_id = ${run_id}`;
    },
    async mends(world) {
      await world.job("sediment_leases", true);
      await setting(world, { max_workers: 4 });
    },
  },
  {
    name: "debt_overdue",
    told: "incident",
    async breaks(world) {
      await world.job("sediment_sweep", false);
      await world.uploads("debts", 1);
      // its age has made it due since
      await world.admin`update public.partitions set due_at = now() - interval '10 minutes'
        where "table" = 'debts' and msg_id is null`;
    },
    async mends(world) {
      await world.job("sediment_sweep", true);
    },
  },
  {
    name: "work_waits",
    told: "incident",
    async breaks(world) {
      // the functions are down: nothing is where the pings go
      await vault(world, "sediment_functions_url", "http://127.0.0.1:9");
      await world.uploads("waits", 4);
      await madeLate(world, "waits");
    },
    async mends(world) {
      await vault(world, "sediment_functions_url", `${world.stack.url}/functions/v1`);
    },
  },
  {
    name: "lag_over",
    told: "incident",
    async breaks(world) {
      await setting(world, { max_workers: 0, lag_alert_seconds: 60 });
      await world.uploads("busy", 4);
      busy = await world.claim();
      await setting(world, { max_workers: 1 });
      await world.uploads("behind", 4);
      await madeLate(world, "behind");
    },
    async mends(world) {
      await setting(world, { max_workers: 4 });
      // the busy worker ends too, and its slot is free
      await world
        .admin`select public.fail_compaction(${busy.run_id}, ${busy.token}, 'internal', 'it was stopped',
        'merge', false, 'environment')`;
    },
  },
  {
    name: "breaker_open",
    told: "reason",
    as: "breaker",
    async breaks(world) {
      await setting(world, { max_workers: 0, breaker_probe_seconds: 5 });
      for (const table of ["first", "second"]) await world.uploads(table, 4);
      for (let n = 0; n < 2; n++) {
        const { run_id, token } = await world.claim();
        await world.admin`select public.fail_compaction(${run_id}, ${token}, 'store_failed',
          'the store answers 503', 'merge', false, 'environment', 'store_read')`;
      }
    },
    // what it names was the store, which answers again; a probe needs a worker
    async mends(world) {
      await setting(world, { max_workers: 4 });
    },
  },
  {
    name: "quarantine",
    told: "incident",
    async breaks(world) {
      await world.uploads("aside", 1);
      await world
        .admin`update public.battle_files set state = 'quarantined', quarantine_code = 'internal',
        quarantine_reason = 'it was our fault', quarantined_at = now() where "table" = 'aside'`;
    },
    async mends(world) {
      const [{ id }] = await world.sql`select dataset_id as id from public.quarantined_files`;
      const { headers } = await world.user();
      const { status } = await call(world.stack, "POST", "/compaction/quarantine/retry", {
        headers,
        json: { dataset_id: id },
      });
      assert.equal(status, 202);
    },
  },
  {
    name: "deletions_overdue",
    told: "incident",
    async breaks(world) {
      await world.job("sediment_deletions", false);
      const dataset = await world.uploads("deleted", 1);
      await world.admin`select public.delete_data(null, ${dataset}, 'deleted')`;
      await world.admin`update public.deletions set requested_at = now() - interval '2 hours'`;
    },
    async mends(world) {
      await until("all is taken out", 30, async () => {
        await world.admin`select public.advance_deletions()`;
        const [{ left }] = await world.sql`select count(*)::int as left from public.deletions
          where state in ('pending', 'marked')`;
        return left === 0;
      });
      await world.job("sediment_deletions", true);
    },
  },
  {
    name: "lake_late",
    told: "incident",
    async breaks(world) {
      await until("the job has run", 30, async () => {
        const [{ runs }] = await world
          .admin`select count(*)::int as runs from cron.job_run_details d
          join cron.job j using (jobid) where j.jobname = 'sediment_lake'`;
        return runs > 0;
      });
      await world.job("sediment_lake", false);
      // a run of the job that had begun publishes the first
      let table = 0;
      await until("a change of the lake waits", 30, async () => {
        await world.admin`select public.approve_lake_table(${`shown_${table++}`})`;
        const { count } = await world
          .admin`update public.lake_pending set created_at = now() - interval '1 day'`;
        return count > 0;
      });
    },
    async mends(world) {
      await world.sql`select sediment.publish_lake()`;
      await world.job("sediment_lake", true);
    },
  },
  {
    name: "quota_near",
    told: "incident",
    async breaks(world) {
      const { id } = await world.user();
      await world.uploads("much", 1);
      await world.admin`insert into public.user_limits (user_id, stored_bytes_max)
        select ${id}, (sediment.stored_bytes(${id}) * 1.05)::bigint`;
      // quotas are looked at every ten minutes
      await world.admin`select sediment.watch_troubles(true)`;
    },
    async mends(world) {
      const { id } = await world.user();
      await world
        .sql`update public.user_limits set stored_bytes_max = 1000000000 where user_id = ${id}`;
      await world.admin`select sediment.watch_troubles(true)`;
    },
  },
  {
    name: "catalog_failed",
    told: "reason",
    async breaks({ stack }) {
      await letIn(stack, false);
    },
    async mends({ stack }) {
      await letIn(stack, true);
    },
  },
  {
    name: "an error's code",
    told: "alert",
    as: "internal",
    async breaks(world) {
      await setting(world, { max_workers: 0 });
      await world.uploads("given_up", 4);
      const { run_id, token } = await world.claim();
      await world
        .admin`select public.fail_compaction(${run_id}, ${token}, 'internal', 'it broke', 'merge', true)`;
    },
    async mends(world) {
      await setting(world, { max_workers: 4 });
      const { body } = await call(world.stack, "POST", "/compaction/dlq/redrive", {
        headers: { apikey: world.stack.secretKey },
        json: { error_code: "internal" },
      });
      assert.equal(body.redriven.length, 1);
      await until("its partition is one file", 60, async () => {
        const [{ files }] = await world.admin`select count(*)::int as files from public.battle_files
          where "table" = 'given_up' and removed_version is null`;
        return files === 1;
      });
    },
  },
  {
    name: "clockwork_gap",
    told: "alert",
    async breaks(world) {
      await world.admin`update public.clockwork set beat_at = now() - interval '10 minutes'`;
    },
    async mends() {},
  },
];

/** Those that are broken and mended where what breaks is at hand, by the test that does it. */
export const elsewhere: Record<string, string> = {
  pings_refused: "tests/e2e/alerts_test.ts",
  read_only: "tests/e2e/read_only_test.ts",
  wasm_missing: "tests/deploy/wasm_health_test.ts",
  store_findings: "tests/e2e/store_check_test.ts",
};
