-- Ledger rows hold what a client needs, rows of partitions and datasets are written once when they are new, and pages of both
-- are filled to 70 % (those that are there stay as they are).
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP FUNCTION "sediment"."next_versions"(sediment.dataset_change[]);

ALTER TABLE "public"."datasets" SET (fillfactor=70);

ALTER TABLE "public"."partitions" SET (fillfactor=70);

ALTER TABLE "public"."uploads" ADD COLUMN "version" bigint;

ALTER TABLE "public"."uploads" ADD COLUMN "metric_id" uuid;

ALTER TABLE "public"."uploads" ADD COLUMN "tables" text[];

ALTER TABLE "public"."uploads" ADD COLUMN "period_tags" text[];

ALTER TABLE "public"."uploads" ADD COLUMN "row_counts" bigint[];

ALTER TABLE "public"."uploads" ADD COLUMN "run_ids" uuid[];

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
    select s."table", s.period_tag from sediment.upload_slices(u) as s)
  order by p."table", p.period_tag
  for no key update;
  select * into strict d from public.datasets y where y.id = u.dataset_id for no key update;
  if d.deletion_version > sediment.upload_version(u) and sediment.upload_deleted_at(u) is not null then
    perform sediment.fail('upload_deleted', 410,
      format('upload %s was deleted on %s', u.id, sediment.upload_deleted_at(u)));
  end if;

  with slices as materialized (
    select a."table", a.period_tag, a.row_count as rows,
      own.id, own.row_count, own.byte_length, own.uncompressed_bytes, coalesce(a.seq, was.seq_min) as seq
    from sediment.upload_slices(u) as a
    left join public.battle_files was on coalesce(was.upload_id, was.run_id) = u.id and was.ordinal = a.ordinal
    left join public.battle_files own on own.id = was.id and own.removed_version is null
    where not exists (
      select 1 from public.deletions y where y.dataset_id = u.dataset_id
        and y.version > sediment.upload_version(u) and y.upload_id is null
        and (y."table" is null or y."table" = a."table")
        and (y.period_tag is null or y.period_tag = a.period_tag))
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

CREATE OR REPLACE FUNCTION public.get_upload(p_stage uuid, p_user uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  o public.objects;
begin
  select * into o from public.objects x where x.stage_id = p_stage and x.kind = 'fragment';
  if not found then
    perform sediment.fail('stage_expired', 410, format('there is no stage %s', p_stage));
  end if;
  if o.user_id is distinct from p_user then
    perform sediment.fail('forbidden', 403, format('stage %s belongs to another user', p_stage));
  end if;
  if exists (select 1 from public.datasets d where d.id = o.dataset_id) then
    perform sediment.require_role(p_user, o.dataset_id, 'writer');
  end if;
  return jsonb_build_object('stage_id', p_stage, 'state', o.state, 'dataset_id', o.dataset_id,
    'table', o."table", 'period_tag', o.period_tag, 'object_key', o.object_key,
    'incoming_key', (select x.object_key from public.objects x where x.stage_id = p_stage and x.kind = 'incoming'),
    'size', o.size, 'content_hash', o.content_hash, 'offsets_digest', o.offsets_digest, 'details', o.details,
    'expires_at', o.expires_at, 'answer', (
      select sediment.upload_answer(u) || jsonb_build_object('duplicate', true) from public.uploads u
      where u.dataset_id = o.dataset_id and u."table" = o."table" and u.period_tag = o.period_tag
        and u.content_hash = o.content_hash and u.offsets_digest = o.offsets_digest
        and sediment.lost_files(u.id) = 0
        and not exists (select 1 from public.datasets d where d.id = u.dataset_id
          and d.deletion_version > sediment.upload_version(u) and sediment.upload_deleted_at(u) is not null)));
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
      'uncompressed_bytes', f.uncompressed_bytes, 'schema_fingerprint', f.schema_fingerprint,
      'stats', f.stats, 'etag', f.etag, 'seq_min', f.seq_min, 'seq_max', f.seq_max,
      'uploaded_at', f.uploaded_at, 'added_version', f.added_version);
  end loop;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    'signed_url_seconds', (select s.signed_url_seconds from public.service_settings s), 'files', to_jsonb(v_files),
    'totals', sediment.version_totals(d, v_version), 'next_cursor', case when v_more then sediment.encode_cursor(jsonb_build_object(
      'd', d.id, 'v', v_version, 't', v_last,
      'p', v_files[cardinality(v_files)] -> 'period_tag', 's', v_files[cardinality(v_files)] -> 'seq_min')) end);
