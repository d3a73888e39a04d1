-- Fewer bytes an upload: bounds by the places of columns, a text in place of arrays in the ledger, and dead rows given back
-- sooner. Rows of before stay as they are.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."objects" SET (autovacuum_vacuum_scale_factor=0.05);

ALTER TABLE "public"."partitions" SET (autovacuum_vacuum_scale_factor=0.05);

ALTER TABLE "public"."uploads" ADD COLUMN "slices" text;

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
  v_columns jsonb := '{}'::jsonb;
  v_new jsonb;
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
      -- packed ones (shared/catalog/packed_stats.ts) are some three times as long when they are told, without names five
      + case when pg_column_size(f.stats) > 200
        then octet_length(f.stats::text) * case jsonb_typeof(f.stats) when 'string' then 5 else 1 end else 300 end;
    v_new := null;
    if jsonb_typeof(f.stats) = 'string' and not v_columns ? coalesce(f.schema_digest, '') then
      select jsonb_build_object(f.schema_digest, jsonb_path_query_array(s.schema, '$.children[0 to 127].name')) into v_new
      from public.file_schemas s where s.digest = f.schema_digest;
      v_bytes := v_bytes + coalesce(octet_length(v_new::text), 0);
    end if;
    v_more := cardinality(v_files) = v_limit or (v_bytes > 2097152 and cardinality(v_files) > 0);
    exit when v_more;
    v_last := f."table";
    v_columns := v_columns || coalesce(v_new, '{}');
    v_files := v_files || jsonb_build_object(
      'id', f.id, 'object_key', f.object_key, 'start_byte', f.start_byte, 'byte_length', f.byte_length,
      'table', coalesce(v_names ->> f."table", f."table"), 'period_tag', f.period_tag, 'size', f.byte_length, 'level', f.level, 'state', f.state,
      'lost', f.lost_since is not null,
      'quarantine_code', f.quarantine_code, 'quarantine_reason', f.quarantine_reason,
      'row_count', f.row_count, 'row_group_count', f.row_group_count,
      'uncompressed_bytes', f.uncompressed_bytes, 'schema_fingerprint', sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest),
      'schema_digest', f.schema_digest, 'stats', f.stats, 'etag', sediment.etag_of(f.etag, f.object_key), 'seq_min', f.seq_min, 'seq_max', f.seq_max,
      'uploaded_at', f.uploaded_at, 'added_version', f.added_version);
  end loop;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    -- to a key, as long as it lives itself
    'signed_url_seconds', (select least(s.signed_url_seconds, (
        select greatest(1, floor(extract(epoch from m.expires_at - clock_timestamp())))::integer
        from public.dataset_members m where m.dataset_id = d.id and m.user_id = p_user))
      from public.service_settings s), 'files', to_jsonb(v_files), 'columns', v_columns,
    'totals', sediment.version_totals(d, v_version), 'next_cursor', case when v_more then sediment.encode_cursor(jsonb_build_object(
      'd', d.id, 'v', v_version, 't', v_last,
      'p', v_files[cardinality(v_files)] -> 'period_tag', 's', v_files[cardinality(v_files)] -> 'seq_min')) end);
end $function$;

