alter table public.processing_metrics add column given_back integer not null default 0;
alter table public.service_settings
  add column breaker_window_seconds integer not null default 600 check (breaker_window_seconds > 0),
  add column breaker_probe_seconds integer not null default 10 check (breaker_probe_seconds > 0),
  add column planner_version integer not null default 0,
  add column plan_changed_at timestamptz not null default '-infinity';
alter table public.objects drop constraint objects_kind_check;
alter table public.objects add constraint objects_kind_check
  check (kind in ('fragment', 'incoming', 'compacted', 'asset', 'probe'));
alter table public.partitions
  add column dead_looks integer not null default 0,
  add column idle_runs integer not null default 0,
  add column plan_digest text,
  add column lease_slot integer;
drop function public.fail_compaction(uuid, bigint, text, text, text, boolean);
drop function sediment.claim_message(text, bigint, jsonb, text, integer);
create index if not exists partitions_considered on public.partitions (last_considered_at)
  where msg_id is null and due_at is null;
alter table public.battle_files
  add column checksum text check (checksum ~ '^[0-9a-f]{16}$'),
  add column lost_since timestamptz;
create index if not exists battle_files_lost
  on public.battle_files (lost_since) where lost_since is not null and removed_version is null;
alter table public.service_settings
  add column second_look_seconds integer not null default 120 check (second_look_seconds > 0);
drop function public.quarantine_file(uuid, bigint, bigint, text, text);
drop function public.commit_compaction(uuid, integer, bigint, bigint[], jsonb, boolean, jsonb);
drop function sediment.replace_files(public.partitions, uuid, integer, bigint, bigint[], jsonb);
alter type sediment.commit_file add attribute checksum text;

-- One row: whether claims are stopped since what all of them stand on fails (shared/compaction/SPEC.md). Opened by
-- failures of two partitions with no success between, closed by probes.
create table if not exists public.circuit_breaker (
  id boolean primary key default true check (id),
  state text not null default 'closed' check (state in ('closed', 'open')),
  -- what failed, and what a probe therefore tries
  part text check (part in ('store_read', 'store_write', 'catalog')),
  error_code text,
  error_message text,
  -- while closed: the partition that failed last; a second one opens
  suspect text,
  suspect_at timestamptz,
  opened_at timestamptz,
  closed_at timestamptz,
  -- while open: when the next probe may go, and until when one is under way (half open)
  probe_at timestamptz,
  probe_until timestamptz,
  probe_token bigint not null default 0,
  probe_key text,
  probes_passed integer not null default 0,
  probes_failed integer not null default 0,
  check (state = 'closed' or (opened_at is not null and part is not null and probe_at is not null))
);

comment on table public.circuit_breaker is 'One row: whether claims are stopped, and why.';

insert into public.circuit_breaker (id) values (true) on conflict (id) do nothing;

-- max_workers as rows: a claim locks one that no live lease holds, so that two that meet can't both take the last.
create table if not exists public.worker_slots (
  slot integer primary key check (slot between 1 and 64)
);

comment on table public.worker_slots is 'A row for each worker that may hold a lease at a time.';

insert into public.worker_slots (slot) select generate_series(1, 64) on conflict (slot) do nothing;

-- A call of commit_upload among those of a group: its arguments, and the stage that it commits.
do $$ begin
  create type sediment.commit_call as (
    -- its place among the calls, from 1
    n integer,
    stage uuid,
    user_id uuid,
    size bigint,
    -- of the object, where it is not the body itself
    object_size bigint,
    etag text,
    files jsonb,
    dataset_id uuid,
    "table" text,
    period_tag text,
    content_hash text,
    offsets_digest text,
    object_key text,
    -- nothing is to be written: the identity is in the ledger already, or the stage is not staged any more
    known boolean,
    -- stored bytes of its user are limited
    limited boolean,
    -- what became of it already: {error}, {busy: true}, or {answer} where another was first. Null while it holds
    outcome jsonb
  );
exception when duplicate_object then null;
end $$;

-- A data file that such a call brings, with what it has of the call.
do $$ begin
  create type sediment.commit_file as (
    n integer,
    dataset_id uuid,
    stage uuid,
    user_id uuid,
    object_key text,
    etag text,
    ordinal integer,
    "table" text,
    period_tag text,
    start_byte bigint,
    byte_length bigint,
    row_count bigint,
    row_group_count integer,
    uncompressed_bytes bigint,
    value_count bigint,
    merge_facts jsonb,
    schema_fingerprint text,
    schema jsonb,
    stats jsonb,
    checksum text
  );
exception when duplicate_object then null;
end $$;

-- What they bring to a partition, whose demand they raise, and the run that will see it.
do $$ begin
  create type sediment.partition_change as (
    dataset_id uuid,
    "table" text,
    period_tag text,
    -- its files are those from here to there, from 1, of the list that is sorted by partition
    first_file integer,
    last_file integer,
    bytes bigint,
    -- the calls that they are of
    calls integer[],
    run_id uuid
  );
exception when duplicate_object then null;
end $$;

-- The data files of calls that hold and are not known yet, sorted by partition, then call and ordinal, and what is
-- wrong with them: {n: detail}, null for nothing. The function that inspected the bytes has checked more; this is what
-- the catalog itself relies on.
-- Materialized before anything is sorted: else each row to be sorted carries the list that it is from.
create or replace function sediment.read_commit_files(
  p_calls sediment.commit_call[], out files sediment.commit_file[], out wrong jsonb
)
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
begin
  with read as materialized (
    select c.n, c.dataset_id, f.ordinal, f."table", f.period_tag,
      row(c.n, c.dataset_id, c.stage, c.user_id, c.object_key, c.etag, f.ordinal, f."table", f.period_tag,
        f.start_byte, f.byte_length, f.row_count, f.row_group_count, f.uncompressed_bytes, f.value_count,
        f.merge_facts, f.schema_fingerprint, f.schema, f.stats, f.checksum)::sediment.commit_file as file,
      case
        when t.list is null then 'p_files is not an array of 1 to 10000 data files'
        when (f.ordinal >= 0 and f."table" ~ '^[A-Za-z0-9_-]{1,64}$' and f.period_tag ~ '^[A-Za-z0-9_-]{1,64}$'
          and f.start_byte >= 0 and f.byte_length > 0 and f.byte_length <= c.object_size - f.start_byte
          and f.row_count >= 0 and f.row_group_count >= 0 and f.uncompressed_bytes >= 0
          and coalesce(f.value_count >= 0, true) and coalesce(jsonb_typeof(f.merge_facts) = 'object', true)
          and f.schema_fingerprint is not null and f.schema is not null) is not true
        then format('data file %s is not well formed: table %s, period_tag %s, start_byte %s, byte_length %s',
          f.ordinal, quote_nullable(left(f."table", 80)), quote_nullable(left(f.period_tag, 80)), f.start_byte,
          f.byte_length)
      end as detail
    from unnest(p_calls) as c
    cross join lateral (select case when jsonb_typeof(c.files) = 'array'
      then case when jsonb_array_length(c.files) between 1 and 10000 then c.files end end as list) t
    left join lateral jsonb_to_recordset(t.list) as f(ordinal integer, "table" text, period_tag text,
      start_byte bigint, byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint,
      value_count bigint, merge_facts jsonb, schema_fingerprint text, schema jsonb, stats jsonb, checksum text) on true
    where c.outcome is null and not c.known
  )
  select array_agg(x.file order by x.dataset_id, x."table", x.period_tag, x.n, x.ordinal)
      filter (where x.ordinal is not null),
    -- of a call's the last one stays: the first data file that is wrong
    jsonb_object_agg(x.n, x.wrong order by x.n, x.ordinal desc nulls first) filter (where x.wrong is not null)
  into strict files, wrong
  from (
    select r.*, coalesce(r.detail, case when count(*) over (partition by r.n, r.ordinal) > 1
      then 'two data files have the same ordinal' end) as wrong
    from read r
  ) x;
