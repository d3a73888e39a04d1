-- Puts tables of a name into the lake, those of all datasets. From now on what runs write of them has two more columns, the
-- last: the dataset and the period tag of each row, as texts. They are called dataset_id and period_tag, or _dataset_id and
-- _period_tag where a schema seen so far of such a table has a column of either name, in any case; that stays so. Approved
-- again it comes back under the same names. Uploads get the columns when they are max_age_seconds old, alone if they have no
-- company; outputs of before over time (sediment.advance_lake). 200 tables at once, and 1,000 names ever; of names that differ in
-- case only, which are one to DuckDB, one at once.
-- Returns {id, name, dataset_column, period_column, approved_at, withdrawn_at}. Raises invalid_name, quota_exceeded.
create or replace function public.approve_lake_table(p_name text)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '300s'
as $$
declare
  v_most constant integer := 200;
  v_most_ever constant integer := 1000;
  v_failure constant jsonb := sediment.name_failure('table', p_name);
  v_named text[];
  v_prefix text := '';
  x public.lake_tables;
begin
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  lock table public.lake_tables in share row exclusive mode;
  select * into x from public.lake_tables t where t.name = p_name;
  if x.id is not null and x.withdrawn_at is null then
    return sediment.lake_table_json(x);
  end if;
  if exists (select 1 from public.lake_tables t where t.withdrawn_at is null and lower(t.name) = lower(p_name)) then
    perform sediment.fail('invalid_name', 400, format('%s differs in case only from a table that is in the lake', p_name));
  end if;
  if (select count(*) from public.lake_tables t where t.withdrawn_at is null) >= v_most
    or x.id is null and (select count(*) from public.lake_tables) >= v_most_ever
  then
    perform sediment.fail('quota_exceeded', 429, 'the lake takes no further table',
      format('%s tables at once, and %s names ever', v_most, v_most_ever));
  end if;

  if x.id is not null then
    update public.lake_tables t
    set approved_at = clock_timestamp(), withdrawn_at = null, settled_dataset_id = '00000000-0000-0000-0000-000000000000',
      settling_since = null, settled_period_tag = '', settled_seq = -1
    where t.id = x.id
    returning * into strict x;
    return sediment.lake_table_json(x);
  end if;
  -- few schemas have such a column; where none has, no file is looked at
  v_named := array(select k.digest from public.file_schemas k
    where exists (select 1 from jsonb_path_query(k.schema, '$.children[*].name') c
      where lower(c #>> '{}') in ('dataset_id', 'period_tag')));
  if cardinality(v_named) > 0 and exists (
    select 1 from public.battle_files f
    where f."table" = p_name and coalesce(f.schema_digest, f.schema_fingerprint) = any (v_named))
  then
    v_prefix := '_';
  end if;
  insert into public.lake_tables (name, dataset_column, period_column, settled_dataset_id)
  values (p_name, v_prefix || 'dataset_id', v_prefix || 'period_tag', '00000000-0000-0000-0000-000000000000')
  returning * into strict x;
  return sediment.lake_table_json(x);
end $$;
