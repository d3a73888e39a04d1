-- Whose session the holder of a secret may have. One that is unknown, one that has ended and one that was never finished are
-- the same answer, found in the same way. Returns {key_id, dataset_id, user_id, expires_at}.
-- Raises key_invalid, rate_limited.
create or replace function public.open_key(p_secret_hash text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  -- a session lasts for an hour or so: more is many holders, or a client that keeps none
  v_most constant integer := 30;
  v_now constant timestamptz := clock_timestamp();
  v_minute constant timestamptz := date_trunc('minute', v_now);
  k public.dataset_keys;
begin
  update public.dataset_keys x
  set last_used_at = v_now, minute_start = v_minute,
    minute_sessions = case when x.minute_start = v_minute then x.minute_sessions else 0 end + 1
  where x.secret_hash = p_secret_hash and x.activated_at is not null and x.ended_at is null and x.expires_at > v_now
  returning * into k;
  if not found then
    perform sediment.fail('key_invalid', 401, 'the key is not known, has expired or was revoked', 'a key of the dataset''s owner');
  end if;
  -- raising takes the count back with the transaction
  if k.minute_sessions > v_most then
    perform sediment.fail('rate_limited', 429, format('key_sessions: over %s sessions of the key a minute', v_most),
      format('retry after %s s', ceil(extract(epoch from v_minute + interval '1 minute' - v_now))));
  end if;
  return jsonb_build_object('key_id', k.id, 'dataset_id', k.dataset_id, 'user_id', k.user_id, 'expires_at', k.expires_at);
end $$;