end $function$;

CREATE OR REPLACE FUNCTION sediment.admit_upload(p sediment.stage_call)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if not exists (select 1 from public.datasets d where d.id = p.dataset_id) then
    perform sediment.check_dataset_quota(p.user_id, false);
  end if;
  -- what was deleted and comes again is a new upload: its old answer leaves the ledger
  perform sediment.forget_upload(u)
  from public.datasets d join public.uploads u on u.dataset_id = d.id and u."table" = p."table"
    and u.period_tag = p.period_tag and u.content_hash = p.content_hash
  where d.id = p.dataset_id and d.deletion_version > sediment.upload_version(u)
    and sediment.upload_deleted_at(u) is not null;
  perform sediment.keep_idempotency_key(p.user_id, p.idempotency_key,
    concat_ws('/', p.dataset_id, p."table", p.period_tag, p.content_hash, p.offsets_digest));
end $function$;

CREATE OR REPLACE FUNCTION sediment.first_outcome(p sediment.commit_call)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_first public.uploads;
begin
  select * into v_first from public.uploads u
  where u.dataset_id = p.dataset_id and u."table" = p."table" and u.period_tag = p.period_tag
    and u.content_hash = p.content_hash;
  if not found then
    return sediment.failure('stage_expired', 410, format('stage %s was given up', p.stage));
  end if;
  -- the dataset was nobody's when it was planned, and became another user's; or the user may not write any more
  if not sediment.role_suffices(sediment.dataset_role(p.user_id, p.dataset_id), 'writer') then
    return sediment.failure('dataset_forbidden', 403,
      format('dataset %s is not the user''s to write to', p.dataset_id));
  end if;
  if exists (select 1 from public.datasets d where d.id = p.dataset_id
      and d.deletion_version > sediment.upload_version(v_first))
    and sediment.upload_deleted_at(v_first) is not null
  then
    perform sediment.discard_object(x.object_key, 'a deleted upload')
    from public.objects x where x.stage_id = p.stage and x.state = 'staged';
    return sediment.failure('upload_deleted', 410,
      format('this body was uploaded, and deleted on %s', sediment.upload_deleted_at(v_first)),
      'again=1, to have it back');
  end if;
  if v_first.offsets_digest <> p.offsets_digest then
    return sediment.failure('upload_conflict', 422,
      format('this body was acknowledged on %s with other offsets', v_first.created_at),
      'the offsets of the first upload');
  end if;
  -- Bytes that came again and are missed: they go behind the rows, when all else of the transaction is done. What was
  -- known when it was staged was not put.
  if p.etag is not null and sediment.lost_files(v_first.id) > 0
    and exists (select 1 from public.objects x where x.object_key = p.object_key and x.state = 'staged')
  then
    return '{"heal": true}'::jsonb;
  end if;
  perform sediment.discard_object(x.object_key, 'a duplicate upload')
  from public.objects x where x.stage_id = p.stage and x.state = 'staged';
  return jsonb_build_object('answer', sediment.upload_answer(v_first) || jsonb_build_object('duplicate', true));
end $function$;