end $$;

-- Writes what calls of commit_upload bring, once their identities are in the ledger: schemas, data files, objects
-- staged → stored, versions, debt and demand of the partitions, run rows and queue messages; and the ledger's answers.
-- The uploads of one dataset that are committed together appear in one version. p_files is as
-- sediment.read_commit_files sorts it. Returns {n: answer}.
create or replace function sediment.write_commits(p_calls sediment.commit_call[], p_files sediment.commit_file[])
returns jsonb
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_parts sediment.partition_change[];
  v_seqs bigint[]; -- of each file, in the order of p_files
  v_changes sediment.dataset_change[];
  v_new_schemas boolean;
  v_new_parts boolean;
  v_delay integer;
  v_versions public.dataset_versions[];
  v_answers jsonb;
begin
  -- What is known already is asked for once: schemas and partitions are never deleted.
  with parts as materialized (
    select f.dataset_id, f."table", f.period_tag, min(f.ordinality)::integer as first_file,
      max(f.ordinality)::integer as last_file, sum(f.byte_length)::bigint as bytes, sum(f.row_count) as rows,
      sum(f.uncompressed_bytes) as uncompressed, array_agg(distinct f.n) as calls,
      bool_or(k.fingerprint is null) as new_schemas
    from unnest(p_files) with ordinality as f
    left join public.file_schemas k on k.fingerprint = any (array[f.schema_fingerprint])
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
    perform sediment.keep_schemas(array_agg(f.schema_fingerprint), array_agg(f.schema)) from unnest(p_files) as f;
  end if;

  -- Partitions, sorted by key: made when absent, then locked; more than one in a statement before their update,
  -- as sediment.next_versions locks datasets.
  if v_new_parts then
    insert into public.partitions (dataset_id, "table", period_tag)
    select f.dataset_id, f."table", f.period_tag from unnest(v_parts) as f
    -- an insert would wait for whoever updates the row that is there
    where not exists (select 1 from public.partitions x
      where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag)
    order by 1, 2, 3
    on conflict (dataset_id, "table", period_tag) do nothing;
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

  update public.objects x
  set state = 'stored', size = c.object_size, etag = c.etag, expires_at = null, updated_at = v_now
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
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at, checksum)
    select f.dataset_id, f."table", f.period_tag, f.stage, f.ordinal, f.object_key, f.start_byte,
      f.byte_length, f.etag, 0, v_seqs[f.ordinality], v_seqs[f.ordinality], f.row_count, f.row_group_count,
      f.uncompressed_bytes, f.value_count, f.merge_facts, f.schema_fingerprint, f.stats,
      (select v.version from unnest(v_versions) as v where v.dataset_id = f.dataset_id), f.user_id, v_now, f.checksum
    from unnest(p_files) with ordinality as f
    returning id, upload_id, "table", period_tag, ordinal, row_count
  ), answered as (
    update public.uploads u
    set answer = jsonb_build_object('key', c.object_key, 'size', c.size, 'uploaded_at', v_now, 'metricId', r.main,
      'duplicate', false, 'dataset_id', c.dataset_id, 'version', v.version, 'files', i.files, 'runs', r.runs)
    from unnest(p_calls) as c
    join unnest(v_versions) as v on v.dataset_id = c.dataset_id
    cross join lateral (
      select jsonb_agg(jsonb_build_object('id', i.id, 'table', i."table", 'period_tag', i.period_tag,
        'ordinal', i.ordinal, 'row_count', i.row_count) order by i.ordinal) as files
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
end $$;

-- Ends the live run of a partition in the dead letters: the row, the alert message, the run's status, the
-- message archived and the lease freed, together. The caller holds the partition's lock. Debt stays, and is looked at
-- again after idle_recheck_seconds, doubled with each look up to a day (sediment.revive_run): then the letter that is
-- open takes the new failure, without another alert.
create or replace function sediment.bury_run(
  p_dataset uuid, p_table text, p_period_tag text, p_code text, p_message text, p_step text
)
returns bigint
language plpgsql
set search_path = ''
as $$
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
    perform sediment.adopt_run(p_dataset, p_table, p_period_tag, p.next_run_id, v_next);
  end if;
  return v_letter;
end $$;

-- Leases one due partition to a worker: reads and leases one message in one transaction. The queue that is
-- looked at first is dealt 6:3:1, so that none starves; an empty one passes its turn on. Attempts are counted
-- here, not by read_ct: a message that a dying worker never started on is not a failure.
-- Returns {claimed: false, reason: 'empty'|'busy'|'fanned_out'|'breaker_open', probe?}, where busy may also mean that
-- max_workers hold leases, fanned_out that a request for a whole dataset was spread and asking again makes sense,
-- breaker_open that what all stand on fails, and probe is null or what sediment.claim_probe says; or {claimed: true, run_id, dataset_id, table,
-- period_tag, user_id, priority, token, lease_expires_at, lease_seconds (from the claim on: a worker counts them by
-- its own clock, which need not be the database's), claimed_at (the catalog's clock, by which the planner goes), attempt, demand_seq, forced, outputs_committed,
-- settings, steps, files: [{id, object_key, start_byte, byte_length, level, seq_min, seq_max, row_count,
-- row_group_count, uncompressed_bytes, value_count|null, merge_facts|null, schema_fingerprint, state, etag,
-- uploaded_at}], schemas: {fingerprint: schema}, more, cursor}: the oldest 2,000 files in upload order; list_fragments gives those after the cursor.
-- outputs_committed is the ordinal (p_n) of the run's next commit.
create or replace function public.claim_compaction(p_worker text, p_lease_seconds integer default 300)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_turns constant text[] :=
    '{manual,realtime,manual,manual,realtime,manual,scheduled,realtime,manual,manual}';
  v_first text := v_turns[1 + nextval('sediment.queue_turn') % 10];
  v_queue text;
  v_candidate record;
  v_seen integer;
  v_any boolean := false;
  v_tried bigint[];
  v_claim jsonb;
  v_probe jsonb;
  v_slot integer;
begin
  if p_worker is null or length(p_worker) not between 1 and 200 then
    perform sediment.fail('invalid_request', 400, 'p_worker is empty or over 200 characters');
  end if;
  if p_lease_seconds is null or p_lease_seconds not between 1 and 3600 then
    perform sediment.fail('invalid_request', 400, format('p_lease_seconds is %s', p_lease_seconds), '1 to 3600');
  end if;

  v_probe := sediment.claim_probe();
  if v_probe is not null then
    return jsonb_build_object('claimed', false, 'reason', 'breaker_open') || v_probe;
  end if;
  v_slot := sediment.take_slot();
  if v_slot is null then
    return jsonb_build_object('claimed', false, 'reason', 'busy');
  end if;

  foreach v_queue in array array[v_first] || array_remove('{manual,realtime,scheduled}'::text[], v_first) loop
    v_tried := '{}';
    -- in batches of ten; each with a new look at the queue, since others claim at the same time
    for v_round in 1 .. 10 loop
      v_seen := 0;
      for v_candidate in select r.msg_id, r.message from sediment.queue_ready(v_queue, 10, v_tried) r loop
        v_seen := v_seen + 1;
        v_tried := v_tried || v_candidate.msg_id;
        -- spreading waits for partitions, so it is done only while nothing is locked
        if not v_any and sediment.fan_out_message(v_queue, v_candidate.msg_id, v_candidate.message) then
          return jsonb_build_object('claimed', false, 'reason', 'fanned_out');
        end if;
        v_any := true;
        v_claim := sediment.claim_message(v_queue, v_candidate.msg_id, v_candidate.message, p_worker,
          p_lease_seconds, v_slot);
        if v_claim is not null then
          return v_claim;
        end if;
      end loop;
      exit when v_seen < 10;
    end loop;
  end loop;
  return jsonb_build_object('claimed', false, 'reason', case when v_any then 'busy' else 'empty' end);
end $$;

-- Tries to lease the partition of one message that was seen due. Null: not this one, look at the next. Locks
-- are only ever tried (skip locked) on this path: a claim waits for nobody while it holds something.
create or replace function sediment.claim_message(
  p_queue text, p_msg_id bigint, p_message jsonb, p_worker text, p_lease_seconds integer,
  p_slot integer
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_msg record;
  p public.partitions;
  v_run public.processing_metrics;
  v_settings jsonb;
  v_now timestamptz;
  v_until timestamptz;
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
      perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, v_msg.priority, 'message', 0);
    end if;
    return null;
  end if;

  v_now := clock_timestamp();
  if p.lease_expires_at > v_now then
    perform sediment.queue_hide(p_queue, p_msg_id, p.lease_expires_at);
    return null;
  end if;
  if p.lease_expires_at is not null then
    perform sediment.retry_run(p.dataset_id, p."table", p.period_tag, 'lease_expired',
      format('worker %s did not renew its lease', p.lease_worker), null, false);
    return null;
  end if;
  if p.ready_at > v_now then
    perform sediment.queue_hide(p_queue, p_msg_id, p.ready_at); -- it failed since we looked, and waits
    return null;
  end if;

  v_settings := sediment.settings_of(p.dataset_id, p."table");
  select v_now + make_interval(secs => least(p_lease_seconds,
    greatest((v_settings ->> 'max_run_seconds')::integer - r.worked_seconds, 1)))
  into strict v_until from public.processing_metrics r where r.id = p.run_id;
  update public.partitions x
  set token = x.token + 1, lease_worker = p_worker, lease_slot = p_slot, claimed_at = v_now, lease_expires_at = v_until,
    ready_at = v_until, claimed_demand_seq = x.demand_seq, claimed_debt_files = x.debt_files,
    claimed_debt_bytes = x.debt_bytes
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
  returning * into strict p;
  perform sediment.queue_hide(p_queue, p_msg_id, p.lease_expires_at);
  update public.processing_metrics r
  set status = 'running', step = 'validate-dataset', attempts = r.attempts + 1, worker = p_worker, started_at = coalesce(r.started_at, v_now)
  where r.id = p.run_id
  returning * into strict v_run;

  return jsonb_build_object(
    'claimed', true, 'run_id', p.run_id, 'dataset_id', p.dataset_id, 'table', p."table",
    'period_tag', p.period_tag, 'user_id', v_run.user_id, 'priority', v_run.priority, 'token', p.token,
    'lease_expires_at', p.lease_expires_at,
    'lease_seconds', extract(epoch from p.lease_expires_at - v_now), 'claimed_at', v_now, 'attempt', v_run.attempts, 'demand_seq', p.demand_seq,
    'forced', p.forced_seq > p.done_seq, 'outputs_committed', v_run.commits, 'settings', v_settings,
    'steps', v_run.steps)
    || sediment.list_inputs(p.dataset_id, p."table", p.period_tag, -1, 2000);
end $$;

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
  returning * into strict b;
  return jsonb_build_object('probe', jsonb_build_object('token', b.probe_token, 'part', b.part, 'seconds', v_seconds,
    'keys', to_jsonb(coalesce(v_keys, '{}')), 'write_key', v_key));
end $$;

-- The last commit of a run: frees the lease, archives the message, takes over the planner's view of the debt,
-- and makes sure that nothing which came meanwhile is lost. The caller holds the partition's lock. p_result:
-- {decision, debt: {files, bytes, oldest}, next_due_at, unseen (files that nobody looked at are left), planner (its
-- version), steps_ms, output}. Returns whether the partition has a
-- live message again.
create or replace function sediment.close_run(p public.partitions, p_progress boolean, p_result jsonb)
returns boolean
language plpgsql
set search_path = ''
as $$
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
    perform sediment.adopt_run(p.dataset_id, p."table", p.period_tag, v_next, v_priority);
    return true;
  else
    select r.priority into strict v_priority from public.processing_metrics r where r.id = v_next;
    perform sediment.adopt_run(p.dataset_id, p."table", p.period_tag, v_next, v_priority);
    return true;
  end if;

  if p_progress and v_due <= v_now then
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'realtime', 'follow_up', 0);
    return true;
  end if;
  return false;
end $$;

-- Commits the n-th step of a run's work. First looks whether (run, n) is committed already and gives that
-- answer; then checks the token; then replaces the inputs by the output, demanding that each input is still
-- visible. The message is archived and the lease freed only with p_last.
--   p_n: ordinal of the commit, claim's outputs_committed and on, one by one
--   p_inputs: ids of the files that the output replaces; empty with p_output null: nothing was done
--   p_input_keys: the object in which each of them was read; another one now is inputs_changed
--   p_output: {object_key, size, etag, row_count, row_group_count, uncompressed_bytes, value_count|null,
--              merge_facts|null, schema_fingerprint, schema, stats, checksum|null}; null also when the inputs hold no row at all
--   p_result: {decision, debt: {files, bytes, oldest}, next_due_at, steps_ms, output, progress, more}. With p_last and
--              more: true the run is not over: its turn is, and the next worker goes on with it at once; only
--              when less than a lease is left of its max_run_seconds does it end, as a success, and a follow-up goes on.
-- Returns {version|null, file_id|null, run_status, requeued, replayed, commits, lease_expires_at|null,
-- lease_seconds|null}.
-- Raises lease_lost, run_finished, run_not_found, inputs_changed, inputs_not_adjacent, merge_rows_differ,
-- object_missing, invalid_request.
create or replace function public.commit_compaction(
  p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_last boolean, p_result jsonb,
  p_input_keys text[] default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
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
    perform sediment.keep_schemas(array[p_output ->> 'schema_fingerprint'], array[p_output -> 'schema']);
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
    select sediment.add_work(p) + least(s.lease_seconds, s.max_run_seconds / 2) >= s.max_run_seconds
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
    perform sediment.queue_hide(p.queue, p.msg_id, v_now + interval '1 second');
    update public.partitions x
    set lease_expires_at = null, lease_worker = null, claimed_at = null, claimed_demand_seq = null,
      claimed_debt_files = null, claimed_debt_bytes = null, ready_at = v_now,
      last_decision = coalesce(v_result ->> 'decision', x.last_decision), last_considered_at = v_now
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    perform sediment.raise_waiting(p, 0);
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
end $$;

-- Ends an attempt that failed: back to the queue with exponential back-off and full jitter, or to the dead
-- letters when the attempts are used up or the error is permanent. The lease is freed either way.
--   p_class: environment gives the attempt back (sediment.return_run) and, with p_part, counts for the breaker; anything
--     else is the work's own failure
--   p_part: store_read, store_write, catalog; null where nothing that others need has failed
-- Returns {status: 'retry'|'dead', retry_at|null, dead_letter_id|null}. Raises lease_lost, run_finished.
create or replace function public.fail_compaction(
  p_run uuid, p_token bigint, p_code text, p_message text, p_step text, p_permanent boolean,
  p_class text default null, p_part text default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
begin
  p := sediment.lock_lease(p_run, p_token);
  if p_class = 'environment' then
    return sediment.return_run(p, coalesce(left(p_code, 100), 'internal'), p_message, p_step,
      case when p_part in ('store_read', 'store_write', 'catalog') then p_part end);
  end if;
  return sediment.retry_run(p.dataset_id, p."table", p.period_tag, coalesce(left(p_code, 100), 'internal'),
    p_message, p_step, coalesce(p_permanent, false));
end $$;

-- Tells how a probe went. Two that pass in a row close the breaker, so that an outage which comes and goes does not
-- open and close it each time; one that fails doubles the wait for the next, up to backoff_cap_seconds. What a probe
-- wrote is given up. Returns {state, probe_at|null}; a probe that somebody else took over changes nothing.
create or replace function public.finish_probe(
  p_token bigint, p_passed boolean, p_code text default null, p_message text default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  b public.circuit_breaker;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
begin
  select * into strict b from public.circuit_breaker x for no key update;
  if b.state = 'open' and b.probe_token = p_token and b.probe_until is not null then
    select * into strict s from public.service_settings;
    if p_passed and b.probes_passed >= 1 then
      update public.circuit_breaker x
      set state = 'closed', closed_at = v_now, probe_at = null, probe_until = null, suspect = null,
        suspect_at = null, probes_passed = 0, probes_failed = 0
      returning * into strict b;
      perform sediment.raise_alert('breaker_closed', format('Sediment goes on: %s answers again after %s',
        b.part, date_trunc('second', v_now - b.opened_at)), jsonb_build_object('part', b.part));
    else
      update public.circuit_breaker x
      set probe_until = null,
        probes_passed = case when p_passed then x.probes_passed + 1 else 0 end,
        probes_failed = case when p_passed then x.probes_failed else x.probes_failed + 1 end,
        error_code = case when p_passed then x.error_code else coalesce(left(p_code, 100), x.error_code) end,
        error_message = case when p_passed then x.error_message
          else coalesce(left(p_message, 2000), x.error_message) end,
        probe_at = v_now + make_interval(secs => case when p_passed then s.breaker_probe_seconds
          else least(s.backoff_cap_seconds, (0.75 + random() / 4) * s.breaker_probe_seconds
            * power(2, least(x.probes_failed, 10))) end)
      returning * into strict b;
    end if;
    if b.probe_key is not null then
      perform sediment.discard_object(b.probe_key, 'a probe');
    end if;
  end if;
  return jsonb_build_object('state', b.state, 'probe_at', b.probe_at);
end $$;

-- The visible data files of a partition in upload order, at most p_limit, after a cursor (a seq_min). Bad ones
-- are in the list and marked: they are barriers for tables that dedupe. So are, for a while, those whose bytes were found
-- gone or changed: they wait for a second look. The schemas of the others come along
-- by fingerprint, in upload order as far as 100 and 1 MiB (as stored) go; files of schemas beyond are merged
-- with their like only.
create or replace function sediment.list_inputs(
  p_dataset uuid, p_table text, p_period_tag text, p_after bigint, p_limit integer
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (with page as (
    select f.* from public.battle_files f
    where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
      and f.removed_version is null and f.seq_min > p_after
    order by f.seq_min
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
        from public.service_settings s) then 'quarantined' else k.state end, 'checksum', k.checksum, 'etag', k.etag, 'uploaded_at', k.uploaded_at) order by k.seq_min) from kept k), '[]'),
    'schemas', coalesce((select jsonb_object_agg(s.fingerprint, s.schema) from (
      select x.fingerprint, x.schema, row_number() over w as place, sum(pg_column_size(x.schema)) over w as bytes
      from (
        select k.schema_fingerprint, min(k.seq_min) as seq_min from kept k
        where k.state = 'active' group by k.schema_fingerprint
      ) d
      join public.file_schemas x on x.fingerprint = d.schema_fingerprint
      window w as (order by d.seq_min, x.fingerprint)
    ) s where s.place <= 100 and s.bytes <= 1048576), '{}'),
    'more', (select count(*) > p_limit from page),
    'cursor', case when (select count(*) > p_limit from page) then (select max(k.seq_min)::text from kept k) end));