CREATE OR REPLACE FUNCTION sediment.forget_deleted(x public.deletions, p_limit integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_seen bigint := 0;
  v_uploads uuid[] := '{}'::uuid[];
  u public.uploads;
begin
  for u in
    select * from public.uploads y
    where y.dataset_id = x.dataset_id
      and (y."table", y.period_tag, y.content_hash) > (x.after_table, x.after_period_tag, x.after_hash)
    order by y."table", y.period_tag, y.content_hash limit p_limit
  loop
    v_seen := v_seen + 1;
    continue when sediment.upload_version(u) >= x.version;
    if sediment.upload_deleted_at(u) is not null then
      -- of one that is pending rows are shown still
      if not exists (select 1 from public.deletions y where y.upload_id = u.id and y.state = 'pending') then
        perform sediment.forget_upload(u);
      end if;
    elsif sediment.has_slices(u) then
      v_uploads := v_uploads || u.id;
    end if;
  end loop;
  perform sediment.plan_splits(v_uploads, 'deletion ' || x.id);
  update public.deletions y
  set after_table = coalesce(u."table", y.after_table), after_period_tag = coalesce(u.period_tag, y.after_period_tag),
    after_hash = coalesce(u.content_hash, y.after_hash),
    forgotten_at = case when v_seen < p_limit then clock_timestamp() end
  where y.id = x.id;
  return v_seen;
end $function$;

CREATE OR REPLACE FUNCTION sediment.has_slices(u public.uploads)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select strpos(coalesce(u.slices, ''), ',') > 0 or coalesce(cardinality(u.tables), 0) > 1
    or coalesce(jsonb_array_length(u.answer -> 'files'), 0) > 1
$function$;

revoke all on function "sediment"."has_slices"(public.uploads) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.heal_upload(p sediment.commit_call, u public.uploads)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_codes constant text[] := array['object_missing', 'object_changed'];
  v_again constant jsonb := jsonb_build_object('answer',
    sediment.upload_answer(u) || jsonb_build_object('duplicate', true));
  v_partitions integer;
  v_locked integer;
  v_bytes bigint;
  v_uncompressed bigint;
  v_old text[];
  v_lifted jsonb;
  v_key record;
  v_resized boolean;
begin
  select count(distinct (f."table", f.period_tag)) into strict v_partitions from public.battle_files f
  where coalesce(f.upload_id, f.run_id) = u.id;
  select count(*) into strict v_locked from (
    select 1 from public.partitions x
    where x.dataset_id = u.dataset_id and (x."table", x.period_tag) in (
      select f."table", f.period_tag from public.battle_files f where coalesce(f.upload_id, f.run_id) = u.id)
    order by x."table", x.period_tag for no key update skip locked) l;
  perform 1 from public.datasets d where d.id = u.dataset_id for no key update skip locked;
  if not found or v_locked <> v_partitions then
    return sediment.failure('catalog_failed', 503, 'a partition of the upload is in use', 'retry after 1 s');
  end if;
  -- another may have been first; and every row must find itself in what came
  if sediment.lost_files(u.id) = 0 or exists (
    select 1 from public.battle_files f
    left join jsonb_to_recordset(p.files) as n(ordinal integer, "table" text, period_tag text, row_count bigint,
      schema_fingerprint text, start_byte bigint, byte_length bigint, checksum text)
      on n.ordinal = f.ordinal and n."table" = f."table" and n.period_tag = f.period_tag and n.row_count = f.row_count
        and (n.schema_fingerprint = sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest)
          -- one that was split from others begins at 0
          or p.size = p.object_size and n.byte_length = f.byte_length
            and (n.start_byte = f.start_byte or n.checksum = f.checksum))
    where coalesce(f.upload_id, f.run_id) = u.id and n.ordinal is null)
  then
    perform sediment.discard_object(p.object_key, 'a duplicate upload');
    return v_again;
  end if;

  update public.objects o
  set state = 'stored', size = p.object_size, etag = nullif(p.etag, ''), expires_at = null,
    updated_at = clock_timestamp()
  where o.object_key = p.object_key and o.state = 'staged';
  if not found then
    return sediment.failure('stage_expired', 410, format('stage %s was given up', p.stage));
  end if;

  with came as (
    select * from jsonb_to_recordset(p.files) as n(ordinal integer, start_byte bigint, byte_length bigint,
      row_group_count integer, uncompressed_bytes bigint, value_count bigint, merge_facts jsonb, stats jsonb,
      checksum text, schema jsonb)
  ), old as (
    select f.* from public.battle_files f where coalesce(f.upload_id, f.run_id) = u.id
  ), healed as (
    update public.battle_files f
    set object_key = p.object_key, etag = null, start_byte = n.start_byte, byte_length = n.byte_length,
      row_group_count = n.row_group_count, uncompressed_bytes = n.uncompressed_bytes, value_count = n.value_count,
      merge_facts = n.merge_facts, checksum = n.checksum, lost_since = null,
      -- they stand by the columns of the row's schema, which is of the first body
      stats = case when sediment.schema_digest(n.schema) = f.schema_digest then n.stats end,
      state = case when f.quarantine_code = any (v_codes) then 'active' else f.state end,
      quarantine_code = case when f.quarantine_code = any (v_codes) then null else f.quarantine_code end,
      quarantine_reason = case when f.quarantine_code = any (v_codes) then null else f.quarantine_reason end,
      quarantined_at = case when f.quarantine_code = any (v_codes) then null else f.quarantined_at end
    from came n
    where coalesce(f.upload_id, f.run_id) = u.id and n.ordinal = f.ordinal
    returning f.id, f.byte_length, f.uncompressed_bytes
  )
  select array_agg(distinct o.object_key),
    coalesce(sum(h.byte_length - o.byte_length) filter (where o.removed_version is null), 0)::bigint,
    coalesce(sum(h.uncompressed_bytes - o.uncompressed_bytes) filter (where o.removed_version is null), 0)::bigint,
    coalesce((select jsonb_agg(l.key) from (
      select jsonb_build_object('table', x."table", 'period_tag', x.period_tag, 'files', count(*),
        'bytes', sum(x.byte_length)) as key
      from old x where x.removed_version is null and (x.quarantine_code = any (v_codes) or x.lost_since is not null)
      group by x."table", x.period_tag order by x."table", x.period_tag) l), '[]'),
    coalesce(bool_or((h.byte_length, h.uncompressed_bytes) is distinct from (o.byte_length, o.uncompressed_bytes)), false)
  into strict v_old, v_bytes, v_uncompressed, v_lifted, v_resized
  from old o join healed h on h.id = o.id;

  perform sediment.plan_splits(array[u.id], 'deleted slices came again with others');
  update public.datasets d
  set file_size_bytes = d.file_size_bytes + v_bytes, uncompressed_bytes = d.uncompressed_bytes + v_uncompressed
  where d.id = u.dataset_id;
  if v_resized then -- nobody counts anew what older versions hold
    update public.dataset_versions x set file_count = null where x.dataset_id = u.dataset_id;
  end if;
  -- whoever holds a URL of an object whose bytes changed may still read it
  perform sediment.retire_object(k.key, 'its upload was healed',
    sediment.signed_url_life())
  from unnest(v_old) as k(key) where k.key <> p.object_key;

  for v_key in
    select * from jsonb_to_recordset(v_lifted) as t("table" text, period_tag text, files bigint, bytes bigint)
  loop
    update public.partitions x
    set debt_files = x.debt_files + v_key.files, debt_bytes = x.debt_bytes + v_key.bytes,
      debt_oldest = coalesce(x.debt_oldest, clock_timestamp()), demand_seq = x.demand_seq + 1
    where x.dataset_id = u.dataset_id and x."table" = v_key."table" and x.period_tag = v_key.period_tag;
    perform sediment.wake_partition(u.dataset_id, v_key."table", v_key.period_tag, 'realtime', 'upload',
      (select s.realtime_delay_seconds from public.service_settings s));
  end loop;
  return jsonb_build_object('answer',
    sediment.upload_answer(u) || jsonb_build_object('duplicate', true, 'healed', true));
