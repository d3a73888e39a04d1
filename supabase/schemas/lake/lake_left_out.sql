-- What is acknowledged and visible, and that the lake doesn't show, with the reason: files whose schema has no place in their
-- table, and columns that no file of a table is shown with.
create or replace view public.lake_left_out with (security_invoker = true) as
select r.name as lake_table, 'file' as kind, l.dataset_id, l.battle_file as file_id, null::text as column_name, l.reason, l.left_at
from public.lake_left_files l join public.lake_relations r on r.id = l.relation_id
union all
select r.name, 'column', l.dataset_id, null, array_to_string(l.path, '.'), l.reason, l.left_at
from public.lake_left_columns l join public.lake_relations r on r.id = l.relation_id
where r.end_snapshot is null;