end $$;

-- Settings that plans go by have changed: the sweep looks at partitions that were seen whole before that.
create or replace function sediment.note_plan_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  update public.service_settings s set plan_changed_at = clock_timestamp();
  return null;
end $$;

drop trigger if exists note_plan_change on public.table_settings;
create trigger note_plan_change after insert or update or delete on public.table_settings
  for each statement execute function sediment.note_plan_change();
drop trigger if exists note_plan_change on public.service_settings;
create trigger note_plan_change
  after update of target_file_bytes, target_row_group_bytes, healthy_row_group_bytes, target_page_bytes, min_inputs,
    max_age_seconds, codec
  on public.service_settings
  for each statement execute function sediment.note_plan_change();

-- What a plan of a table goes by beside its files: the planner's version and the settings. A partition that was seen
-- whole under another one is looked at again.
create or replace function sediment.plan_digest(p_dataset uuid, p_table text, p_planner integer)
returns text
language sql
stable
set search_path = ''
as $$
  select md5(p_planner || (sediment.settings_of(p_dataset, p_table)
    - array['retention_seconds', 'lease_seconds', 'max_run_seconds', 'max_attempts'])::text)
$$;

-- Sets one bad file of a claimed partition aside, with the reason: it stays listed and marked, and the rest
-- compacts. A file whose bytes are gone or changed (object_missing, object_changed) is only noted the first time and
-- left out of plans for second_look_seconds: what the store says now it may take back. Where many were noted within
-- breaker_window_seconds it is rather the store that is not the one it should be.
--   p_object_key: where the worker looked; a file that was healed meanwhile is elsewhere
-- Returns {file_id, state, changed, look_again_at|null}. Raises lease_lost, run_finished, inputs_changed, store_failed.
create or replace function public.quarantine_file(
  p_run uuid, p_token bigint, p_file bigint, p_code text, p_reason text, p_object_key text default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
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
  -- bad ones is no failed attempt (found by the simulation: three such turns buried the sound rest).
  update public.processing_metrics r
  set files_quarantined = r.files_quarantined + (v_changed and f.state = 'quarantined')::integer,
    attempts = case when v_changed then 0 else r.attempts end
  where r.id = p_run;
  return jsonb_build_object('file_id', p_file, 'state', f.state, 'changed', v_changed, 'look_again_at',
    case when f.state = 'active' then f.lost_since + make_interval(secs => s.second_look_seconds) end);
end $$;

-- An alert that is no dead letter's: sent as those are, one a class and moment.
create or replace function sediment.raise_alert(p_class text, p_summary text, p_details jsonb default '{}')
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.alerts (class, window_start, payload)
  values (p_class, clock_timestamp(),
    p_details || jsonb_build_object('class', p_class, 'summary', p_summary, 'at', clock_timestamp()))
  on conflict (class, window_start) do nothing;
end $$;

-- The heart of a compaction's commit: the inputs leave, the output comes, at one new version. The caller holds
-- the partition's lock and has checked the token. Returns {version, file_id} and what was replaced.
create or replace function sediment.replace_files(
  p public.partitions, p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb,
  p_input_keys text[]
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_in record;
  v_out record;
  v_dedupe boolean;
  v_version public.dataset_versions;
  v_removed bigint;
  v_now timestamptz := clock_timestamp();
  v_file bigint;
begin
  select count(*) as files, coalesce(sum(f.byte_length), 0)::bigint as bytes,
    coalesce(sum(f.row_count), 0)::bigint as rows, coalesce(sum(f.row_group_count), 0)::bigint as row_groups,
    coalesce(sum(f.uncompressed_bytes), 0)::bigint as uncompressed, max(f.level) as level,
    min(f.seq_min) as seq_min, max(f.seq_max) as seq_max
  into strict v_in
  from public.battle_files f
  where f.id = any (p_inputs) and f.removed_version is null and f.state = 'active'
    and f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag;
  if v_in.files <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs are visible and sound', v_in.files, cardinality(p_inputs)));
  end if;

  -- What was read is what is there: an input that was healed since holds other bytes.
  if p_input_keys is not null and exists (
    select 1 from unnest(p_inputs, p_input_keys) as i(id, key) join public.battle_files f on f.id = i.id
    where f.object_key is distinct from i.key)
  then
    perform sediment.fail('inputs_changed', 409, 'an input is in another object than the one that was read');
  end if;

  select * into v_out from jsonb_to_record(p_output) as t(object_key text, size bigint, etag text,
    row_count bigint, row_group_count integer, uncompressed_bytes bigint, value_count bigint,
    merge_facts jsonb, schema_fingerprint text, stats jsonb, checksum text);
  v_dedupe := jsonb_array_length(sediment.settings_of(p.dataset_id, p."table") -> 'dedupe_keys') > 0;
  if (case when v_dedupe then coalesce(v_out.row_count, 0) <= v_in.rows and (v_out.row_count > 0 or v_in.rows = 0)
      else coalesce(v_out.row_count, 0) = v_in.rows end) is not true
  then
    perform sediment.fail('merge_rows_differ', 500,
      format('the inputs hold %s rows, the output %s', v_in.rows, coalesce(v_out.row_count, 0)));
  end if;
  -- Last writer wins only holds when nothing that was written in between stays outside.
  if v_dedupe and exists (
    select 1 from public.battle_files f
    where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
      and f.removed_version is null and f.id <> all (p_inputs)
      and f.seq_min <= v_in.seq_max and f.seq_max >= v_in.seq_min)
  then
    perform sediment.fail('inputs_not_adjacent', 409,
      format('a file between upload %s and %s is not among the inputs', v_in.seq_min, v_in.seq_max));
  end if;

  v_version := (sediment.next_versions(array[row(p.dataset_id,
    case when p_output is null then 0 else 1 end - v_in.files, coalesce(v_out.size, 0) - v_in.bytes,
    coalesce(v_out.row_count, 0) - v_in.rows, coalesce(v_out.uncompressed_bytes, 0) - v_in.uncompressed,
    coalesce(v_out.etag, ''))::sediment.dataset_change]))[1];

  update public.battle_files f set removed_version = v_version.version
  where f.id = any (p_inputs) and f.removed_version is null;
  get diagnostics v_removed = row_count;
  if v_removed <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs were still visible', v_removed, cardinality(p_inputs)));
  end if;

  if p_output is not null then
    update public.objects o
    set state = 'stored', size = v_out.size, etag = v_out.etag, expires_at = null, updated_at = v_now
    where o.object_key = v_out.object_key and o.state = 'staged'
      and o.run_id = p_run and o.run_ordinal = p_n and o.token = p_token;
    if not found then
      -- the sweep was here: this worker slept through its lease and the time for its PUT, though nobody took over
      if exists (select 1 from public.objects o where o.object_key = v_out.object_key
        and o.run_id = p_run and o.run_ordinal = p_n and o.token = p_token)
      then
        perform sediment.fail('lease_lost', 409, format('%s was given up', v_out.object_key));
      end if;
      perform sediment.fail('object_missing', 500,
        format('%s is not the staged output %s of this run and token', v_out.object_key, p_n));
    end if;
    insert into public.battle_files (dataset_id, "table", period_tag, run_id, ordinal, object_key, start_byte,
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at, checksum)
    select p.dataset_id, p."table", p.period_tag, p_run, p_n, v_out.object_key, 0, v_out.size, v_out.etag,
      v_in.level + 1, v_in.seq_min, v_in.seq_max, v_out.row_count, v_out.row_group_count,
      v_out.uncompressed_bytes, v_out.value_count, v_out.merge_facts, v_out.schema_fingerprint, v_out.stats,
      v_version.version, r.user_id, v_now, v_out.checksum
    from public.processing_metrics r where r.id = p_run
    returning id into strict v_file;
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
end $$;

-- Puts the live run of a leased partition back into its queue until a time. The caller holds the partition's lock.
create or replace function sediment.requeue_run(p public.partitions, p_until timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update public.partitions x
  set token = x.token + 1, lease_expires_at = null, lease_worker = null, claimed_at = null,
    claimed_demand_seq = null, claimed_debt_files = null, claimed_debt_bytes = null, ready_at = p_until
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  perform sediment.queue_hide(p.queue, p.msg_id, p_until);
  perform sediment.raise_waiting(p, ceil(extract(epoch from p_until - clock_timestamp()))::integer);
end $$;

-- After a failed attempt of the live run: back to the queue with exponential back-off and full jitter, or to
-- the dead letters when the attempts are used up, the error is permanent, or the run has had its max_run_seconds
-- (whatever it committed meanwhile: what is claimed over and over must end). The caller holds the partition's
-- lock, and the partition its lease. Returns {status: 'retry'|'dead', retry_at, dead_letter_id}.
create or replace function sediment.retry_run(
  p_dataset uuid, p_table text, p_period_tag text, p_code text, p_message text, p_step text, p_permanent boolean
)
returns jsonb
language plpgsql
set search_path = ''
as $$
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

  v_run.worked_seconds := sediment.add_work(p);
  if v_run.worked_seconds >= v_settings.max_run_seconds and not p_permanent
    and v_run.attempts < v_settings.max_attempts
  then
    return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
      sediment.bury_run(p_dataset, p_table, p_period_tag, 'run_timeout',
        format('the run worked for %s of %s seconds; its last failure was %s: %s', round(v_run.worked_seconds::numeric),
          v_settings.max_run_seconds, p_code, p_message), p_step));
  end if;
  if p_permanent or v_run.attempts >= v_settings.max_attempts then
    return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
      sediment.bury_run(p_dataset, p_table, p_period_tag, p_code, p_message, p_step));
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
end $$;

-- Gives an attempt back that failed for no fault of the work: what it stands on failed, or its turn was stopped. It is
-- no attempt, its time is no work, and it is never buried, however long that lasts. The wait grows to
-- backoff_cap_seconds and is half by chance, so that what waited together does not come back together. The caller
-- holds the partition's lock, and the partition its lease. Returns {status: 'retry', retry_at, dead_letter_id: null}.
create or replace function sediment.return_run(
  p public.partitions, p_code text, p_message text, p_step text, p_part text
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  r public.processing_metrics;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_retry_at timestamptz;
begin
  select * into strict s from public.service_settings;
  update public.processing_metrics x
  set status = 'queued', attempts = greatest(x.attempts - 1, 0), given_back = x.given_back + 1, error_code = p_code,
    error_message = left(p_message, 2000), error_step = p_step, last_failed_at = v_now,
    first_failed_at = coalesce(x.first_failed_at, v_now)
  where x.id = p.run_id
  returning * into strict r;
  v_retry_at := v_now + make_interval(secs => greatest(1, (0.5 + random() / 2) * least(
    s.backoff_cap_seconds, s.backoff_base_seconds * power(2, least(r.given_back, 20) - 1))));
  perform sediment.requeue_run(p, v_retry_at);
  if p_part is not null then
    perform sediment.trip_breaker(format('%s/%s/%s', p.dataset_id, p."table", p.period_tag), p_part, p_code, p_message);
  end if;
  return jsonb_build_object('status', 'retry', 'retry_at', v_retry_at, 'dead_letter_id', null);
end $$;

-- Looks at a dead partition again: its run goes back to the queue for one attempt, under the letter that it has, so
-- that a partition which stays dead makes no runs and raises no alerts. The caller holds the partition's lock.
create or replace function sediment.revive_run(p public.partitions)
returns uuid
language plpgsql
set search_path = ''
as $$
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
  perform sediment.adopt_run(p.dataset_id, p."table", p.period_tag, v_run, 'scheduled');
  return v_run;
end $$;

-- A slot that no live lease holds, locked until the transaction ends; null when all are taken. Never waits. With
-- max_workers 0 the clockwork wakes nobody, and who is called by hand has one.
create or replace function sediment.take_slot()
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_slot integer;
  v_now timestamptz := clock_timestamp();
begin
  for v_slot in
    select s.slot from public.worker_slots s
    where s.slot <= (select greatest(x.max_workers, 1) from public.service_settings x)
      and not exists (select 1 from public.partitions p where p.lease_slot = s.slot and p.lease_expires_at > v_now)
    order by s.slot
  loop
    perform 1 from public.worker_slots s where s.slot = v_slot for update skip locked;
    -- look again under the lock: whoever held it may have claimed
    if found and not exists (
      select 1 from public.partitions p where p.lease_slot = v_slot and p.lease_expires_at > v_now)
    then
      return v_slot;
    end if;
  end loop;
  return null;
end $$;

-- 02:00 UTC: asks for compaction of the datasets whose debt is oldest. At most p_max_datasets datasets and
-- p_max_partitions partitions a call; each p_concurrency datasets become due p_delay_ms after the ones before,
-- so that a night's work does not start at once. Dead partitions are looked at again too, those of the oldest debt, by at
-- most a quarter of what a call takes.
-- Null arguments: the service's settings. Never waits for a lock. Returns {datasets: [id], partitions, more}.
create or replace function public.trigger_scheduled(
  p_max_datasets integer default null, p_concurrency integer default null, p_delay_ms integer default null,
  p_max_partitions integer default 2000
)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '60s'
as $$
declare
  s public.service_settings;
  v_datasets uuid[];
  v_key record;
  v_count integer := 0;
  v_dead integer := 0;
  v_partition public.partitions;
begin
  select * into strict s from public.service_settings;
  p_max_datasets := least(coalesce(p_max_datasets, s.max_datasets_per_run), s.max_datasets_per_run);
  p_concurrency := greatest(coalesce(p_concurrency, s.schedule_concurrency), 1);
  p_delay_ms := greatest(coalesce(p_delay_ms, s.schedule_delay_ms), 0);

  select coalesce(array_agg(x.dataset_id order by x.oldest), '{}') into strict v_datasets
  from (
    select p.dataset_id, min(p.debt_oldest) as oldest from public.partitions p
    where p.debt_oldest is not null and p.msg_id is null and p.dead_since is null
    group by p.dataset_id order by 2 limit greatest(p_max_datasets, 0)
  ) x;

  for v_partition in
    select * from public.partitions x
    where x.dead_since is not null and x.debt_oldest is not null and x.msg_id is null
    order by x.debt_oldest limit least((p_max_partitions + 3) / 4, (p_max_datasets + 3) / 4)
    for no key update skip locked
  loop
    perform sediment.revive_run(v_partition);
    v_dead := v_dead + 1;
  end loop;

  for v_key in
    select p.dataset_id, p."table", p.period_tag, p.msg_id from public.partitions p
    where p.dataset_id = any (v_datasets) and p.debt_oldest is not null and p.msg_id is null
      and p.dead_since is null
    order by p.dataset_id, p."table", p.period_tag limit p_max_partitions - v_dead
    for no key update skip locked
  loop
    perform sediment.wake_partition(v_key.dataset_id, v_key."table", v_key.period_tag, 'scheduled', 'schedule',
      ((array_position(v_datasets, v_key.dataset_id) - 1) / p_concurrency) * p_delay_ms / 1000);
    v_count := v_count + 1;
  end loop;
  return jsonb_build_object('datasets', to_jsonb(v_datasets), 'partitions', v_count + v_dead,
    'more', v_count + v_dead = p_max_partitions);
end $$;

-- A run failed for what it stands on: the second partition in a row opens the breaker. One that fails alone may have
-- an object that nobody can read, and must not stop the others. Who finds the row locked leaves it: somebody else is
-- telling the same. Called last: the caller may hold a partition and have touched its queue.
create or replace function sediment.trip_breaker(
  p_partition text, p_part text, p_code text, p_message text
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  b public.circuit_breaker;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
begin
  select * into b from public.circuit_breaker x for no key update skip locked;
  if not found or b.state = 'open' then
    return;
  end if;
  select * into strict s from public.service_settings;
  if b.suspect is null or b.suspect = p_partition or b.part is distinct from p_part
    or b.suspect_at < v_now - make_interval(secs => s.breaker_window_seconds)
  then
    update public.circuit_breaker x
    set suspect = p_partition, suspect_at = v_now, part = p_part, error_code = p_code,
      error_message = left(p_message, 2000);
    return;
  end if;
  update public.circuit_breaker x
  set state = 'open', opened_at = v_now, part = p_part, error_code = p_code, error_message = left(p_message, 2000),
    suspect = null, suspect_at = null, probes_passed = 0, probes_failed = 0, probe_until = null,
    probe_at = v_now + make_interval(secs => s.breaker_probe_seconds);
  perform sediment.raise_alert('breaker_opened', format('Sediment stopped compaction: %s (%s) at two partitions, now %s',
    p_code, p_part, left(p_message, 500)), jsonb_build_object('message', left(p_message, 2000), 'part', p_part));
end $$;

-- Gives quarantined files another chance, by hand, and asks for compaction of their partitions: the given ones, or
-- all of a dataset, at most 1000. Returns {dataset_id, files: [id], requested: [{table, period_tag, metricId}]}.
-- Raises not_found, dataset_forbidden.
create or replace function public.retry_quarantined(p_user uuid, p_dataset uuid, p_files bigint[] default null)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '30s'
as $$
declare
  d public.datasets;
  v_ids bigint[];
  v_files jsonb;
  v_requested jsonb;
begin
  d := sediment.own_dataset(p_user, p_dataset);
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
  return jsonb_build_object('dataset_id', d.id, 'files', v_files, 'requested', v_requested);
end $$;

-- How many pings of a path wait in pg_net's queue, up to 100. Definer, since the queue is its owner's; where even that
-- one may not look, none are known of.
create or replace function sediment.pings_queued(p_path text)
returns integer
language plpgsql
security definer
set search_path = ''
as $$
begin
  return (select count(*) from (
    select 1 from net.http_request_queue q where q.url like '%' || p_path limit 100) x);
exception when insufficient_privilege or undefined_table then
  return 0;
end $$;

-- Each minute: what must not be forgotten.
--   debt that is due and has no live message gets one, of dead partitions too; partitions that were seen whole and are
--   to be planned by other settings or another planner get one, a few at a time; a message that somebody purged is sent again; a worker is
--   woken for due messages that no partition knows, which the tick does not see;
--   staged objects to which no PUT can arrive any more are to be deleted; fan-outs whose runs have ended end;
--   old messages leave pgmq's archive.
-- Bounded, and never waits for a lock. Returns {sent, resent, stages_expired, fan_outs_closed, more}.
create or replace function public.sweep(p_limit integer default 500)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '30s'
as $$
declare
  p public.partitions;
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

  -- Few at a time: a change of a setting is no reason for a night's work at once.
  v_left := 5;
  for p in
    select * from public.partitions x
    where x.msg_id is null and x.due_at is null and x.last_considered_at < v_settings.plan_changed_at
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

  -- A partition without lease whose message is gone (purge_queue, a restored backup) sends it again.
  for p in
    select * from public.partitions x
    where x.msg_id is not null and x.lease_expires_at is null and x.ready_at <= v_now
      and not exists (select 1 from sediment.queue_messages m where m.queue = x.queue and m.msg_id = x.msg_id)
    limit p_limit
    for no key update skip locked
  loop
    -- look again under the lock: the first look was at an older snapshot
    if p.msg_id is null or p.lease_expires_at is not null
      or exists (select 1 from sediment.queue_messages m where m.queue = p.queue and m.msg_id = p.msg_id)
    then
      continue;
    end if;
    v_ready := clock_timestamp();
    update public.partitions x
    set ready_at = v_ready,
      msg_id = sediment.queue_send(p.queue, p.run_id, p.dataset_id, p."table", p.period_tag, 0)
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    v_resent := v_resent + 1;
  end loop;

  -- The same of a request for a whole dataset that is not yet spread. Few: so many looks through the queues.
  for v_fan_out in
    select * from public.processing_metrics x
    where x.operation = 'fan_out' and x.completed_at is null and x.fan_out_cursor is not null
      and x.queued_at <= v_now - interval '1 minute'
      and not exists (select 1 from sediment.queue_messages m where m.message ->> 'metricId' = x.id::text)
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
    where x.created_at < v_now - interval '1 day' limit p_limit for update skip locked));

  foreach v_queue in array '{manual,realtime,scheduled,dlq}'::text[] loop
    execute format('delete from pgmq.%1$I a where a.msg_id = any (array(select x.msg_id from pgmq.%1$I x
      where x.archived_at < $1 order by x.archived_at limit $2))', 'a_compaction_' || v_queue)
    using v_now - make_interval(secs => v_archive), p_limit;
  end loop;

  return jsonb_build_object('sent', v_sent, 'resent', v_resent, 'stages_expired', v_stages,
    'fan_outs_closed', v_closed, 'more', greatest(v_sent, v_resent, v_stages, v_closed) = p_limit);
