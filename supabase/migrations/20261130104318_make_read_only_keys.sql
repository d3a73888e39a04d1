-- Read-only keys of datasets, each a user of Auth; who may read a dataset reads its data files in Storage too, by a policy on
-- storage.objects. The job sediment_keys wakes the functions to delete users of keys that have ended.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP POLICY "member_reads" ON "public"."battle_files";

DROP POLICY "member_reads" ON "public"."dataset_versions";

DROP POLICY "member_reads" ON "public"."datasets";

DROP POLICY "member_reads" ON "public"."dead_letters";

DROP POLICY "member_reads" ON "public"."deletions";

DROP POLICY "member_reads" ON "public"."ended_rows";

DROP POLICY "member_reads" ON "public"."partitions";

DROP POLICY "member_reads" ON "public"."processing_metrics";

DROP POLICY "member_reads" ON "public"."table_names";

DROP POLICY "member_reads" ON "public"."table_settings";

DROP POLICY "member_reads" ON "public"."uploads";

CREATE TABLE "public"."dataset_keys" ("id" uuid NOT NULL DEFAULT gen_random_uuid(), "dataset_id" uuid NOT NULL, "label" text NOT NULL DEFAULT ''::text, "secret_hash" text NOT NULL, "user_id" uuid NOT NULL DEFAULT gen_random_uuid(), "created_by" uuid, "created_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), "expires_at" timestamp with time zone NOT NULL, "activated_at" timestamp with time zone, "ended_at" timestamp with time zone, "end_reason" text, "last_used_at" timestamp with time zone, "minute_start" timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone, "minute_sessions" integer NOT NULL DEFAULT 0, "remove_user_at" timestamp with time zone, "remove_attempts" integer NOT NULL DEFAULT 0, CONSTRAINT "dataset_keys_check1" CHECK (((ended_at IS NOT NULL) OR (remove_user_at IS NOT NULL))), CONSTRAINT "dataset_keys_check" CHECK (((ended_at IS NULL) = (end_reason IS NULL))), CONSTRAINT "dataset_keys_end_reason_check" CHECK ((end_reason = ANY (ARRAY['revoked'::text, 'expired'::text, 'handed_over'::text, 'dataset_deleted'::text, 'not_finished'::text, 'user_deleted'::text]))), CONSTRAINT "dataset_keys_label_check" CHECK ((length(label) <= 200)), CONSTRAINT "dataset_keys_pkey" PRIMARY KEY (id), CONSTRAINT "dataset_keys_secret_hash_check" CHECK ((secret_hash ~ '^[0-9a-f]{64}$'::text)), CONSTRAINT "dataset_keys_secret_hash_key" UNIQUE (secret_hash), CONSTRAINT "dataset_keys_user_id_key" UNIQUE (user_id));

revoke all on "public"."dataset_keys" from public, anon, authenticated, service_role;

ALTER TABLE "public"."dataset_keys" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."dataset_members" ADD COLUMN "key_id" uuid;

ALTER TABLE "public"."dataset_members" ADD COLUMN "expires_at" timestamp with time zone;

ALTER TABLE "public"."service_settings" ADD COLUMN "keys_max" integer NOT NULL DEFAULT 20;

CREATE OR REPLACE FUNCTION public.accept_invitation(p_user uuid, p_token text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_hash constant text := encode(sha256(convert_to(p_token, 'UTF8')), 'hex');
  v_owner uuid;
  d public.datasets;
  i public.dataset_invitations;
begin
  select * into i from public.dataset_invitations x where x.token_hash = v_hash;
  if not found or p_user is null or i.user_id <> p_user then
    perform sediment.fail('not_found', 404, 'there is no such invitation', 'a token that an owner has sent');
  end if;
  perform sediment.refuse_deleted_user(p_user);
  perform sediment.refuse_key(p_user);
  select y.user_id into strict v_owner from public.datasets y where y.id = i.dataset_id;
  if i.role = 'owner' then
    perform sediment.lock_quota(least(v_owner, p_user));
    perform sediment.lock_quota(greatest(v_owner, p_user));
  end if;
  d := sediment.lock_dataset(null, i.dataset_id, 'owner');
  select * into strict i from public.dataset_invitations x where x.id = i.id for no key update;
  if d.deleted_at is not null then
    perform sediment.fail('dataset_deleted', 410, format('dataset %s was deleted on %s', d.id, d.deleted_at));
  end if;
  if i.accepted_by = p_user and sediment.dataset_role(p_user, d.id) = i.role then
    return jsonb_build_object('dataset_id', d.id, 'role', i.role, 'owner_id', d.user_id);
  end if;
  if i.accepted_at is not null or i.revoked_at is not null or i.expires_at <= clock_timestamp()
    or i.role = 'owner' and d.user_id <> v_owner
  then
    perform sediment.fail('invitation_gone', 410, case
      when i.accepted_at is not null then 'the invitation was accepted before'
      when i.revoked_at is not null then 'the invitation was revoked'
      when i.expires_at <= clock_timestamp() then format('the invitation has expired on %s', i.expires_at)
      else 'the dataset was handed over meanwhile' end, 'a new invitation');
  end if;
  if d.user_id = p_user then
    perform sediment.fail('invalid_request', 400, 'the dataset is the user''s own', 'another user');
  end if;
  -- before a handover ends those that are open
  update public.dataset_invitations x set accepted_at = clock_timestamp(), accepted_by = p_user where x.id = i.id;
  if i.role = 'owner' then
    perform sediment.hand_over(d, p_user, i.keep_role);
  else
    insert into public.dataset_members as m (dataset_id, user_id, role, invited_by)
    values (d.id, p_user, i.role, i.invited_by)
    on conflict (dataset_id, user_id) do update set role = excluded.role, invited_by = excluded.invited_by;
  end if;
  return jsonb_build_object('dataset_id', d.id, 'role', i.role,
    'owner_id', case when i.role = 'owner' then p_user else d.user_id end);
end $function$;

CREATE OR REPLACE FUNCTION public.claim_ended_keys(p_limit integer DEFAULT 50)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
end $function$;

revoke all on function "public"."claim_ended_keys"(integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.commit_key(p_user uuid, p_key uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
end $function$;

revoke all on function "public"."commit_key"(uuid, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.delete_user(p_user uuid, p_by uuid DEFAULT NULL::uuid, p_purge boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  x public.deletions;
begin
  if p_user is null then
    perform sediment.fail('invalid_request', 400, 'p_user is needed');
  end if;
  perform sediment.refuse_key(p_user);
  -- an asset that is being committed is there before the mark, or sees it
  perform sediment.lock_quota(p_user);
  insert into public.deletions as y (kind, user_id, requested_by, purge)
  values ('user', p_user, p_by, coalesce(p_purge, false))
  on conflict (user_id) where kind = 'user' do update
  set purge = true, state = case when y.purge then y.state else 'marked' end, removed_at = null, purged_at = null,
    forgotten_at = null
  where excluded.purge and not y.purge;
  select * into strict x from public.deletions y where y.user_id = p_user and y.kind = 'user';
  return sediment.deletion_receipt(x);
end $function$;

CREATE OR REPLACE FUNCTION public.finish_ended_key(p_key uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_user uuid;
begin
  update public.dataset_keys k set remove_user_at = null
  where k.id = p_key and k.ended_at is not null and k.remove_user_at is not null
  returning k.user_id into v_user;
  delete from public.user_usage u where u.user_id = v_user;
  delete from public.idempotency_keys i where i.user_id = v_user;
  return jsonb_build_object('key_id', p_key, 'finished', v_user is not null);
end $function$;

revoke all on function "public"."finish_ended_key"(uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.invite_member(p_user uuid, p_dataset uuid, p_role text, p_invitee uuid DEFAULT NULL::uuid, p_keep_role text DEFAULT NULL::text, p_ttl_seconds integer DEFAULT 604800)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  -- members, and offers that are open, of one dataset
  v_most constant integer := 1000;
  v_now constant timestamptz := clock_timestamp();
  v_token constant text := 'sdi_' || replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
  d public.datasets;
  i public.dataset_invitations;
begin
  if (p_role in ('owner', 'writer', 'reader')) is not true
    or p_keep_role is not null and (p_role <> 'owner' or p_keep_role not in ('writer', 'reader'))
  then
    perform sediment.fail('invalid_request', 400, 'the role is none, or the one to keep is not of a handover',
      'role owner, writer or reader; keep_role writer or reader, beside role owner');
  end if;
  if (p_ttl_seconds between 60 and 2592000) is not true then
    perform sediment.fail('invalid_request', 400, format('the invitation would last %s s', p_ttl_seconds),
      '60 to 2592000 seconds');
  end if;
  d := sediment.lock_dataset(p_user, p_dataset, 'owner');
  if p_invitee = d.user_id then
    perform sediment.fail('invalid_request', 400, 'the dataset is that user''s already', 'another user');
  end if;
  delete from public.dataset_invitations x
  where x.dataset_id = d.id and x.expires_at < v_now - interval '30 days';
  if v_most <= (select count(*) from public.dataset_members m where m.dataset_id = d.id and m.key_id is null) + (
    select count(*) from public.dataset_invitations x where x.dataset_id = d.id and x.expires_at > v_now
      and x.accepted_at is null and x.revoked_at is null)
  then
    perform sediment.fail('quota_exceeded', 429, format('members: the dataset has %s, with open invitations', v_most),
      format('at most %s members and open invitations', v_most));
  end if;
  insert into public.dataset_invitations (dataset_id, role, token_hash, user_id, keep_role, invited_by, expires_at)
  values (d.id, p_role, encode(sha256(convert_to(v_token, 'UTF8')), 'hex'), p_invitee, p_keep_role, p_user,
    v_now + make_interval(secs => p_ttl_seconds))
  returning * into strict i;
  return jsonb_build_object('invitation_id', i.id, 'dataset_id', d.id, 'role', i.role, 'user_id', i.user_id,
    'keep_role', i.keep_role, 'token', v_token, 'expires_at', i.expires_at);
end $function$;

CREATE OR REPLACE FUNCTION public.list_keys(p_user uuid, p_dataset uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  d constant public.datasets := sediment.require_dataset(p_user, p_dataset, 'owner');
begin
  return jsonb_build_object('dataset_id', d.id, 'keys', (
    select coalesce(jsonb_agg(sediment.key_json(k) order by k.created_at, k.id), '[]')
    from public.dataset_keys k where k.dataset_id = d.id and k.activated_at is not null));
end $function$;

revoke all on function "public"."list_keys"(uuid, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.list_members(p_user uuid, p_dataset uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  d constant public.datasets := sediment.require_dataset(p_user, p_dataset, 'reader');
  v_role constant text := sediment.dataset_role(p_user, p_dataset);
  v_all constant boolean := p_user is null or v_role = 'owner';
begin
  return jsonb_build_object('dataset_id', d.id, 'owner_id', d.user_id, 'role', v_role,
    'members', (
      select coalesce(jsonb_agg(jsonb_build_object('user_id', m.user_id, 'role', m.role, 'invited_by', m.invited_by,
        'since', m.since) order by m.since, m.user_id), '[]')
      from public.dataset_members m where m.dataset_id = d.id and m.key_id is null and (v_all or m.user_id = p_user)),
    'invitations', (
      select coalesce(jsonb_agg(jsonb_build_object('invitation_id', i.id, 'role', i.role, 'user_id', i.user_id,
        'keep_role', i.keep_role, 'created_at', i.created_at, 'expires_at', i.expires_at)
        order by i.created_at, i.id), '[]')
      from public.dataset_invitations i
      where v_all and i.dataset_id = d.id and i.accepted_at is null and i.revoked_at is null
        and i.expires_at > clock_timestamp()));
end $function$;

CREATE OR REPLACE FUNCTION public.open_key(p_secret_hash text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
end $function$;

revoke all on function "public"."open_key"(text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.remove_member(p_user uuid, p_dataset uuid, p_member uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
begin
  d := sediment.lock_dataset(p_user, p_dataset, case when p_user = p_member then 'reader' else 'owner' end);
  if d.user_id = p_member then
    perform sediment.fail('invalid_request', 400, 'the owner is no member', 'a handover: an invitation of role owner');
  end if;
  delete from public.dataset_members m where m.dataset_id = d.id and m.user_id = p_member and m.key_id is null;
  return jsonb_build_object('dataset_id', d.id, 'user_id', p_member, 'removed', found);
end $function$;

CREATE OR REPLACE FUNCTION public.revoke_key(p_user uuid, p_dataset uuid, p_key uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
begin
  d := sediment.lock_dataset(p_user, p_dataset, 'owner');
  if not exists (select 1 from public.dataset_keys k where k.id = p_key and k.dataset_id = d.id) then
    perform sediment.fail('not_found', 404, format('there is no key %s', p_key));
  end if;
  return jsonb_build_object('dataset_id', d.id, 'key_id', p_key, 'revoked', sediment.end_keys(d.id, 'revoked', p_key) > 0);
end $function$;

revoke all on function "public"."revoke_key"(uuid, uuid, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.stage_asset(p_user uuid, p_key text, p_relative_path text, p_file_name text, p_size bigint, p_content_hash text, p_ttl_seconds integer DEFAULT 120, p_max_put_seconds integer DEFAULT 7200)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_current public.assets;
  v_stage uuid := gen_random_uuid();
  v_now timestamptz := clock_timestamp();
  v_expires timestamptz := v_now + make_interval(secs => p_ttl_seconds);
  v_key text;
begin
  if p_user is null or p_size is null or p_size < 0 or p_content_hash is null
    or p_content_hash !~ '^[0-9a-f]{64}$' or p_ttl_seconds <= 0 or p_max_put_seconds < 0
  then
    perform sediment.fail('invalid_request', 400, 'user, size or content hash is missing or not well formed');
  end if;
  perform sediment.refuse_deleted_user(p_user);
  perform sediment.refuse_key(p_user);
  perform sediment.check_asset(p_user, p_key, p_relative_path, p_file_name, p_size);

  select * into v_current from public.assets a where a.user_id = p_user and a.key = p_key;
  if v_current.content_hash = p_content_hash then
    perform sediment.fail('already_stored', 409, format('%s holds these bytes since %s', p_key, v_current.updated_at));
  end if;
  perform sediment.charge_rate_limit(p_user, p_size);

  v_key := format('assets/%s/%s.%s', p_user, v_stage, lower(substring(p_file_name from '\.([A-Za-z0-9]+)$')));
  insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, stage_id, content_hash,
    asset_key, details)
  values (v_key, 'asset', p_size, v_expires, v_expires + make_interval(secs => p_max_put_seconds), p_user, v_stage,
    p_content_hash, p_key, jsonb_build_object('relative_path', p_relative_path, 'file_name', p_file_name));
  return jsonb_build_object('stage_id', v_stage, 'object_key', v_key, 'expires_at', v_expires,
    'replaces', v_current.key is not null);
end $function$;

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
  return jsonb_build_object('key_id', k.id, 'user_id', k.user_id, 'expires_at', k.expires_at);
end $function$;

revoke all on function "public"."stage_key"(uuid, uuid, text, text, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.check_dataset_quota(p_user uuid, p_final boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_max integer;
begin
  perform sediment.refuse_key(p_user);
  select coalesce(l.datasets_max, s.datasets_max) into v_max
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  if v_max is null then
    return;
  end if;
  if p_final then
    perform sediment.lock_quota(p_user);
  end if;
  if (select count(*) from public.datasets d where d.user_id = p_user and d.deleted_at is null) >= v_max then
    perform sediment.fail('quota_exceeded', 429, format('datasets_max: the user has %s datasets', v_max),
      format('at most %s datasets', v_max));
  end if;
end $function$;

CREATE OR REPLACE FUNCTION sediment.clockwork_faults()
 RETURNS text[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_jobs constant text[] := array['sediment_tick', 'sediment_leases', 'sediment_sweep', 'sediment_history',
    'sediment_scheduled', 'sediment_vacuum', 'sediment_store_check', 'sediment_dead_letters', 'sediment_health', 'sediment_keys'];
  v_faults text[] := '{}'::text[];
  v_refused integer;
  v_outdated integer;
begin
  begin
    -- a timeout alone is no fault: a ping does not wait for the work
    with answered as (
      select p.path, r.status_code, r.created, r.content like '%schema_outdated%' as outdated
      from net._http_response r left join public.pings p on p.id = r.id
      where r.created > clock_timestamp() - interval '5 minutes')
    select count(*), count(*) filter (where a.outdated) into strict v_refused, v_outdated
    from answered a where a.status_code >= 400 and not exists (
      select 1 from answered s where s.status_code between 200 and 299
        and (s.path is not distinct from a.path or a.status_code in (401, 403) and s.created > a.created));
    if v_refused > 0 then
      v_faults := v_faults || 'pings_refused'::text;
    end if;
    if v_outdated > 0 then
      v_faults := v_faults || 'schema_outdated'::text;
    end if;
  exception when insufficient_privilege or undefined_table then null;
  end;
  begin
    if (select count(*) from cron.job j where j.jobname = any (v_jobs) and j.active) < cardinality(v_jobs) then
      v_faults := v_faults || 'jobs_missing'::text;
    end if;
    if exists (
      select 1 from cron.job j
      cross join lateral (select bool_and(d.status = 'failed') as failed, count(*) as runs from (
        select x.status from cron.job_run_details x where x.jobid = j.jobid and x.status in ('succeeded', 'failed')
        order by x.runid desc limit 3) d) l
      where j.jobname = any (v_jobs) and l.runs = 3 and l.failed)
    then
      v_faults := v_faults || 'jobs_failing'::text;
    end if;
  exception when insufficient_privilege or undefined_table then null;
  end;
  return v_faults;
end $function$;

CREATE OR REPLACE FUNCTION sediment.dataset_role(p_user uuid, p_dataset uuid)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select case when d.user_id = p_user then 'owner' else (
    select m.role from public.dataset_members m
    where m.dataset_id = d.id and m.user_id = p_user and (m.expires_at is null or m.expires_at > clock_timestamp())) end
  from public.datasets d where d.id = p_dataset
$function$;

CREATE OR REPLACE FUNCTION sediment.datasets_of(p_user uuid, p_needed text)
 RETURNS uuid[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return array(
    select d.id from public.datasets d where d.user_id = p_user
    union all
    select m.dataset_id from public.dataset_members m
    where m.user_id = p_user and sediment.role_suffices(m.role, p_needed)
      and (m.expires_at is null or m.expires_at > clock_timestamp()));
end $function$;

CREATE OR REPLACE FUNCTION sediment.end_keys(p_dataset uuid, p_reason text, p_key uuid DEFAULT NULL::uuid)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
end $function$;

revoke all on function "sediment"."end_keys"(uuid, text, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.hand_over(d public.datasets, p_to uuid, p_keep_role text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform sediment.refuse_deleted_user(d.user_id);
  perform sediment.check_dataset_quota(p_to, true);
  perform sediment.check_stored(p_to, d.file_size_bytes + d.retired_bytes);
  perform sediment.check_partition_quota(p_to, d.id, d.partition_count::integer, '{}');
  update public.datasets y set user_id = p_to, updated_at = clock_timestamp() where y.id = d.id;
  delete from public.dataset_members m where m.dataset_id = d.id and m.user_id = p_to;
  if p_keep_role is not null then
    insert into public.dataset_members (dataset_id, user_id, role, invited_by)
    values (d.id, d.user_id, p_keep_role, d.user_id);
  end if;
  update public.dataset_invitations x set revoked_at = clock_timestamp()
  where x.dataset_id = d.id and x.accepted_at is null and x.revoked_at is null;
  perform sediment.end_keys(d.id, 'handed_over');
end $function$;

CREATE OR REPLACE FUNCTION sediment.is_readable_object(p_key text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER COST 1000
 SET search_path TO ''
AS $function$
begin
  return exists (
    select 1 from public.battle_files f join public.datasets d on d.id = f.dataset_id
    where f.object_key = p_key and f.start_byte = 0 and f.object_key like '%.parquet'
      and d.deleted_at is null and (f.removed_version is null or f.removed_version > d.oldest_kept_version)
      and not (d.deletion_version > f.added_version and sediment.is_marked(f, d.oldest_kept_version))
      and sediment.dataset_role(auth.uid(), d.id) is not null)
    and not exists (select 1 from public.deletions x where x.user_id = auth.uid() and x.kind = 'user');
end $function$;

revoke all on function "sediment"."is_readable_object"(text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.key_json(k public.dataset_keys)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select jsonb_build_object('key_id', k.id, 'dataset_id', k.dataset_id, 'label', k.label, 'user_id', k.user_id,
    'created_by', k.created_by, 'created_at', k.created_at, 'expires_at', k.expires_at,
    'state', case when k.end_reason = 'expired' or k.ended_at is null and k.expires_at <= clock_timestamp() then 'expired'
      when k.ended_at is not null then 'ended' else 'active' end,
    'ended_at', k.ended_at, 'end_reason', k.end_reason, 'last_used_at', k.last_used_at)
$function$;

revoke all on function "sediment"."key_json"(public.dataset_keys) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.mark_deletion(d public.datasets, p_user uuid, p_table text, p_period_tag text, p_purge boolean, p_parent uuid)
 RETURNS public.deletions
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_kind constant text := case when p_period_tag is not null then 'period' when p_table is not null then 'table'
    else 'dataset' end;
  v_version public.dataset_versions;
  x public.deletions;
begin
  v_version := (sediment.next_versions(array[row(d.id, 0, 0, 0, 0, null)::sediment.dataset_change]))[1];
  insert into public.deletions (kind, user_id, requested_by, dataset_id, "table", period_tag, parent_id, version, purge)
  values (v_kind, d.user_id, p_user, d.id, p_table, p_period_tag, p_parent, v_version.version, p_purge)
  returning * into strict x;
  update public.datasets y
  set deletion_version = v_version.version,
    deleted_at = case when v_kind = 'dataset' then coalesce(y.deleted_at, clock_timestamp()) else y.deleted_at end,
    oldest_kept_version = case when p_purge then v_version.version else y.oldest_kept_version end,
    oldest_kept_at = case when p_purge then clock_timestamp() else y.oldest_kept_at end
  where y.id = d.id;
  if v_kind = 'dataset' then
    perform sediment.end_keys(d.id, 'dataset_deleted');
  end if;
  return x;
end $function$;

CREATE OR REPLACE FUNCTION sediment.note_deleted_user()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  update public.dataset_keys k
  set ended_at = coalesce(k.ended_at, clock_timestamp()), end_reason = coalesce(k.end_reason, 'user_deleted'),
    remove_user_at = null
  where k.user_id = old.id;
  if found then
    delete from public.dataset_members m where m.user_id = old.id;
    return old;
  end if;
  insert into public.deletions (kind, user_id, requested_by) values ('user', old.id, old.id)
  on conflict (user_id) where kind = 'user' do nothing;
  return old;
end $function$;

CREATE OR REPLACE FUNCTION sediment.refuse_key(p_user uuid)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if exists (select 1 from public.dataset_keys k where k.user_id = p_user) then
    perform sediment.fail('key_read_only', 403, 'the session is that of a key, which reads one dataset and does nothing else',
      'a user''s own session');
  end if;
end $function$;

revoke all on function "sediment"."refuse_key"(uuid) from public, anon, authenticated, service_role;

ALTER TABLE "public"."dataset_keys" ADD CONSTRAINT "dataset_keys_dataset_id_fkey" FOREIGN KEY (dataset_id) REFERENCES public.datasets(id);

ALTER TABLE "public"."dataset_members" ADD CONSTRAINT "dataset_members_key_id_fkey" FOREIGN KEY (key_id) REFERENCES public.dataset_keys(id);

ALTER TABLE "public"."dataset_members" ADD CONSTRAINT "dataset_members_key" CHECK ((((key_id IS NULL) = (expires_at IS NULL)) AND ((key_id IS NULL) OR (role = 'reader'::text))));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_keys_max_check" CHECK (((keys_max >= 0) AND (keys_max <= 500)));

CREATE INDEX dataset_keys_dataset ON public.dataset_keys USING btree (dataset_id, created_at);

CREATE INDEX dataset_keys_removal ON public.dataset_keys USING btree (remove_user_at) WHERE (remove_user_at IS NOT NULL);

CREATE POLICY "member_reads" ON "public"."battle_files" FOR SELECT TO "authenticated" USING (((removed_version IS NULL) AND (dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND ((m.expires_at IS NULL) OR (m.expires_at > now()))))))));

CREATE POLICY "service_all" ON "public"."dataset_keys" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "member_reads" ON "public"."dataset_versions" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND ((m.expires_at IS NULL) OR (m.expires_at > now())))))));

CREATE POLICY "member_reads" ON "public"."datasets" FOR SELECT TO "authenticated" USING (((user_id = ( SELECT auth.uid() AS uid)) OR (id = ANY (ARRAY( SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND ((m.expires_at IS NULL) OR (m.expires_at > now()))))))));

CREATE POLICY "member_reads" ON "public"."dead_letters" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND ((m.expires_at IS NULL) OR (m.expires_at > now())))))));

CREATE POLICY "member_reads" ON "public"."deletions" FOR SELECT TO "authenticated" USING (((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND ((m.expires_at IS NULL) OR (m.expires_at > now())))))) OR ((kind = 'user'::text) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY "member_reads" ON "public"."ended_rows" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND ((m.expires_at IS NULL) OR (m.expires_at > now())))))));

CREATE POLICY "member_reads" ON "public"."partitions" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND ((m.expires_at IS NULL) OR (m.expires_at > now())))))));

