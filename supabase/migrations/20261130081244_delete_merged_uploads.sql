-- Brings deletion of uploads that were merged: outputs say which rows came from which upload, and are written anew without
-- those that are deleted. Outputs of before say nothing of it: uploads in them go with their period, table or dataset only.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."deletions" DROP CONSTRAINT "deletions_state_check";

DROP FUNCTION "public"."delete_upload"(uuid, uuid, boolean);

DROP FUNCTION "sediment"."replace_files"(public.partitions, uuid, integer, bigint, bigint[], jsonb, text[]);

CREATE TABLE "public"."deleted_slices" ("dataset_id" uuid NOT NULL, "table" text NOT NULL, "period_tag" text NOT NULL, "seq" bigint NOT NULL, "deletion_id" uuid NOT NULL, "rows" bigint NOT NULL, "version" bigint, CONSTRAINT "deleted_slices_pkey" PRIMARY KEY (dataset_id, "table", period_tag, seq));

revoke all on "public"."deleted_slices" from public, anon, authenticated, service_role;

ALTER TABLE "public"."deleted_slices" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."battle_files" ADD COLUMN "provenance_start" bigint;

ALTER TABLE "public"."battle_files" ADD COLUMN "provenance_length" integer;

ALTER TABLE "public"."battle_files" ADD COLUMN "seqs" int8multirange;

ALTER TABLE "public"."uploads" ADD COLUMN "seqs" bigint[];

CREATE OR REPLACE FUNCTION public.advance_deletions(p_limit integer DEFAULT 2000, p_deletion uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '60s'
AS $function$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 2000), 1), 10000);
  v_grace interval := (select make_interval(secs => s.deleted_upload_seconds) from public.service_settings s);
  v_now timestamptz := clock_timestamp();
  x public.deletions;
  v_done boolean;
begin
  for x in
    select y.* from public.deletions y left join public.datasets d on d.id = y.dataset_id
    where y.forgotten_at is null and (p_deletion is null or p_deletion in (y.id, y.parent_id))
      and (y.state = 'marked' or y.purge and y.state = 'removed'
        or y.kind <> 'user' and y.state <> 'pending' and y.requested_at + v_grace <= v_now and d.oldest_kept_version >= y.version)
    order by y.state <> 'marked', y.requested_at limit 100
    for no key update of y skip locked
  loop
    v_done := true;
    if x.kind = 'user' then
      v_done := sediment.remove_user(x, v_limit);
    elsif x.state = 'marked' then
      perform sediment.remove_marked(x, v_limit);
    elsif x.purge and x.state = 'removed' then
      perform sediment.purge_removed(x, v_limit);
    else
      perform sediment.forget_deleted(x, v_limit);
    end if;
    if v_done then
      return jsonb_build_object('advanced', x.id, 'more', true);
    end if;
  end loop;
  return jsonb_build_object('advanced', null, 'more', false);
end $function$;

CREATE OR REPLACE FUNCTION public.commit_compaction(p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_last boolean, p_result jsonb, p_input_keys text[] DEFAULT NULL::text[], p_remakes bigint DEFAULT NULL::bigint)
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
  v_replaced jsonb := '{}'::jsonb;
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
    or (p_remakes is not null and p_output is null)
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
    if p_remakes is not null then
      v_replaced := sediment.remake_file(p, p_run, p_n, p_token, p_remakes, v_inputs, p_output, p_input_keys);
    else
      if p.isolation is not null then
        perform sediment.pass_trial(p, v_inputs, true);
      end if;
      v_replaced := sediment.replace_files(p, p_run, p_n, p_token, v_inputs, p_output, p_input_keys,
        v_result -> 'dropped');
    end if;
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