end $$;

-- Every 30 seconds: wakes min(due messages, max workers − live leases) compactors, by pings. Looks for no more
-- than ten, and where nothing is due that is one index scan: partitions know when their messages are due. Of
-- messages that no partition knows (the rest of a request for a whole dataset, or sent by hand) the sweep sees to it.
-- While the breaker is open one is woken when a probe is due. No ping is sent while earlier ones are still queued: they
-- would all arrive at once.
-- Returns {ready, leases, woken}.
create or replace function public.tick()
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_ready integer;
  v_now timestamptz := clock_timestamp();
  v_leases integer;
  v_wake integer;
  v_woken integer := 0;
  v_probe boolean;
begin
  select count(*) into strict v_ready from (
    select 1 from public.partitions p where p.msg_id is not null and p.ready_at <= v_now limit 10) x;
  if v_ready = 0 then
    return jsonb_build_object('ready', 0, 'leases', null, 'woken', 0);
  end if;
  v_probe := sediment.wake_probe();
  if v_probe is not null then
    return jsonb_build_object('ready', v_ready, 'leases', null, 'woken', v_probe::integer);
  end if;

  select count(*) into strict v_leases from public.partitions p where p.lease_expires_at > v_now;
  select least(v_ready, s.max_workers - v_leases) into strict v_wake from public.service_settings s;
  if v_wake > 0 and sediment.pings_queued('/compactor') > 0 then
    v_wake := 0;
  end if;
  for i in 1 .. v_wake loop
    exit when sediment.ping_functions('/compactor') is null;
    v_woken := v_woken + 1;
  end loop;
  return jsonb_build_object('ready', v_ready, 'leases', v_leases, 'woken', v_woken);
