-- The manifest tells what the whole dataset holds at its version: each version keeps the sums from now on. Nothing is left to
-- do for an operator.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."dataset_versions" ADD COLUMN "file_count" bigint;

ALTER TABLE "public"."dataset_versions" ADD COLUMN "row_count" bigint;

ALTER TABLE "public"."dataset_versions" ADD COLUMN "file_size_bytes" bigint;

ALTER TABLE "public"."dataset_versions" ADD COLUMN "uncompressed_bytes" bigint;

ALTER TABLE "public"."deletions" ADD COLUMN "removed_through" bigint;

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
  d := sediment.require_dataset(p_user, p_dataset);
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
    'signed_url_seconds', (select s.signed_url_seconds from public.service_settings s), 'files', to_jsonb(v_files),
    'totals', sediment.version_totals(d, v_version), 'next_cursor', case when v_more then sediment.encode_cursor(jsonb_build_object(
      'd', d.id, 'v', v_version, 't', v_files[cardinality(v_files)] -> 'table',
      'p', v_files[cardinality(v_files)] -> 'period_tag', 's', v_files[cardinality(v_files)] -> 'seq_min')) end);
end $function$;

CREATE OR REPLACE FUNCTION sediment.heal_upload(p sediment.commit_call, u public.uploads)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_codes constant text[] := array['object_missing', 'object_changed'];
  v_again constant jsonb := jsonb_build_object('answer', u.answer || jsonb_build_object('duplicate', true));
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
      schema_fingerprint text, start_byte bigint, byte_length bigint)
      on n.ordinal = f.ordinal and n."table" = f."table" and n.period_tag = f.period_tag and n.row_count = f.row_count
        and (n.schema_fingerprint = f.schema_fingerprint
          or p.size = p.object_size and n.start_byte = f.start_byte and n.byte_length = f.byte_length)
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
      checksum text)
  ), old as (
    select f.* from public.battle_files f where coalesce(f.upload_id, f.run_id) = u.id
  ), healed as (
    update public.battle_files f
    set object_key = p.object_key, etag = nullif(p.etag, ''), start_byte = n.start_byte, byte_length = n.byte_length,
      row_group_count = n.row_group_count, uncompressed_bytes = n.uncompressed_bytes, value_count = n.value_count,
      merge_facts = n.merge_facts, stats = n.stats, checksum = n.checksum, lost_since = null,
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

  update public.uploads x set object_key = p.object_key where x.id = u.id;
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
  return jsonb_build_object('answer', u.answer || jsonb_build_object('duplicate', true, 'healed', true));
end $function$;

CREATE OR REPLACE FUNCTION sediment.next_versions(p_changes sediment.dataset_change[], OUT versions public.dataset_versions[])
 RETURNS public.dataset_versions[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  -- Not in the update's own statement: of three that meet there, one that got the lock would wait for the next in the
  -- queue, on the way from the version of the row that it saw to the one that it locked. One row needs no order.
  if cardinality(p_changes) > 1 then
    perform 1 from unnest(p_changes) as c join public.datasets d on d.id = any (array[c.dataset_id])
    order by c.dataset_id
    for no key update of d;
  end if;
  with moved as (
    update public.datasets d
    set version = d.version + 1,
      version_committed_at = greatest(clock_timestamp(), d.version_committed_at + interval '1 microsecond'),
      file_count = d.file_count + c.files,
      file_size_bytes = d.file_size_bytes + c.bytes,
      row_count = d.row_count + c.rows,
      uncompressed_bytes = d.uncompressed_bytes + c.uncompressed,
      compression_ratio = round((d.uncompressed_bytes + c.uncompressed)::numeric
        / nullif(d.file_size_bytes + c.bytes, 0), 3),
      file_etag = coalesce(c.compacted_etag, d.file_etag),
      last_compacted_at = case when c.compacted_etag is null then d.last_compacted_at else clock_timestamp() end,
      updated_at = clock_timestamp()
    from unnest(p_changes) as c
    where d.id = any (array[c.dataset_id])
    returning d.id, d.version, d.version_committed_at, d.file_count, d.row_count, d.file_size_bytes,
      d.uncompressed_bytes
  ), kept as (
    insert into public.dataset_versions (dataset_id, version, committed_at, file_count, row_count, file_size_bytes,
      uncompressed_bytes)
    select m.id, m.version, m.version_committed_at, m.file_count, m.row_count, m.file_size_bytes, m.uncompressed_bytes
    from moved m
    returning *
  )
  select array_agg(row(k.dataset_id, k.version, k.committed_at, k.file_count, k.row_count, k.file_size_bytes,
    k.uncompressed_bytes)::public.dataset_versions)
  into strict versions
  from kept k;
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
  v_whole public.partitions[] := '{}';
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
  foreach p in array v_whole loop
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

CREATE OR REPLACE FUNCTION sediment.version_totals(d public.datasets, p_version bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v public.dataset_versions;
begin
  if p_version = 0 then
    return jsonb_build_object('files', 0, 'rows', 0, 'bytes', 0, 'uncompressed_bytes', 0);
  end if;
  select * into v from public.dataset_versions x where x.dataset_id = d.id and x.version = p_version;
  if d.deletion_version > 0 and exists (
    select 1 from public.deletions x
    where x.dataset_id = d.id and x.version <= p_version and x.upload_id is null
      and (x.removed_at is null or (p_version < d.version and p_version <= coalesce(x.removed_through, d.version))))
  then
    return null;
  end if;
  if p_version = d.version then
    return jsonb_build_object('files', d.file_count, 'rows', d.row_count, 'bytes', d.file_size_bytes,
      'uncompressed_bytes', d.uncompressed_bytes);
  end if;
  return case when v.file_count is not null then jsonb_build_object('files', v.file_count, 'rows', v.row_count,
    'bytes', v.file_size_bytes, 'uncompressed_bytes', v.uncompressed_bytes) end;
end $function$;

revoke all on function "sediment"."version_totals"(public.datasets, bigint) from public, anon, authenticated, service_role;

REVOKE ALL ON FUNCTION "sediment"."version_totals"(public.datasets, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."version_totals"(public.datasets, bigint) TO "service_role";
