-- Binds a user's Idempotency-Key to one upload. Null keys are not kept.
create or replace function sediment.keep_idempotency_key(p_user uuid, p_key text, p_identity text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_key is null then
    return;
  end if;
  if length(p_key) not between 1 and 255 then
    perform sediment.fail('invalid_request', 400, 'the Idempotency-Key is empty or over 255 characters');
  end if;
  insert into public.idempotency_keys (user_id, key, identity) values (p_user, p_key, p_identity)
  on conflict (user_id, key) do nothing;
  if not exists (select 1 from public.idempotency_keys k
    where k.user_id = p_user and k.key = p_key and k.identity = p_identity)
  then
    perform sediment.fail('upload_conflict', 422, 'this Idempotency-Key was used for another upload',
      'a key of its own for each upload');
  end if;
end $$;
