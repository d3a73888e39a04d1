-- Emptying the catalog between seeds. Time, as the checks ask for it, is the server's until virtual_time.sql is run.
create schema if not exists simulation;

create or replace function simulation.clock() returns timestamptz language sql volatile as $$
  select clock_timestamp()
$$;

create or replace function simulation.virtual(p_text text) returns text language sql immutable as $$
  select p_text
$$;

create or replace view simulation.tables as
select n.nspname as schema, c.relname as name
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and (n.nspname in ('public', 'sediment')
  or n.nspname = 'pgmq' and c.relname ~ '^[qa]_compaction_');

-- Every upload that was ever acknowledged, whatever the catalog forgets.
create table if not exists simulation.ledger (
  id uuid primary key, dataset uuid, "table" text, period_tag text, hash text, version bigint, answer jsonb,
  seqs bigint[]
);

create or replace function simulation.remember() returns trigger language plpgsql as $$
begin
  insert into simulation.ledger values (new.id, new.dataset_id, new."table", new.period_tag, new.content_hash,
    sediment.upload_version(new), sediment.upload_answer(new) || jsonb_build_object('files', (
      select jsonb_agg(to_jsonb(s) order by s.ordinal) from sediment.upload_slices(new) as s)),
    (select array_agg(s.seq order by s.ordinal) from sediment.upload_slices(new) as s))
  on conflict (id) do nothing;
  return new;
end $$;

create or replace trigger remember after insert or update on public.uploads
  for each row execute function simulation.remember();

-- Empties everything but the settings, and starts time, chance and every sequence again.
create or replace function simulation.reset(p_seed text) returns void language plpgsql as $$
declare v record;
begin
  perform set_config('simulation.now', '0', false), set_config('simulation.seed', p_seed, false);
  set local session_replication_role = replica; -- no foreign keys while everything goes
  delete from simulation.ledger;
  for v in select * from simulation.tables t where t.name not in ('service_settings') loop
    execute format('delete from %I.%I', v.schema, v.name);
  end loop;
  perform setval(c.oid::regclass, 1, false)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'S' and n.nspname in ('public', 'sediment', 'pgmq', 'simulation');
  insert into public.circuit_breaker (id) values (true);
  insert into public.clockwork (id) values (true);
  insert into public.store_check (id) values (true);
  insert into public.lake_snapshots (id, at, schema_version, next_file_id) values (0, simulation.clock(), 0, 1);
  insert into public.worker_slots (slot) select generate_series(1, 64);
  update public.service_settings set planner_version = 0, plan_changed_at = '-infinity';
end $$;