end $function$;

CREATE OR REPLACE FUNCTION sediment.split_purged(x public.deletions, p_limit integer)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_seen bigint := 0;
  v_uploads uuid[] := '{}'::uuid[];
  u public.uploads;
begin
  -- of a dataset nothing is left, of an upload the whole object went
  if x.kind in ('table', 'period') then
    for u in
      select * from public.uploads y
      where y.dataset_id = x.dataset_id
        and (y."table", y.period_tag, y.content_hash) > (x.after_table, x.after_period_tag, x.after_hash)
      order by y."table", y.period_tag, y.content_hash limit p_limit
    loop
      v_seen := v_seen + 1;
      if sediment.upload_version(u) < x.version
        and sediment.has_slices(u)
      then
        v_uploads := v_uploads || u.id;
      end if;
    end loop;
    perform sediment.plan_splits(v_uploads, 'deletion ' || x.id);
  end if;
  if v_seen < p_limit and not exists (
    select 1 from public.objects o where o.split_at is not null and o.dataset_id = x.dataset_id)
  then
    update public.deletions y
    set state = 'purged', purged_at = clock_timestamp(), after_table = '', after_period_tag = '', after_hash = ''
    where y.id = x.id;
    return true;
  end if;
  update public.objects o set delete_after = clock_timestamp(), updated_at = clock_timestamp()
  where o.object_key = any (array(
    select y.object_key from public.objects y
    where y.split_at is not null and y.dataset_id = x.dataset_id and y.state = 'deleting'
      and y.delete_after > clock_timestamp() + interval '10 minutes'
    for update skip locked));
  update public.deletions y
  set after_table = coalesce(u."table", y.after_table), after_period_tag = coalesce(u.period_tag, y.after_period_tag),
    after_hash = coalesce(u.content_hash, y.after_hash)
  where y.id = x.id and v_seen > 0;
  return v_seen > 0;
