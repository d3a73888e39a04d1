-- Refuses to commit what was staged under a name before that became another table's: it would make a second table of the
-- name. Called with the datasets' rows locked, as rename_table does. Raises stage_expired: from step 1 on it is the renamed
-- table's; of a group that is nobody's own error, and each of its calls goes alone.
create or replace function sediment.refuse_renamed_stages(
  p_calls sediment.commit_call[], p_files sediment.commit_file[]
)
returns void
language plpgsql
set search_path = ''
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_name text;
begin
  if not exists (
    select 1 from unnest(p_calls) as c join public.datasets d on d.id = any (array[c.dataset_id]) where d.has_aliases)
  then
    return;
  end if;
  select n.name into v_name
  from (
    select c.dataset_id, c."table" from unnest(p_calls) as c
    union select f.dataset_id, f."table" from unnest(p_files) as f) x
  join public.table_names n on n.dataset_id = x.dataset_id and n.name = x."table" and n."table" <> n.name limit 1;
  if found then
    perform sediment.fail('stage_expired', 410, format('%s became the name of another table', v_name));
  end if;
end $$;
