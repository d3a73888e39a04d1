-- Refuses to merge what a deletion is at: an output made of it would come at a later version than the deletion. Called
-- with the dataset's row locked, as sediment.refuse_deleted_stages is. The worker has lost its lease in all but name:
-- the deletion ends the run when it comes to the partition.
create or replace function sediment.refuse_marked_inputs(p public.partitions, p_run uuid, p_inputs bigint[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  if sediment.has_marks(p.dataset_id) and exists (
    select 1 from public.battle_files f
    where f.id = any (p_inputs) and sediment.is_marked(f, 9223372036854775807))
  then
    perform sediment.fail('lease_lost', 409, format('what run %s has read is being deleted', p_run));
  end if;
end $$;
