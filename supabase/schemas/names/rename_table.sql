-- Gives a table of a dataset another name. All that it ever had stay its own: uploads and readers may go on with them. A
-- name that another table has or had is refused; one of its own may come back. No version comes of it.
-- Returns {dataset_id, table (the name from now on), aliases: [the others]}.
-- Raises not_found, dataset_forbidden, dataset_deleted, user_deleted, invalid_name, quota_exceeded, rate_limited.
create or replace function public.rename_table(p_user uuid, p_dataset uuid, p_table text, p_name text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  d public.datasets;
  -- names of a table, all of which are answered and none of which is ever forgotten
  v_most constant integer := 100;
  v_table text;
  v_failure jsonb := coalesce(sediment.name_failure('table', p_table), sediment.name_failure('name', p_name));
begin
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  -- commits that bring a table of that name are before it, or see it (sediment.refuse_renamed_stages)
  d := sediment.lock_dataset(p_user, p_dataset, 'owner');
  v_table := sediment.table_of(d.id, p_table);
  if not exists (select 1 from public.partitions p where p.dataset_id = d.id and p."table" = v_table) then
    perform sediment.fail('not_found', 404, format('dataset %s has no table %s', d.id, p_table));
  end if;
  if sediment.table_of(d.id, p_name) <> v_table and (
    exists (select 1 from public.table_names n where n.dataset_id = d.id and n.name = p_name)
    or exists (select 1 from public.partitions p where p.dataset_id = d.id and p."table" = p_name))
  then
    perform sediment.fail('invalid_name', 400, format('%s is or was the name of another table', p_name),
      'a name that no other table of the dataset ever had');
  end if;
  if sediment.table_of(d.id, p_name) <> v_table
    and v_most <= (select count(*) from public.table_names n where n.dataset_id = d.id and n."table" = v_table)
  then
    perform sediment.fail('quota_exceeded', 429, format('names: table %s has had %s', p_table, v_most),
      format('at most %s names of a table, of which one may come back', v_most));
  end if;
  update public.table_names n set is_current = false where n.dataset_id = d.id and n."table" = v_table;
  insert into public.table_names as n (dataset_id, name, "table", is_current)
  values (d.id, v_table, v_table, false), (d.id, p_name, v_table, true)
  on conflict (dataset_id, name) do nothing;
  update public.table_names n set is_current = true where n.dataset_id = d.id and n.name = p_name;
  update public.datasets y set has_aliases = true where y.id = d.id and not y.has_aliases;
  perform sediment.spend_request(p_user);
  return jsonb_build_object('dataset_id', d.id, 'table', p_name, 'aliases', (
    select coalesce(jsonb_agg(n.name order by n.named_at, n.name), '[]') from public.table_names n
    where n.dataset_id = d.id and n."table" = v_table and not n.is_current));
end $$;
