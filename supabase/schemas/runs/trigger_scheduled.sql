-- 02:00 UTC: asks for compaction of the datasets whose debt is oldest. At most p_max_datasets datasets and
-- p_max_partitions partitions a call. A partition that has a message joins it, and one that a worker holds is being
-- worked on: both count, since the debt of their dataset is what is asked for. Each p_concurrency datasets become due p_delay_ms after the ones before,
-- so that a night's work does not start at once. Dead partitions are looked at again too, those of the oldest debt, by at
-- most a quarter of what a call takes.
-- Null arguments: the service's settings, which rule cron's nights. Never waits for a lock. Returns {datasets: [id], partitions, more}.
create or replace function public.trigger_scheduled(
  p_max_datasets integer default null, p_concurrency integer default null, p_delay_ms integer default null,
  p_max_partitions integer default 2000
)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '60s'
as $$
declare
  s public.service_settings;
  v_datasets uuid[];
  v_key record;
  v_count integer := 0;
  v_dead integer := 0;
  v_revived uuid[] := '{}'::uuid[];
  v_partition public.partitions;
begin
  select * into strict s from public.service_settings;
  p_max_datasets := coalesce(p_max_datasets, s.max_datasets_per_run);
  p_concurrency := greatest(coalesce(p_concurrency, s.schedule_concurrency), 1);
  p_delay_ms := greatest(coalesce(p_delay_ms, s.schedule_delay_ms), 0);

  -- Among as many debts as a call can ask for: older ones go first, and all others can wait for the next night.
  select coalesce(array_agg(x.dataset_id order by x.oldest), '{}') into strict v_datasets
  from (
    select o.dataset_id, min(o.debt_oldest) as oldest
    from (
      select p.dataset_id, p.debt_oldest from public.partitions p
      where p.debt_oldest is not null and p.dead_since is null
      order by p.debt_oldest limit p_max_partitions
    ) o
    group by o.dataset_id order by 2 limit greatest(p_max_datasets, 0)
  ) x;

  for v_partition in
    select * from public.partitions x
    where x.dead_since is not null and x.debt_oldest is not null and x.msg_id is null
    order by x.debt_oldest limit least((p_max_partitions + 3) / 4, (p_max_datasets + 3) / 4)
    for no key update skip locked
  loop
    v_revived := v_revived || sediment.revive_run(v_partition);
    v_dead := v_dead + 1;
  end loop;

  for v_key in
    select p.dataset_id, p."table", p.period_tag, p.lease_expires_at from public.partitions p
    where p.dataset_id = any (v_datasets) and p.debt_oldest is not null and p.dead_since is null
      and (p.run_id is null or p.run_id <> all (v_revived))
    order by p.dataset_id, p."table", p.period_tag limit p_max_partitions - v_dead
    for no key update skip locked
  loop
    if v_key.lease_expires_at is null then
      perform sediment.wake_partition(v_key.dataset_id, v_key."table", v_key.period_tag, 'scheduled', 'schedule',
        ((array_position(v_datasets, v_key.dataset_id) - 1) / p_concurrency) * p_delay_ms / 1000);
    end if;
    v_count := v_count + 1;
  end loop;
  return jsonb_build_object('datasets', to_jsonb(v_datasets), 'partitions', v_count + v_dead,
    'more', v_count + v_dead = p_max_partitions);
end $$;