CREATE OR REPLACE FUNCTION sediment.forget_deleted(x public.deletions, p_limit integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_seen bigint := 0;
  u public.uploads;
begin
  for u in
    select * from public.uploads y
    where y.dataset_id = x.dataset_id
      and (y."table", y.period_tag, y.content_hash) > (x.after_table, x.after_period_tag, x.after_hash)
    order by y."table", y.period_tag, y.content_hash limit p_limit
  loop
    v_seen := v_seen + 1;
    if sediment.upload_version(u) < x.version and sediment.upload_deleted_at(u) is not null then
      perform sediment.forget_upload(u);
    end if;
  end loop;
  update public.deletions y
  set after_table = coalesce(u."table", y.after_table), after_period_tag = coalesce(u.period_tag, y.after_period_tag),
    after_hash = coalesce(u.content_hash, y.after_hash),
    forgotten_at = case when v_seen < p_limit then clock_timestamp() end
  where y.id = x.id;
  return v_seen;
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
    sediment.upload_version(u), (
      select jsonb_agg(jsonb_build_object('table', s."table", 'period_tag', s.period_tag, 'row_count', s.row_count,
        'seq', s.seq) order by s.ordinal)
      from sediment.upload_slices(u) as s));
  return true;
end $function$;

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

CREATE OR REPLACE FUNCTION sediment.next_versions(p_changes sediment.dataset_change[], p_made uuid[] DEFAULT NULL::uuid[], OUT versions public.dataset_versions[])
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
      updated_at = clock_timestamp(),
      partition_count = d.partition_count + coalesce(cardinality(array_positions(p_made, d.id)), 0)
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

