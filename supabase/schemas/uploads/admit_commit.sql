-- Why a commit may not bring what is new with it: the dataset, made here, not the user's to write to by now or one too
-- many; partitions, tables and schemas past the owner's limits. Null for one that may.
--   p_schemas: as sediment.spend_growth counts them
create or replace function sediment.admit_commit(
  p sediment.commit_call, p_partitions integer, p_tables text[], p_schemas integer
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_detail text;
  v_hint text;
begin
  if not exists (select 1 from public.datasets d where d.id = p.dataset_id) then
    perform sediment.check_dataset_quota(p.user_id, true);
    insert into public.datasets (id, user_id) values (p.dataset_id, p.user_id) on conflict (id) do nothing;
  end if;
  -- a racer may have been first: look again
  perform sediment.require_role(p.user_id, p.dataset_id, 'writer');
  if p_partitions > 0 then
    perform sediment.check_partition_quota(p.owner_id, p.dataset_id, p_partitions, p_tables);
  end if;
  if p_partitions > 0 or p_schemas > 0 then
    perform sediment.spend_growth(p.owner_id, p_partitions, p_schemas);
  end if;
  return null;
exception when others then
  -- a lock not had is the group's error
  if sqlstate not like 'SD%' then
    raise;
  end if;
  get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
  return sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
end $$;
