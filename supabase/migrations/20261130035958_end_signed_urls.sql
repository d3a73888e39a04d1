-- signed_url_seconds is the one home of how long signed URLs live; the catalog keeps until when longer ones of before may live.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."service_settings" ADD COLUMN "signed_url_until" timestamp with time zone NOT NULL DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone;

CREATE OR REPLACE FUNCTION public.commit_asset(p_stage uuid, p_user uuid, p_size bigint, p_etag text, p_content_hash text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  o public.objects;
  v_old public.assets;
  v_now timestamptz := clock_timestamp();
  v_duplicate boolean;
  v_failure jsonb;
  v_answer jsonb;
begin
  select * into o from public.objects x where x.stage_id = p_stage and x.kind = 'asset' for update;
  v_failure := sediment.stage_failure(o, p_stage, p_user, p_content_hash, p_size);
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  v_answer := jsonb_build_object('key', o.asset_key, 'relative_path', o.details ->> 'relative_path',
    'file_name', o.details ->> 'file_name', 'size', o.size, 'content_hash', o.content_hash, 'etag', p_etag,
    'object_key', o.object_key, 'uploaded_at', v_now, 'replaced', false, 'duplicate', false);
  if o.state <> 'staged' then
    if o.details -> 'answer' is null then
      perform sediment.fail('stage_expired', 410, format('stage %s was given up', p_stage));
    end if;
    return o.details -> 'answer' || jsonb_build_object('duplicate', true);
  end if;

  -- one at a time with the deletion of the user
  perform sediment.lock_quota(p_user);
  perform sediment.refuse_deleted_user(p_user);
  perform sediment.check_stored(p_user, p_size - coalesce(
    (select a.size from public.assets a where a.user_id = p_user and a.key = o.asset_key), 0));
  insert into public.assets (user_id, key, relative_path, file_name, object_key, size, content_hash, etag, updated_at)
  values (p_user, o.asset_key, o.details ->> 'relative_path', o.details ->> 'file_name', o.object_key, p_size,
    p_content_hash, p_etag, v_now)
  on conflict (user_id, key) do nothing;
  if not found then
    select * into strict v_old from public.assets a where a.user_id = p_user and a.key = o.asset_key for update;
    v_duplicate := v_old.content_hash = p_content_hash;
    if v_duplicate then
      perform sediment.discard_object(o.object_key, 'a duplicate asset');
      v_answer := v_answer || jsonb_build_object('object_key', v_old.object_key, 'etag', v_old.etag,
        'uploaded_at', v_old.updated_at, 'duplicate', true);
    else
      update public.assets a
      set relative_path = o.details ->> 'relative_path', file_name = o.details ->> 'file_name',
        object_key = o.object_key, size = p_size, content_hash = p_content_hash, etag = p_etag, updated_at = v_now
      where a.user_id = p_user and a.key = o.asset_key;
      perform sediment.retire_object(v_old.object_key, 'replaced asset', sediment.signed_url_life());
      v_answer := v_answer || jsonb_build_object('replaced', true);
    end if;
  end if;
  insert into public.user_usage as u (user_id, minute_start, minute_uploads, day_start, day_bytes, asset_bytes)
  select p_user, v_now, 0, v_now, 0, g.bytes
  from (select case when v_duplicate then 0 else p_size - coalesce(v_old.size, 0) end as bytes) g
  where g.bytes <> 0
  on conflict (user_id) do update set asset_bytes = greatest(0, u.asset_bytes + excluded.asset_bytes);

  update public.objects x
  set state = case when x.state = 'staged' then 'stored' else x.state end, etag = p_etag, expires_at = null,
    updated_at = v_now, details = x.details || jsonb_build_object('answer', v_answer)
  where x.object_key = o.object_key;
  return v_answer;
end $function$;

CREATE OR REPLACE FUNCTION public.get_asset(p_user uuid, p_key text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  a public.assets;
begin
  perform sediment.refuse_deleted_user(p_user);
  select * into a from public.assets x where x.user_id = p_user and x.key = p_key;
  if not found then
    perform sediment.fail('not_found', 404, 'there is no asset of that key');
  end if;
  return jsonb_build_object('key', a.key, 'relative_path', a.relative_path, 'file_name', a.file_name,
    'size', a.size, 'content_hash', a.content_hash, 'etag', a.etag, 'object_key', a.object_key,
    'uploaded_at', a.updated_at,
    'signed_url_seconds', (select s.signed_url_seconds from public.service_settings s));
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
  d := sediment.own_dataset(p_user, p_dataset);
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

CREATE OR REPLACE FUNCTION sediment.advance_versions(d public.datasets)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_retention integer;
  v_oldest bigint;
  v_vacuumable bigint := d.vacuumable_version;
begin
  select * into strict s from public.service_settings;
  if d.oldest_kept_at + make_interval(secs => s.signed_url_seconds) <= v_now and s.signed_url_until <= v_now then
    v_vacuumable := d.oldest_kept_version;
  end if;

  select greatest(
    coalesce(max(t.retention_seconds) filter (where t."table" = '*'), s.retention_seconds),
    max(t.retention_seconds) filter (where t."table" <> '*'))
  into strict v_retention from public.table_settings t where t.dataset_id = d.id;
  select v.version into v_oldest from public.dataset_versions v
  where v.dataset_id = d.id and v.committed_at <= v_now - make_interval(secs => v_retention)
  order by v.committed_at desc limit 1;
  -- a second step only after the first one's URLs are dead: oldest_kept_at is the time of one step
  if v_oldest is null or v_oldest <= d.oldest_kept_version or v_vacuumable < d.oldest_kept_version then
    v_oldest := d.oldest_kept_version;
  end if;

  update public.datasets x
  set vacuumed_at = v_now, vacuumable_version = v_vacuumable, oldest_kept_version = v_oldest,
    oldest_kept_at = case when v_oldest > d.oldest_kept_version then v_now else x.oldest_kept_at end
  where x.id = d.id;
  delete from public.dataset_versions v
  where v.dataset_id = d.id and v.version = any (array(
    select x.version from public.dataset_versions x
    where x.dataset_id = d.id and x.version < v_oldest order by x.version limit 10000));
  if v_oldest = d.oldest_kept_version and v_vacuumable = d.vacuumable_version then
    return null;
  end if;
  return jsonb_build_object('dataset_id', d.id, 'oldest_kept_version', v_oldest,
    'vacuumable_version', v_vacuumable, 'retention_seconds', v_retention);
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
      group by x."table", x.period_tag order by x."table", x.period_tag) l), '[]')
  into strict v_old, v_bytes, v_uncompressed, v_lifted
  from old o join healed h on h.id = o.id;

  update public.uploads x set object_key = p.object_key where x.id = u.id;
  update public.datasets d
  set file_size_bytes = d.file_size_bytes + v_bytes, uncompressed_bytes = d.uncompressed_bytes + v_uncompressed
  where d.id = u.dataset_id;
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

