-- A worker that is lost before it wrote anything down may have died of the files that it was given to merge first: others come next.
-- And a second look counts from when it may have been taken, not from when it was told.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."store_check" ADD COLUMN "begun_at" timestamp with time zone;

CREATE OR REPLACE FUNCTION public.begin_store_check(p_full boolean DEFAULT false, p_restart boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  c public.store_check;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_list boolean;
  v_suspects jsonb;
  v_sound jsonb;
  v_read record;
begin
  if exists (select 1 from public.circuit_breaker b where b.state = 'open') then
    return jsonb_build_object('claimed', false, 'reason', 'breaker_open');
  end if;
  select * into c from public.store_check x for no key update skip locked;
  if not found or c.leased_until > v_now then
    return jsonb_build_object('claimed', false, 'reason', 'busy');
  end if;
  select * into strict s from public.service_settings;
  if p_restart or c.tries >= 5 then
    c.list_cursor := null; c.after_key := ''; c.tries := 0; c.pass_started_at := null;
    c.read_after := case when p_restart then 0 else c.read_after end;
  end if;
  v_list := p_full or c.pass_started_at is not null
    or coalesce(c.pass_ended_at, '-infinity') <= v_now - make_interval(secs => s.store_check_interval_seconds);

  -- an asset is like a file that is all of its object
  select coalesce(jsonb_agg(jsonb_build_object('object_key', x.object_key, 'kind', x.kind, 'files', (
    select coalesce(jsonb_agg(jsonb_build_object('id', f.id, 'object_key', x.object_key, 'start_byte', f.start_byte,
      'byte_length', f.byte_length, 'checksum', f.checksum)), '[]')
    from (
      select y.id, y.start_byte, y.byte_length, y.checksum from public.battle_files y
      where y.object_key = x.object_key and y.removed_version is null
      union all
      select 0, 0, a.size, left(a.content_hash, 16) from public.assets a where a.object_key = x.object_key
    ) f where x.kind in ('lost', 'changed')))), '[]')
  into strict v_suspects from sediment.store_suspects(p_full, 50) x;

  -- of the youngest three small ones of which nothing bad is known
  select coalesce(jsonb_agg(jsonb_build_object('id', x.id, 'object_key', x.object_key, 'start_byte', x.start_byte,
    'byte_length', x.byte_length, 'checksum', x.checksum)), '[]')
  into strict v_sound from (
    select distinct on (y.removed_version is not null, y.checksum is null, y.byte_length, y.object_key) y.*
    from (select f.* from public.battle_files f order by f.id desc limit 1000) y
    join public.objects o on o.object_key = y.object_key and o.state = 'stored'
    where y.state = 'active' and y.lost_since is null
      and not exists (select 1 from public.store_findings n where n.object_key = y.object_key)
    -- what merges have replaced nobody reads again
    order by y.removed_version is not null, y.checksum is null, y.byte_length, y.object_key limit 3) x;

  -- the ids beyond the last one: what is gone, set aside or of no known checksum is passed over
  with window_ as (
    select f.* from public.battle_files f where f.id > c.read_after order by f.id limit 2000
  ), chosen as (
    select w.* from window_ w
    where w.removed_version is null and w.state = 'active' and w.checksum is not null order by w.id limit 20
  )
  select (select coalesce(jsonb_agg(jsonb_build_object('id', f.id, 'object_key', f.object_key, 'start_byte', f.start_byte,
      'byte_length', f.byte_length, 'checksum', f.checksum) order by f.id), '[]') from chosen f) as files,
    case when (select count(*) from chosen) = 20 then (select max(f.id) from chosen f)
      else coalesce((select max(w.id) from window_ w), c.read_after) end as after,
    (select count(*) from chosen) < 20 and (select count(*) from window_) < 2000 as ended
  into v_read
  where p_full or s.store_check_bytes_per_day > 0 and c.read_at <= v_now;

  if not v_list and v_read.after is null and v_suspects = '[]' then
    return jsonb_build_object('claimed', false, 'reason', 'not_due');
  end if;
  update public.store_check x
  set token = x.token + 1, begun_at = v_now, leased_until = v_now + interval '5 minutes', tries = c.tries + 1,
    list_cursor = c.list_cursor, after_key = c.after_key, read_after = c.read_after,
    pass_started_at = case when v_list then coalesce(c.pass_started_at, v_now) end
  where x.id
  returning * into strict c;
  return jsonb_build_object('claimed', true, 'token', c.token, 'passes', c.passes, 'reads', c.reads,
    'list', case when v_list then jsonb_build_object('cursor', c.list_cursor, 'after', c.after_key) end,
    'suspects', v_suspects, 'sound', v_sound, 'files', coalesce(v_read.files, '[]'),
    'read', case when v_read.after is not null then jsonb_build_object('after', v_read.after, 'ended', v_read.ended) end);
end $function$;

CREATE OR REPLACE FUNCTION public.commit_store_check(p_token bigint, p_list jsonb DEFAULT NULL::jsonb, p_read jsonb DEFAULT NULL::jsonb, p_found jsonb DEFAULT '[]'::jsonb, p_sound text[] DEFAULT '{}'::text[], p_probed boolean DEFAULT NULL::boolean, p_intact bigint[] DEFAULT '{}'::bigint[], p_etags jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  c public.store_check;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_most constant integer := 10000;
  v_set_aside integer;
  v_open bigint;
  v_kinds jsonb;
begin
  select * into strict c from public.store_check x for no key update;
  if c.token is distinct from p_token or c.leased_until is null then
    perform sediment.fail('lease_lost', 409, format('the check of the store is at slice %s, not %s', c.token, p_token));
  end if;
  select * into strict s from public.service_settings;

  insert into public.store_findings as f (object_key, kind, detail, found_at, looked_at)
  select n.object_key, n.kind, left(n.detail, 1000), v_now, v_now
  from jsonb_to_recordset(p_found) as n(object_key text, kind text, detail text)
  where exists (select 1 from public.store_findings x where x.object_key = n.object_key)
    or (select count(*) from public.store_findings) < v_most
  order by n.object_key
  on conflict (object_key) do update
  set kind = excluded.kind, detail = excluded.detail, looked_at = v_now,
    confirmed_at = coalesce(f.confirmed_at,
      -- a slice takes minutes: what it says was seen at any time since it began
      case when f.found_at <= coalesce(c.begun_at, v_now) - make_interval(secs => s.second_look_seconds) then v_now end);
  update public.objects o set etag = n.value, updated_at = v_now
  from jsonb_each_text(p_etags) n
  where o.object_key = n.key and o.object_key = any (p_sound) and o.state = 'stored' and o.etag is distinct from n.value;
  perform sediment.readmit_files(p_sound, p_intact, p_etags);
  -- what was found to be as it should, but for files that stay aside; and what has gone its way since: healed, remade, deleted
  delete from public.store_findings f
  where f.object_key = any (p_sound) and not exists (
      select 1 from public.battle_files x where x.object_key = f.object_key and x.removed_version is null
        and x.state = 'quarantined' and x.quarantine_code in ('object_missing', 'object_changed'))
    or case when f.kind in ('lost', 'changed') then not exists (
      select 1 from public.objects o where o.object_key = f.object_key and o.state = 'stored')
    else exists (select 1 from public.objects o where o.object_key = f.object_key and o.state in ('staged', 'stored')) end;
  update public.store_findings f set looked_at = v_now where f.object_key = any (p_sound);
  v_set_aside := sediment.miss_files(p_found, p_probed);

  update public.store_check x
  set leased_until = null, tries = 0,
    list_cursor = case when p_list is null then x.list_cursor else p_list ->> 'cursor' end,
    after_key = case when p_list is null then x.after_key when (p_list ->> 'ended')::boolean then '' else p_list ->> 'after' end,
    passes = x.passes + coalesce((p_list ->> 'ended')::boolean, false)::integer,
    pass_started_at = case when (p_list ->> 'ended')::boolean then null else x.pass_started_at end,
    pass_ended_at = case when (p_list ->> 'ended')::boolean then v_now else x.pass_ended_at end,
    read_after = case when p_read is null then x.read_after when (p_read ->> 'ended')::boolean then 0
      else (p_read ->> 'after')::bigint end,
    reads = x.reads + coalesce((p_read ->> 'ended')::boolean, false)::integer,
    -- what was read is paid for in time: so many bytes a day; and a store of few is not read over and over
    read_at = case when p_read is null then x.read_at else v_now + case when (p_read ->> 'ended')::boolean
      then make_interval(secs => s.store_check_interval_seconds) else interval '0' end + make_interval(secs =>
        86400.0 * (p_read ->> 'bytes')::bigint / greatest(s.store_check_bytes_per_day, 1048576)) end
  where x.id;

  select coalesce(sum(k.n), 0), coalesce(jsonb_object_agg(k.kind, k.n), '{}') into strict v_open, v_kinds from (
    select f.kind, count(*) as n from public.store_findings f where f.confirmed_at is not null group by f.kind) k;
  if v_open > 0 then
    perform sediment.open_incident('store_findings', format('Sediment: %s of the store are not as the catalog says: %s',
      v_open, (select string_agg(format('%s %s', e.value, e.key), ', ' order by e.key) from jsonb_each(v_kinds) e)),
      jsonb_build_object('counts', v_kinds));
  elsif exists (select 1 from public.incidents i where i.name = 'store_findings' and i.state = 'open') then
    perform sediment.close_incident('store_findings', 'Sediment: the store is as the catalog says again');
  end if;
  return jsonb_build_object('open', v_open, 'set_aside', v_set_aside);
end $function$;

CREATE OR REPLACE FUNCTION public.pass_control(p_run uuid, p_token bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
begin
  p := sediment.lock_lease(p_run, p_token);
  update public.partitions x set isolation = x.isolation || '{"sound": true, "controls": []}'
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag and x.isolation is not null;
  return jsonb_build_object('sound', found);
end $function$;

CREATE OR REPLACE FUNCTION public.quarantine_file(p_run uuid, p_token bigint, p_file bigint, p_code text, p_reason text, p_object_key text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  f public.battle_files;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_many constant integer := 10;
  v_changed boolean := false;
begin
  p := sediment.lock_lease(p_run, p_token);
  select * into f from public.battle_files x
  where x.id = p_file and x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
    and x.removed_version is null;
  if not found then
    perform sediment.fail('inputs_changed', 409, format('file %s is not visible in the partition', p_file));
  end if;
  if f.object_key <> p_object_key then
    perform sediment.fail('inputs_changed', 409, format('file %s is in another object than %s', p_file, p_object_key));
  end if;

  select * into strict s from public.service_settings;
  if f.state = 'active' and p_code in ('object_missing', 'object_changed')
    -- the check of the store may have noted it while this worker was at it, which may have looked at any time since its claim
    and (f.lost_since is null or f.lost_since not between v_now - interval '1 day'
      and p.claimed_at - make_interval(secs => s.second_look_seconds))
  then
    if f.lost_since is null or f.lost_since < v_now - interval '1 day' then
      if (select count(*) from (select 1 from public.battle_files x where x.removed_version is null
          and x.lost_since > v_now - make_interval(secs => s.breaker_window_seconds) limit v_many) y) = v_many
      then
        perform sediment.fail('store_failed', 503, format('%s, after %s others: %s', p_code, v_many, left(p_reason, 500)));
      end if;
      update public.battle_files x set lost_since = v_now where x.id = f.id returning * into strict f;
      v_changed := true;
    end if;
  elsif f.state = 'active' then
    if p_code in ('object_missing', 'object_changed') then
      perform sediment.set_aside_lost(f.id, p_code, p_reason);
    else
      update public.battle_files x
      set state = 'quarantined', quarantine_code = left(p_code, 100), quarantine_reason = left(p_reason, 2000),
        quarantined_at = v_now
      where x.id = f.id;
    end if;
    select * into strict f from public.battle_files x where x.id = f.id;
    v_changed := true;
  end if;
  -- A file set aside is progress, as a committed output is, and happens once a file: a turn that met nothing but
  -- bad ones is no failed attempt (found by the simulation: three such turns dead-lettered the sound rest).
  update public.processing_metrics r
  set files_quarantined = r.files_quarantined + (v_changed and f.state = 'quarantined')::integer,
    attempts = case when v_changed then 0 else r.attempts end
  where r.id = p_run;
  return jsonb_build_object('file_id', p_file, 'state', f.state, 'changed', v_changed, 'look_again_at',
    case when f.state = 'active' then f.lost_since + make_interval(secs => s.second_look_seconds) end);
end $function$;

CREATE OR REPLACE FUNCTION sediment.claim_message(p_queue text, p_msg_id bigint, p_message jsonb, p_worker text, p_lease_seconds integer, p_slot integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_msg record;
  p public.partitions;
  v_run public.processing_metrics;
  v_settings jsonb;
  v_now timestamptz;
  v_until timestamptz;
  v_trial bigint[];
  v_controls jsonb := '[]'::jsonb;
begin
  select * into v_msg from sediment.parse_message(p_message);
  if v_msg.problem is not null then
    if sediment.queue_take(p_queue, p_msg_id) then
      perform sediment.reject_message(p_queue, p_msg_id, p_message, v_msg.problem);
    end if;
    return null;
  end if;
  if v_msg."table" is null then
    return null; -- a fan-out: claim_compaction handles it before anything is locked
  end if;

  select * into p from public.partitions x
  where x.dataset_id = v_msg.dataset_id and x."table" = v_msg."table" and x.period_tag = v_msg.period_tag
  for no key update skip locked;
  if not found then
    if not exists (select 1 from public.partitions x where x.dataset_id = v_msg.dataset_id
        and x."table" = v_msg."table" and x.period_tag = v_msg.period_tag)
      and sediment.queue_take(p_queue, p_msg_id)
    then
      perform sediment.reject_message(p_queue, p_msg_id, p_message, 'there is no such partition');
    end if;
    return null;
  end if;

  -- Not the partition's live message: either it was archived since we looked, or somebody sent it by hand;
  -- then it counts as a request and joins.
  if p.msg_id is distinct from p_msg_id or p.queue is distinct from p_queue then
    if sediment.queue_take(p_queue, p_msg_id) then
      perform sediment.queue_archive(p_queue, p_msg_id);
      update public.partitions x set demand_seq = x.demand_seq + 1
      where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
      perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag,
        coalesce(v_msg.priority, p_queue), 'message', 0);
    end if;
    return null;
  end if;

  v_now := clock_timestamp();
  if p.lease_expires_at > v_now then
    perform sediment.queue_set_visibility(p_queue, p_msg_id, p.lease_expires_at);
    return null;
  end if;
  if p.lease_expires_at is not null then
    perform sediment.lose_worker(p);
    return null;
  end if;
  if p.ready_at > v_now then
    perform sediment.queue_set_visibility(p_queue, p_msg_id, p.ready_at); -- it failed since we looked, and waits
    return null;
  end if;

  v_settings := sediment.partition_settings(p);
  if p.isolation is not null then
    -- what has left meanwhile is nobody's suspect
    select coalesce(array_agg(x.id), '{}') into strict v_trial from (
      select f.id from jsonb_array_elements_text(p.isolation -> 'suspects') with ordinality as s(id, n)
      join public.battle_files f on f.id = s.id::bigint and f.removed_version is null and f.state = 'active'
      order by s.n limit (p.isolation ->> 'trial')::integer) x;
    if v_trial = '{}' then
      update public.partitions x set isolation = null
      where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
      v_trial := null;
    else
      p_lease_seconds := least(p_lease_seconds, 60);
    end if;
    -- one that is tried once more though nothing has passed between has no neighbour that could
    if cardinality(v_trial) = 1 and p.isolation -> 'deaths' ? v_trial[1]::text and not (p.isolation ->> 'sound')::boolean then
      v_controls := sediment.list_controls(p);
    end if;
  end if;
  insert into public.processing_metrics as r (id, user_id, dataset_id, "table", period_tag, operation, trigger, priority,
    status, step, attempts, worker, queued_at, started_at)
  select p.run_id, d.user_id, d.id, p."table", p.period_tag, 'compaction', 'upload', p.queue, 'running',
    'validate-dataset', 1, p_worker, p.ready_at, v_now
  from public.datasets d where d.id = p.dataset_id
  on conflict (id) do update
  set status = 'running', step = 'validate-dataset', attempts = r.attempts + 1, worker = p_worker,
    started_at = coalesce(r.started_at, v_now)
  returning * into strict v_run;
  v_until := v_now + make_interval(secs => least(p_lease_seconds,
    greatest((v_settings ->> 'max_run_seconds')::integer - v_run.worked_seconds, 1)));
  update public.partitions x
  set token = x.token + 1, lease_worker = p_worker, lease_slot = p_slot, staged_inputs = null, claimed_at = v_now, lease_expires_at = v_until,
    ready_at = v_until, claimed_demand_seq = x.demand_seq, claimed_debt_files = x.debt_files,
    claimed_debt_bytes = x.debt_bytes, tier_files = '{}', tier_oldest = null, tier_groups = null,
    -- by which sediment.lose_worker knows what the worker was given to merge first
    isolation = x.isolation || jsonb_build_object('controls', jsonb_path_query_array(v_controls, '$[*].id'))
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
  returning * into strict p;
  perform sediment.queue_set_visibility(p_queue, p_msg_id, p.lease_expires_at);

  return jsonb_build_object(
    'claimed', true, 'run_id', p.run_id, 'dataset_id', p.dataset_id, 'table', p."table",
    'period_tag', p.period_tag, 'user_id', v_run.user_id, 'priority', v_run.priority, 'token', p.token,
    'lease_expires_at', p.lease_expires_at,
    'lease_seconds', extract(epoch from p.lease_expires_at - v_now), 'claimed_at', v_now, 'attempt', v_run.attempts, 'demand_seq', p.demand_seq,
    'forced', p.forced_seq > p.done_seq or v_trial is not null, 'trial', v_trial is not null, 'outputs_committed', v_run.commits, 'settings', v_settings,
    'steps', v_run.steps, 'remake', case when v_trial is null then sediment.list_remake(p) end,
    'controls', v_controls)
    || sediment.list_inputs(p.dataset_id, p."table", p.period_tag, -1, 2000, v_trial, v_settings);
end $function$;

CREATE OR REPLACE FUNCTION sediment.list_controls(p public.partitions)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return (select coalesce(jsonb_agg(jsonb_build_object(
    'id', c.id, 'object_key', c.object_key, 'start_byte', c.start_byte, 'byte_length', c.byte_length,
    'level', c.level, 'seq_min', c.seq_min, 'seq_max', c.seq_max, 'row_count', c.row_count,
    'row_group_count', c.row_group_count, 'uncompressed_bytes', c.uncompressed_bytes, 'value_count', c.value_count,
    'merge_facts', c.merge_facts, 'schema_fingerprint', sediment.fingerprint_of(c.schema_fingerprint, c.schema_digest), 'state', c.state,
    'checksum', c.checksum, 'etag', sediment.etag_of(c.etag, c.object_key), 'uploaded_at', c.uploaded_at, 'rewrite', null,
    'lake_version', c.lake_version)), '[]')
    from (
      select x.* from (
        select f.* from public.battle_files f
        where f.removed_version is null and f.state = 'active' and f.lost_since is null
          and not coalesce(p.isolation -> 'passed_over', '[]') @> to_jsonb(f.id)
        order by f.id desc limit 50) x
      where (x.dataset_id, x."table", x.period_tag) is distinct from (p.dataset_id, p."table", p.period_tag)
        -- it is to be light for any worker
        and x.uncompressed_bytes <= 16777216
        and jsonb_array_length(coalesce(p.isolation -> 'passed_over', '[]')) < 9
      order by (x.level > 0) desc, random() limit 3) c);
end $function$;

CREATE OR REPLACE FUNCTION sediment.lose_worker(p public.partitions)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_told constant text := format('worker %s did not renew its lease', p.lease_worker);
begin
  if exists (select 1 from public.circuit_breaker b where b.state = 'open' or b.closed_at >= p.claimed_at)
    or exists (select 1 from public.clockwork c where c.gap_ended_at >= p.claimed_at)
  then
    return sediment.return_run(p, 'lease_expired', v_told || ', in an outage', null, null);
  end if;
  if cardinality(p.staged_inputs) > 0 then
    return sediment.narrow_claim(p, v_told);
  end if;
  if jsonb_array_length(p.isolation -> 'controls') > 0 then
    update public.partitions x
    set isolation = x.isolation || jsonb_build_object('controls', '[]'::jsonb,
      'passed_over', coalesce(x.isolation -> 'passed_over', '[]') || (x.isolation -> 'controls'))
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    return sediment.narrow_again(p, v_told);
  end if;
  return sediment.retry_run(p.dataset_id, p."table", p.period_tag, 'lease_expired', v_told, null, false);
end $function$;

CREATE OR REPLACE FUNCTION sediment.narrow_again(p public.partitions, p_told text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_until constant timestamptz := clock_timestamp() + interval '1 second';
begin
  update public.processing_metrics r
  set status = 'queued', attempts = 0, error_code = 'lease_expired', error_message = left(p_told, 2000),
    first_failed_at = coalesce(r.first_failed_at, clock_timestamp()), last_failed_at = clock_timestamp()
  where r.id = p.run_id;
  perform sediment.requeue_run(p, v_until);
  return jsonb_build_object('status', 'retry', 'retry_at', v_until, 'dead_letter_id', null);
end $function$;

revoke all on function "sediment"."narrow_again"(public.partitions, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.narrow_claim(p public.partitions, p_told text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_iso jsonb := p.isolation;
  v_dead bigint[];
  v_alone bigint;
  v_deaths integer;
  v_suspects bigint[];
  v_other bigint;
  v_trial integer;
begin
  -- in upload order: halves of neighbours are neighbours, as tables that dedupe need it
  select coalesce(array_agg(f.id order by f.seq_min), '{}') into strict v_dead from public.battle_files f
  where f.id = any (p.staged_inputs) and f.removed_version is null and f.state = 'active';
  if v_iso is null then
    v_iso := jsonb_build_object('suspects', '[]'::jsonb, 'trial', 0, 'deaths', '{}'::jsonb, 'sound', false, 'bytes',
      (select coalesce(sum(f.byte_length), 0) from public.battle_files f where f.id = any (v_dead)));
  end if;
  -- one that was set aside meanwhile, for a footer that is broken, can pass no trial: no neighbour to wait for
  select v_dead || coalesce(array_agg(x.id::bigint order by x.n), '{}') into strict v_suspects
  from jsonb_array_elements_text(v_iso -> 'suspects') with ordinality as x(id, n)
  join public.battle_files f on f.id = x.id::bigint and f.removed_version is null and f.state = 'active'
  where x.id::bigint <> all (v_dead);

  if cardinality(v_dead) <> 1 then
    v_trial := greatest(1, (cardinality(v_dead) + 1) / 2);
  else
    v_alone := v_dead[1];
    v_deaths := coalesce((v_iso #>> array['deaths', v_alone::text])::integer, 0) + 1;
    v_iso := jsonb_set(v_iso, array['deaths', v_alone::text], to_jsonb(v_deaths));
    if v_deaths = 1 then
      v_iso := v_iso || '{"sound": false}'; -- another must pass between the two deaths
    end if;
    v_trial := 1;
    if v_deaths >= 2 and (v_iso ->> 'sound')::boolean then
      update public.battle_files f
      set state = 'quarantined', quarantine_code = 'worker_died', quarantined_at = clock_timestamp(),
        quarantine_reason = format('%s workers died of it alone (%s rows, %s bytes, %s before compression) while '
          'another file passed alone; the last: %s', v_deaths, f.row_count, f.byte_length, f.uncompressed_bytes, p_told)
      where f.id = v_alone;
      update public.processing_metrics r set files_quarantined = r.files_quarantined + 1 where r.id = p.run_id;
      v_suspects := array_remove(v_suspects, v_alone);
      v_iso := v_iso || '{"bytes": 0}'; -- the culprit is found: it was not that they were too many
      v_trial := greatest(1, cardinality(v_suspects));
    elsif not (v_iso ->> 'sound')::boolean then
      -- a neighbour first: of the suspects, else of the partition
      select x.id into v_other from (
        select s.id, 0 as far, s.n from unnest(v_suspects) with ordinality as s(id, n)
        where not v_iso -> 'deaths' ? s.id::text
        union all
        select f.id, 1, abs(f.seq_min - (select y.seq_min from public.battle_files y where y.id = v_alone))
        from public.battle_files f
        where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
          and f.removed_version is null and f.state = 'active' and f.id <> all (v_suspects)
      ) x order by x.far, x.n limit 1;
      if v_other is not null then
        v_suspects := v_other || array_remove(v_suspects, v_other);
      elsif v_deaths >= 2 then
        update public.partitions x set isolation = v_iso - 'passed_over' || jsonb_build_object('suspects', to_jsonb(v_suspects), 'trial', 1)
        where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
        return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
          sediment.dead_letter_run(p.dataset_id, p."table", p.period_tag, 'worker_died',
            format('%s workers died of file %s, and no other file has passed; the last: %s', v_deaths, v_alone,
              p_told), null));
      end if;
    end if;
  end if;

  update public.partitions x
  set isolation = case when cardinality(v_suspects) > 0
      then v_iso || jsonb_build_object('suspects', to_jsonb(v_suspects), 'trial', v_trial) end,
    last_decision = format('narrowing down what workers die of: %s of %s files next', v_trial, cardinality(v_suspects))
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  return sediment.narrow_again(p, p_told);
end $function$;

REVOKE ALL ON FUNCTION "sediment"."narrow_again"(public.partitions, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."narrow_again"(public.partitions, text) TO "service_role";
