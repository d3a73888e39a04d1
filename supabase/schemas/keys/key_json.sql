-- A key as its owner is told of it: {key_id, dataset_id, label, user_id, created_by|null, created_at, expires_at, state:
-- active|expired|ended, ended_at|null, end_reason|null, last_used_at|null}.
create or replace function sediment.key_json(k public.dataset_keys)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('key_id', k.id, 'dataset_id', k.dataset_id, 'label', k.label, 'user_id', k.user_id,
    'created_by', k.created_by, 'created_at', k.created_at, 'expires_at', k.expires_at,
    'state', case when k.end_reason = 'expired' or k.ended_at is null and k.expires_at <= clock_timestamp() then 'expired'
      when k.ended_at is not null then 'ended' else 'active' end,
    'ended_at', k.ended_at, 'end_reason', k.end_reason, 'last_used_at', k.last_used_at)
$$;
