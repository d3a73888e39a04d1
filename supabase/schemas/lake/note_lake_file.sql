-- Tells the lake that a file of its shape came, went, was set aside, taken back or put into another object: whoever does it, in
-- their own transaction. Uploads have none such, and cost nothing here.
create or replace function sediment.note_lake_file()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  insert into public.lake_pending (dataset_id, version, file_id, change)
  values (new.dataset_id, case when tg_op = 'INSERT' then new.added_version
      when new.removed_version is distinct from old.removed_version then new.removed_version end,
    new.id, case when new.removed_version is null and new.state = 'active' then 'added' else 'removed' end);
  return null;
end $$;

create or replace trigger note_lake_file_added after insert on public.battle_files
  for each row when (new.lake_version is not null) execute function sediment.note_lake_file();
create or replace trigger note_lake_file_changed
  after update of removed_version, state, object_key, lake_version, schema_digest on public.battle_files
  for each row when (
    (old.lake_version is not null or new.lake_version is not null)
    and (old.removed_version is distinct from new.removed_version or old.state <> new.state
      or old.object_key <> new.object_key or old.lake_version is distinct from new.lake_version
      or old.schema_digest is distinct from new.schema_digest))
  execute function sediment.note_lake_file();