CREATE POLICY "member_reads" ON "public"."processing_metrics" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND ((m.expires_at IS NULL) OR (m.expires_at > now())))))));

CREATE POLICY "member_reads" ON "public"."table_names" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND ((m.expires_at IS NULL) OR (m.expires_at > now())))))));

CREATE POLICY "member_reads" ON "public"."table_settings" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND ((m.expires_at IS NULL) OR (m.expires_at > now())))))));

CREATE POLICY "member_reads" ON "public"."uploads" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND ((m.expires_at IS NULL) OR (m.expires_at > now())))))));

CREATE POLICY "sediment_readers" ON "storage"."objects" FOR SELECT TO "authenticated" USING (((bucket_id = 'sediment'::text) AND ( SELECT (regexp_replace(COALESCE(current_setting('storage.operation'::text, true), ''::text), '^storage\.'::text, ''::text) = ANY (ARRAY['object.get_authenticated'::text, 'object.info_authenticated'::text, 'object.get_authenticated_info'::text, 'object.head_authenticated_info'::text, 'object.list'::text, 'object.list_v2'::text, 's3.object.get'::text, 's3.object.info'::text, 's3.object.list'::text]))) AND (split_part(name, '/'::text, 2) = ANY (ARRAY( SELECT (d.id)::text AS id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT (m.dataset_id)::text AS dataset_id
   FROM public.dataset_members m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND ((m.expires_at IS NULL) OR (m.expires_at > now())))))) AND sediment.is_readable_object(name)));

