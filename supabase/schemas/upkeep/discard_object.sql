-- A planned object that will not be committed: to be deleted now, and again once no PUT to its key can arrive
-- any more. Compare-and-set: an object that is stored, or already on its way out, is left as it is.
create or replace function sediment.discard_object(p_object_key text, p_reason text)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  update public.objects o
  set state = 'deleting', delete_after = clock_timestamp(), delete_reason = p_reason,
    expires_at = null, updated_at = clock_timestamp()
  where o.object_key = p_object_key and o.state = 'staged';
  return found;
end $$;
