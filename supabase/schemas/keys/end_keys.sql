-- Ends the keys of a dataset, or one of them: from here on they open nothing. Their users in Auth, who are nobody's members
-- any more, are deleted by the clockwork: at once, but of a key that is being made not before Auth can have made it. The caller
-- has locked the dataset. Returns how many have ended by this.
create or replace function sediment.end_keys(p_dataset uuid, p_reason text, p_key uuid default null)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_ended integer;
begin
  update public.dataset_keys k set ended_at = v_now, end_reason = p_reason,
    remove_user_at = case when k.activated_at is null then k.remove_user_at else v_now end
  where k.dataset_id = p_dataset and k.ended_at is null and (p_key is null or k.id = p_key);
  get diagnostics v_ended = row_count;
  delete from public.dataset_members m
  where m.dataset_id = p_dataset and m.key_id is not null and (p_key is null or m.key_id = p_key);
  return v_ended;
end $$;