COMMENT ON COLUMN "public"."service_settings"."keys_max" IS 'Read-only keys that a dataset may have at once; each in use is an active user of Auth. 0: none can be made. Unit: keys. Default: 20.';

COMMENT ON TABLE "public"."dataset_keys" IS 'Read-only keys of datasets, each a user of Auth of its own.';

REVOKE ALL ON FUNCTION "public"."claim_ended_keys"(integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."claim_ended_keys"(integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."commit_key"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."commit_key"(uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."finish_ended_key"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."finish_ended_key"(uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_keys"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_keys"(uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."open_key"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."open_key"(text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."revoke_key"(uuid, uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."revoke_key"(uuid, uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."stage_key"(uuid, uuid, text, text, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."stage_key"(uuid, uuid, text, text, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."end_keys"(uuid, text, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."end_keys"(uuid, text, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."is_readable_object"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."is_readable_object"(text) TO "authenticated", "service_role";

REVOKE ALL ON FUNCTION "sediment"."key_json"(public.dataset_keys) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."key_json"(public.dataset_keys) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."refuse_key"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."refuse_key"(uuid) TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."dataset_keys" TO "service_role";

select cron.schedule('sediment_keys', '* * * * *', '
  select sediment.ping_functions(''/compactor/keys'')
  where exists (select 1 from public.dataset_keys k where k.remove_user_at <= now())
');
