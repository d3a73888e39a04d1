-- Requests count by the partitions that they wake, invitations, renames and deletions are among them, and one for a dataset
-- that is not through yet is joined.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "sediment"."spend_request"(uuid);

CREATE OR REPLACE FUNCTION public.delete_data(p_user uuid, p_dataset uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_purge boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  x public.deletions;
  v_failure jsonb := coalesce(
    case when p_table is not null then sediment.name_failure('table', p_table) end,
    case when p_period_tag is not null then sediment.name_failure('period_tag', p_period_tag) end);
begin
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  -- the dataset's row alone: whoever waits for it holds partitions, and this call wants none
  select * into d from public.datasets y where y.id = p_dataset for no key update;
  if not found then
    perform sediment.fail('not_found', 404, format('there is no dataset %s', p_dataset));
  end if;
  perform sediment.require_role(p_user, d.id, 'owner');
  if d.deleted_at is not null then
    select * into x from public.deletions y
    where y.dataset_id = d.id and y.kind = 'dataset' order by y.purge desc, y.version limit 1;
    if x.purge or not coalesce(p_purge, false) then
      return sediment.deletion_receipt(x);
    end if;
    x := sediment.mark_deletion(d, p_user, null, null, true, null);
    perform sediment.spend_request(p_user);
    return sediment.deletion_receipt(x);
  end if;
  p_table := sediment.table_of(d.id, p_table);
  if (p_table is not null or p_period_tag is not null) and not exists (
    select 1 from public.partitions p where p.dataset_id = d.id and (p_table is null or p."table" = p_table)
      and (p_period_tag is null or p.period_tag = p_period_tag))
  then
    perform sediment.fail('not_found', 404, format('dataset %s has no data of %s', d.id,
      concat_ws('/', coalesce(p_table, '*'), p_period_tag)));
  end if;
  x := sediment.mark_deletion(d, p_user, p_table, p_period_tag, coalesce(p_purge, false), null);
  perform sediment.spend_request(p_user);
  return sediment.deletion_receipt(x);
end $function$;

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
  perform sediment.spend_request(p_user);
  return jsonb_build_object('invitation_id', i.id, 'dataset_id', d.id, 'role', i.role, 'user_id', i.user_id,
    'keep_role', i.keep_role, 'token', v_token, 'expires_at', i.expires_at);
end $function$;

CREATE OR REPLACE FUNCTION public.redrive_dead_letters(p_user uuid, p_ids bigint[] DEFAULT NULL::bigint[], p_filter jsonb DEFAULT NULL::jsonb, p_limit integer DEFAULT 100)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  -- ids are meant as they stand: the limit is for filters
  v_limit integer := least(greatest(coalesce(p_limit, 100), cardinality(p_ids), 1), 1000);
  v_filter jsonb := coalesce(p_filter, '{}');
  v_datasets constant uuid[] := sediment.datasets_of(p_user, 'writer');
  v_ids bigint[];
  v_key record;
  v_run uuid;
  v_redriven jsonb := '[]'::jsonb;
  v_done jsonb;
  v_skipped jsonb;
begin
  if cardinality(p_ids) > 1000 or jsonb_typeof(v_filter) <> 'object'
    or v_filter - array['dataset_id', 'table', 'error_code', 'before'] <> '{}'
  then
    perform sediment.fail('invalid_request', 400, 'over 1000 ids, or a filter with other fields',
      'dataset_id, table, error_code, before');
  end if;
  perform sediment.refuse_request(p_user);

  select coalesce(array_agg(x.id), '{}') into strict v_ids
  from (
    select l.id from public.dead_letters l
    where l.resolved_at is null and l.dataset_id is not null and l."table" is not null
      and (p_user is null or l.dataset_id = any (v_datasets))
      and (p_ids is null or l.id = any (p_ids))
      and (v_filter ->> 'dataset_id' is null or l.dataset_id = (v_filter ->> 'dataset_id')::uuid)
      and (v_filter ->> 'table' is null or l."table" = sediment.table_of(l.dataset_id, v_filter ->> 'table'))
      and (v_filter ->> 'error_code' is null or l.error_code = v_filter ->> 'error_code')
      and (v_filter ->> 'before' is null or l.last_failed_at < (v_filter ->> 'before')::timestamptz)
    order by l.id limit v_limit
  ) x;

  -- all partitions first, sorted; the queue after them
  perform 1 from public.partitions p
  where (p.dataset_id, p."table", p.period_tag) in (
    select l.dataset_id, l."table", l.period_tag from public.dead_letters l where l.id = any (v_ids))
  order by p.dataset_id, p."table", p.period_tag
  for no key update;

  for v_key in
    select distinct l.dataset_id, l."table", l.period_tag from public.dead_letters l
    where l.id = any (v_ids) and l.resolved_at is null order by 1, 2, 3
  loop
    update public.partitions p
    set demand_seq = p.demand_seq + 1, forced_seq = p.demand_seq + 1
    where p.dataset_id = v_key.dataset_id and p."table" = v_key."table" and p.period_tag = v_key.period_tag;
    v_run := sediment.wake_partition(v_key.dataset_id, v_key."table", v_key.period_tag, 'manual', 'redrive', 0);
    with done as (
      update public.dead_letters l
      set resolved_at = clock_timestamp(), resolution = 'redriven', redriven_run_id = v_run
      where l.id = any (v_ids) and l.resolved_at is null and l.dataset_id = v_key.dataset_id
        and l."table" = v_key."table" and l.period_tag = v_key.period_tag
      returning l.id
    )
    select coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'run_id', v_run, 'dataset_id', v_key.dataset_id,
      'table', v_key."table", 'period_tag', v_key.period_tag) order by d.id), '[]') into strict v_done from done d;
    v_redriven := v_redriven || v_done;
  end loop;

  select coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'reason', case
      when l.id is null or (p_user is not null and (l.dataset_id = any (v_datasets)) is not true) then 'not_found'
      when l.resolved_at is not null then 'resolved' else 'no_partition' end) order by i.id), '[]')
  into strict v_skipped
  from unnest(p_ids) as i(id)
  left join public.dead_letters l on l.id = i.id
  where not exists (select 1 from jsonb_array_elements(v_redriven) r where (r ->> 'id')::bigint = i.id);
  perform sediment.spend_request(p_user, jsonb_array_length(v_redriven));
  return jsonb_build_object('redriven', v_redriven, 'skipped', v_skipped, 'more', cardinality(v_ids) = v_limit);
