-- Notes that Auth has no user of an ended key any more; what limits had counted for it goes too. Returns {key_id, finished:
-- false where it has not ended, or was noted before}.
create or replace function public.finish_ended_key(p_key uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_user uuid;
begin
  update public.dataset_keys k set remove_user_at = null
  where k.id = p_key and k.ended_at is not null and k.remove_user_at is not null
  returning k.user_id into v_user;
  delete from public.user_usage u where u.user_id = v_user;
  delete from public.idempotency_keys i where i.user_id = v_user;
  return jsonb_build_object('key_id', p_key, 'finished', v_user is not null);
end $$;