revoke all on function "sediment"."next_versions"(sediment.dataset_change[], uuid[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.plan_commits(p_calls sediment.commit_call[])
 RETURNS sediment.commit_plan
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_plan sediment.commit_plan;
begin
  with calls as materialized (
    select c.*, c.known or u.id is not null as is_known
    from unnest(p_calls) as c
    left join public.uploads u on u.dataset_id = any (array[c.dataset_id]) and u."table" = c."table"
      and u.period_tag = c.period_tag and u.content_hash = c.content_hash
    where c.outcome is null
  ), read as materialized (
    select c.n, c.dataset_id, c.user_id, f.ordinal, f."table", f.period_tag, f.byte_length, f.row_count,
      f.uncompressed_bytes, x.digest,
      row(c.n, c.dataset_id, c.stage, c.user_id, c.object_key, c.etag, f.ordinal, f."table", f.period_tag,
        f.start_byte, f.byte_length, f.row_count, f.row_group_count, f.uncompressed_bytes, f.value_count,
        f.merge_facts, f.schema_fingerprint, f.schema, f.stats, f.checksum, x.digest)::sediment.commit_file as file,
      (f.ordinal >= 0 and f.ordinal < jsonb_array_length(t.list) and f."table" ~ '^[A-Za-z0-9_-]{1,64}$' and f.period_tag ~ '^[A-Za-z0-9_-]{1,64}$'
        and f.start_byte >= 0 and f.byte_length > 0 and f.byte_length <= c.object_size - f.start_byte
        and f.row_count >= 0 and f.row_group_count >= 0 and f.uncompressed_bytes >= 0
        and coalesce(f.value_count >= 0, true) and coalesce(jsonb_typeof(f.merge_facts) = 'object', true)
        and f.schema_fingerprint is not null and f.schema is not null) is not true as is_wrong
    from calls c
    cross join lateral (select case when jsonb_typeof(c.files) = 'array'
      then case when jsonb_array_length(c.files) between 1 and 10000 then c.files end end as list) t
    left join lateral jsonb_to_recordset(t.list) as f(ordinal integer, "table" text, period_tag text,
      start_byte bigint, byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint,
      value_count bigint, merge_facts jsonb, schema_fingerprint text, schema jsonb, stats jsonb, checksum text) on true
    -- sediment.schema_digest, in place of a call for each
    cross join lateral (select encode(sha256(convert_to(f.schema::text, 'UTF8')), 'hex') as digest) x
    where not c.is_known
  ), sorted as materialized (
    select r.*, row_number() over (order by r.dataset_id, r."table", r.period_tag, r.n, r.ordinal)::integer as nth
    from read r
  ), partitions as materialized (
    select s.dataset_id, s."table", s.period_tag, min(s.nth) as first_file, max(s.nth) as last_file,
      sum(s.byte_length)::bigint as bytes, sum(s.row_count) as rows, sum(s.uncompressed_bytes) as uncompressed,
      array_agg(distinct s.n) as calls, bool_or(k.digest is null) as new_schemas
    from sorted s
    left join public.file_schemas k on k.digest = any (array[s.digest])
    where s.ordinal is not null
    group by s.dataset_id, s."table", s.period_tag
  )
  select a.files, a.wrong, k.known, l.limited, k.of_others or b.is_new, b.parts, b.changes,
    (select s.realtime_delay_seconds from public.service_settings s where s.id)
  into strict v_plan
  from (
    select array_agg(s.file order by s.nth) filter (where s.ordinal is not null) as files,
      coalesce(bool_or(s.is_wrong), false) or count(*) <> count(distinct s.n::bigint << 32 | s.ordinal) as wrong
    from sorted s
  ) a
  cross join (
    select array_agg(c.n) filter (where c.is_known) as known,
      coalesce(bool_or(c.owner_id <> c.user_id) filter (where not c.is_known), false) as of_others
    from calls c
  ) k
  cross join (
    select coalesce(bool_or(p.is_new), false) as is_new,
      array_agg(p.part order by p.first_file) as parts,
      (select array_agg(row(t.dataset_id, t.files, t.bytes, t.rows, t.uncompressed, null)::sediment.dataset_change)
        from (
          select g.dataset_id, sum(g.last_file - g.first_file + 1) as files, sum(g.bytes) as bytes, sum(g.rows) as rows,
            sum(g.uncompressed) as uncompressed
          from partitions g group by g.dataset_id
        ) t) as changes
    from (
      select x.first_file, row(x.dataset_id, x."table", x.period_tag, x.first_file, x.last_file, x.bytes, x.calls,
          null)::sediment.partition_change as part,
        x.new_schemas or y.dataset_id is null as is_new
      from partitions x
      left join public.partitions y
        on y.dataset_id = any (array[x.dataset_id]) and y."table" = x."table" and y.period_tag = x.period_tag
    ) p
  ) b
  cross join (
    -- as sediment.is_near_quota has it
    select coalesce(bool_or(o.bytes + (
        select coalesce(sum(d.file_size_bytes + d.retired_bytes), 0) from public.datasets d
        where d.user_id = any (array[o.owner_id])
      ) + coalesce((select u.asset_bytes from public.user_usage u where u.user_id = any (array[o.owner_id])), 0)
      > o.max - greatest(o.max / 20, 1073741824)), false) as limited
    from (
      select c.owner_id, sum(c.object_size)::bigint as bytes,
        coalesce(min(m.stored_bytes_max), min(s.stored_bytes_max)) as max
      from calls c
      join public.service_settings s on s.id
      left join public.user_limits m on m.user_id = any (array[c.owner_id])
      where not c.is_known
      group by c.owner_id
    ) o
    where o.max is not null
  ) l;
  return v_plan;
end $function$;

CREATE OR REPLACE FUNCTION sediment.read_stage_calls(p_calls jsonb, OUT calls sediment.stage_call[], OUT respelled boolean, OUT admitted boolean)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  select array_agg(row(c.n, a.p_user, a.p_dataset, a.p_table, a.p_period_tag, a.p_size, a.p_content_hash,
      coalesce(a.p_offsets_digest, ''), coalesce(a.p_kind, 'fragment'), coalesce(a.p_ttl_seconds, 120),
      coalesce(a.p_max_put_seconds, 7200), a.p_details, a.p_idempotency_key,
      case when u.id is not null and gone.at is null and sediment.lost_files(u.id) = 0 then sediment.upload_answer(u) end,
      d.id is null or gone.at is not null or a.p_idempotency_key is not null,
      case
        when a.p_user is null or a.p_dataset is null then
          sediment.failure('invalid_request', 400, 'p_user and p_dataset are needed')
        when (a.p_table ~ '^[A-Za-z0-9_-]{1,64}$') is not true then sediment.name_failure('table', a.p_table)
        when (a.p_period_tag ~ '^[A-Za-z0-9_-]{1,64}$') is not true then
          sediment.name_failure('period_tag', a.p_period_tag)
        when (a.p_size > 0) is not true then
          sediment.failure('invalid_request', 400, format('the size is %s', a.p_size), 'a positive integer')
        when (a.p_content_hash ~ '^[0-9a-f]{64}$') is not true then
          sediment.failure('invalid_request', 400, 'the content hash is not a SHA-256', '64 lower-case hex digits')
        when a.p_kind not in ('fragment', 'concatenated', 'direct_fragment', 'direct_concatenated') then
          sediment.failure('invalid_request', 400, format('p_kind is %s', a.p_kind))
        when a.p_ttl_seconds <= 0 or a.p_max_put_seconds < 0 then
          sediment.failure('invalid_request', 400, 'the times to live are not positive')
        when d.user_id <> a.p_user and m.role is null then
          sediment.failure('dataset_forbidden', 403, format('dataset %s belongs to another user', a.p_dataset))
        when d.user_id <> a.p_user and m.role <> 'writer' then
          sediment.failure('dataset_forbidden', 403, format('in dataset %s the user is a %s', a.p_dataset, m.role),
            'the role writer')
        when z.id is not null then
          sediment.failure('user_deleted', 410, format('user %s was deleted', a.p_user), 'another account')
        when d.deleted_at is not null then
          sediment.failure('dataset_deleted', 410, format('dataset %s was deleted on %s', a.p_dataset, d.deleted_at),
            'another dataset_id')
        when gone.at > clock_timestamp() - (select make_interval(secs => s.deleted_upload_seconds)
            from public.service_settings s where s.id)
          and coalesce(a.p_again, false) is false
        then
          sediment.failure('upload_deleted', 410, format('this body was uploaded, and deleted on %s', gone.at),
            'again=1, to have it back')
        when gone.at is null and u.offsets_digest <> coalesce(a.p_offsets_digest, '') then
          sediment.failure('upload_conflict', 422,
            format('this body was acknowledged on %s with other offsets', u.created_at),
            'the offsets of the first upload')
      end, coalesce(d.user_id, a.p_user))::sediment.stage_call order by c.n),
      coalesce(bool_or(d.has_aliases or a.p_own_dataset and d.user_id <> a.p_user and m.role is distinct from 'writer'),
        false),
      coalesce(bool_or(d.id is null or gone.at is not null or a.p_idempotency_key is not null), false)
    into strict calls, respelled, admitted
    from jsonb_array_elements(p_calls) with ordinality as c(value, n)
    cross join lateral jsonb_to_record(c.value) as a(p_user uuid, p_dataset uuid, p_table text, p_period_tag text,
      p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text, p_ttl_seconds integer,
      p_max_put_seconds integer, p_details jsonb, p_idempotency_key text, p_again boolean,
      p_own_dataset boolean)
    left join public.datasets d on d.id = any (array[a.p_dataset])
    left join public.dataset_members m on m.dataset_id = any (array[d.id]) and m.user_id = a.p_user
    left join public.uploads u on u.dataset_id = any (array[a.p_dataset]) and u."table" = a.p_table
      and u.period_tag = a.p_period_tag and u.content_hash = a.p_content_hash
    left join public.deletions z on z.user_id = any (array[a.p_user]) and z.kind = 'user'
    cross join lateral (select case when d.deletion_version > coalesce(u.version, (u.answer ->> 'version')::bigint)
      then sediment.upload_deleted_at(u) end as at) gone;
end $function$;

CREATE OR REPLACE FUNCTION sediment.upload_answer(u public.uploads)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if u.answer is not null then
    return u.answer;
  end if;
  return jsonb_build_object('key', u.object_key, 'size', u.size, 'uploaded_at', u.created_at, 'metricId', u.metric_id,
    'duplicate', false, 'dataset_id', u.dataset_id, 'version', u.version, 'files', '[]'::jsonb, 'runs', (
      select jsonb_agg(jsonb_build_object('table', p."table", 'period_tag', p.period_tag,
        'metricId', coalesce(u.run_ids[p.n], u.metric_id)) order by p.n)
      from (
        select d."table", d.period_tag,
          row_number() over (order by d."table" collate "C", d.period_tag collate "C") as n
        from (select distinct s."table", s.period_tag from sediment.upload_slices(u) as s) d
      ) p));
end $function$;

revoke all on function "sediment"."upload_answer"(public.uploads) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.upload_deleted_at(u public.uploads)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select case when bool_and(x.at is not null) then max(x.at) end
  from sediment.upload_slices(u) as f
  cross join lateral (
    select min(d.requested_at) as at from public.deletions d
    where d.dataset_id = u.dataset_id and d.version > sediment.upload_version(u)
      and (d.upload_id is null or d.upload_id = u.id)
      and (d."table" is null or d."table" = f."table")
      and (d.period_tag is null or d.period_tag = f.period_tag)) x
$function$;

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
$function$;

revoke all on function "sediment"."upload_slices"(public.uploads) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.upload_version(u public.uploads)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select coalesce(u.version, (u.answer ->> 'version')::bigint)
$function$;

revoke all on function "sediment"."upload_version"(public.uploads) from public, anon, authenticated, service_role;

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
  v_made_parts integer[] := '{}';
  v_delay constant integer := p_plan.delay;
  v_files constant sediment.commit_file[] := p_plan.files;
  v_given constant sediment.partition_change[] := p_plan.parts;
  v_versions public.dataset_versions[];
  v_look boolean;
  v_answers jsonb;
begin
  if p_plan.is_new then
    perform sediment.keep_schemas(array_agg(f.schema)) from unnest(v_files) as f;
  end if;

  -- Partitions, sorted by key: made when absent, then locked; more than one in a statement before their update,
  -- as sediment.next_versions locks datasets.
  if p_plan.is_new then
    with made as (
      insert into public.partitions (dataset_id, "table", period_tag, debt_files, debt_bytes, debt_oldest, demand_seq,
        last_seq)
      select f.dataset_id, f."table", f.period_tag, f.last_file - f.first_file + 1, f.bytes, v_now, cardinality(f.calls),
        f.last_file - f.first_file + 1
      from unnest(v_given) as f
      -- an insert would wait for whoever updates the row that is there
      where not exists (select 1 from public.partitions x
        where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag)
      order by 1, 2, 3
      on conflict (dataset_id, "table", period_tag) do nothing
      returning dataset_id, "table", period_tag
    )
    select array_agg(f.dataset_id), coalesce(array_agg(f.first_file), '{}') into v_made, v_made_parts
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
      debt_oldest = coalesce(x.debt_oldest, v_now), demand_seq = x.demand_seq + cardinality(f.calls),
      last_seq = x.last_seq + f.last_file - f.first_file + 1
    from unnest(v_given) as f
    where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
      and f.first_file <> all (v_made_parts)
    returning f.first_file, f.last_file, x.last_seq,
      row(f.dataset_id, f."table", f.period_tag, f.first_file, f.last_file, f.bytes, f.calls,
        -- wake_partition would find a message that waits, of this priority or a higher one, and early enough
        case when x.lease_expires_at is null and x.ready_at <= v_now + make_interval(secs => v_delay)
          and x.queue in ('realtime', 'manual') then x.run_id end)::sediment.partition_change as part
  ), all_parts as (
    select r.* from raised r
    union all
    select f.first_file, f.last_file, f.last_file - f.first_file + 1,
      row(f.dataset_id, f."table", f.period_tag, f.first_file, f.last_file, f.bytes, f.calls,
        null)::sediment.partition_change
    from unnest(v_given) as f where f.first_file = any (v_made_parts)
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
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest)
    select f.dataset_id, f."table", f.period_tag, f.stage, f.ordinal, f.object_key, f.start_byte,
      f.byte_length, nullif(f.etag, ''), 0, v_seqs[f.ordinality], v_seqs[f.ordinality], f.row_count, f.row_group_count,
      f.uncompressed_bytes, f.value_count, f.merge_facts, f.schema_fingerprint, f.stats,
      (select v.version from unnest(v_versions) as v where v.dataset_id = f.dataset_id), f.user_id, v_now,
      f.checksum, f.schema_digest
    from unnest(v_files) with ordinality as f
  ), answers as materialized (
    select c.n, c.stage, c.dataset_id, c."table", c.period_tag, c.content_hash, c.offsets_digest, c.user_id, c.object_key,
      c.size, v.version, i.seqs, i.tables, i.period_tags, i.row_counts, r.run_ids, r.main,
      jsonb_build_object('key', c.object_key, 'size', c.size, 'uploaded_at', v_now, 'metricId', r.main,
        'duplicate', false, 'dataset_id', c.dataset_id, 'version', v.version, 'files', '[]'::jsonb, 'runs', r.runs) as answer
    from unnest(p_calls) as c
    join unnest(v_versions) as v on v.dataset_id = c.dataset_id
    cross join lateral (
      select array_agg(v_seqs[f.ordinality] order by f.ordinal) as seqs, array_agg(f."table" order by f.ordinal) as tables,
        case when bool_or(f.period_tag <> c.period_tag) then array_agg(f.period_tag order by f.ordinal) end as period_tags,
        array_agg(f.row_count order by f.ordinal) as row_counts
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
      size, created_at, seqs, version, metric_id, tables, period_tags, row_counts, run_ids)
    select a.stage, a.dataset_id, a."table", a.period_tag, a.content_hash, a.offsets_digest, a.user_id, a.object_key,
      a.size, v_now, a.seqs, a.version, a.main, a.tables, a.period_tags, a.row_counts, a.run_ids
    from answers a
  )
  select jsonb_object_agg(a.n, a.answer) into strict v_answers from answers a;
  return v_answers;