end $$;

-- While the breaker is open: wakes a worker when a probe is due and no ping is on its way. Returns whether it did;
-- null while it is closed.
create or replace function sediment.wake_probe()
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  b public.circuit_breaker;
  v_now timestamptz := clock_timestamp();
begin
  select * into strict b from public.circuit_breaker;
  if b.state <> 'open' then
    return null;
  end if;
  return b.probe_at <= v_now and (b.probe_until is null or b.probe_until <= v_now)
    and sediment.pings_queued('/compactor') = 0 and sediment.ping_functions('/compactor') is not null;
end $$;

-- Every table: its owner reads, the service does everything, nobody else sees a row. Policies read auth.uid()
-- once a statement (in a subquery), not once a row.
do $$
declare
  v_table text;
  v_all constant text[] := array['service_settings', 'datasets', 'dataset_versions', 'partitions', 'objects',
    'uploads', 'idempotency_keys', 'file_schemas', 'battle_files', 'processing_metrics', 'run_children',
    'run_commits', 'table_settings', 'user_limits', 'user_usage', 'dead_letters', 'alerts', 'assets', 'circuit_breaker',
    'worker_slots'];
  -- rows that name their user
  v_by_user constant text[] := array['processing_metrics', 'uploads', 'user_limits', 'dead_letters', 'assets'];
  -- rows of a dataset: as readable as the dataset is
  v_by_dataset constant text[] :=
    array['dataset_versions', 'partitions', 'battle_files', 'table_settings'];
