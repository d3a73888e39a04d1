-- What a plan of a table goes by beside its files: the planner's version and the settings. A partition that was seen
-- whole under another one is looked at again.
create or replace function sediment.plan_digest(p_dataset uuid, p_table text, p_planner integer)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return md5(p_planner || (sediment.settings_of(p_dataset, p_table)
    - array['retention_seconds', 'lease_seconds', 'max_run_seconds', 'max_attempts'])::text);
end $$;
