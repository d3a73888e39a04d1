-- Makes a planned key open its dataset, now that Auth has its user. Asked again it answers the same. Returns the key
-- (sediment.key_json).
-- Raises not_found (there is none, or it has ended meanwhile), dataset_forbidden (handed over meanwhile), dataset_deleted,
-- user_deleted.
create or replace function public.commit_key(p_user uuid, p_key uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_dataset constant uuid := (select x.dataset_id from public.dataset_keys x where x.id = p_key);
  d public.datasets;
  k public.dataset_keys;
begin
  d := sediment.lock_dataset(p_user, v_dataset, 'owner');
  -- the clockwork gives up what is late, with the same compare and set
  update public.dataset_keys x
  set activated_at = coalesce(x.activated_at, clock_timestamp()), remove_user_at = x.expires_at
  where x.id = p_key and x.ended_at is null and x.expires_at > clock_timestamp()
  returning * into k;
  if not found then
    perform sediment.fail('not_found', 404, format('key %s has ended before it was made', p_key), 'a new key');
  end if;
  insert into public.dataset_members (dataset_id, user_id, role, invited_by, key_id, expires_at)
  values (d.id, k.user_id, 'reader', k.created_by, k.id, k.expires_at)
  on conflict (dataset_id, user_id) do nothing;
  return sediment.key_json(k);
end $$;
