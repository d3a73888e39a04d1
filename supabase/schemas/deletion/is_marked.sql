-- Whether a data file is gone at a version by a deletion whose slices have not come to it yet. Asked only where
-- sediment.has_marks says so. Row security says the same of battle_files in words of its own, since users may not
-- call this (access/enable_row_level_security.sql).
create or replace function sediment.is_marked(f public.battle_files, p_version bigint)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select 1 from public.deletions x
    where x.dataset_id = f.dataset_id and x.state = 'marked' and x.version > f.added_version and x.version <= p_version
      and (x."table" is null or x."table" = f."table") and (x.period_tag is null or x.period_tag = f.period_tag))
$$;
