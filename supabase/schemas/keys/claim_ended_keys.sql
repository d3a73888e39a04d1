-- Ends keys whose time has come and those that nobody finished, and hands out users that are to be deleted in Auth, the
-- longest due first. One that is not told of by finish_ended_key is handed out again, with growing pauses, for ever.
-- Forgets keys 30 days after their end, once their users are gone.
-- Returns {keys: [{key_id, user_id, attempt}], more}.
create or replace function public.claim_ended_keys(p_limit integer default 50)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 50), 1), 500);
  v_now constant timestamptz := clock_timestamp();
  v_keys jsonb;
begin
  with due as (
    select x.id from public.dataset_keys x
    where x.remove_user_at <= v_now order by x.remove_user_at limit v_limit
    for no key update skip locked
  ), taken as (
    update public.dataset_keys k
    set ended_at = coalesce(k.ended_at, v_now),
      end_reason = coalesce(k.end_reason, case when k.activated_at is null then 'not_finished' else 'expired' end),
      remove_attempts = k.remove_attempts + 1,
      -- a minute, doubled up to an hour or so
      remove_user_at = v_now + interval '1 minute' * power(2, least(k.remove_attempts, 6))
    from due d where k.id = d.id
    returning k.id, k.user_id, k.remove_attempts
  ), rights as (
    delete from public.dataset_members m using taken t where m.key_id = t.id
  )
  select coalesce(jsonb_agg(jsonb_build_object('key_id', t.id, 'user_id', t.user_id, 'attempt', t.remove_attempts)), '[]')
  into strict v_keys from taken t;

  delete from public.dataset_keys k where k.id = any (array(
    select x.id from public.dataset_keys x
    where x.ended_at < v_now - interval '30 days' and x.remove_user_at is null
      and not exists (select 1 from public.dataset_members m where m.key_id = x.id)
    limit v_limit for update skip locked));
  return jsonb_build_object('keys', v_keys, 'more', jsonb_array_length(v_keys) = v_limit);
end $$;
