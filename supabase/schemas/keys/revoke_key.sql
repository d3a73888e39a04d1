-- Ends a key: what comes with its session from here on is refused. Returns {dataset_id, key_id, revoked: false where it had
-- ended before}. Raises not_found, dataset_forbidden, dataset_deleted, user_deleted.
create or replace function public.revoke_key(p_user uuid, p_dataset uuid, p_key uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  d public.datasets;
begin
  d := sediment.lock_dataset(p_user, p_dataset, 'owner');
  if not exists (select 1 from public.dataset_keys k where k.id = p_key and k.dataset_id = d.id) then
    perform sediment.fail('not_found', 404, format('there is no key %s', p_key));
  end if;
  return jsonb_build_object('dataset_id', d.id, 'key_id', p_key, 'revoked', sediment.end_keys(d.id, 'revoked', p_key) > 0);
end $$;
