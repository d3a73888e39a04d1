-- A stored object that no row of the catalog shows any more: to be deleted after a while. Compare-and-set.
create or replace function sediment.retire_object(p_object_key text, p_reason text, p_after interval)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  update public.objects o
  set state = 'deleting', delete_after = clock_timestamp() + p_after, delete_reason = p_reason,
    updated_at = clock_timestamp()
  where o.object_key = p_object_key and o.state = 'stored';
  return found;
end $$;