end $function$;

CREATE OR REPLACE FUNCTION sediment.upload_slices(u public.uploads)
 RETURNS TABLE(ordinal integer, "table" text, period_tag text, row_count bigint, seq bigint)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select (x.f ->> 'ordinal')::integer, x.f ->> 'table', x.f ->> 'period_tag', (x.f ->> 'row_count')::bigint, u.seqs[x.n]
  from jsonb_array_elements(u.answer -> 'files') with ordinality as x(f, n)
  union all
  select x.n::integer - 1, x."table", coalesce(u.period_tags[x.n], u.period_tag), u.row_counts[x.n], u.seqs[x.n]
  from unnest(u.tables) with ordinality as x("table", n)
  union all
  select x.n::integer - 1, split_part(w.words[1], '/', 1), coalesce(nullif(split_part(w.words[1], '/', 2), ''), u.period_tag),
    w.words[2]::bigint, w.words[3]::bigint
  from string_to_table(u.slices, ',') with ordinality as x(slice, n)
  cross join lateral (select string_to_array(x.slice, ' ') as words) w
$function$;

CREATE OR REPLACE FUNCTION sediment.write_commits(p_calls sediment.commit_call[], p_plan sediment.commit_plan, p_direct boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_parts sediment.partition_change[];
  v_seqs bigint[]; -- of each file, in the order of v_files
  v_made uuid[]; -- the dataset of each partition that is new, and its first file
  v_made_parts integer[] := array[]::integer[];
  v_made_runs uuid[]; -- and the run that is kept for it, where none opens
  v_delay constant integer := p_plan.delay;
  v_files constant sediment.commit_file[] := p_plan.files;
  v_given constant sediment.partition_change[] := p_plan.parts;
  v_versions public.dataset_versions[];
  v_look boolean;
  v_answers jsonb;
begin
  if p_plan.is_new then
    perform sediment.keep_schemas(array_agg(f.schema), array_agg(f.schema_fingerprint)) from unnest(v_files) as f;
  end if;

  -- Partitions, sorted by key: made when absent, then locked; more than one in a statement before their update,
  -- as sediment.next_versions locks datasets.
  if p_plan.is_new then
    with made as (
      -- what is not there yet is known, and planned by the settings of the moment
      insert into public.partitions (dataset_id, "table", period_tag, debt_files, debt_bytes, demand_seq, last_seq,
        tier_files, tier_oldest, due_at, next_run_id, last_considered_at, plan_digest)
      select f.dataset_id, f."table", f.period_tag, f.last_file - f.first_file + 1, f.bytes, cardinality(f.calls),
        f.last_file - f.first_file + 1, w.tier_files, w.tier_oldest, w.due_at, gen_random_uuid(), v_now,
        sediment.plan_digest(f.dataset_id, f."table",
          (select s.planner_version from public.service_settings s where s.id))
      from unnest(v_given) as f
      cross join lateral sediment.count_waiting(sediment.new_partition(f.dataset_id, f."table"),
        v_files[f.first_file : f.last_file], v_now) as w
      -- an insert would wait for whoever updates the row that is there
      where not exists (select 1 from public.partitions x
        where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag)
      order by 1, 2, 3
      on conflict (dataset_id, "table", period_tag) do nothing
      returning dataset_id, "table", period_tag, case when due_at <= v_now then null else next_run_id end as run_id
    )
    select array_agg(f.dataset_id), coalesce(array_agg(f.first_file), '{}'), array_agg(m.run_id)
    into v_made, v_made_parts, v_made_runs
    from made m join unnest(v_given) as f
      on f.dataset_id = m.dataset_id and f."table" = m."table" and f.period_tag = m.period_tag;
  end if;
  if cardinality(v_given) > 1 then
    perform 1 from unnest(v_given) as f
    join public.partitions x
      on x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
    order by f.dataset_id, f."table", f.period_tag
    for no key update of x;
  end if;
  with raised as (
    update public.partitions x
    set debt_files = x.debt_files + f.last_file - f.first_file + 1, debt_bytes = x.debt_bytes + f.bytes,
      debt_oldest = case when x.msg_id is not null then coalesce(x.debt_oldest, v_now) else x.debt_oldest end,
      demand_seq = x.demand_seq + cardinality(f.calls), last_seq = x.last_seq + f.last_file - f.first_file + 1,
      (tier_files, tier_oldest, due_at) = (select w.tier_files, w.tier_oldest, w.due_at
        from sediment.count_waiting(x, v_files[f.first_file : f.last_file], v_now) as w),
      next_run_id = case when x.msg_id is not null and x.lease_expires_at is null then x.next_run_id
        else coalesce(x.next_run_id, gen_random_uuid()) end
    from unnest(v_given) as f
    where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
      and f.first_file <> all (v_made_parts)
    returning f.first_file, f.last_file, x.last_seq,
      row(f.dataset_id, f."table", f.period_tag, f.first_file, f.last_file, f.bytes, f.calls,
        case
          when x.lease_expires_at is not null or x.msg_id is null and (x.due_at is null or x.due_at > v_now)
            then x.next_run_id
          -- wake_partition would find a message that waits, of this priority or a higher one, and early enough
          when x.ready_at <= v_now + make_interval(secs => v_delay) and x.queue in ('realtime', 'manual')
            then x.run_id end)::sediment.partition_change as part
  ), all_parts as (
    select r.* from raised r
    union all
    select f.first_file, f.last_file, f.last_file - f.first_file + 1,
      row(f.dataset_id, f."table", f.period_tag, f.first_file, f.last_file, f.bytes, f.calls,
        m.run_id)::sediment.partition_change
    from unnest(v_made_parts, v_made_runs) as m(first_file, run_id)
    join unnest(v_given) as f on f.first_file = m.first_file
  )
  select array_agg(r.part order by r.first_file),
    (select array_agg(s.last_seq - s.last_file + g.nth order by g.nth)
      from all_parts s cross join lateral generate_series(s.first_file, s.last_file) as g(nth))
  into strict v_parts, v_seqs
  from all_parts r;

  v_versions := sediment.next_versions(p_plan.changes, v_made);
  -- The datasets' rows are locked: what was deleted, handed over or renamed since the stages is seen here.
  with stored as (
    update public.objects x
    set state = 'stored', size = c.object_size, etag = nullif(c.etag, ''), expires_at = null, updated_at = v_now
    from unnest(p_calls) as c
    join public.datasets d on d.id = any (array[c.dataset_id])
    where x.object_key = any (array[c.object_key]) and x.state = 'staged'
    returning d.deletion_version > coalesce(x.staged_version, 0) or d.user_id <> c.user_id or d.has_aliases
      or exists (select 1 from public.deletions z where z.user_id = any (array[c.user_id]) and z.kind = 'user') as look
  )
  select coalesce(bool_or(s.look), true) into strict v_look from stored s;
  if v_look then
    perform sediment.refuse_deleted_stages(p_calls);
    perform sediment.refuse_removed_writers(p_calls);
    perform sediment.refuse_renamed_stages(p_calls, v_files);
  end if;
  if p_direct then
    perform sediment.discard_object(x.object_key, 'the checked copy is stored')
    from public.objects x
    where x.stage_id = any (array(select c.stage from unnest(p_calls) as c)) and x.stage_id is not null
      and x.kind = 'incoming';
  end if;

  for i in 1 .. cardinality(v_parts) loop
    if v_parts[i].run_id is null then
      v_parts[i].run_id := sediment.wake_partition(v_parts[i].dataset_id, v_parts[i]."table", v_parts[i].period_tag,
        'realtime', 'upload', v_delay);
    end if;
  end loop;

  with inserted as (
    insert into public.battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte,
      byte_length, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest)
    select f.dataset_id, f."table", f.period_tag, f.stage, f.ordinal, f.object_key, f.start_byte,
      f.byte_length, 0, v_seqs[f.ordinality], v_seqs[f.ordinality], f.row_count, f.row_group_count,
      f.uncompressed_bytes, f.value_count, f.merge_facts,
      nullif(f.schema_fingerprint, (
        select k.fingerprint from public.file_schemas k where k.digest = any (array[f.schema_digest]))), f.stats,
      (select v.version from unnest(v_versions) as v where v.dataset_id = f.dataset_id), f.user_id, v_now,
      f.checksum, f.schema_digest
    from unnest(v_files) with ordinality as f
  ), answers as materialized (
    select c.n, c.stage, c.dataset_id, c."table", c.period_tag, c.content_hash, c.offsets_digest, c.user_id, c.object_key,
      c.size, v.version, i.slices, r.run_ids, r.main,
      jsonb_build_object('key', c.object_key, 'size', c.size, 'uploaded_at', v_now, 'metricId', r.main,
        'duplicate', false, 'dataset_id', c.dataset_id, 'version', v.version, 'files', '[]'::jsonb, 'runs', r.runs) as answer
    from unnest(p_calls) as c
    join unnest(v_versions) as v on v.dataset_id = c.dataset_id
    cross join lateral (
      select string_agg(concat_ws(' ', case when f.period_tag = c.period_tag then f."table"
          else f."table" || '/' || f.period_tag end, f.row_count, v_seqs[f.ordinality]), ',' order by f.ordinal) as slices
      from unnest(v_files) with ordinality as f where f.n = c.n
    ) i
    cross join lateral (
      select jsonb_agg(jsonb_build_object('table', p."table", 'period_tag', p.period_tag, 'metricId', p.run_id)
          order by p."table" collate "C", p.period_tag collate "C") as runs,
        case when count(*) > 1 then array_agg(p.run_id order by p."table" collate "C", p.period_tag collate "C") end
          as run_ids,
        -- the run of the partition that the upload named, else that of its first
        (array_agg(p.run_id order by (p."table" = c."table" and p.period_tag = c.period_tag) desc, p.first_file))[1]
          as main
      from unnest(v_parts) as p where c.n = any (p.calls)
    ) r
  ), entered as (
    insert into public.uploads (id, dataset_id, "table", period_tag, content_hash, offsets_digest, user_id, object_key,
      size, created_at, version, metric_id, run_ids, slices)
    select a.stage, a.dataset_id, a."table", a.period_tag, a.content_hash, a.offsets_digest, a.user_id,
      case when starts_with(a.object_key, k.stem) then substr(a.object_key, length(k.stem) + 1) else a.object_key end,
      a.size, v_now, a.version, a.main, a.run_ids, a.slices
    from answers a
    -- most of the key is the identity
    cross join lateral (
      select concat('battle_data/', a.dataset_id, '/', a."table", '/', a.period_tag, '/', a.stage) as stem) k
  ), counted as (
    insert into public.metric_deltas (metric, label, events, amount)
    select 'uploads', 'stored', count(*), sum(c.size) from unnest(p_calls) as c
  )
  select jsonb_object_agg(a.n, a.answer) into strict v_answers from answers a;
  return v_answers;
end $function$;

REVOKE ALL ON FUNCTION "sediment"."has_slices"(public.uploads) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."has_slices"(public.uploads) TO "service_role";
