-- The mark of an output that was written before its table was in the lake (battle_files.rewrite); null for all others. For
-- those that come back from quarantine when the walk has passed them.
create or replace function sediment.lake_mark(p_table text, p_level integer, p_lake_version smallint)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select '{"reason": "its table is in the lake", "schema": null}'::jsonb
  where p_level > 0 and p_lake_version is null
    and exists (select 1 from public.lake_tables t where t.name = p_table and t.withdrawn_at is null)
$$;
