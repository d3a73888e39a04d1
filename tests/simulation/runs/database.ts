/**
 * The real catalog for the simulation: an embedded PostgreSQL with the migrations, emptied between seeds, whose
 * time can jump. pgmq and the functions read clock_timestamp(), so what jumps is what is stored: every
 * timestamp moves into the past.
 */
import postgres from "postgres";
import { startStack } from "../../../supabase/local/stack.ts";

/** A catalog of its own. */
export interface SimulatedDatabase {
  sql: postgres.Sql;
  /** Empties everything but the settings, and makes the settings those of the simulation. */
  reset(): Promise<void>;
  /** Lets `seconds` pass for all that is stored. */
  advance(seconds: number): Promise<void>;
  stop(): Promise<void>;
}

/** Settings under which a simulated month fits into a second: the smallest that still differ. */
const settings = {
  min_inputs: 2,
  max_age_seconds: 600,
  target_file_bytes: 6_000,
  realtime_delay_seconds: 0,
  lease_seconds: 60,
  max_run_seconds: 600,
  max_attempts: 3,
  backoff_base_seconds: 2,
  backoff_cap_seconds: 30,
  idle_recheck_seconds: 30,
  retention_seconds: 1_200,
  vacuum_interval_seconds: 0,
  signed_url_seconds: 300,
  max_put_seconds: 900,
};

/** Starts PostgreSQL with the migrations; `databases` clones of it, one for each lane. */
export async function openDatabase(patches: string[] = []): Promise<SimulatedDatabase> {
  const stack = await startStack({ functions: false, cron: false, quiet: true });
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {}, prepare: true });
  await sql.unsafe(installTime);
  for (const patch of patches) await sql.unsafe(patch);
  return {
    sql,
    async reset() {
      await sql.unsafe("select simulation.reset()");
      const columns = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
      await sql.unsafe(`update public.service_settings set ${columns.join(", ")}`);
    },
    async advance(seconds) {
      await sql.unsafe("select simulation.advance($1)", [seconds]);
    },
    async stop() {
      await sql.end({ timeout: 1 });
      await stack.stop();
    },
  };
}

const installTime = `
create schema if not exists simulation;

create or replace view simulation.tables as
select n.nspname as schema, c.relname as name
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and (n.nspname in ('public', 'sediment')
  or n.nspname = 'pgmq' and c.relname ~ '^[qa]_compaction_');

-- The statement that shifts a table: all its time columns at once.
create table if not exists simulation.shifts as
select format('update %I.%I set %s', t.schema, t.name, string_agg(
  format('%1$I = %1$I - make_interval(secs => $1)', a.attname), ', ')) as statement
from simulation.tables t
join pg_catalog.pg_attribute a on a.attrelid = format('%I.%I', t.schema, t.name)::regclass
where a.atttypid = 'timestamptz'::regtype and a.attnum > 0 and not a.attisdropped
  and t.name <> 'service_settings'
group by t.schema, t.name;

create or replace function simulation.advance(p_seconds float8) returns void language plpgsql as $$
declare v_statement text;
begin
  for v_statement in select statement from simulation.shifts loop
    execute v_statement using p_seconds;
  end loop;
end $$;

create or replace function simulation.reset() returns void language plpgsql as $$
declare v record;
begin
  set local session_replication_role = replica; -- no foreign keys while everything goes
  for v in select * from simulation.tables t where t.name not in ('service_settings') loop
    execute format('delete from %I.%I', v.schema, v.name);
  end loop;
end $$;
`;
