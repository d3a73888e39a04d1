-- Refuses partitions that would pass what the user may have, and tables that would pass what the dataset may. Waits for
-- the user's other commits that make some.
create or replace function sediment.check_partition_quota(
  p_user uuid, p_dataset uuid, p_partitions integer, p_tables text[]
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_limits record;
  v_count bigint := 0;
  v_last text := '';
begin
  select coalesce(l.partitions_max, s.partitions_max) as partitions, coalesce(l.tables_max, s.tables_max) as tables
  into strict v_limits
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  perform sediment.lock_quota(p_user);
  if v_limits.partitions is not null and p_partitions + (
    select coalesce(sum(d.partition_count), 0) from public.datasets d where d.user_id = any (array[p_user])
  ) > v_limits.partitions
  then
    perform sediment.fail('quota_exceeded', 429,
      format('partitions_max: %s more would pass the %s partitions that the user may have', p_partitions,
        v_limits.partitions), format('at most %s partitions', v_limits.partitions));
  end if;
  if v_limits.tables is null or not exists (
    select 1 from unnest(p_tables) as t(name)
    where not exists (select 1 from public.partitions x where x.dataset_id = p_dataset and x."table" = t.name))
  then
    return;
  end if;
  -- from table to table along the key, not from partition to partition
  while v_last is not null and v_count <= v_limits.tables loop
    select min(x."table") into v_last from public.partitions x
    where x.dataset_id = p_dataset and x."table" > v_last;
    if v_last is not null and v_last <> all (p_tables) then
      v_count := v_count + 1;
    end if;
  end loop;
  if v_count + cardinality(p_tables) > v_limits.tables then
    perform sediment.fail('quota_exceeded', 429,
      format('tables_max: the dataset would have over %s tables', v_limits.tables),
      format('at most %s tables in a dataset', v_limits.tables));
  end if;
end $$;
