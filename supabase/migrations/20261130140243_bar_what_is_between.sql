-- Trials after a worker's death see what lies between their files, so that tables that dedupe merge nothing across it; a
-- change of settings is heeded by what waits with a time at which it is due, not only by what has none; URLs that a
-- read-only key is given end with it; a deleted dataset gets no keys, members or names, from the service either.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP POLICY "sediment_readers" ON "storage"."objects";

DROP INDEX "public"."partitions_considered";

ALTER TABLE "public"."service_settings" ADD COLUMN "storage_bucket" text NOT NULL DEFAULT 'sediment'::text;

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

CREATE OR REPLACE FUNCTION public.deployment_findings(p_ping bigint DEFAULT NULL::bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_jobs jsonb;
  v_secrets jsonb;
  v_ping jsonb;
  v_migrations jsonb;
begin
  -- Each part by its own, dynamically: a deployment that lacks it must be told so, not refused.
  if to_regclass('cron.job') is not null then
    execute $sql$
      select coalesce(jsonb_agg(jsonb_build_object('name', j.jobname, 'schedule', j.schedule, 'active', j.active,
        'last_status', d.status, 'last_message', left(d.return_message, 200), 'last_started_at', d.start_time,
        'failed', r.failed, 'succeeded', r.succeeded) order by j.jobname), '[]')
      from cron.job j
      left join lateral (
        select count(*) filter (where x.status = 'failed') as failed,
          count(*) filter (where x.status = 'succeeded') as succeeded
        from cron.job_run_details x where x.jobid = j.jobid and x.start_time > now() - interval '1 hour') r on true
      left join lateral (
        select x.status, x.return_message, x.start_time from cron.job_run_details x
        where x.jobid = j.jobid and x.end_time is not null order by x.runid desc limit 1) d on true
      where j.jobname like 'sediment\_%'
    $sql$ into v_jobs;
  end if;
  if to_regclass('vault.decrypted_secrets') is not null then
    execute $sql$
      select jsonb_object_agg(n.name, jsonb_build_object('there', s.value is not null, 'finding', case
        when s.value is null then 'missing'
        when s.value <> btrim(s.value) then 'has blanks around it'
        when n.name = 'sediment_functions_url' and s.value !~ '^https?://[^/]+(/.*)?$' then 'is not a URL'
        when n.name = 'sediment_cron_key' and s.value ~ '^sb_publishable_' then 'is a publishable key'
        when n.name = 'sediment_cron_key' and s.value !~ '^(sb_secret_|eyJ)' then 'is not a secret key'
        end))
      from (values ('sediment_functions_url'), ('sediment_cron_key')) n (name)
      left join lateral (
        select d.decrypted_secret as value from vault.decrypted_secrets d where d.name = n.name limit 1) s on true
    $sql$ into v_secrets;
  end if;
  if p_ping is not null and to_regclass('net._http_response') is not null then
    execute $sql$
      select jsonb_build_object('status_code', a.status_code, 'timed_out', coalesce(a.timed_out, false),
        'error', left(a.error_msg, 200), 'ours', coalesce(a.content like '%"sediment"%', false))
      from net._http_response a where a.id = $1
    $sql$ into v_ping using p_ping;
  end if;
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    execute 'select jsonb_agg(m.version order by m.version) from supabase_migrations.schema_migrations m'
      into v_migrations;
  end if;
  return jsonb_build_object('now', clock_timestamp(), 'postgres', current_setting('server_version'),
    'migrations', v_migrations,
    'extensions', (
      select jsonb_object_agg(n.name, e.extversion)
      from unnest(array['pgmq', 'pg_cron', 'pg_net', 'supabase_vault']) n (name)
      left join pg_catalog.pg_extension e on e.extname = n.name),
    'jobs', v_jobs, 'secrets', v_secrets, 'ping', v_ping,
    'bucket', (
      select jsonb_build_object('public', b.public, 'file_size_limit', b.file_size_limit)
      from storage.buckets b where b.id = sediment.storage_bucket()),
    'storage_bucket', sediment.storage_bucket(),
    -- what a `create index concurrently` that was cut off has left: written with each row, read by nobody
    'invalid_indexes', (
      select coalesce(jsonb_agg(i.indexrelid::regclass::text order by i.indexrelid::regclass::text), '[]')
      from pg_catalog.pg_index i
      join pg_catalog.pg_class t on t.oid = i.indrelid
      where not i.indisvalid and t.relnamespace::regnamespace::text in ('public', 'pgmq', 'sediment')));
end $function$;

CREATE OR REPLACE FUNCTION public.list_files(p_user uuid, p_dataset uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_from text DEFAULT NULL::text, p_to text DEFAULT NULL::text, p_version bigint DEFAULT NULL::bigint, p_limit integer DEFAULT 1000, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  v_cursor jsonb := sediment.decode_cursor(p_cursor);
  v_version bigint;
  v_marks constant boolean := sediment.has_marks(p_dataset);
  v_committed timestamptz;
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  f public.battle_files;
  v_files jsonb[] := '{}'::jsonb[];
  v_bytes bigint := 0;
  v_more boolean := false;
  v_table text := p_table;
  v_names jsonb;
  v_last text;
begin
  if v_cursor is not null and (v_cursor - array['v', 't', 'p', 's', 'd'] <> '{}'
    or v_cursor ->> 'd' is distinct from p_dataset::text
    or coalesce(v_cursor ->> 'v', '') !~ '^\d{1,18}$' or coalesce(v_cursor ->> 's', '') !~ '^\d{1,18}$'
    or v_cursor ->> 't' is null or v_cursor ->> 'p' is null)
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  d := sediment.require_dataset(p_user, p_dataset);
  v_names := sediment.names_of(d);
  if d.has_aliases then
    v_table := sediment.table_of(d.id, p_table);
  end if;
  v_version := sediment.readable_version(d, coalesce((v_cursor ->> 'v')::bigint, p_version));
  select v.committed_at into v_committed from public.dataset_versions v
  where v.dataset_id = d.id and v.version = v_version;

  -- What is visible now comes in index order; what was removed since is as much as compaction did meanwhile. One by
  -- one: as text the bounds of a file's columns may be a hundred times what they are as stored, and only those of the
  -- page are to be unpacked.
  for f in
    (select x.* from public.battle_files x
      where x.dataset_id = d.id and x.removed_version is null and x.added_version <= v_version
        and not (v_marks and sediment.is_marked(x, v_version))
        and (v_table is null or x."table" = v_table) and (p_period_tag is null or x.period_tag = p_period_tag)
        and (p_from is null or x.period_tag >= p_from) and (p_to is null or x.period_tag <= p_to)
        and (v_cursor is null or (x."table", x.period_tag, x.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by x."table", x.period_tag, x.seq_min limit v_limit + 1)
    union all
    (select x.* from public.battle_files x
      where x.dataset_id = d.id and x.removed_version > v_version and x.added_version <= v_version
        and (v_table is null or x."table" = v_table) and (p_period_tag is null or x.period_tag = p_period_tag)
        and (p_from is null or x.period_tag >= p_from) and (p_to is null or x.period_tag <= p_to)
        and (v_cursor is null or (x."table", x.period_tag, x.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by x."table", x.period_tag, x.seq_min limit v_limit + 1)
    order by "table", period_tag, seq_min limit v_limit + 1
  loop
    v_bytes := v_bytes + 1000
      -- packed ones (shared/catalog/packed_stats.ts) are some three times as long when they are told
      + case when pg_column_size(f.stats) > 300
        then octet_length(f.stats::text) * case jsonb_typeof(f.stats) when 'string' then 3 else 1 end else 300 end;
    v_more := cardinality(v_files) = v_limit or (v_bytes > 2097152 and cardinality(v_files) > 0);
    exit when v_more;
    v_last := f."table";
    v_files := v_files || jsonb_build_object(
      'id', f.id, 'object_key', f.object_key, 'start_byte', f.start_byte, 'byte_length', f.byte_length,
      'table', coalesce(v_names ->> f."table", f."table"), 'period_tag', f.period_tag, 'size', f.byte_length, 'level', f.level, 'state', f.state,
      'lost', f.lost_since is not null,
      'quarantine_code', f.quarantine_code, 'quarantine_reason', f.quarantine_reason,
      'row_count', f.row_count, 'row_group_count', f.row_group_count,
      'uncompressed_bytes', f.uncompressed_bytes, 'schema_fingerprint', sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest),
      'stats', f.stats, 'etag', sediment.etag_of(f.etag, f.object_key), 'seq_min', f.seq_min, 'seq_max', f.seq_max,
      'uploaded_at', f.uploaded_at, 'added_version', f.added_version);
  end loop;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    -- to a key, as long as it lives itself
    'signed_url_seconds', (select least(s.signed_url_seconds, (
        select greatest(1, floor(extract(epoch from m.expires_at - clock_timestamp())))::integer
        from public.dataset_members m where m.dataset_id = d.id and m.user_id = p_user))
      from public.service_settings s), 'files', to_jsonb(v_files),
    'totals', sediment.version_totals(d, v_version), 'next_cursor', case when v_more then sediment.encode_cursor(jsonb_build_object(
      'd', d.id, 'v', v_version, 't', v_last,
      'p', v_files[cardinality(v_files)] -> 'period_tag', 's', v_files[cardinality(v_files)] -> 'seq_min')) end);
end $function$;

CREATE OR REPLACE FUNCTION public.sweep(p_limit integer DEFAULT 500)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  p public.partitions;
  v_due record;
  v_ready timestamptz;
  -- read once: the planner makes no index condition of the volatile clock_timestamp()
  v_now timestamptz := clock_timestamp();
  v_sent integer := 0;
  v_resent integer := 0;
  v_left integer;
  v_stages integer;
  v_closed integer;
  v_queue text;
  v_fan_out public.processing_metrics;
  v_archive integer;
  -- each upload brings such a row, of which nothing more is to be done
  v_forgotten constant integer := p_limit * 10;
  v_settings public.service_settings;
begin
  select * into strict v_settings from public.service_settings;
  v_archive := v_settings.archive_seconds;
  for p in
    select * from public.partitions x where x.due_at <= v_now and x.msg_id is null
    order by x.due_at limit p_limit
    for no key update skip locked
  loop
    if p.dead_since is null then
      perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'scheduled', 'sweep', 0);
    else
      perform sediment.revive_run(p);
    end if;
    v_sent := v_sent + 1;
  end loop;

  -- Few at a time: a change of a setting is no reason for a night's work at once. Also of what has a time at which it is
  -- due: that may come sooner now.
  v_left := 5;
  for p in
    select * from public.partitions x
    where x.msg_id is null and x.dead_since is null and x.last_considered_at < v_settings.plan_changed_at
    order by x.last_considered_at limit 200
    for no key update skip locked
  loop
    exit when v_left = 0;
    if p.plan_digest is distinct from sediment.plan_digest(p.dataset_id, p."table", v_settings.planner_version) then
      perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'scheduled', 'sweep', 0);
      v_sent := v_sent + 1;
      v_left := v_left - 1;
    else
      update public.partitions x set last_considered_at = v_now
      where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    end if;
  end loop;

  -- A partition without lease whose message is gone (purge_queue, a restored backup) sends it again. Only those that have
  -- been due for longest are looked at: claims take the oldest too, so what has no message is soon among them.
  for v_due in
    select x.dataset_id, x."table", x.period_tag, x.queue, x.msg_id from public.partitions x
    where x.msg_id is not null and x.lease_expires_at is null and x.ready_at <= v_now
    order by x.ready_at limit p_limit
  loop
    continue when sediment.queue_has(v_due.queue, v_due.msg_id);
    -- look again under the lock: the first look was at an older snapshot
    select * into p from public.partitions x
    where x.dataset_id = v_due.dataset_id and x."table" = v_due."table" and x.period_tag = v_due.period_tag
    for no key update skip locked;
    continue when not found or p.msg_id is null or p.lease_expires_at is not null
      or sediment.queue_has(p.queue, p.msg_id);
    v_ready := clock_timestamp();
    update public.partitions x
    set ready_at = v_ready,
      msg_id = sediment.queue_send(p.queue, p.run_id, p.dataset_id, p."table", p.period_tag, 0)
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    v_resent := v_resent + 1;
  end loop;

  -- The same of a request for a whole dataset that is not yet spread.
  for v_fan_out in
    select * from public.processing_metrics x
    where x.operation = 'fan_out' and x.completed_at is null and x.fan_out_cursor is not null
      and x.queued_at <= v_now - interval '1 minute'
      and not exists (select 1 from sediment.queue_messages m
        where m.message ->> 'metricId' = x.id::text and m.message -> 'table' is null)
    order by x.queued_at limit 10
    for no key update skip locked
  loop
    perform sediment.queue_send(v_fan_out.priority, v_fan_out.id, v_fan_out.dataset_id, null, null, 0);
    v_resent := v_resent + 1;
  end loop;

  -- what is due may be waiting for its time, and the breaker with it
  if sediment.wake_probe() is null
    and (select count(*) from public.partitions x where x.lease_expires_at > v_now) < v_settings.max_workers
  then
    foreach v_queue in array '{manual,realtime,scheduled}'::text[] loop
      exit when exists (
        select 1 from sediment.queue_ready(v_queue, 10) m
        where not exists (select 1 from public.partitions x where x.queue = v_queue and x.msg_id = m.msg_id))
        and sediment.ping_functions('/compactor') is not null;
    end loop;
  end if;

  with gone as (
    select o.object_key from public.objects o
    where o.state = 'staged' and o.put_deadline <= v_now
    order by o.put_deadline limit p_limit
    for update skip locked
  )
  update public.objects o
  set state = 'deleting', delete_after = clock_timestamp(), delete_reason = 'staged and never committed',
    expires_at = null, updated_at = clock_timestamp()
  from gone g where o.object_key = g.object_key and o.state = 'staged';
  get diagnostics v_stages = row_count;

  with done as (
    select r.id, exists (select 1 from public.run_children k join public.processing_metrics c on c.id = k.child_id
      where k.parent_id = r.id and c.status <> 'success') as failed
    from public.processing_metrics r
    where r.operation = 'fan_out' and r.completed_at is null and r.fan_out_cursor is null
      and not exists (select 1 from public.run_children k join public.processing_metrics c on c.id = k.child_id
        where k.parent_id = r.id and c.completed_at is null)
    order by r.queued_at limit p_limit
    for no key update of r skip locked
  )
  update public.processing_metrics r
  set status = case when d.failed then 'failure' else 'success' end, completed_at = clock_timestamp()
  from done d where r.id = d.id;
  get diagnostics v_closed = row_count;

  delete from public.idempotency_keys k
  where k.ctid = any (array(select x.ctid from public.idempotency_keys x
    where x.created_at < v_now - interval '1 day' limit v_forgotten for update skip locked));

  foreach v_queue in array '{manual,realtime,scheduled,dlq}'::text[] loop
    execute format('delete from pgmq.%1$I a where a.msg_id = any (array(select x.msg_id from pgmq.%1$I x
      where x.archived_at < $1 order by x.archived_at limit $2))', 'a_compaction_' || v_queue)
    using v_now - make_interval(secs => v_archive), v_forgotten;
  end loop;

  return jsonb_build_object('sent', v_sent, 'resent', v_resent, 'stages_expired', v_stages,
    'fan_outs_closed', v_closed, 'more', greatest(v_sent, v_resent, v_stages, v_closed) = p_limit);
end $function$;

CREATE OR REPLACE FUNCTION sediment.list_inputs(p_dataset uuid, p_table text, p_period_tag text, p_after bigint, p_limit integer, p_only bigint[], p_settings jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_told constant integer := 100;
  v_grown constant bigint := ceil(0.75 * (p_settings ->> 'target_file_bytes')::bigint);
  v_healthy constant bigint := (p_settings ->> 'healthy_row_group_bytes')::bigint;
  v_dedupe constant boolean := jsonb_array_length(p_settings -> 'dedupe_keys') > 0;
  v_page jsonb;
  v_schema record;
  v_schemas jsonb := '{}'::jsonb;
  v_count integer := 0;
  v_bytes integer := 0;
  v_marks constant boolean := sediment.has_marks(p_dataset);
  v_pending constant int8multirange := sediment.pending_seqs(p_dataset, p_table, p_period_tag);
  v_first bigint;
  v_last bigint;
begin
  if p_only is not null and v_dedupe then
    select min(f.seq_min), max(f.seq_min) into v_first, v_last from public.battle_files f where f.id = any (p_only);
  end if;
  -- in the index's order, so that it ends with the page
  with told as (
    select x.*, count(*) filter (where x.done) over w as done_so_far, lag(x.done) over w as after_done
    from (
      select f.*, o.is_between, o.is_between or f.state <> 'active' or (f.byte_length >= v_grown and f.rewrite is null
        and (v_pending is null or not sediment.seqs_of(f) && v_pending) and not (f.level = 0
        and f.row_group_count > 1 and f.uncompressed_bytes < v_healthy * f.row_group_count)) as done
      from public.battle_files f
      cross join lateral (select p_only is not null and f.id <> all (p_only) as is_between) o
      where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
        and f.removed_version is null and f.seq_min > p_after
        and not (v_marks and sediment.is_marked(f, 9223372036854775807))
        and (p_only is null or f.id = any (p_only) or f.seq_min between v_first and v_last)
    ) x
    window w as (order by x.seq_min)
  ), page as (
    select t.* from told t
    where not t.done or t.done_so_far <= v_told or (p_only is not null and not t.is_between) or (v_dedupe and t.after_done is not true)
    order by t.seq_min
    limit p_limit + 1
  ), kept as (
    select p.*, sediment.fingerprint_of(p.schema_fingerprint, p.schema_digest) as fingerprint
    from page p order by p.seq_min limit p_limit
  )
  select jsonb_build_object(
    'files', coalesce((select jsonb_agg(jsonb_build_object(
      'id', k.id, 'object_key', k.object_key, 'start_byte', k.start_byte, 'byte_length', k.byte_length,
      'level', k.level, 'seq_min', k.seq_min, 'seq_max', k.seq_max, 'row_count', k.row_count,
      'row_group_count', k.row_group_count, 'uncompressed_bytes', k.uncompressed_bytes,
      'value_count', k.value_count, 'merge_facts', k.merge_facts, 'schema_fingerprint', k.fingerprint,
      'state', case when k.is_between or k.lost_since > clock_timestamp() - (select make_interval(secs => s.second_look_seconds)
        from public.service_settings s) then 'quarantined' else k.state end, 'checksum', k.checksum, 'etag', sediment.etag_of(k.etag, k.object_key),
      'uploaded_at', k.uploaded_at, 'rewrite', k.rewrite,
      'apart', k.apart,
      'provenance', case when k.provenance_length is not null then jsonb_build_object('start', k.provenance_start,
        'length', k.provenance_length) end,
      'drop', case when v_pending is not null then (
        select jsonb_agg(s.seq order by s.seq) from public.deleted_slices s
        where s.dataset_id = p_dataset and s."table" = p_table and s.period_tag = p_period_tag and s.version is null
          and coalesce(k.seqs, int8multirange(int8range(k.seq_min, k.seq_max, '[]'))) @> s.seq) end)
      order by k.seq_min) from kept k), '[]'),
    'digests', coalesce((select jsonb_agg(jsonb_build_array(d.fingerprint, d.digest) order by d.seq_min) from (
      select distinct on (k.fingerprint) k.fingerprint, k.seq_min,
        coalesce(k.schema_digest, k.schema_fingerprint) as digest
      from kept k where k.state = 'active' and not k.is_between order by k.fingerprint, k.seq_min) d), '[]'),
    'part', (select count(*) filter (where k.done) >= v_told from kept k),
    'more', (select count(*) > p_limit from page),
    'cursor', case when (select count(*) > p_limit from page) then (select max(k.seq_min)::text from kept k) end)
  into strict v_page;

  -- one by one: as text a schema may be a hundred times what it is as stored, and only what fits is to be unpacked
  for v_schema in
    select d.value ->> 0 as fingerprint, x.schema
    from jsonb_array_elements(v_page -> 'digests') with ordinality as d(value, n)
    join public.file_schemas x on x.digest = d.value ->> 1
    order by d.n
  loop
    v_count := v_count + 1;
    v_bytes := v_bytes + octet_length(v_schema.schema::text);
    exit when v_count > 100 or v_bytes > 1048576;
    v_schemas := v_schemas || jsonb_build_object(v_schema.fingerprint, v_schema.schema);
  end loop;
  return v_page - 'digests' || jsonb_build_object('schemas', v_schemas);
end $function$;

CREATE OR REPLACE FUNCTION sediment.lock_dataset(p_user uuid, p_dataset uuid, p_needed text)
 RETURNS public.datasets
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
begin
  perform 1 from public.datasets x where x.id = p_dataset for no key update;
  -- a statement after the lock: it sees what was waited for
  d := sediment.require_dataset(p_user, p_dataset, p_needed);
  if d.deleted_at is not null then
    perform sediment.fail('dataset_deleted', 410, format('dataset %s was deleted on %s', d.id, d.deleted_at));
  end if;
  return d;
end $function$;

CREATE OR REPLACE FUNCTION sediment.replace_files(p public.partitions, p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_input_keys text[], p_dropped jsonb DEFAULT NULL::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_in record;
  v_out record;
  v_dedupe boolean;
  v_pending int8multirange;
  v_dropped bigint := 0;
  v_marks constant boolean := sediment.has_marks(p.dataset_id);
  v_version public.dataset_versions;
  v_removed bigint;
  v_now timestamptz := clock_timestamp();
  v_file bigint;
begin
  select count(distinct f.id) as files, coalesce(sum(f.byte_length), 0)::bigint as bytes,
    coalesce(sum(f.row_count), 0)::bigint as rows, coalesce(sum(f.row_group_count), 0)::bigint as row_groups,
    coalesce(sum(f.uncompressed_bytes), 0)::bigint as uncompressed, max(f.level) as level,
    min(f.seq_min) as seq_min, max(f.seq_max) as seq_max,
    max(coalesce(f.youngest_at, f.uploaded_at)) as youngest_at,
    -- where a value of each does not fit a wider type, one of the output does not either
    case when bool_and(f.apart ->> 'kind' = 'values') then (array_agg(f.apart order by f.id))[1] end as apart,
    range_agg(sediment.seqs_of(f)) as seqs
  into strict v_in
  from unnest(p_inputs) as i(id)
  cross join lateral (select * from public.battle_files x where x.id = i.id offset 0) f
  where f.removed_version is null and f.state = 'active'
    and f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag;
  if v_in.files <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs are visible and sound', v_in.files, cardinality(p_inputs)));
  end if;

  -- What was read is what is there: an input that was healed since holds other bytes.
  if p_input_keys is not null and exists (
    select 1 from unnest(p_inputs, p_input_keys) as i(id, key)
    cross join lateral (select x.object_key from public.battle_files x where x.id = i.id offset 0) f
    where f.object_key is distinct from i.key)
  then
    perform sediment.fail('inputs_changed', 409, 'an input is in another object than the one that was read');
  end if;

  select * into v_out from jsonb_to_record(p_output) as t(object_key text, size bigint, etag text,
    row_count bigint, row_group_count integer, uncompressed_bytes bigint, value_count bigint,
    merge_facts jsonb, schema_fingerprint text, stats jsonb, checksum text, provenance_start bigint,
    provenance_length integer);
  v_pending := sediment.pending_seqs(p.dataset_id, p."table", p.period_tag);
  if v_pending is not null or p_dropped is not null then
    v_dropped := sediment.check_dropped(p, v_in.seqs, p_dropped);
  end if;
  v_dedupe := jsonb_array_length(sediment.settings_of(p.dataset_id, p."table") -> 'dedupe_keys') > 0;
  if (case when v_dedupe then coalesce(v_out.row_count, 0) <= v_in.rows - v_dropped
        and (v_out.row_count > 0 or v_in.rows = v_dropped)
      else coalesce(v_out.row_count, 0) = v_in.rows - v_dropped end) is not true
  then
    perform sediment.fail('merge_rows_differ', 500,
      format('the inputs hold %s rows, the output %s, and %s were left out', v_in.rows, coalesce(v_out.row_count, 0),
        v_dropped));
  end if;
  -- Last writer wins only holds when nothing that was written in between stays outside: all inputs are in between, so
  -- what is there is counted. One that is written anew by itself is where it was.
  if v_dedupe and v_in.files > 1 and v_in.files < (
    select count(*) from public.battle_files f
    where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
      and f.removed_version is null and f.seq_min <= v_in.seq_max and f.seq_max >= v_in.seq_min
      -- what is about to be deleted is in nobody's way, as it is in no list of inputs
      and not (v_marks and sediment.is_marked(f, 9223372036854775807)))
  then
    perform sediment.fail('inputs_not_adjacent', 409,
      format('a file between upload %s and %s is not among the inputs', v_in.seq_min, v_in.seq_max));
  end if;

  v_version := (sediment.next_versions(array[row(p.dataset_id,
    case when p_output is null then 0 else 1 end - v_in.files, coalesce(v_out.size, 0) - v_in.bytes,
    coalesce(v_out.row_count, 0) - v_in.rows, coalesce(v_out.uncompressed_bytes, 0) - v_in.uncompressed,
    coalesce(v_out.etag, ''))::sediment.dataset_change]))[1];
  perform sediment.refuse_marked_inputs(p, p_run, p_inputs);

  update public.datasets d set retired_bytes = d.retired_bytes + v_in.bytes where d.id = p.dataset_id;
  update public.battle_files f set removed_version = v_version.version
  from unnest(p_inputs) as i(id)
  where f.id = any (array[i.id]) and f.removed_version is null;
  get diagnostics v_removed = row_count;
  if v_removed <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs were still visible', v_removed, cardinality(p_inputs)));
  end if;

  if p_output is not null then
    perform sediment.store_output(p_run, p_n, p_token, p_output);
    insert into public.battle_files (dataset_id, "table", period_tag, run_id, ordinal, object_key, start_byte,
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest, youngest_at, apart, input_count, provenance_start, provenance_length, seqs)
    select p.dataset_id, p."table", p.period_tag, p_run, p_n, v_out.object_key, 0, v_out.size, v_out.etag,
      v_in.level + 1, v_in.seq_min, v_in.seq_max, v_out.row_count, v_out.row_group_count,
      v_out.uncompressed_bytes, v_out.value_count, v_out.merge_facts, v_out.schema_fingerprint, v_out.stats,
      v_version.version, r.user_id, v_now, v_out.checksum, sediment.schema_digest(p_output -> 'schema'),
      v_in.youngest_at, v_in.apart, v_in.files, v_out.provenance_start, v_out.provenance_length,
      -- each of them apart costs 17 bytes; of very many it is said roughly, and more files are looked into
      case when (select count(*) from unnest(v_in.seqs)) > 1000 then int8multirange(range_merge(v_in.seqs))
        else v_in.seqs end - coalesce(v_pending, '{}')
    from public.processing_metrics r where r.id = p_run
    returning id into strict v_file;
  end if;

  if v_pending is not null then
    update public.deletions x
    set rows = x.rows + s.rows, files = x.files + 1
    from (
      select y.deletion_id, sum(t.value::bigint) as rows from jsonb_each_text(coalesce(nullif(p_dropped, 'null'), '{}')) t
      join public.deleted_slices y on y.dataset_id = p.dataset_id and y."table" = p."table"
        and y.period_tag = p.period_tag and y.seq = t.key::bigint
      group by y.deletion_id
    ) s
    where x.id = s.deletion_id;
    perform sediment.settle_slices(p.dataset_id, p."table", p.period_tag, v_version.version);
  end if;

  update public.processing_metrics r
  set attempts = 0, -- a committed output is progress: the next failure is a first one again
    files_before = r.files_before + v_in.files, files_after = r.files_after + (v_file is not null)::integer,
    row_groups_before = r.row_groups_before + v_in.row_groups,
    row_groups_after = r.row_groups_after + coalesce(v_out.row_group_count, 0),
    rows_before = r.rows_before + v_in.rows, rows_after = r.rows_after + coalesce(v_out.row_count, 0),
    bytes_before = r.bytes_before + v_in.bytes, bytes_after = r.bytes_after + coalesce(v_out.size, 0)
  where r.id = p_run;
  return jsonb_build_object('version', v_version.version, 'file_id', v_file);
end $function$;

CREATE OR REPLACE FUNCTION sediment.storage_bucket()
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select s.storage_bucket from public.service_settings s where s.id
$function$;

revoke all on function "sediment"."storage_bucket"() from public, anon, authenticated, service_role;

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_storage_bucket_check" CHECK ((storage_bucket <> ''::text));

CREATE POLICY "sediment_readers" ON "storage"."objects" FOR SELECT TO "authenticated" USING (((bucket_id = ( SELECT sediment.storage_bucket() AS storage_bucket)) AND ( SELECT (regexp_replace(COALESCE(current_setting('storage.operation'::text, true), ''::text), '^storage\.'::text, ''::text) = ANY (ARRAY['object.get_authenticated'::text, 'object.info_authenticated'::text, 'object.get_authenticated_info'::text, 'object.head_authenticated_info'::text, 'object.list'::text, 'object.list_v2'::text, 's3.object.get'::text, 's3.object.info'::text, 's3.object.list'::text]))) AND (split_part(name, '/'::text, 2) = ANY (ARRAY( SELECT (d.id)::text AS id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT (m.dataset_id)::text AS dataset_id
   FROM public.dataset_members m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND ((m.expires_at IS NULL) OR (m.expires_at > now())))))) AND sediment.is_readable_object(name)));

COMMENT ON COLUMN "public"."service_settings"."storage_bucket" IS 'The bucket of this project''s Storage that holds the objects, as SEDIMENT_BUCKET of the functions says: in it readers and read-only keys read data files by Storage''s own API. Unit: none. Default: sediment.';

REVOKE ALL ON FUNCTION "sediment"."storage_bucket"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."storage_bucket"() TO "authenticated", "service_role";