CREATE OR REPLACE FUNCTION public.delete_upload(p_user uuid, p_upload uuid, p_purge boolean DEFAULT false, p_merged boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  x public.deletions;
  u public.uploads;
  d public.datasets;
  v_slices record;
  v_version bigint;
  v_key record;
begin
  select * into x from public.deletions y where y.upload_id = p_upload;
  if found and (p_user is null or sediment.dataset_role(p_user, x.dataset_id) = 'owner') then
    return sediment.deletion_receipt(x);
  end if;
  select * into u from public.uploads y where y.id = p_upload;
  if not found or p_user is not null and sediment.dataset_role(p_user, u.dataset_id) is distinct from 'owner' then
    perform sediment.fail('not_found', 404, format('there is no upload %s', p_upload));
  end if;

  -- partitions by key, then the dataset: from here on no merge takes the files, and no other deletion marks them
  perform 1 from public.partitions p
  where p.dataset_id = u.dataset_id and (p."table", p.period_tag) in (
    select f ->> 'table', f ->> 'period_tag' from jsonb_array_elements(u.answer -> 'files') f)
  order by p."table", p.period_tag
  for no key update;
  select * into strict d from public.datasets y where y.id = u.dataset_id for no key update;
  if d.deletion_version > (u.answer ->> 'version')::bigint and sediment.upload_deleted_at(u) is not null then
    perform sediment.fail('upload_deleted', 410,
      format('upload %s was deleted on %s', u.id, sediment.upload_deleted_at(u)));
  end if;

  with slices as materialized (
    select a.f ->> 'table' as "table", a.f ->> 'period_tag' as period_tag, (a.f ->> 'row_count')::bigint as rows,
      own.id, own.row_count, own.byte_length, own.uncompressed_bytes, coalesce(u.seqs[a.n], was.seq_min) as seq
    from jsonb_array_elements(u.answer -> 'files') with ordinality as a(f, n)
    left join public.battle_files was
      on coalesce(was.upload_id, was.run_id) = u.id and was.ordinal = (a.f ->> 'ordinal')::integer
    left join public.battle_files own on own.id = was.id and own.removed_version is null
    where not exists (
      select 1 from public.deletions y where y.dataset_id = u.dataset_id
        and y.version > (u.answer ->> 'version')::bigint and y.upload_id is null
        and (y."table" is null or y."table" = a.f ->> 'table')
        and (y.period_tag is null or y.period_tag = a.f ->> 'period_tag'))
  ), outputs as (
    select s."table", s.period_tag, s.seq, f.id, f.provenance_length is not null as known
    from slices s
    join public.battle_files f on f.dataset_id = u.dataset_id and f."table" = s."table" and f.period_tag = s.period_tag
      and f.removed_version is null and f.level > 0 and sediment.seqs_of(f) @> s.seq
    where s.id is null
  )
  select count(s.id) as files, coalesce(sum(s.row_count), 0)::bigint as rows,
    coalesce(sum(s.byte_length), 0)::bigint as bytes, coalesce(sum(s.uncompressed_bytes), 0)::bigint as uncompressed,
    array_agg(s.id) filter (where s.id is not null) as ids,
    coalesce(bool_or(s.id is null), false) as merged,
    coalesce(bool_or(s.id is null and s.seq is null), false)
      or exists (select 1 from outputs o where not o.known) as unknown,
    jsonb_agg(jsonb_build_object('table', s."table", 'period_tag', s.period_tag, 'seq', s.seq, 'rows', s.rows,
      'pending', exists (select 1 from outputs o
        where (o."table", o.period_tag, o.seq) = (s."table", s.period_tag, s.seq))))
      -- what ended by its age is gone already
      filter (where s.id is not null or exists (select 1 from outputs o
        where (o."table", o.period_tag, o.seq) = (s."table", s.period_tag, s.seq))) as slices,
    exists (select 1 from outputs) as pending
  into strict v_slices from slices s;
  if v_slices.merged and (v_slices.unknown or not coalesce(p_merged, false)) then
    perform sediment.fail('provenance_unknown', 422,
      format('rows of upload %s were merged with those of others, and can''t be told from them', u.id),
      'its period, its table or its dataset');
  end if;

  v_version := ((sediment.next_versions(array[row(u.dataset_id, -v_slices.files, -v_slices.bytes, -v_slices.rows,
    -v_slices.uncompressed, null)::sediment.dataset_change]))[1]).version;
  update public.battle_files f set removed_version = v_version where f.id = any (v_slices.ids);
  insert into public.deletions (kind, user_id, requested_by, dataset_id, upload_id, version, purge, state, files, rows,
    bytes, removed_at)
  values ('upload', d.user_id, p_user, d.id, u.id, v_version, coalesce(p_purge, false),
    case when v_slices.pending then 'pending' else 'removed' end, v_slices.files, v_slices.rows, v_slices.bytes,
    case when not v_slices.pending then clock_timestamp() end)
  returning * into strict x;
  update public.datasets y
  set deletion_version = v_version, retired_bytes = y.retired_bytes + v_slices.bytes,
    oldest_kept_version = case when x.purge and not v_slices.pending then v_version else y.oldest_kept_version end,
    oldest_kept_at = case when x.purge and not v_slices.pending then clock_timestamp() else y.oldest_kept_at end
  where y.id = d.id;
  insert into public.deleted_slices (dataset_id, "table", period_tag, seq, deletion_id, rows, version)
  select d.id, s."table", s.period_tag, s.seq, x.id, s.rows, case when not s.pending then v_version end
  from jsonb_to_recordset(v_slices.slices)
    as s("table" text, period_tag text, seq bigint, rows bigint, pending boolean);
  for v_key in
    select distinct s."table", s.period_tag
    from jsonb_to_recordset(v_slices.slices) as s("table" text, period_tag text, pending boolean)
    where s.pending order by 1, 2
  loop
    update public.partitions p set demand_seq = p.demand_seq + 1
    where p.dataset_id = d.id and p."table" = v_key."table" and p.period_tag = v_key.period_tag;
    perform sediment.wake_partition(d.id, v_key."table", v_key.period_tag, 'realtime', 'request', 0);
  end loop;
  return sediment.deletion_receipt(x);
end $function$;

revoke all on function "public"."delete_upload"(uuid, uuid, boolean, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.end_aged(p_limit integer DEFAULT 2000, p_partitions integer DEFAULT 200)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '60s'
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  w public.age_walks;
  v_keys jsonb;
  v_count integer;
  v_last jsonb;
  v_aged jsonb;
  v_sum record;
  v_version bigint;
begin
  insert into public.age_walks (dataset_id)
  select distinct t.dataset_id from public.table_settings t
  where (t.keep_rows_seconds is not null or t.keep_periods is not null)
    and not exists (select 1 from public.age_walks x where x.dataset_id = t.dataset_id)
  on conflict (dataset_id) do nothing;
  select x.* into w from public.age_walks x
  where x.walked_at <= v_now - interval '10 minutes' and exists (
    select 1 from public.table_settings t
    where t.dataset_id = x.dataset_id and (t.keep_rows_seconds is not null or t.keep_periods is not null))
  order by x.walked_at limit 1
  for no key update of x skip locked;
  if not found then
    return jsonb_build_object('dataset_id', null, 'version', null, 'files', 0, 'rows', 0, 'more', false);
  end if;

  -- partitions by key, then the dataset: what is read below can't change any more
  select coalesce(jsonb_agg(jsonb_build_object('table', k."table", 'period_tag', k.period_tag)
      order by k."table", k.period_tag), '[]'), count(*)
  into strict v_keys, v_count from (
    select p."table", p.period_tag from public.partitions p
    where p.dataset_id = w.dataset_id and (p."table", p.period_tag) > (w.after_table, w.after_period_tag)
    order by p."table", p.period_tag limit p_partitions
    for no key update
  ) k;
  perform 1 from public.datasets d where d.id = w.dataset_id for no key update;

  with rules as materialized (
    select k."table", k.period_tag, coalesce(t.keep_rows_seconds, d.keep_rows_seconds) as seconds,
      coalesce(t.keep_periods, d.keep_periods) as periods
    from jsonb_to_recordset(v_keys) as k("table" text, period_tag text)
    left join public.table_settings t on t.dataset_id = w.dataset_id and t."table" = k."table"
    left join public.table_settings d on d.dataset_id = w.dataset_id and d."table" = '*'
  ), kept as materialized (
    select r."table", sediment.last_kept_period(w.dataset_id, r."table", min(r.periods), v_now) as since
    from rules r where r.periods is not null group by r."table"
  )
  select coalesce(jsonb_agg(to_jsonb(a)), '[]') into strict v_aged from (
    select f.id, f."table", f.period_tag, f.row_count, f.byte_length, f.uncompressed_bytes,
      case when sediment.date_of_tag(r.period_tag) < k.since then 'keep_periods' else 'keep_rows_seconds' end as rule
    from rules r
    left join kept k on k."table" = r."table"
    join public.battle_files f on f.dataset_id = w.dataset_id and f."table" = r."table" and f.period_tag = r.period_tag
      and f.removed_version is null
    where (sediment.date_of_tag(r.period_tag) < k.since
        or coalesce(f.youngest_at, f.uploaded_at) <= v_now - make_interval(secs => r.seconds))
      and not (sediment.has_marks(w.dataset_id) and sediment.is_marked(f, 9223372036854775807))
    order by f."table", f.period_tag, f.seq_min limit p_limit
  ) a;

  select count(*) as files, coalesce(sum(a.row_count), 0)::bigint as rows, coalesce(sum(a.byte_length), 0)::bigint as bytes,
    coalesce(sum(a.uncompressed_bytes), 0)::bigint as uncompressed
  into strict v_sum
  from jsonb_to_recordset(v_aged) as a(row_count bigint, byte_length bigint, uncompressed_bytes bigint);
  if v_sum.files > 0 then
    v_version := ((sediment.next_versions(array[row(w.dataset_id, -v_sum.files, -v_sum.bytes, -v_sum.rows,
      -v_sum.uncompressed, null)::sediment.dataset_change]))[1]).version;
    update public.datasets d set retired_bytes = d.retired_bytes + v_sum.bytes where d.id = w.dataset_id;
    update public.battle_files f set removed_version = v_version
    where f.id in (select a.id from jsonb_to_recordset(v_aged) as a(id bigint));
    insert into public.ended_rows (dataset_id, "table", period_tag, version, rule, files, rows, bytes)
    select w.dataset_id, a."table", a.period_tag, v_version, a.rule, count(*), sum(a.row_count), sum(a.byte_length)
    from jsonb_to_recordset(v_aged) as a("table" text, period_tag text, rule text, row_count bigint, byte_length bigint)
    group by a."table", a.period_tag, a.rule;
    perform sediment.settle_slices(w.dataset_id, k."table", k.period_tag, v_version)
    from (select distinct a."table", a.period_tag from jsonb_to_recordset(v_aged) as a("table" text, period_tag text)) k
    where sediment.pending_seqs(w.dataset_id, k."table", k.period_tag) is not null;
  end if;

  -- a slice that was full looks at the same partitions again
  if v_sum.files < p_limit then
    v_last := case when v_count = p_partitions then v_keys -> -1 end;
    update public.age_walks x
    set after_table = coalesce(v_last ->> 'table', ''), after_period_tag = coalesce(v_last ->> 'period_tag', ''),
      walked_at = case when v_last is null then v_now else x.walked_at end
    where x.dataset_id = w.dataset_id;
  end if;
  return jsonb_build_object('dataset_id', w.dataset_id, 'version', v_version, 'files', v_sum.files, 'rows', v_sum.rows,
    'more', true);
end $function$;

CREATE OR REPLACE FUNCTION sediment.check_dropped(p public.partitions, p_seqs int8multirange, p_dropped jsonb)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_dropped constant jsonb := coalesce(nullif(p_dropped, 'null'), '{}');
  v_wrong record;
begin
  for v_wrong in
    select coalesce(s.seq, d.key::bigint) as seq, s.seq is null as unasked, d.key is null as forgotten
    from (
      select x.seq, x.rows from public.deleted_slices x
      where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
        and x.version is null and p_seqs @> x.seq
    ) s
    full join jsonb_each_text(v_dropped) d on d.key = s.seq::text
    where s.seq is null or d.key is null or d.value::bigint not between 0 and s.rows
    order by 1
  loop
    if v_wrong.forgotten then
      perform sediment.fail('inputs_changed', 409,
        format('upload %s is being deleted, and the output would hold its rows', v_wrong.seq));
    end if;
    perform sediment.fail('merge_rows_differ', 500, case when v_wrong.unasked
      then format('rows of upload %s were left out, which nobody asked for', v_wrong.seq)
      else format('of upload %s more rows were left out than it had', v_wrong.seq) end);
  end loop;
  return (select coalesce(sum(d.value::bigint), 0) from jsonb_each_text(v_dropped) d);
end $function$;

revoke all on function "sediment"."check_dropped"(public.partitions, int8multirange, jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.deletion_receipt(x public.deletions)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_sum record;
  v_left bigint := 0;
begin
  select coalesce(sum(y.files), 0) as files, coalesce(sum(y.rows), 0) as rows, coalesce(sum(y.bytes), 0) as bytes,
    coalesce(sum(y.assets), 0) as assets, array_agg('deletion ' || y.id) as reasons
  into strict v_sum
  from public.deletions y where y.id = x.id or y.parent_id = x.id;
  if x.purge then
    select count(*) into strict v_left from public.objects o
    where o.delete_after is not null and o.state = 'deleting' and o.delete_reason = any (v_sum.reasons);
  end if;
  return jsonb_build_object('deletion_id', x.id, 'kind', x.kind, 'user_id', x.user_id, 'dataset_id', x.dataset_id,
    'table', sediment.name_of(x.dataset_id, x."table"), 'period_tag', x.period_tag, 'upload_id', x.upload_id,
    'version', case when x.state <> 'pending' then x.version end, 'purge', x.purge, 'state', x.state,
    'done', case when x.purge then x.state = 'purged' and v_left = 0 else x.state not in ('pending', 'marked') end,
    'files', v_sum.files, 'rows', v_sum.rows, 'bytes', v_sum.bytes, 'assets', v_sum.assets, 'objects_left', v_left,
    'requested_at', x.requested_at, 'removed_at', x.removed_at, 'purged_at', x.purged_at);
end $function$;

CREATE OR REPLACE FUNCTION sediment.forget_upload(u public.uploads)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  delete from public.uploads x where x.id = u.id;
  if not found then
    return false; -- another was first
  end if;
  insert into public.forgotten_uploads (id, dataset_id, digest, version, slices)
  values (u.id, u.dataset_id, sediment.identity_digest(u.dataset_id, u."table", u.period_tag, u.content_hash),
    (u.answer ->> 'version')::bigint, (
      select jsonb_agg(jsonb_build_object('table', x.f -> 'table', 'period_tag', x.f -> 'period_tag', 'row_count',
        x.f -> 'row_count', 'seq', u.seqs[x.n]))
      from jsonb_array_elements(u.answer -> 'files') with ordinality as x(f, n)));
  return true;
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
begin
  -- in the index's order, so that it ends with the page
  with told as (
    select x.*, count(*) filter (where x.done) over w as done_so_far, lag(x.done) over w as after_done
    from (
      select f.*, f.state <> 'active' or (f.byte_length >= v_grown and f.rewrite is null
        and (v_pending is null or not sediment.seqs_of(f) && v_pending) and not (f.level = 0
        and f.row_group_count > 1 and f.uncompressed_bytes < v_healthy * f.row_group_count)) as done
      from public.battle_files f
      where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
        and f.removed_version is null and f.seq_min > p_after
        and not (v_marks and sediment.is_marked(f, 9223372036854775807)) and (p_only is null or f.id = any (p_only))
    ) x
    window w as (order by x.seq_min)
  ), page as (
    select t.* from told t
    where not t.done or t.done_so_far <= v_told or p_only is not null or (v_dedupe and t.after_done is not true)
    order by t.seq_min
    limit p_limit + 1
  ), kept as (
    select * from page order by seq_min limit p_limit
  )
  select jsonb_build_object(
    'files', coalesce((select jsonb_agg(jsonb_build_object(
      'id', k.id, 'object_key', k.object_key, 'start_byte', k.start_byte, 'byte_length', k.byte_length,
      'level', k.level, 'seq_min', k.seq_min, 'seq_max', k.seq_max, 'row_count', k.row_count,
      'row_group_count', k.row_group_count, 'uncompressed_bytes', k.uncompressed_bytes,
      'value_count', k.value_count, 'merge_facts', k.merge_facts, 'schema_fingerprint', k.schema_fingerprint,
      'state', case when k.lost_since > clock_timestamp() - (select make_interval(secs => s.second_look_seconds)
        from public.service_settings s) then 'quarantined' else k.state end, 'checksum', k.checksum, 'etag', k.etag,
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
      select distinct on (k.schema_fingerprint) k.schema_fingerprint as fingerprint, k.seq_min,
        coalesce(k.schema_digest, k.schema_fingerprint) as digest
      from kept k where k.state = 'active' order by k.schema_fingerprint, k.seq_min) d), '[]'),
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

CREATE OR REPLACE FUNCTION sediment.list_remake(p public.partitions)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  f public.battle_files;
  v_ids bigint[];
begin
  for f in
    select * from public.battle_files x
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
      and x.removed_version is null and x.remake_at <= clock_timestamp()
    order by x.remake_at limit 10
  loop
    v_ids := sediment.retired_inputs(f);
    if v_ids is null then
      update public.battle_files x set remake_at = null where x.id = f.id;
      continue;
    end if;
    return jsonb_build_object('file', f.id, 'row_count', f.row_count, 'schema_fingerprint', f.schema_fingerprint,
      'schema', (select s.schema from public.file_schemas s
        where s.digest = coalesce(f.schema_digest, f.schema_fingerprint)),
      'inputs', (select jsonb_agg(jsonb_build_object(
        'id', i.id, 'object_key', i.object_key, 'start_byte', i.start_byte, 'byte_length', i.byte_length,
        'level', i.level, 'seq_min', i.seq_min, 'seq_max', i.seq_max, 'row_count', i.row_count,
        'row_group_count', i.row_group_count, 'uncompressed_bytes', i.uncompressed_bytes,
        'value_count', i.value_count, 'merge_facts', i.merge_facts, 'schema_fingerprint', i.schema_fingerprint,
        'state', i.state, 'checksum', i.checksum, 'etag', i.etag, 'uploaded_at', i.uploaded_at, 'rewrite', null,
        'provenance', case when i.provenance_length is not null then jsonb_build_object('start', i.provenance_start,
          'length', i.provenance_length) end,
        -- uploads whose rows the output was written without, since they were deleted
        'drop', (select jsonb_agg(s.seq order by s.seq) from public.deleted_slices s
          where s.dataset_id = p.dataset_id and s."table" = p."table" and s.period_tag = p.period_tag
            and sediment.seqs_of(i) @> s.seq and not sediment.seqs_of(f) @> s.seq))
        order by i.seq_min) from public.battle_files i where i.id = any (v_ids)));
  end loop;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION sediment.pending_seqs(p_dataset uuid, p_table text, p_period_tag text)
 RETURNS int8multirange
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select range_agg(int8range(s.seq, s.seq, '[]')) from public.deleted_slices s
  where s.dataset_id = p_dataset and s."table" = p_table and s.period_tag = p_period_tag and s.version is null
$function$;

revoke all on function "sediment"."pending_seqs"(uuid, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.purge_removed(x public.deletions, p_limit integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_reason constant text := 'deletion ' || x.id;
  v_now timestamptz := clock_timestamp();
  v_keys text[];
  v_dropped bigint;
  v_bytes bigint;
begin
  perform 1 from public.datasets d where d.id = x.dataset_id for no key update;
  with dropped as (
    delete from public.battle_files f
    where f.id = any (array(
      select y.id from public.battle_files y
      where y.dataset_id = x.dataset_id and y.removed_version <= x.version and y.added_version < x.version
        and (x.upload_id is null or y.upload_id = x.upload_id or y.level > 0 and exists (
          select 1 from public.deleted_slices s
          where s.deletion_id = x.id and s."table" = y."table" and s.period_tag = y.period_tag
            and sediment.seqs_of(y) @> s.seq))
        and (x."table" is null or y."table" = x."table") and (x.period_tag is null or y.period_tag = x.period_tag)
      order by y.removed_version limit p_limit))
    returning f.object_key, f.byte_length
  )
  select coalesce(array_agg(distinct y.object_key), '{}'), count(*), coalesce(sum(y.byte_length), 0)
  into strict v_keys, v_dropped, v_bytes from dropped y;
  update public.datasets d set retired_bytes = greatest(d.retired_bytes - v_bytes, 0) where d.id = x.dataset_id;
  perform sediment.retire_object(k.key, v_reason, '0') from unnest(v_keys) as k(key)
  where not exists (select 1 from public.battle_files f where f.object_key = k.key);
  if v_dropped >= p_limit then
    return v_dropped;
  end if;

  update public.objects o
  set delete_after = v_now, delete_reason = v_reason, updated_at = v_now
  where o.object_key = any (array(
    select y.object_key from public.objects y
    where y.delete_after > v_now and y.state = 'deleting' and y.kind in ('fragment', 'compacted', 'incoming')
      and x.upload_id is null and y.dataset_id = x.dataset_id and (x."table" is null or y."table" = x."table")
      and (x.period_tag is null or y.period_tag = x.period_tag)
      and not exists (select 1 from public.battle_files f where f.object_key = y.object_key)
    for update skip locked));
  -- what is staged can't be committed any more: by the version of its stage, by the token of its run
  perform sediment.discard_object(y.object_key, v_reason) from (
    select z.object_key from public.objects z
    where z.state = 'staged' and z.put_deadline is not null and z.dataset_id = x.dataset_id and x.upload_id is null
      and (x."table" is null or z."table" = x."table") and (x.period_tag is null or z.period_tag = x.period_tag)
      and (z.kind = 'fragment' and z.staged_version < x.version or z.kind = 'compacted' and exists (
        select 1 from public.partitions p where p.dataset_id = z.dataset_id and p."table" = z."table"
          and p.period_tag = z.period_tag and p.token > z.token))
    order by z.object_key for update skip locked) y;
  update public.deletions y set state = 'purged', purged_at = v_now where y.id = x.id;
  return v_dropped;
end $function$;

CREATE OR REPLACE FUNCTION sediment.remake_file(p public.partitions, p_run uuid, p_n integer, p_token bigint, p_file bigint, p_inputs bigint[], p_output jsonb, p_input_keys text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  f public.battle_files;
  v_out record;
begin
  select * into f from public.battle_files x
  where x.id = p_file and x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
    and x.removed_version is null and x.state = 'quarantined'
    and x.quarantine_code in ('object_missing', 'object_changed');
  if not found then
    perform sediment.fail('inputs_changed', 409, format('output %s is not missed any more', p_file));
  end if;
  if (select array_agg(i.id order by i.id) from unnest(p_inputs) as i(id)) is distinct from
    (select array_agg(i.id order by i.id) from unnest(sediment.retired_inputs(f)) as i(id))
  then
    perform sediment.fail('inputs_changed', 409, format('these are not the files that output %s replaced', p_file));
  end if;
  if p_input_keys is null or exists (
    select 1 from unnest(p_inputs, p_input_keys) as i(id, key)
    join public.battle_files x on x.id = i.id where x.object_key is distinct from i.key)
  then
    perform sediment.fail('inputs_changed', 409, 'an input is in another object than the one that was read');
  end if;

  select * into v_out from jsonb_to_record(p_output) as t(object_key text, size bigint, etag text, row_count bigint,
    row_group_count integer, uncompressed_bytes bigint, value_count bigint, merge_facts jsonb, schema_fingerprint text,
    stats jsonb, checksum text, provenance_start bigint, provenance_length integer);
  if (v_out.row_count, v_out.schema_fingerprint) is distinct from (f.row_count, f.schema_fingerprint) then
    perform sediment.fail('merge_rows_differ', 500, format('output %s held %s rows of schema %s, the remade one %s of %s',
      p_file, f.row_count, f.schema_fingerprint, v_out.row_count, v_out.schema_fingerprint));
  end if;

  perform 1 from public.datasets d where d.id = p.dataset_id for no key update;
  perform sediment.refuse_marked_inputs(p, p_run, array[p_file]);
  perform sediment.store_output(p_run, p_n, p_token, p_output);
  update public.battle_files x
  set object_key = v_out.object_key, byte_length = v_out.size, etag = v_out.etag,
    row_group_count = v_out.row_group_count, uncompressed_bytes = v_out.uncompressed_bytes,
    value_count = v_out.value_count, merge_facts = v_out.merge_facts, stats = v_out.stats, checksum = v_out.checksum,
    provenance_start = v_out.provenance_start, provenance_length = v_out.provenance_length,
    schema_digest = sediment.schema_digest(p_output -> 'schema'), lost_since = null, state = 'active',
    quarantine_code = null, quarantine_reason = null, quarantined_at = null, remake_at = null, remake_tries = 0
  where x.id = f.id;
  update public.datasets d
  set file_size_bytes = d.file_size_bytes + v_out.size - f.byte_length,
    uncompressed_bytes = d.uncompressed_bytes + v_out.uncompressed_bytes - f.uncompressed_bytes
  where d.id = p.dataset_id;
  -- whoever holds a URL of an object whose bytes changed may still read it
  perform sediment.retire_object(f.object_key, 'its output was remade', sediment.signed_url_life());
  update public.processing_metrics r set attempts = 0 where r.id = p_run;
  return jsonb_build_object('version', null, 'file_id', f.id);
end $function$;

CREATE OR REPLACE FUNCTION sediment.remove_marked(x public.deletions, p_limit integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_at_once constant integer := 20;
  p public.partitions;
  v_parts public.partitions[];
  v_removed record;
  v_files bigint := 0;
  v_rows bigint := 0;
  v_bytes bigint := 0;
  v_uncompressed bigint := 0;
  v_whole public.partitions[] := '{}'::public.partitions[];
  v_pending boolean;
begin
  select coalesce(array_agg(y.z), '{}') into strict v_parts from (
    select z from public.partitions z
    where z.dataset_id = x.dataset_id and (z."table", z.period_tag) > (x.after_table, x.after_period_tag)
      and (x."table" is null or z."table" = x."table") and (x.period_tag is null or z.period_tag = x.period_tag)
    order by z."table", z.period_tag limit v_at_once
    for no key update
  ) y;
  perform 1 from public.datasets d where d.id = x.dataset_id for no key update;

  foreach p in array v_parts loop
    exit when v_files >= p_limit;
    with removed as (
      update public.battle_files f set removed_version = x.version
      where f.id = any (array(
        select y.id from public.battle_files y
        where y.dataset_id = p.dataset_id and y."table" = p."table" and y.period_tag = p.period_tag
          and y.removed_version is null and y.added_version < x.version
        order by y.seq_min limit p_limit - v_files))
      returning f.row_count, f.byte_length, f.uncompressed_bytes
    )
    select count(*) as files, coalesce(sum(r.row_count), 0) as rows, coalesce(sum(r.byte_length), 0) as bytes,
      coalesce(sum(r.uncompressed_bytes), 0) as uncompressed
    into strict v_removed from removed r;
    v_files := v_files + v_removed.files;
    v_rows := v_rows + v_removed.rows;
    v_bytes := v_bytes + v_removed.bytes;
    v_uncompressed := v_uncompressed + v_removed.uncompressed;
    exit when v_files >= p_limit; -- there may be more in this one
    v_whole := v_whole || p;
  end loop;

  update public.datasets d
  set file_count = d.file_count - v_files, row_count = d.row_count - v_rows,
    file_size_bytes = d.file_size_bytes - v_bytes, uncompressed_bytes = d.uncompressed_bytes - v_uncompressed,
    compression_ratio = round((d.uncompressed_bytes - v_uncompressed)::numeric
      / nullif(d.file_size_bytes - v_bytes, 0), 3),
    retired_bytes = d.retired_bytes + v_bytes, updated_at = clock_timestamp()
  where d.id = x.dataset_id;
  select exists (select 1 from public.deleted_slices s where s.dataset_id = x.dataset_id and s.version is null)
  into strict v_pending;
  foreach p in array v_whole loop
    if v_pending then
      perform sediment.settle_slices(p.dataset_id, p."table", p.period_tag, x.version);
    end if;
    if p.msg_id is not null or p.debt_oldest is not null or p.due_at is not null or p.dead_since is not null
      or p.demand_seq > p.done_seq
    then
      perform sediment.end_partition_run(p);
    end if;
  end loop;

  update public.deletions y
  set files = y.files + v_files, rows = y.rows + v_rows, bytes = y.bytes + v_bytes,
    after_table = case when cardinality(v_whole) > 0 then v_whole[cardinality(v_whole)]."table" else y.after_table end,
    after_period_tag = case when cardinality(v_whole) > 0 then v_whole[cardinality(v_whole)].period_tag
      else y.after_period_tag end
  where y.id = x.id;
  if cardinality(v_whole) = cardinality(v_parts) and cardinality(v_parts) < v_at_once then
    update public.deletions y
    set state = 'removed', removed_at = clock_timestamp(),
      removed_through = (select d.version from public.datasets d where d.id = x.dataset_id), after_table = '', after_period_tag = '', after_hash = ''
    where y.id = x.id;
  end if;
  return v_files;
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
  -- what is there is counted.
  if v_dedupe and v_in.files < (
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

revoke all on function "sediment"."replace_files"(public.partitions, uuid, integer, bigint, bigint[], jsonb, text[], jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.seqs_of(f public.battle_files)
 RETURNS int8multirange
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select coalesce(f.seqs, int8multirange(int8range(f.seq_min, f.seq_max, '[]')))
$function$;

revoke all on function "sediment"."seqs_of"(public.battle_files) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.settle_slices(p_dataset uuid, p_table text, p_period_tag text, p_version bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_ids uuid[];
  x public.deletions;
begin
  with gone as (
    update public.deleted_slices s set version = p_version
    where s.dataset_id = p_dataset and s."table" = p_table and s.period_tag = p_period_tag and s.version is null
      and not exists (
        select 1 from public.battle_files f
        where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
          and f.removed_version is null and sediment.seqs_of(f) @> s.seq)
    returning s.deletion_id
  )
  select array_agg(distinct g.deletion_id) into v_ids from gone g;
  for x in
    update public.deletions d
    set state = 'removed', removed_at = v_now,
      version = (select max(s.version) from public.deleted_slices s where s.deletion_id = d.id)
    where d.id = any (v_ids) and d.state = 'pending'
      and not exists (select 1 from public.deleted_slices s where s.deletion_id = d.id and s.version is null)
    returning d.*
  loop
    update public.datasets d
    set deletion_version = greatest(d.deletion_version, x.version),
      oldest_kept_version = case when x.purge then greatest(d.oldest_kept_version, x.version)
        else d.oldest_kept_version end,
      oldest_kept_at = case when x.purge then v_now else d.oldest_kept_at end
    where d.id = p_dataset;
  end loop;
end $function$;

revoke all on function "sediment"."settle_slices"(uuid, text, text, bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.write_commits(p_calls sediment.commit_call[], p_files sediment.commit_file[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_parts sediment.partition_change[];
  v_seqs bigint[]; -- of each file, in the order of p_files
  v_changes sediment.dataset_change[];
  v_new_schemas boolean;
  v_new_parts boolean;
  v_made uuid[]; -- the dataset of each partition that is new
  v_delay integer;
  v_versions public.dataset_versions[];
  v_answers jsonb;
begin
  -- What is known already is asked for once: schemas and partitions are never deleted.
  with parts as materialized (
    select f.dataset_id, f."table", f.period_tag, min(f.ordinality)::integer as first_file,
      max(f.ordinality)::integer as last_file, sum(f.byte_length)::bigint as bytes, sum(f.row_count) as rows,
      sum(f.uncompressed_bytes) as uncompressed, array_agg(distinct f.n) as calls,
      bool_or(k.digest is null) as new_schemas
    from unnest(p_files) with ordinality as f
    left join public.file_schemas k on k.digest = any (array[f.schema_digest])
    group by f.dataset_id, f."table", f.period_tag
  )
  select array_agg(row(p.dataset_id, p."table", p.period_tag, p.first_file, p.last_file, p.bytes, p.calls,
      null)::sediment.partition_change order by p.first_file),
    bool_or(x.dataset_id is null), bool_or(p.new_schemas),
    (select array_agg(row(t.dataset_id, t.files, t.bytes, t.rows, t.uncompressed, null)::sediment.dataset_change)
      from (
        select d.dataset_id, sum(d.last_file - d.first_file + 1) as files, sum(d.bytes) as bytes, sum(d.rows) as rows,
          sum(d.uncompressed) as uncompressed
        from parts d group by d.dataset_id
      ) t),
    (select s.realtime_delay_seconds from public.service_settings s where s.id)
  into strict v_parts, v_new_parts, v_new_schemas, v_changes, v_delay
  from parts p
  left join public.partitions x
    on x.dataset_id = any (array[p.dataset_id]) and x."table" = p."table" and x.period_tag = p.period_tag;

  if v_new_schemas then
    perform sediment.keep_schemas(array_agg(f.schema)) from unnest(p_files) as f;
  end if;

  -- Partitions, sorted by key: made when absent, then locked; more than one in a statement before their update,
  -- as sediment.next_versions locks datasets.
  if v_new_parts then
    with made as (
      insert into public.partitions (dataset_id, "table", period_tag)
      select f.dataset_id, f."table", f.period_tag from unnest(v_parts) as f
      -- an insert would wait for whoever updates the row that is there
      where not exists (select 1 from public.partitions x
        where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag)
      order by 1, 2, 3
      on conflict (dataset_id, "table", period_tag) do nothing
      returning dataset_id
    )
    select array_agg(m.dataset_id) into v_made from made m;
  end if;
  if cardinality(v_parts) > 1 then
    perform 1 from unnest(v_parts) as f
    join public.partitions x
      on x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
    order by f.dataset_id, f."table", f.period_tag
    for no key update of x;
  end if;
  with raised as (
    update public.partitions x
    set debt_files = x.debt_files + f.last_file - f.first_file + 1, debt_bytes = x.debt_bytes + f.bytes,
      debt_oldest = coalesce(x.debt_oldest, v_now), demand_seq = x.demand_seq + cardinality(f.calls),
      last_seq = x.last_seq + f.last_file - f.first_file + 1
    from unnest(v_parts) as f
    where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
    returning f.first_file, f.last_file, x.last_seq,
      row(f.dataset_id, f."table", f.period_tag, f.first_file, f.last_file, f.bytes, f.calls,
        -- wake_partition would find a message that waits, of this priority or a higher one, and early enough
        case when x.lease_expires_at is null and x.ready_at <= v_now + make_interval(secs => v_delay)
          and x.queue in ('realtime', 'manual') then x.run_id end)::sediment.partition_change as part
  )
  select array_agg(r.part order by r.first_file),
    (select array_agg(s.last_seq - s.last_file + g.nth order by g.nth)
      from raised s cross join lateral generate_series(s.first_file, s.last_file) as g(nth))
  into strict v_parts, v_seqs
  from raised r;

  v_versions := sediment.next_versions(v_changes);
  if v_made is not null then
    update public.datasets d set partition_count = d.partition_count + m.count
    from (select v.id, count(*) as count from unnest(v_made) as v(id) group by v.id) m
    where d.id = any (array[m.id]);
  end if;
  perform sediment.refuse_deleted_stages(p_calls);
  perform sediment.refuse_removed_writers(p_calls);
  perform sediment.refuse_renamed_stages(p_calls, p_files);

  update public.objects x
  set state = 'stored', size = c.object_size, etag = nullif(c.etag, ''), expires_at = null, updated_at = v_now
  from unnest(p_calls) as c
  where x.object_key = any (array[c.object_key]) and x.state = 'staged';
  perform sediment.discard_object(x.object_key, 'the checked copy is stored')
  from public.objects x
  where x.stage_id = any (array(select c.stage from unnest(p_calls) as c)) and x.stage_id is not null
    and x.kind = 'incoming';

  for i in 1 .. cardinality(v_parts) loop
    if v_parts[i].run_id is null then
      v_parts[i].run_id := sediment.wake_partition(v_parts[i].dataset_id, v_parts[i]."table", v_parts[i].period_tag,
        'realtime', 'upload', v_delay);
    end if;
  end loop;

  with inserted as (
    insert into public.battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte,
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest)
    select f.dataset_id, f."table", f.period_tag, f.stage, f.ordinal, f.object_key, f.start_byte,
      f.byte_length, nullif(f.etag, ''), 0, v_seqs[f.ordinality], v_seqs[f.ordinality], f.row_count, f.row_group_count,
      f.uncompressed_bytes, f.value_count, f.merge_facts, f.schema_fingerprint, f.stats,
      (select v.version from unnest(v_versions) as v where v.dataset_id = f.dataset_id), f.user_id, v_now,
      f.checksum, f.schema_digest
    from unnest(p_files) with ordinality as f
    returning id, upload_id, "table", period_tag, ordinal, row_count, seq_min
  ), answered as (
    update public.uploads u
    set answer = jsonb_build_object('key', c.object_key, 'size', c.size, 'uploaded_at', v_now, 'metricId', r.main,
      'duplicate', false, 'dataset_id', c.dataset_id, 'version', v.version, 'files', i.files, 'runs', r.runs),
      seqs = i.seqs
    from unnest(p_calls) as c
    join unnest(v_versions) as v on v.dataset_id = c.dataset_id
    cross join lateral (
      select jsonb_agg(jsonb_build_object('id', i.id, 'table', i."table", 'period_tag', i.period_tag,
        'ordinal', i.ordinal, 'row_count', i.row_count) order by i.ordinal) as files,
        array_agg(i.seq_min order by i.ordinal) as seqs
      from inserted i where i.upload_id = c.stage
    ) i
    cross join lateral (
      select jsonb_agg(jsonb_build_object('table', p."table", 'period_tag', p.period_tag, 'metricId', p.run_id)
          order by p.first_file) as runs,
        -- the run of the partition that the upload named, else that of its first
        (array_agg(p.run_id order by (p."table" = c."table" and p.period_tag = c.period_tag) desc, p.first_file))[1]
          as main
      from unnest(v_parts) as p where c.n = any (p.calls)
    ) r
    where u.id = any (array[c.stage])
    returning c.n, u.answer
  )
  select jsonb_object_agg(a.n, a.answer) into strict v_answers from answered a;
  return v_answers;
end $function$;

ALTER TABLE "public"."deleted_slices" ADD CONSTRAINT "deleted_slices_deletion_id_fkey" FOREIGN KEY (deletion_id) REFERENCES public.deletions(id);

ALTER TABLE "public"."deletions" ADD CONSTRAINT "deletions_state_check" CHECK ((state = ANY (ARRAY['pending'::text, 'marked'::text, 'removed'::text, 'purged'::text])));

CREATE INDEX deleted_slices_deletion ON public.deleted_slices USING btree (deletion_id);

CREATE INDEX deleted_slices_pending ON public.deleted_slices USING btree (dataset_id, "table", period_tag) WHERE (version IS NULL);

CREATE POLICY "service_all" ON "public"."deleted_slices" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

REVOKE ALL ON FUNCTION "public"."delete_upload"(uuid, uuid, boolean, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."delete_upload"(uuid, uuid, boolean, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."check_dropped"(public.partitions, int8multirange, jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."check_dropped"(public.partitions, int8multirange, jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."pending_seqs"(uuid, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."pending_seqs"(uuid, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."replace_files"(public.partitions, uuid, integer, bigint, bigint[], jsonb, text[], jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."replace_files"(public.partitions, uuid, integer, bigint, bigint[], jsonb, text[], jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."seqs_of"(public.battle_files) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."seqs_of"(public.battle_files) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."settle_slices"(uuid, text, text, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."settle_slices"(uuid, text, text, bigint) TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."deleted_slices" TO "service_role";