end $function$;

CREATE OR REPLACE FUNCTION sediment.wrong_files(p_calls sediment.commit_call[], p_known integer[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return (
    -- of a call's the last one stays
    select jsonb_object_agg(x.n, x.wrong order by x.n, x.ordinal desc nulls first) filter (where x.wrong is not null)
    from (
      select c.n, f.ordinal, case
        when t.list is null then 'p_files is not an array of 1 to 10000 data files'
        when (f.ordinal >= 0 and f.ordinal < jsonb_array_length(t.list) and f."table" ~ '^[A-Za-z0-9_-]{1,64}$' and f.period_tag ~ '^[A-Za-z0-9_-]{1,64}$'
          and f.start_byte >= 0 and f.byte_length > 0 and f.byte_length <= c.object_size - f.start_byte
          and f.row_count >= 0 and f.row_group_count >= 0 and f.uncompressed_bytes >= 0
          and coalesce(f.value_count >= 0, true) and coalesce(jsonb_typeof(f.merge_facts) = 'object', true)
          and f.schema_fingerprint is not null and f.schema is not null) is not true
        then format('data file %s is not well formed: table %s, period_tag %s, start_byte %s, byte_length %s',
          f.ordinal, quote_nullable(left(f."table", 80)), quote_nullable(left(f.period_tag, 80)), f.start_byte,
          f.byte_length)
        when count(*) over (partition by c.n, f.ordinal) > 1 then 'two data files have the same ordinal'
      end as wrong
      from unnest(p_calls) as c
      cross join lateral (select case when jsonb_typeof(c.files) = 'array'
        then case when jsonb_array_length(c.files) between 1 and 10000 then c.files end end as list) t
      left join lateral jsonb_to_recordset(t.list) as f(ordinal integer, "table" text, period_tag text,
        start_byte bigint, byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint,
        value_count bigint, merge_facts jsonb, schema_fingerprint text, schema jsonb) on true
      where c.outcome is null and c.n <> all (coalesce(p_known, '{}'))
    ) x);
end $function$;

REVOKE ALL ON FUNCTION "sediment"."next_versions"(sediment.dataset_change[], uuid[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."next_versions"(sediment.dataset_change[], uuid[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."upload_answer"(public.uploads) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."upload_answer"(public.uploads) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."upload_slices"(public.uploads) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."upload_slices"(public.uploads) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."upload_version"(public.uploads) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."upload_version"(public.uploads) TO "service_role";
