-- What a worker that wanted a claim gets while the breaker is open: now and then, one at a time, a probe of the part
-- that failed. Returns null while the breaker is closed; else {probe: null | {token, part, seconds, keys, write_key}}:
--   keys: stored objects of which one must be readable (none: the store must list); of several kinds of work, so that
--     one lost object does not hold the breaker
--   write_key: where a write is tried; planned like any other key, so that the sweep knows of it
create or replace function sediment.claim_probe()
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  b public.circuit_breaker;
  v_now timestamptz := clock_timestamp();
  v_seconds constant integer := 60;
  v_keys text[];
  v_key text;
begin
  if (select x.state from public.circuit_breaker x) is distinct from 'open' then
    return null;
  end if;
  select * into b from public.circuit_breaker x for no key update skip locked;
  if not found or b.state <> 'open' or b.probe_at > v_now or b.probe_until > v_now then
    return jsonb_build_object('probe', null);
  end if;

  if b.part = 'store_read' then
    select coalesce(array_agg(x.object_key), '{}') into strict v_keys from (
      select f.object_key from public.battle_files f
      where f.removed_version is null and f.state = 'active' order by f.id desc limit 3) x;
  elsif b.part = 'store_write' then
    v_key := format('probes/%s.bin', gen_random_uuid());
    insert into public.objects (object_key, kind, size, expires_at, put_deadline)
    values (v_key, 'probe', 1, v_now + make_interval(secs => v_seconds),
      v_now + make_interval(secs => (select s.max_put_seconds from public.service_settings s)));
  end if;
  update public.circuit_breaker x
  set probe_token = x.probe_token + 1, probe_until = v_now + make_interval(secs => v_seconds), probe_key = v_key
  where x.id
  returning * into strict b;
  return jsonb_build_object('probe', jsonb_build_object('token', b.probe_token, 'part', b.part, 'seconds', v_seconds,
    'keys', to_jsonb(coalesce(v_keys, '{}')), 'write_key', v_key));
end $$;