CREATE OR REPLACE FUNCTION sediment.note_signed_urls()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  new.signed_url_until := greatest(old.signed_url_until,
    clock_timestamp() + make_interval(secs => old.signed_url_seconds));
  return new;
end $function$;

revoke all on function "sediment"."note_signed_urls"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.remove_user(x public.deletions, p_limit integer)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  v_keep interval;
  v_taken bigint;
begin
  select y.* into d from public.datasets y
  where y.user_id = x.user_id and (y.deleted_at is null or x.purge and not exists (
    select 1 from public.deletions z where z.dataset_id = y.id and z.kind = 'dataset' and z.purge))
  order by y.id limit 1
  for no key update;
  if found then
    perform sediment.mark_deletion(d, x.requested_by, null, null, x.purge, x.id);
    return true;
  end if;

  v_keep := case when x.purge then '0' else sediment.signed_url_life() end;
  with taken as (
    delete from public.assets a
    where (a.user_id, a.key) in (
      select y.user_id, y.key from public.assets y where y.user_id = x.user_id order by y.key limit p_limit)
    returning a.object_key
  ), retired as (
    select sediment.retire_object(t.object_key, 'deletion ' || x.id, v_keep) as done from taken t
  )
  select count(*) into strict v_taken from retired r;
  if v_taken > 0 then
    update public.deletions y set assets = y.assets + v_taken where y.id = x.id;
    return true;
  end if;

  if exists (select 1 from public.deletions z where z.parent_id = x.id
    and (z.state = 'marked' or z.purge and z.state <> 'purged'))
  then
    return false;
  end if;
  delete from public.idempotency_keys k where k.user_id = x.user_id;
  delete from public.user_usage u where u.user_id = x.user_id;
  delete from public.user_limits l where l.user_id = x.user_id;
  update public.objects o set delete_after = clock_timestamp(), updated_at = clock_timestamp()
  where x.purge and o.object_key = any (array(
    select y.object_key from public.objects y
    where y.delete_after > clock_timestamp() and y.state = 'deleting' and y.kind = 'asset' and y.user_id = x.user_id
    for update skip locked));
  update public.deletions y
  set state = case when x.purge then 'purged' else 'removed' end, removed_at = clock_timestamp(),
    purged_at = case when x.purge then clock_timestamp() end, forgotten_at = clock_timestamp()
  where y.id = x.id;
  return true;
end $function$;

CREATE OR REPLACE FUNCTION sediment.signed_url_life()
 RETURNS interval
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select greatest(make_interval(secs => s.signed_url_seconds), s.signed_url_until - clock_timestamp())
  from public.service_settings s
$function$;

revoke all on function "sediment"."signed_url_life"() from public, anon, authenticated, service_role;

CREATE TRIGGER note_signed_urls BEFORE UPDATE OF signed_url_seconds ON public.service_settings FOR EACH ROW WHEN ((new.signed_url_seconds < old.signed_url_seconds)) EXECUTE FUNCTION sediment.note_signed_urls();

COMMENT ON COLUMN "public"."service_settings"."signed_url_seconds" IS 'How long a signed download URL lives. Objects outlive the last reader that may hold one. Unit: seconds. Default: 3600 (1 h).';

COMMENT ON COLUMN "public"."service_settings"."signed_url_until" IS 'Until when download URLs may live that were signed before signed_url_seconds was lowered; kept by the catalog. Unit: none. Default: 1970-01-01.';

REVOKE ALL ON FUNCTION "sediment"."note_signed_urls"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."note_signed_urls"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."signed_url_life"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."signed_url_life"() TO "service_role";
