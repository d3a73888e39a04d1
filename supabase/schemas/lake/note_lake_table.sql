-- Tells the lake that a table was approved or withdrawn.
create or replace function sediment.note_lake_table()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  insert into public.lake_pending (change) values ('table');
  return null;
end $$;

create or replace trigger note_lake_table after insert or update of withdrawn_at on public.lake_tables
  for each statement execute function sediment.note_lake_table();