end $function$;

CREATE OR REPLACE FUNCTION public.rename_table(p_user uuid, p_dataset uuid, p_table text, p_name text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  -- names of a table, all of which are answered and none of which is ever forgotten
  v_most constant integer := 100;
  v_table text;
  v_failure jsonb := coalesce(sediment.name_failure('table', p_table), sediment.name_failure('name', p_name));
begin
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  -- commits that bring a table of that name are before it, or see it (sediment.refuse_renamed_stages)
  d := sediment.lock_dataset(p_user, p_dataset, 'owner');
  v_table := sediment.table_of(d.id, p_table);
  if not exists (select 1 from public.partitions p where p.dataset_id = d.id and p."table" = v_table) then
    perform sediment.fail('not_found', 404, format('dataset %s has no table %s', d.id, p_table));
  end if;
  if sediment.table_of(d.id, p_name) <> v_table and (
    exists (select 1 from public.table_names n where n.dataset_id = d.id and n.name = p_name)
    or exists (select 1 from public.partitions p where p.dataset_id = d.id and p."table" = p_name))
  then
    perform sediment.fail('invalid_name', 400, format('%s is or was the name of another table', p_name),
      'a name that no other table of the dataset ever had');
  end if;
  if sediment.table_of(d.id, p_name) <> v_table
    and v_most <= (select count(*) from public.table_names n where n.dataset_id = d.id and n."table" = v_table)
  then
    perform sediment.fail('quota_exceeded', 429, format('names: table %s has had %s', p_table, v_most),
      format('at most %s names of a table, of which one may come back', v_most));
  end if;
  update public.table_names n set is_current = false where n.dataset_id = d.id and n."table" = v_table;
  insert into public.table_names as n (dataset_id, name, "table", is_current)
  values (d.id, v_table, v_table, false), (d.id, p_name, v_table, true)
  on conflict (dataset_id, name) do nothing;
  update public.table_names n set is_current = true where n.dataset_id = d.id and n.name = p_name;
  update public.datasets y set has_aliases = true where y.id = d.id and not y.has_aliases;
  perform sediment.spend_request(p_user);
  return jsonb_build_object('dataset_id', d.id, 'table', p_name, 'aliases', (
    select coalesce(jsonb_agg(n.name order by n.named_at, n.name), '[]') from public.table_names n
    where n.dataset_id = d.id and n."table" = v_table and not n.is_current));
end $function$;

CREATE OR REPLACE FUNCTION public.request_compaction(p_user uuid, p_dataset uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_priority text DEFAULT 'manual'::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  d public.datasets;
  r public.processing_metrics;
  v_run uuid;
  v_delay integer := 0;
  v_requested jsonb;
  v_start constant jsonb := '{"after_table": "", "after_period_tag": ""}';
  v_joined boolean;
begin
  if sediment.priority_rank(p_priority) is null then
    perform sediment.fail('invalid_request', 400, format('the priority is %s', quote_nullable(left(p_priority, 40))),
      'manual, realtime or scheduled');
  end if;
  if p_table is null and p_period_tag is not null then
    perform sediment.fail('invalid_request', 400, 'a period_tag needs its table');
  end if;
  d := sediment.require_dataset(p_user, p_dataset, 'writer');
  perform sediment.refuse_request(p_user);
  p_table := sediment.table_of(d.id, p_table);

  if p_period_tag is not null then
    perform 1 from public.partitions x
    where x.dataset_id = d.id and x."table" = p_table and x.period_tag = p_period_tag for no key update;
    if not found then
      perform sediment.fail('not_found', 404,
        format('dataset %s has no partition %s/%s', d.id, p_table, p_period_tag));
    end if;
    if p_priority = 'realtime' then
      select s.realtime_delay_seconds into strict v_delay from public.service_settings s;
    end if;
    update public.partitions x
    set demand_seq = x.demand_seq + 1,
      forced_seq = case when p_priority = 'manual' then x.demand_seq + 1 else x.forced_seq end
    where x.dataset_id = d.id and x."table" = p_table and x.period_tag = p_period_tag;
    v_run := sediment.wake_partition(d.id, p_table, p_period_tag, p_priority, 'request', v_delay);
    perform sediment.spend_request(p_user);
    return jsonb_build_object('instanceId', v_run, 'dataset_id', d.id, 'partitions', 1, 'cursor', null,
      'requested', jsonb_build_array(
        jsonb_build_object('table', p_table, 'period_tag', p_period_tag, 'metricId', v_run)));
  end if;

  -- one that is not through yet begins anew: a dataset has one of a kind, however often it is asked for
  update public.processing_metrics x set fan_out_cursor = v_start || jsonb_build_object('table', p_table)
  where x.id = (
    select y.id from public.processing_metrics y
    where y.operation = 'fan_out' and y.completed_at is null and y.fan_out_cursor is not null and y.trigger = 'request'
      and y.dataset_id = d.id and y.priority = p_priority and y.fan_out_cursor ->> 'table' is not distinct from p_table
    order by y.queued_at limit 1 for no key update)
  returning x.id into v_run;
  v_joined := found;
  if not v_joined then
    insert into public.processing_metrics
      (user_id, dataset_id, operation, trigger, priority, fan_out_forced, fan_out_cursor)
    values (d.user_id, d.id, 'fan_out', 'request', p_priority, p_priority = 'manual',
      v_start || jsonb_build_object('table', p_table))
    returning id into strict v_run;
  end if;
  v_requested := sediment.fan_out(v_run, 100);
  select * into strict r from public.processing_metrics x where x.id = v_run;
  if r.fan_out_cursor is not null and not v_joined then
    perform sediment.queue_send(p_priority, v_run, d.id, null, null, 0);
  elsif v_requested = '[]' and not v_joined then
    update public.processing_metrics x
    set status = 'success', completed_at = clock_timestamp(), decision = 'nothing is in debt'
    where x.id = v_run;
  end if;
  perform sediment.spend_request(p_user, jsonb_array_length(v_requested));
  return jsonb_build_object('instanceId', v_run, 'dataset_id', d.id,
    'partitions', jsonb_array_length(v_requested), 'requested', v_requested,
    'cursor', r.fan_out_cursor ->> 'after_table');
end $function$;

CREATE OR REPLACE FUNCTION public.retry_quarantined(p_user uuid, p_dataset uuid, p_files bigint[] DEFAULT NULL::bigint[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  d public.datasets;
  v_ids bigint[];
  v_files jsonb;
  v_requested jsonb;
begin
  d := sediment.require_dataset(p_user, p_dataset, 'writer');
  perform sediment.refuse_request(p_user);
  select coalesce(array_agg(x.id), '{}') into strict v_ids from (
    select f.id from public.battle_files f
    where f.dataset_id = d.id and f.state = 'quarantined' and f.removed_version is null
      and (p_files is null or f.id = any (p_files)) order by f.id limit 1000
  ) x;
  perform 1 from public.partitions p
  where p.dataset_id = d.id and (p."table", p.period_tag) in (
    select f."table", f.period_tag from public.battle_files f where f.id = any (v_ids))
  order by p."table", p.period_tag
  for no key update;

  with revived as (
    update public.battle_files f
    set state = 'active', quarantine_code = null, quarantine_reason = null, quarantined_at = null,
      lost_since = null, remake_at = null
    where f.id = any (v_ids) and f.state = 'quarantined' and f.removed_version is null
    returning f.id, f."table", f.period_tag, f.byte_length
  ), debts as (
    update public.partitions p
    set debt_files = p.debt_files + r.files, debt_bytes = p.debt_bytes + r.bytes,
      debt_oldest = coalesce(p.debt_oldest, clock_timestamp()), demand_seq = p.demand_seq + 1,
      forced_seq = p.demand_seq + 1
    from (select v."table", v.period_tag, count(*) as files, sum(v.byte_length)::bigint as bytes
      from revived v group by 1, 2) r
    where p.dataset_id = d.id and p."table" = r."table" and p.period_tag = r.period_tag
    returning p."table", p.period_tag
  )
  select (select coalesce(jsonb_agg(r.id order by r.id), '[]') from revived r),
    (select coalesce(jsonb_agg(jsonb_build_object('table', b."table", 'period_tag', b.period_tag)
      order by b."table", b.period_tag), '[]') from debts b)
  into strict v_files, v_requested;

  select coalesce(jsonb_agg(q || jsonb_build_object('metricId', sediment.wake_partition(d.id, q ->> 'table',
    q ->> 'period_tag', 'manual', 'request', 0))), '[]')
  into strict v_requested from jsonb_array_elements(v_requested) q;
  perform sediment.spend_request(p_user, jsonb_array_length(v_requested));
  return jsonb_build_object('dataset_id', d.id, 'files', v_files, 'requested', v_requested);
end $function$;

CREATE OR REPLACE FUNCTION sediment.refuse_request(p_user uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_max integer;
begin
  select coalesce(l.requests_per_minute, s.requests_per_minute) into v_max
  from public.user_usage u
  join public.service_settings s on s.id
  left join public.user_limits l on l.user_id = u.user_id
  where u.user_id = p_user and u.minute_start = date_trunc('minute', v_now)
    and u.minute_requests >= coalesce(l.requests_per_minute, s.requests_per_minute);
  if found then
    perform sediment.too_many_requests(v_max, v_now);
  end if;
end $function$;

revoke all on function "sediment"."refuse_request"(uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.spend_request(p_user uuid, p_count integer DEFAULT 1)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_minute constant timestamptz := date_trunc('minute', v_now);
  v_count constant integer := greatest(p_count, 1);
  v_max integer;
  v_requests integer;
begin
  if p_user is null then
    return;
  end if;
  select coalesce(l.requests_per_minute, s.requests_per_minute) into strict v_max
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  insert into public.user_usage as u (user_id, minute_start, minute_uploads, day_start, day_bytes, minute_requests)
  values (p_user, v_minute, 0, date_trunc('day', v_now, 'UTC'), 0, v_count)
  on conflict (user_id) do update
  set minute_start = v_minute,
    minute_uploads = case when u.minute_start = v_minute then u.minute_uploads else 0 end,
    minute_requests = case when u.minute_start = v_minute then u.minute_requests else 0 end + v_count
  returning u.minute_requests into strict v_requests;
  -- raising takes the count back with the transaction, and all that was asked for
  if v_requests - v_count >= v_max then
    perform sediment.too_many_requests(v_max, v_now);
  end if;
end $function$;

revoke all on function "sediment"."spend_request"(uuid, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.too_many_requests(p_max integer, p_now timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform sediment.fail('rate_limited', 429, format('requests_per_minute: over %s requests a minute', p_max),
    format('retry after %s s',
      ceil(extract(epoch from date_trunc('minute', p_now) + interval '1 minute' - p_now))));
end $function$;

revoke all on function "sediment"."too_many_requests"(integer, timestamp with time zone) from public, anon, authenticated, service_role;

COMMENT ON COLUMN "public"."service_settings"."requests_per_minute" IS 'Requests for compaction a minute of a user without a limit of their own, one for each partition that is asked for; redrives, retries of quarantined files, rewrites, new read-only keys, invitations, renames and deletions of more than an upload are among them. Null: no limit. Unit: requests. Default: 600.';

REVOKE ALL ON FUNCTION "sediment"."refuse_request"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."refuse_request"(uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."spend_request"(uuid, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."spend_request"(uuid, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."too_many_requests"(integer, timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."too_many_requests"(integer, timestamp with time zone) TO "service_role";
