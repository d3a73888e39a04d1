-- New read-only keys count among the requests a minute of who makes them: each is a user of Auth.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION public.stage_key(p_user uuid, p_dataset uuid, p_label text, p_secret_hash text, p_ttl_seconds integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  -- rows of a dataset, those of the last 30 days that have ended among them: making and revoking has an end too
  v_most constant integer := 1000;
  -- longer than an isolate lives (400 s): whoever was to call commit_key is gone, and whatever it asked of Auth
  v_unfinished constant interval := interval '15 minutes';
  v_now constant timestamptz := clock_timestamp();
  v_max integer;
  d public.datasets;
  k public.dataset_keys;
begin
  if (p_ttl_seconds between 60 and 31622400) is not true then
    perform sediment.fail('invalid_request', 400, format('the key would last %s s', p_ttl_seconds),
      '60 to 31622400 seconds');
  end if;
  if length(p_label) > 200 then
    perform sediment.fail('invalid_request', 400, format('the label has %s characters', length(p_label)), 'at most 200');
  end if;
  d := sediment.lock_dataset(p_user, p_dataset, 'owner');
  select s.keys_max into strict v_max from public.service_settings s;
  if v_max <= (select count(*) from public.dataset_keys x
    where x.dataset_id = d.id and x.ended_at is null and x.expires_at > v_now)
  then
    perform sediment.fail('quota_exceeded', 429, format('keys_max: the dataset has %s keys', v_max),
      format('at most %s keys that have not ended', v_max));
  end if;
  if v_most <= (select count(*) from public.dataset_keys x where x.dataset_id = d.id) then
    perform sediment.fail('quota_exceeded', 429, format('the dataset has had %s keys in 30 days', v_most),
      format('at most %s, those that have ended among them', v_most));
  end if;
  insert into public.dataset_keys (dataset_id, label, secret_hash, created_by, created_at, expires_at, remove_user_at)
  values (d.id, coalesce(p_label, ''), p_secret_hash, p_user, v_now, v_now + make_interval(secs => p_ttl_seconds),
    v_now + v_unfinished)
  returning * into strict k;
  perform sediment.spend_request(p_user);
  return jsonb_build_object('key_id', k.id, 'user_id', k.user_id, 'expires_at', k.expires_at);
end $function$;

COMMENT ON COLUMN "public"."service_settings"."requests_per_minute" IS 'Requests for compaction a minute of a user without a limit of their own; redrives, retries of quarantined files and new read-only keys are among them. Null: no limit. Unit: requests. Default: 600.';
