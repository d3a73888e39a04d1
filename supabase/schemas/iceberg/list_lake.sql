-- The namespaces that a caller sees of the lake, or the tables of one. A user has a namespace a dataset that they may read, a
-- service the one of all datasets.
--   p_namespace: null: the namespaces
-- Returns {names, more: whether there are further ones than the first 1,000}. Raises not_found, dataset_forbidden, user_deleted,
-- dataset_deleted.
create or replace function public.list_lake(p_user uuid, p_namespace text default null)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_most constant integer := 1000;
  v_names text[];
  v_scope uuid;
begin
  if p_namespace is null then
    v_names := case when p_user is null then array['lake'] else array(
      select d.id::text from public.datasets d
      where d.id = any (sediment.datasets_of(p_user, 'reader')) and d.deleted_at is null
      order by d.id limit v_most + 1) end;
  else
    v_scope := sediment.lake_scope(p_user, p_namespace);
    v_names := array(
      select r.name from public.lake_relations r
      where r.end_snapshot is null and (v_scope = '00000000-0000-0000-0000-000000000000' or exists (
        select 1 from public.partitions p where p.dataset_id = v_scope and p."table" = r.name))
      order by r.name limit v_most + 1);
  end if;
  return jsonb_build_object('names', to_jsonb(v_names[1 : v_most]), 'more', cardinality(v_names) > v_most);
end $$;
