-- Has the next publication look again at files that a table had no place for: as many as have left it with this one, those left
-- out for longest first.
create or replace function sediment.readmit_lake_files(p_snapshot bigint)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.lake_pending (dataset_id, file_id, change)
  select f.dataset_id, f.battle_file, 'added'
  from (select l.relation_id, count(*) as files from public.lake_files l where l.end_snapshot = p_snapshot group by l.relation_id) s
  cross join lateral (
    select l.dataset_id, l.battle_file from public.lake_left_files l
    where l.relation_id = s.relation_id and l.reason like 'the table shows %'
    order by l.left_at, l.battle_file limit s.files) f;
end $$;
