-- The namespaces that a caller sees of the lake, or the tables of one. A user has a namespace a dataset that they may read, a
-- service the one of all datasets.
--   p_namespace: null: the namespaces; p_after: the last name of the page before; p_limit: names at most, of 1,000
-- Returns {names, more: whether there are further ones}. Raises not_found, dataset_forbidden, user_deleted, dataset_deleted.
create or replace function public.list_lake(p_user uuid, p_namespace text default null, p_after text default null,
  p_limit integer default 1000)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_most constant integer := least(greatest(p_limit, 1), 1000);
  v_names text[];
  v_scope uuid;
begin
  if p_namespace is null then
    v_names := case when p_user is null then array(
      select 'lake' where p_after is null) else array(
      select d.id::text from public.datasets d
      where d.id = any (sediment.datasets_of(p_user, 'reader')) and d.deleted_at is null and (p_after is null or d.id::text collate "C" > p_after)
      order by d.id limit v_most + 1) end;
  else
    v_scope := sediment.lake_scope(p_user, p_namespace);
    v_names := array(
      select r.name from public.lake_relations r
      where r.end_snapshot is null and (p_after is null or r.name > p_after) and (v_scope = '00000000-0000-0000-0000-000000000000' or exists (
        select 1 from public.partitions p where p.dataset_id = v_scope and p."table" = r.name))
      order by r.name limit v_most + 1);
  end if;
  return jsonb_build_object('names', to_jsonb(v_names[1 : v_most]), 'more', cardinality(v_names) > v_most);
end $$;
