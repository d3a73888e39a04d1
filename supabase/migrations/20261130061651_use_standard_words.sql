-- Names internal functions of the schema sediment by the words of the field; nothing outside the database calls them.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "sediment"."add_work"(public.partitions);

DROP FUNCTION "sediment"."adopt_run"(uuid, text, text, uuid, text);

DROP FUNCTION "sediment"."bury_run"(uuid, text, text, text, text, text);

DROP FUNCTION "sediment"."own_dataset"(uuid, uuid);

DROP FUNCTION "sediment"."queue_hide"(text, bigint, timestamp with time zone);

DROP FUNCTION "sediment"."raise_waiting"(public.partitions, integer);

DROP FUNCTION "sediment"."spend_upload"(uuid, bigint);

CREATE OR REPLACE FUNCTION public.commit_compaction(p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_last boolean, p_result jsonb, p_input_keys text[] DEFAULT NULL::text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  r public.processing_metrics;
  v_result jsonb := coalesce(p_result, '{}');
  v_inputs bigint[] := coalesce(p_inputs, '{}');
  v_more boolean := coalesce((p_result ->> 'more')::boolean, false);
  v_replaced jsonb := '{}';
  v_now timestamptz;
  v_lease timestamptz;
  v_overtime boolean := false;
  v_requeued boolean := false;
  v_status text;
  v_answer jsonb;
begin
  if p_n is null or p_n < 0 or p_last is null or (p_output is not null and jsonb_typeof(p_output) <> 'object')
    or (p_output is not null and cardinality(v_inputs) = 0)
    or (p_output is null and not p_last and cardinality(v_inputs) = 0)
  then
    perform sediment.fail('invalid_request', 400, 'the commit is empty or not well formed');
  end if;
  if p_output is not null then
    perform sediment.keep_schemas(array[p_output -> 'schema']);
  end if;

  p := sediment.lock_run_partition(p_run);
  select c.answer into v_answer from public.run_commits c where c.run_id = p_run and c.ordinal = p_n;
  if found then
    return v_answer || jsonb_build_object('replayed', true);
  end if;
  perform sediment.check_token(p, p_run, p_token);
  select * into strict r from public.processing_metrics x where x.id = p_run;
  if p_n <> r.commits then
    perform sediment.fail('invalid_request', 400, format('the next commit of run %s is %s, not %s',
      p_run, r.commits, p_n));
  end if;

  if cardinality(v_inputs) > 0 then
    update public.partitions x set staged_inputs = null
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    if p.isolation is not null then
      perform sediment.pass_trial(p, v_inputs, true);
    end if;
    v_replaced := sediment.replace_files(p, p_run, p_n, p_token, v_inputs, p_output,
      p_input_keys);
  end if;
  update public.processing_metrics x
  set commits = x.commits + 1, decision = coalesce(v_result ->> 'decision', x.decision),
    steps_ms = x.steps_ms || coalesce(v_result -> 'steps_ms', '{}'),
    progress = coalesce(nullif(v_result -> 'progress', 'null'), x.progress),
    steps = case when p_last and not v_more then '{}' else x.steps end
  where x.id = p_run
  returning * into strict r;

  v_now := clock_timestamp();
  -- The store was read and written: whoever failed before had no part in an outage.
  if p_output is not null and exists (select 1 from public.circuit_breaker b where b.suspect is not null) then
    update public.circuit_breaker b set suspect = null, suspect_at = null
    where b.ctid = any (array(select x.ctid from public.circuit_breaker x where x.state = 'closed'
      for no key update skip locked));
  end if;
  if p_last and v_more and (cardinality(v_inputs) > 0 or r.attempts = 0) then
    -- The run has had its time (what is left is less than a lease) and committed something in it: it ends well, and
    -- another goes on with the rest.
    select sediment.add_worked_seconds(p) + least(s.lease_seconds, s.max_run_seconds / 2) >= s.max_run_seconds
    into strict v_overtime from public.service_settings s;
  end if;
  if not p_last then
    v_lease := sediment.extend_lease(p, null);
  elsif v_more and cardinality(v_inputs) = 0 and r.attempts > 0 then
    -- The turn ended and nothing was committed since the claim: that is a failed attempt, or it never ends.
    perform sediment.retry_run(p.dataset_id, p."table", p.period_tag, 'run_timeout',
      'the turn ended before anything could be committed', r.step, false);
    v_requeued := true;
  elsif v_overtime then
    v_requeued := sediment.close_run(p, true, v_result || jsonb_build_object('next_due_at', v_now));
    -- what was forced stays so for the run that goes on
    update public.partitions x set done_seq = p.done_seq
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  elsif v_more then
    update public.processing_metrics x set status = 'queued' where x.id = p_run;
    perform sediment.queue_set_visibility(p.queue, p.msg_id, v_now + interval '1 second');
    update public.partitions x
    set lease_expires_at = null, lease_worker = null, claimed_at = null, claimed_demand_seq = null,
      claimed_debt_files = null, claimed_debt_bytes = null, ready_at = v_now,
      last_decision = coalesce(v_result ->> 'decision', x.last_decision), last_considered_at = v_now
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    perform sediment.promote_waiting_run(p, 0);
    v_requeued := true;
  else
    v_requeued := sediment.close_run(p, r.files_before > 0, v_result);
  end if;

  select x.status into strict v_status from public.processing_metrics x where x.id = p_run;
  v_answer := jsonb_build_object('version', v_replaced -> 'version', 'file_id', v_replaced -> 'file_id',
    'run_status', v_status, 'requeued', v_requeued, 'replayed', false, 'commits', r.commits,
    'lease_expires_at', v_lease, 'lease_seconds',
    case when v_lease is not null then greatest(0, extract(epoch from v_lease - clock_timestamp())) end);
  insert into public.run_commits (run_id, ordinal, token, file_id, object_key, answer)
  values (p_run, p_n, p_token, (v_replaced ->> 'file_id')::bigint, p_output ->> 'object_key', v_answer);
  return v_answer;
end $function$;

CREATE OR REPLACE FUNCTION public.get_file(p_user uuid, p_file bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  f public.battle_files;
  d public.datasets;
begin
  select * into f from public.battle_files x where x.id = p_file;
  -- That one is another's must not be told from that there is none.
  if not found or (p_user is not null and not exists (
    select 1 from public.datasets x where x.id = f.dataset_id and x.user_id = p_user))
  then
    perform sediment.fail('not_found', 404, format('there is no data file %s', p_file));
  end if;
  d := sediment.require_owned_dataset(p_user, f.dataset_id);
  if f.removed_version <= d.oldest_kept_version
    or d.deletion_version > f.added_version and sediment.is_marked(f, d.oldest_kept_version)
  then
    perform sediment.fail('version_gone', 410, format('data file %s left at version %s', f.id,
      coalesce(f.removed_version, d.deletion_version)),
      format('version %s or later', d.oldest_kept_version));
  end if;
  return jsonb_build_object('id', f.id, 'dataset_id', f.dataset_id, 'user_id', d.user_id,
    'object_key', f.object_key, 'start_byte', f.start_byte, 'byte_length', f.byte_length, 'size', f.byte_length,
    'object_size', (select o.size from public.objects o where o.object_key = f.object_key),
    'table', f."table", 'period_tag', f.period_tag, 'level', f.level, 'state', f.state,
    'quarantine_code', f.quarantine_code, 'quarantine_reason', f.quarantine_reason,
    'row_count', f.row_count, 'row_group_count', f.row_group_count,
    'uncompressed_bytes', f.uncompressed_bytes, 'schema_fingerprint', f.schema_fingerprint,
    'schema', (select s.schema from public.file_schemas s where s.digest = coalesce(f.schema_digest, f.schema_fingerprint)),
    'stats', f.stats, 'etag', f.etag, 'uploaded_at', f.uploaded_at, 'added_version', f.added_version,
    'removed_version', f.removed_version);
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
  v_files jsonb[] := '{}';
  v_bytes bigint := 0;
  v_more boolean := false;
begin
  if v_cursor is not null and (v_cursor - array['v', 't', 'p', 's', 'd'] <> '{}'
    or v_cursor ->> 'd' is distinct from p_dataset::text
    or coalesce(v_cursor ->> 'v', '') !~ '^\d{1,18}$' or coalesce(v_cursor ->> 's', '') !~ '^\d{1,18}$'
    or v_cursor ->> 't' is null or v_cursor ->> 'p' is null)
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  d := sediment.require_owned_dataset(p_user, p_dataset);
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
        and (p_table is null or x."table" = p_table) and (p_period_tag is null or x.period_tag = p_period_tag)
        and (p_from is null or x.period_tag >= p_from) and (p_to is null or x.period_tag <= p_to)
        and (v_cursor is null or (x."table", x.period_tag, x.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by x."table", x.period_tag, x.seq_min limit v_limit + 1)
    union all
    (select x.* from public.battle_files x
      where x.dataset_id = d.id and x.removed_version > v_version and x.added_version <= v_version
        and (p_table is null or x."table" = p_table) and (p_period_tag is null or x.period_tag = p_period_tag)
        and (p_from is null or x.period_tag >= p_from) and (p_to is null or x.period_tag <= p_to)
        and (v_cursor is null or (x."table", x.period_tag, x.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by x."table", x.period_tag, x.seq_min limit v_limit + 1)
    order by "table", period_tag, seq_min limit v_limit + 1
  loop
    v_bytes := v_bytes + 1000
      + case when pg_column_size(f.stats) > 300 then octet_length(f.stats::text) else 300 end;
    v_more := cardinality(v_files) = v_limit or (v_bytes > 2097152 and cardinality(v_files) > 0);
    exit when v_more;
    v_files := v_files || jsonb_build_object(
      'id', f.id, 'object_key', f.object_key, 'start_byte', f.start_byte, 'byte_length', f.byte_length,
      'table', f."table", 'period_tag', f.period_tag, 'size', f.byte_length, 'level', f.level, 'state', f.state,
      'lost', f.lost_since is not null,
      'quarantine_code', f.quarantine_code, 'quarantine_reason', f.quarantine_reason,
      'row_count', f.row_count, 'row_group_count', f.row_group_count,
      'uncompressed_bytes', f.uncompressed_bytes, 'schema_fingerprint', f.schema_fingerprint,
      'stats', f.stats, 'etag', f.etag, 'seq_min', f.seq_min, 'seq_max', f.seq_max,
      'uploaded_at', f.uploaded_at, 'added_version', f.added_version);
  end loop;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    'signed_url_seconds', (select s.signed_url_seconds from public.service_settings s), 'files', to_jsonb(v_files), 'next_cursor', case when v_more then sediment.encode_cursor(jsonb_build_object(
      'd', d.id, 'v', v_version, 't', v_files[cardinality(v_files)] -> 'table',
      'p', v_files[cardinality(v_files)] -> 'period_tag', 's', v_files[cardinality(v_files)] -> 'seq_min')) end);
end $function$;

CREATE OR REPLACE FUNCTION public.list_tables(p_user uuid, p_dataset uuid, p_version bigint DEFAULT NULL::bigint, p_limit integer DEFAULT 5000, p_cursor text DEFAULT NULL::text)
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
  v_limit integer := least(greatest(coalesce(p_limit, 5000), 1), 10000);
  v_partitions jsonb;
  v_schemas jsonb;
  v_next jsonb;
begin
  if v_cursor is not null and (v_cursor - array['v', 't', 'p', 's', 'd'] <> '{}'
    or v_cursor ->> 'd' is distinct from p_dataset::text
    or coalesce(v_cursor ->> 'v', '') !~ '^\d{1,18}$' or coalesce(v_cursor ->> 's', '') !~ '^\d{1,18}$'
    or v_cursor ->> 't' is null or v_cursor ->> 'p' is null)
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  d := sediment.require_owned_dataset(p_user, p_dataset);
  v_version := sediment.readable_version(d, coalesce((v_cursor ->> 'v')::bigint, p_version));
  select v.committed_at into v_committed from public.dataset_versions v
  where v.dataset_id = d.id and v.version = v_version;

  -- What is visible now comes in index order; what was removed since is as much as compaction did meanwhile.
  with page as (
    (select f."table", f.period_tag, f.seq_min, f.state, f.row_count, f.byte_length, f.uncompressed_bytes,
        f.uploaded_at, f.schema_fingerprint,
        coalesce(f.schema_digest, f.schema_fingerprint) as digest
      from public.battle_files f
      where f.dataset_id = d.id and f.removed_version is null and f.added_version <= v_version
        and not (v_marks and sediment.is_marked(f, v_version))
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
    union all
    (select f."table", f.period_tag, f.seq_min, f.state, f.row_count, f.byte_length, f.uncompressed_bytes,
        f.uploaded_at, f.schema_fingerprint,
        coalesce(f.schema_digest, f.schema_fingerprint) as digest
      from public.battle_files f
      where f.dataset_id = d.id and f.removed_version > v_version and f.added_version <= v_version
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
  ), numbered as (
    select p.*, row_number() over (order by p."table", p.period_tag, p.seq_min) as place from page p
  ), known as (
    select x.schema_fingerprint as fingerprint, s.schema, x.place,
      sum(octet_length(s.schema::text)) over (order by x.place) as bytes
    from (
      -- of several schemas of one fingerprint that of the first file whose is known stands for all
      select distinct on (n.schema_fingerprint) n.schema_fingerprint, n.digest, n.place
      from numbered n
      where n.place <= v_limit and exists (select 1 from public.file_schemas k where k.digest = n.digest)
      order by n.schema_fingerprint, n.place
    ) x
    join public.file_schemas s on s.digest = x.digest
  ), cut as (
    select least(v_limit + 1, min(k.place)) as place from known k where k.bytes > 1048576 and k.place > 1
  ), kept as (
    select n.* from numbered n cross join cut c where n.place < c.place
  ), by_schema as (
    select k."table", k.period_tag, k.schema_fingerprint, min(k.place) as place, count(*) as files,
      sum(k.row_count) as rows, sum(k.byte_length) as bytes, sum(k.uncompressed_bytes) as uncompressed,
      count(*) filter (where k.state = 'quarantined') as quarantined, max(k.uploaded_at) as last
    from kept k group by k."table", k.period_tag, k.schema_fingerprint
  ), by_period as (
    select jsonb_build_object('table', b."table", 'period_tag', b.period_tag, 'files', sum(b.files),
        'rows', sum(b.rows), 'bytes', sum(b.bytes), 'uncompressed_bytes', sum(b.uncompressed),
        'quarantined_files', sum(b.quarantined), 'last_uploaded_at', max(b.last),
        'schemas', jsonb_agg(jsonb_build_object('fingerprint', b.schema_fingerprint, 'files', b.files, 'rows', b.rows)
          order by b.place)) as one,
      min(b.place) as place
    from by_schema b group by b."table", b.period_tag
  )
  select
    (select coalesce(jsonb_agg(p.one order by p.place), '[]') from by_period p),
    (select coalesce(jsonb_object_agg(k.fingerprint, k.schema), '{}') from known k, cut c where k.place < c.place),
    (select jsonb_build_object('d', d.id, 'v', v_version, 't', k."table", 'p', k.period_tag, 's', k.seq_min)
      from kept k where exists (select 1 from numbered n cross join cut c where n.place >= c.place)
      order by k.place desc limit 1)
  into strict v_partitions, v_schemas, v_next;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    'partitions', v_partitions, 'schemas', v_schemas,
    'next_cursor', case when v_next is not null then sediment.encode_cursor(v_next) end);
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
    and (f.lost_since is null or f.lost_since not between v_now - interval '1 day'
      and v_now - make_interval(secs => s.second_look_seconds))
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
    update public.battle_files x
    set state = 'quarantined', quarantine_code = left(p_code, 100), quarantine_reason = left(p_reason, 2000),
      quarantined_at = v_now
    where x.id = f.id
    returning * into strict f;
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
begin
  if sediment.priority_rank(p_priority) is null then
    perform sediment.fail('invalid_request', 400, format('the priority is %s', quote_nullable(left(p_priority, 40))),
      'manual, realtime or scheduled');
  end if;
  if p_table is null and p_period_tag is not null then
    perform sediment.fail('invalid_request', 400, 'a period_tag needs its table');
  end if;
  d := sediment.require_owned_dataset(p_user, p_dataset);

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

  insert into public.processing_metrics
    (user_id, dataset_id, operation, trigger, priority, fan_out_forced, fan_out_cursor)
  values (d.user_id, d.id, 'fan_out', 'request', p_priority, p_priority = 'manual',
    jsonb_build_object('after_table', '', 'after_period_tag', '', 'table', p_table))
  returning id into strict v_run;
  v_requested := sediment.fan_out(v_run, 100);
  select * into strict r from public.processing_metrics x where x.id = v_run;
  if r.fan_out_cursor is not null then
    perform sediment.queue_send(p_priority, v_run, d.id, null, null, 0);
  elsif v_requested = '[]' then
    update public.processing_metrics x
    set status = 'success', completed_at = clock_timestamp(), decision = 'nothing is in debt'
    where x.id = v_run;
  end if;
  perform sediment.spend_request(p_user);
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
  d := sediment.require_owned_dataset(p_user, p_dataset);
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
      lost_since = null
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
  perform sediment.spend_request(p_user);
  return jsonb_build_object('dataset_id', d.id, 'files', v_files, 'requested', v_requested);
end $function$;

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

CREATE OR REPLACE FUNCTION public.version_at(p_user uuid, p_dataset uuid, p_time timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  v public.dataset_versions;
begin
  d := sediment.require_owned_dataset(p_user, p_dataset);
  select * into v from public.dataset_versions x
  where x.dataset_id = d.id and x.committed_at <= p_time order by x.committed_at desc limit 1;
  if not found or v.version < d.oldest_kept_version then
    if d.oldest_kept_version > 0 then
      perform sediment.fail('version_gone', 410, format('the version of %s is no longer kept', p_time),
        format('version %s or later', d.oldest_kept_version));
    end if;
    perform sediment.fail('version_unknown', 404, format('dataset %s had no commit before %s', d.id, p_time));
  end if;
  return jsonb_build_object('dataset_id', d.id, 'version', v.version, 'committed_at', v.committed_at);
end $function$;

CREATE OR REPLACE FUNCTION sediment.activate_waiting_run(p_dataset uuid, p_table text, p_period_tag text, p_run uuid, p_priority text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_delay integer := 0;
  v_ready timestamptz;
begin
  if p_priority = 'realtime' then
    select s.realtime_delay_seconds into strict v_delay from public.service_settings s;
  end if;
  -- before the send: a message never shows before its partition says that it is ready
  v_ready := clock_timestamp() + make_interval(secs => v_delay);
  update public.partitions x
  set run_id = p_run, queue = p_priority, due_at = null, dead_since = null, next_run_id = null,
    ready_at = v_ready,
    msg_id = sediment.queue_send(p_priority, p_run, p_dataset, p_table, p_period_tag, v_delay)
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
end $function$;

revoke all on function "sediment"."activate_waiting_run"(uuid, text, text, uuid, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.add_worked_seconds(p public.partitions)
 RETURNS double precision
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_sum double precision;
begin
  update public.processing_metrics r
  set worked_seconds = r.worked_seconds + case when p.isolation is not null then 0 else 1 end * coalesce(greatest(0, extract(epoch from
    least(clock_timestamp(), p.lease_expires_at) - p.claimed_at)), 0)
  where r.id = p.run_id
  returning r.worked_seconds into strict v_sum;
  return v_sum;
end $function$;

revoke all on function "sediment"."add_worked_seconds"(public.partitions) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.charge_rate_limit(p_user uuid, p_bytes bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_call sediment.stage_call;
begin
  v_call.n := 1;
  v_call.user_id := p_user;
  v_call.size := p_bytes;
  perform sediment.answer_of(array[c.outcome])
  from unnest(sediment.spend_uploads(array[v_call])) as c where c.outcome is not null;
end $function$;

revoke all on function "sediment"."charge_rate_limit"(uuid, bigint) from public, anon, authenticated, service_role;

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
  end if;
  select v_now + make_interval(secs => least(p_lease_seconds,
    greatest((v_settings ->> 'max_run_seconds')::integer - r.worked_seconds, 1)))
  into strict v_until from public.processing_metrics r where r.id = p.run_id;
  update public.partitions x
  set token = x.token + 1, lease_worker = p_worker, lease_slot = p_slot, staged_inputs = null, claimed_at = v_now, lease_expires_at = v_until,
    ready_at = v_until, claimed_demand_seq = x.demand_seq, claimed_debt_files = x.debt_files,
    claimed_debt_bytes = x.debt_bytes
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
  returning * into strict p;
  perform sediment.queue_set_visibility(p_queue, p_msg_id, p.lease_expires_at);
  update public.processing_metrics r
  set status = 'running', step = 'validate-dataset', attempts = r.attempts + 1, worker = p_worker, started_at = coalesce(r.started_at, v_now)
  where r.id = p.run_id
  returning * into strict v_run;

  return jsonb_build_object(
    'claimed', true, 'run_id', p.run_id, 'dataset_id', p.dataset_id, 'table', p."table",
    'period_tag', p.period_tag, 'user_id', v_run.user_id, 'priority', v_run.priority, 'token', p.token,
    'lease_expires_at', p.lease_expires_at,
    'lease_seconds', extract(epoch from p.lease_expires_at - v_now), 'claimed_at', v_now, 'attempt', v_run.attempts, 'demand_seq', p.demand_seq,
    'forced', p.forced_seq > p.done_seq or v_trial is not null, 'trial', v_trial is not null, 'outputs_committed', v_run.commits, 'settings', v_settings,
    'steps', v_run.steps)
    || sediment.list_inputs(p.dataset_id, p."table", p.period_tag, -1, 2000, v_trial, v_settings);
end $function$;

CREATE OR REPLACE FUNCTION sediment.close_run(p public.partitions, p_progress boolean, p_result jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_moved boolean := p.demand_seq > p.claimed_demand_seq;
  v_files bigint := greatest(coalesce((p_result #>> '{debt,files}')::bigint, 0), 0);
  v_bytes bigint := greatest(coalesce((p_result #>> '{debt,bytes}')::bigint, 0), 0);
  v_oldest timestamptz;
  v_due timestamptz := (p_result ->> 'next_due_at')::timestamptz;
  v_look interval := (select make_interval(secs => s.second_look_seconds) from public.service_settings s);
  v_unseen boolean := coalesce((p_result ->> 'unseen')::boolean, false);
  v_planner integer := coalesce((p_result ->> 'planner')::integer, 0);
  v_idle_runs integer := 0;
  v_next uuid := p.next_run_id;
  v_priority text := 'realtime';
begin
  update public.processing_metrics r
  set status = 'success', completed_at = v_now, step = null, error_code = null, error_message = null,
    error_step = null, output = p_result -> 'output'
  where r.id = p.run_id;
  perform sediment.queue_archive(p.queue, p.msg_id);
  update public.dead_letters l set resolved_at = v_now, resolution = 'succeeded'
  where l.dataset_id = p.dataset_id and l."table" = p."table" and l.period_tag = p.period_tag
    and l.resolved_at is null;

  -- Debt is what the planner said, and what was uploaded since the claim.
  v_oldest := case when v_files > 0 then coalesce((p_result #>> '{debt,oldest}')::timestamptz, p.claimed_at) end;
  if v_moved and p.debt_files > p.claimed_debt_files then
    v_oldest := least(coalesce(v_oldest, p.claimed_at), p.claimed_at);
  end if;
  v_files := v_files + p.debt_files - p.claimed_debt_files;
  v_bytes := v_bytes + p.debt_bytes - p.claimed_debt_bytes;
  -- Never is not the same as not yet: without debt, a time to wait for, or files that nobody looked at, nothing is due.
  if v_due is null and (v_files > 0 or v_unseen) then
    v_due := v_now;
  end if;
  -- Of what workers may have died this run has got over what it took on; the rest is tried at once.
  if p.isolation is not null then
    perform sediment.pass_trial(p, array(select x.id::bigint
      from jsonb_array_elements_text(p.isolation -> 'suspects') with ordinality as x(id, n)
      order by x.n limit (p.isolation ->> 'trial')::integer), false);
  end if;
  if exists (select 1 from public.partitions x where x.dataset_id = p.dataset_id and x."table" = p."table"
      and x.period_tag = p.period_tag and x.isolation is not null)
  then
    v_due := v_now;
  end if;
  -- what waits for its second look
  select least(v_due, min(f.lost_since) + v_look) into v_due
  from public.battle_files f
  where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
    and f.removed_version is null and f.state = 'active' and f.lost_since > v_now - v_look;
  -- A run that changed nothing is not repeated at once, whatever it says, and each further one later.
  if v_due is not null and not p_progress then
    v_idle_runs := case when v_moved then 0 else p.idle_runs + 1 end;
    v_due := greatest(v_due, v_now + make_interval(secs => least(86400, (
      select s.idle_recheck_seconds * power(2, least(greatest(v_idle_runs - 1, 0), 20)) from public.service_settings s))));
  end if;
  update public.service_settings s set planner_version = v_planner, plan_changed_at = v_now
  where s.planner_version < v_planner;

  update public.partitions x
  set queue = null, msg_id = null, run_id = null, next_run_id = null, ready_at = null,
    lease_expires_at = null, lease_worker = null, claimed_at = null, claimed_demand_seq = null,
    claimed_debt_files = null, claimed_debt_bytes = null, done_seq = p.claimed_demand_seq,
    debt_files = v_files, debt_bytes = v_bytes, debt_oldest = v_oldest, due_at = v_due, dead_since = null,
    dead_looks = 0, idle_runs = v_idle_runs,
    plan_digest = case when v_unseen then null else sediment.plan_digest(p.dataset_id, p."table", v_planner) end,
    last_decision = p_result ->> 'decision', last_considered_at = v_now
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;

  if not v_moved then
    -- whoever waited behind this run was seen by it all the same (it was claimed again since)
    update public.processing_metrics r
    set status = 'success', completed_at = v_now, decision = 'joined run ' || p.run_id,
      output = jsonb_build_object('joined', p.run_id)
    where r.id = v_next;
  elsif v_next is null then
    v_next := sediment.open_run(p.dataset_id, p."table", p.period_tag, v_priority, 'follow_up');
    perform sediment.activate_waiting_run(p.dataset_id, p."table", p.period_tag, v_next, v_priority);
    return true;
  else
    select r.priority into strict v_priority from public.processing_metrics r where r.id = v_next;
    perform sediment.activate_waiting_run(p.dataset_id, p."table", p.period_tag, v_next, v_priority);
    return true;
  end if;

  if p_progress and v_due <= v_now then
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'realtime', 'follow_up', 0);
    return true;
  end if;
  return false;
end $function$;

CREATE OR REPLACE FUNCTION sediment.dead_letter_run(p_dataset uuid, p_table text, p_period_tag text, p_code text, p_message text, p_step text)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  v_letter bigint;
  v_now timestamptz := clock_timestamp();
  v_next text;
  v_known boolean;
begin
  select * into strict p from public.partitions x
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;

  update public.dead_letters l
  set error_code = p_code, error_message = left(p_message, 2000), error_step = p_step, last_failed_at = v_now
  where l.run_id = p.run_id and l.resolved_at is null
  returning l.id into v_letter;
  v_known := found;
  if not v_known then
    insert into public.dead_letters (user_id, dataset_id, "table", period_tag, run_id, queue, error_code,
      error_message, error_step, attempts, message, first_failed_at, last_failed_at)
    select r.user_id, p_dataset, p_table, p_period_tag, r.id, p.queue, p_code, left(p_message, 2000), p_step,
      r.attempts, (select m.message from sediment.queue_messages m where m.queue = p.queue and m.msg_id = p.msg_id),
      coalesce(r.first_failed_at, v_now), v_now
    from public.processing_metrics r where r.id = p.run_id
    returning id into strict v_letter;
  end if;

  update public.processing_metrics r
  set status = case when p_code in ('run_timeout', 'lease_expired') then 'timeout' else 'dlq_failure' end,
    error_code = p_code, error_message = left(p_message, 2000), error_step = coalesce(p_step, r.step),
    first_failed_at = coalesce(r.first_failed_at, v_now), last_failed_at = v_now, completed_at = v_now
  where r.id = p.run_id;

  perform sediment.queue_archive(p.queue, p.msg_id);
  if not v_known then
    perform sent.id from pgmq.send('compaction_dlq'::text,
      jsonb_build_object('deadLetterId', v_letter, 'errorCode', p_code, 'datasetId', p_dataset)::jsonb, 0::integer)
      as sent(id);
  end if;

  update public.partitions x
  set queue = null, msg_id = null, run_id = null, ready_at = null, next_run_id = null,
    due_at = v_now + make_interval(secs => least(86400, (select s.idle_recheck_seconds
      * power(2, least(x.dead_looks, 20)) from public.service_settings s))),
    dead_looks = x.dead_looks + 1,
    token = x.token + 1, lease_expires_at = null, lease_worker = null, claimed_at = null,
    claimed_demand_seq = null, claimed_debt_files = null, claimed_debt_bytes = null,
    last_decision = 'gave up: ' || p_code, dead_since = v_now
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;

  -- Demand that came while the run was at work gets attempts of its own.
  if p.next_run_id is not null then
    select r.priority into strict v_next from public.processing_metrics r where r.id = p.next_run_id;
    perform sediment.activate_waiting_run(p_dataset, p_table, p_period_tag, p.next_run_id, v_next);
  end if;
  return v_letter;
end $function$;

revoke all on function "sediment"."dead_letter_run"(uuid, text, text, text, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.extend_lease(p public.partitions, p_seconds integer)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_settings public.service_settings;
  v_end timestamptz;
  v_until timestamptz;
begin
  select * into strict v_settings from public.service_settings;
  select p.claimed_at + make_interval(secs => v_settings.max_run_seconds - r.worked_seconds) into strict v_end
  from public.processing_metrics r where r.id = p.run_id;
  v_until := least(clock_timestamp() + make_interval(secs => coalesce(p_seconds, v_settings.lease_seconds)), v_end);
  if p_seconds is null then
    v_until := greatest(v_until, p.lease_expires_at);
  elsif v_until <= clock_timestamp() then
    perform sediment.fail('run_timeout', 504,
      format('the run was to end at %s', v_end),
      format('at most %s seconds of work', v_settings.max_run_seconds));
  end if;
  update public.partitions x set lease_expires_at = v_until, ready_at = v_until
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  perform sediment.queue_set_visibility(p.queue, p.msg_id, v_until);
  return v_until;
end $function$;

CREATE OR REPLACE FUNCTION sediment.fan_out_message(p_queue text, p_msg_id bigint, p_message jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_msg record;
  r public.processing_metrics;
begin
  select * into v_msg from sediment.parse_message(p_message);
  if v_msg.problem is not null or v_msg."table" is not null or not sediment.queue_take(p_queue, p_msg_id) then
    return false;
  end if;

  v_msg.run_id := coalesce(v_msg.run_id, md5(concat_ws(' ', p_queue, p_msg_id, p_message))::uuid);
  v_msg.priority := coalesce(v_msg.priority, p_queue);
  insert into public.processing_metrics (id, user_id, dataset_id, operation, trigger, priority, fan_out_cursor)
  select v_msg.run_id, d.user_id, d.id, 'fan_out', 'message', v_msg.priority,
    '{"after_table": "", "after_period_tag": ""}'
  from public.datasets d where d.id = v_msg.dataset_id
  on conflict (id) do nothing;

  select * into r from public.processing_metrics x where x.id = v_msg.run_id for no key update;
  if not found or r.dataset_id <> v_msg.dataset_id or r.operation <> 'fan_out' then
    perform sediment.reject_message(p_queue, p_msg_id, p_message,
      'there is no such dataset, or metricId is another run');
    return true;
  end if;

  if r.fan_out_cursor is not null then
    perform sediment.fan_out(r.id, 100);
  end if;
  if exists (select 1 from public.processing_metrics x where x.id = r.id and x.fan_out_cursor is not null) then
    perform sediment.queue_set_visibility(p_queue, p_msg_id, clock_timestamp() + interval '1 second');
  else
    perform sediment.queue_archive(p_queue, p_msg_id);
  end if;
  return true;
end $function$;

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
  v_file public.battle_files;
  v_until timestamptz;
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
        update public.partitions x set isolation = v_iso || jsonb_build_object('suspects', to_jsonb(v_suspects), 'trial', 1)
        where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
        return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
          sediment.dead_letter_run(p.dataset_id, p."table", p.period_tag, 'worker_died',
            format('%s workers died of file %s, and there is no other to compare with; the last: %s', v_deaths, v_alone,
              p_told), null));
      end if;
    end if;
  end if;

  v_until := clock_timestamp() + interval '1 second';
  update public.processing_metrics r
  set status = 'queued', attempts = 0, error_code = 'lease_expired', error_message = left(p_told, 2000),
    first_failed_at = coalesce(r.first_failed_at, clock_timestamp()), last_failed_at = clock_timestamp()
  where r.id = p.run_id;
  update public.partitions x
  set isolation = case when cardinality(v_suspects) > 0
      then v_iso || jsonb_build_object('suspects', to_jsonb(v_suspects), 'trial', v_trial) end,
    last_decision = format('narrowing down what workers die of: %s of %s files next', v_trial, cardinality(v_suspects))
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  perform sediment.requeue_run(p, v_until);
  return jsonb_build_object('status', 'retry', 'retry_at', v_until, 'dead_letter_id', null);
end $function$;

CREATE OR REPLACE FUNCTION sediment.promote_waiting_run(p public.partitions, p_delay_seconds integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_priority text;
begin
  select r.priority into v_priority from public.processing_metrics r where r.id = p.next_run_id;
  if sediment.priority_rank(v_priority) > sediment.priority_rank(p.queue) then
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, v_priority, 'follow_up', p_delay_seconds);
  end if;
end $function$;

revoke all on function "sediment"."promote_waiting_run"(public.partitions, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.queue_set_visibility(p_queue text, p_msg_id bigint, p_until timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_seconds integer := greatest(1, ceil(extract(epoch from p_until - clock_timestamp())))::integer;
  v_vt timestamptz;
begin
  select m.vt into v_vt
  from pgmq.set_vt(('compaction_' || p_queue)::text, p_msg_id::bigint, v_seconds::integer) as m;
  if v_vt < p_until then
    perform m.msg_id
    from pgmq.set_vt(('compaction_' || p_queue)::text, p_msg_id::bigint,
      (v_seconds + ceil(extract(epoch from p_until - v_vt)))::integer) as m;
  end if;
end $function$;

revoke all on function "sediment"."queue_set_visibility"(text, bigint, timestamp with time zone) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.requeue_run(p public.partitions, p_until timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.partitions x
  set token = x.token + 1, lease_expires_at = null, lease_worker = null, claimed_at = null,
    claimed_demand_seq = null, claimed_debt_files = null, claimed_debt_bytes = null, ready_at = p_until
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  perform sediment.queue_set_visibility(p.queue, p.msg_id, p_until);
  perform sediment.promote_waiting_run(p, ceil(extract(epoch from p_until - clock_timestamp()))::integer);
end $function$;

CREATE OR REPLACE FUNCTION sediment.require_owned_dataset(p_user uuid, p_dataset uuid)
 RETURNS public.datasets
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_dataset public.datasets;
begin
  select * into v_dataset from public.datasets d where d.id = p_dataset;
  if not found then
    perform sediment.fail('not_found', 404, format('there is no dataset %s', p_dataset));
  end if;
  if p_user is not null and v_dataset.user_id <> p_user then
    perform sediment.fail('dataset_forbidden', 403, format('dataset %s belongs to another user', p_dataset));
  end if;
  if p_user is not null then
    perform sediment.refuse_deleted_user(p_user);
  end if;
  if p_user is not null and v_dataset.deleted_at is not null then
    perform sediment.fail('dataset_deleted', 410, format('dataset %s was deleted on %s', p_dataset,
      v_dataset.deleted_at));
  end if;
  return v_dataset;
end $function$;

revoke all on function "sediment"."require_owned_dataset"(uuid, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.retry_run(p_dataset uuid, p_table text, p_period_tag text, p_code text, p_message text, p_step text, p_permanent boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  v_run public.processing_metrics;
  v_settings public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_retry_at timestamptz;
begin
  select * into strict p from public.partitions x
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
  select * into strict v_run from public.processing_metrics r where r.id = p.run_id;
  select * into strict v_settings from public.service_settings;

  v_run.worked_seconds := sediment.add_worked_seconds(p);
  if v_run.worked_seconds >= v_settings.max_run_seconds and not p_permanent
    and v_run.attempts < v_settings.max_attempts
  then
    return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
      sediment.dead_letter_run(p_dataset, p_table, p_period_tag, 'run_timeout',
        format('the run worked for %s of %s seconds; its last failure was %s: %s', round(v_run.worked_seconds::numeric),
          v_settings.max_run_seconds, p_code, p_message), p_step));
  end if;
  if p_permanent or v_run.attempts >= v_settings.max_attempts then
    return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
      sediment.dead_letter_run(p_dataset, p_table, p_period_tag, p_code, p_message, p_step));
  end if;

  -- Full jitter: anywhere between a second and the doubled base, so that what failed together does not come
  -- back together.
  v_retry_at := v_now + make_interval(secs => greatest(1, random() * least(
    v_settings.backoff_cap_seconds,
    v_settings.backoff_base_seconds * power(2, least(greatest(v_run.attempts, 1), 20) - 1))));

  update public.processing_metrics r
  set status = 'queued', error_code = p_code, error_message = left(p_message, 2000), error_step = p_step,
    first_failed_at = coalesce(r.first_failed_at, v_now), last_failed_at = v_now
  where r.id = p.run_id;
  perform sediment.requeue_run(p, v_retry_at);
  return jsonb_build_object('status', 'retry', 'retry_at', v_retry_at, 'dead_letter_id', null);
end $function$;

CREATE OR REPLACE FUNCTION sediment.revive_run(p public.partitions)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_run uuid;
begin
  select r.id into v_run
  from public.dead_letters l join public.processing_metrics r on r.id = l.run_id
  where l.dataset_id = p.dataset_id and l."table" = p."table" and l.period_tag = p.period_tag
    and l.resolved_at is null and r.completed_at is not null
  order by l.id desc limit 1;
  if not found then
    return sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'scheduled', 'sweep', 0);
  end if;
  update public.processing_metrics r
  set status = 'queued', completed_at = null, priority = 'scheduled', worked_seconds = 0, given_back = 0,
    attempts = (select s.max_attempts - 1 from public.service_settings s)
  where r.id = v_run;
  perform sediment.activate_waiting_run(p.dataset_id, p."table", p.period_tag, v_run, 'scheduled');
  return v_run;
end $function$;

CREATE OR REPLACE FUNCTION sediment.wake_partition(p_dataset uuid, p_table text, p_period_tag text, p_priority text, p_trigger text, p_delay_seconds integer)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  v_run uuid;
  v_ready timestamptz := clock_timestamp() + make_interval(secs => p_delay_seconds);
  v_raise boolean;
begin
  select * into strict p from public.partitions x
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;

  if p.msg_id is null then
    v_run := sediment.open_run(p_dataset, p_table, p_period_tag, p_priority, p_trigger);
    update public.partitions x
    set run_id = v_run, queue = p_priority, ready_at = v_ready, due_at = null, dead_since = null,
      msg_id = sediment.queue_send(p_priority, v_run, p_dataset, p_table, p_period_tag, p_delay_seconds)
    where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
    return v_run;
  end if;

  if p.lease_expires_at is not null then
    if p.next_run_id is null then
      v_run := sediment.open_run(p_dataset, p_table, p_period_tag, p_priority, p_trigger);
      update public.partitions x set next_run_id = v_run
      where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
      return v_run;
    end if;
    update public.processing_metrics r set priority = p_priority
    where r.id = p.next_run_id
      and sediment.priority_rank(r.priority) < sediment.priority_rank(p_priority);
    return p.next_run_id;
  end if;

  -- A run that waits for its retry keeps its back-off, except for a person who asks by hand.
  if v_ready < p.ready_at and p_priority <> 'manual'
    and exists (select 1 from public.processing_metrics r where r.id = p.run_id and r.error_code is not null)
  then
    v_ready := p.ready_at;
  end if;
  v_ready := least(v_ready, p.ready_at);
  v_raise := sediment.priority_rank(p_priority) > sediment.priority_rank(p.queue);

  if v_raise then
    perform sediment.queue_archive(p.queue, p.msg_id);
    update public.processing_metrics r set priority = p_priority where r.id = p.run_id;
    update public.partitions x
    set queue = p_priority, ready_at = v_ready,
      msg_id = sediment.queue_send(p_priority, p.run_id, p_dataset, p_table, p_period_tag,
        ceil(greatest(0, extract(epoch from v_ready - clock_timestamp())))::integer)
    where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
  elsif v_ready < p.ready_at then
    perform sediment.queue_set_visibility(p.queue, p.msg_id, v_ready);
    update public.partitions x set ready_at = v_ready
    where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
  end if;
  return p.run_id;
end $function$;

REVOKE ALL ON FUNCTION "sediment"."activate_waiting_run"(uuid, text, text, uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."activate_waiting_run"(uuid, text, text, uuid, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."add_worked_seconds"(public.partitions) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."add_worked_seconds"(public.partitions) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."charge_rate_limit"(uuid, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."charge_rate_limit"(uuid, bigint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."dead_letter_run"(uuid, text, text, text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."dead_letter_run"(uuid, text, text, text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."promote_waiting_run"(public.partitions, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."promote_waiting_run"(public.partitions, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."queue_set_visibility"(text, bigint, timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."queue_set_visibility"(text, bigint, timestamp with time zone) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."require_owned_dataset"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."require_owned_dataset"(uuid, uuid) TO "service_role";