begin
  foreach v_table in array v_all loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('drop policy if exists service_all on public.%I', v_table);
    execute format('create policy service_all on public.%I to service_role using (true) with check (true)', v_table);
    execute format('drop policy if exists owner_reads on public.%I', v_table);
  end loop;

  create policy owner_reads on public.datasets for select to authenticated
    using (user_id = (select auth.uid()));
  foreach v_table in array v_by_user loop
    execute format('create policy owner_reads on public.%I for select to authenticated
      using (user_id = (select auth.uid()))', v_table);
  end loop;
  foreach v_table in array v_by_dataset loop
    execute format('create policy owner_reads on public.%I for select to authenticated using (dataset_id in
      (select d.id from public.datasets d where d.user_id = (select auth.uid())))', v_table);
  end loop;
end $$;

-- What RLS filters must be granted first: new projects grant nothing, older ones grant everything to anon and
-- authenticated. So both are said, table by table; a table that is in no list here is the owner's alone.
do $$
declare
  v_name text;
  v_signature text;
  v_readable constant text[] := array['datasets', 'dataset_versions', 'partitions', 'uploads', 'battle_files',
    'processing_metrics', 'table_settings', 'user_limits', 'dead_letters', 'assets'];
  v_internal constant text[] := array['service_settings', 'objects', 'idempotency_keys', 'file_schemas',
    'run_children', 'run_commits', 'user_usage', 'alerts', 'circuit_breaker', 'worker_slots'];
  v_views constant text[] := array['dataset_status', 'partition_status', 'quarantined_files',
    'dead_letter_summary'];
begin
  foreach v_name in array v_readable || v_internal loop
    execute format('revoke all on public.%I from public, anon, authenticated, service_role', v_name);
    execute format('grant select, insert, update, delete on public.%I to service_role', v_name);
  end loop;
  foreach v_name in array v_readable loop
    execute format('grant select on public.%I to authenticated', v_name);
  end loop;

  -- Views run as their reader: the tables' policies hold in them.
  foreach v_name in array v_views || array['queue_status'] loop
    execute format('revoke all on public.%I from public, anon, authenticated, service_role', v_name);
    execute format('grant select on public.%I to service_role', v_name);
  end loop;
  foreach v_name in array v_views loop
    execute format('grant select on public.%I to authenticated', v_name);
  end loop;

  -- The functions: for the service alone. By default PostgreSQL lets everybody execute a new function.
  for v_signature in
    select p.oid::regprocedure::text
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'sediment' or (n.nspname = 'public' and p.proname = any (array[
      'stage_upload', 'commit_upload', 'group_upload_calls', 'abandon_upload', 'request_compaction', 'claim_compaction',
      'list_fragments', 'stage_output', 'commit_compaction', 'renew_lease', 'record_step', 'quarantine_file',
      'fail_compaction', 'finish_probe', 'list_files', 'version_at', 'get_file', 'run_status', 'catalog_health', 'tick', 'sweep',
      'expire_leases', 'prune_history', 'trigger_scheduled', 'get_upload', 'stage_asset', 'commit_asset', 'list_assets',
      'get_asset', 'drain_dead_letters', 'claim_alerts', 'finish_alert', 'redrive_dead_letters',
      'list_dead_letters', 'retry_quarantined', 'plan_vacuum', 'commit_vacuum', 'list_objects', 'find_objects'
    ]))
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', v_signature);
    execute format('grant execute on function %s to service_role', v_signature);
  end loop;

  grant usage on sequence sediment.queue_turn to service_role;
  revoke all on sediment.queue_messages from public;
  grant select on sediment.queue_messages to service_role;

  -- pgmq: the functions run as their caller. The sequences, because hosted logical backups rebuild the queues'
  -- identity columns on plain ones.
  grant usage on schema pgmq to service_role;
  grant usage on all sequences in schema pgmq to service_role;
  foreach v_name in array
    array['compaction_manual', 'compaction_realtime', 'compaction_scheduled', 'compaction_dlq']
  loop
    execute format('revoke all on pgmq.%I, pgmq.%I from public, anon, authenticated', 'q_' || v_name, 'a_' || v_name);
    execute format('grant select, insert, update, delete on pgmq.%I, pgmq.%I to service_role',
      'q_' || v_name, 'a_' || v_name);
  end loop;
end $$;
