-- Settings that plans go by have changed: the sweep looks at partitions that were seen whole before that.
create or replace function sediment.note_plan_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  update public.service_settings s set plan_changed_at = clock_timestamp() where s.id;
  return null;
end $$;

drop trigger if exists note_plan_change on public.table_settings;
create trigger note_plan_change after insert or update or delete on public.table_settings
  for each statement execute function sediment.note_plan_change();
drop trigger if exists note_plan_change on public.lake_tables;
create trigger note_plan_change after insert or update of withdrawn_at on public.lake_tables
  for each statement execute function sediment.note_plan_change();
drop trigger if exists note_plan_change on public.service_settings;
create trigger note_plan_change
  after update of target_file_bytes, target_row_group_bytes, healthy_row_group_bytes, target_page_bytes, min_inputs,
    max_age_seconds, codec
  on public.service_settings
  for each statement execute function sediment.note_plan_change();
