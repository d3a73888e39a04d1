-- Deletions go on at once while there is more, users in turn; many purges don't keep a vacuum from what is old; an upload that was
-- deleted can be purged later; URLs of slices outlive the split of their object. Deletions, renames and invitations count as requests.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP POLICY "member_reads" ON "public"."battle_files";

DROP INDEX "public"."deletions_user";

DROP FUNCTION "sediment"."own_dataset_id"(uuid, uuid);

ALTER TABLE "public"."datasets" ADD COLUMN "ending_version" bigint NOT NULL DEFAULT 0;

ALTER TABLE "public"."deletions" ADD COLUMN "advanced_at" timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone;

ALTER TABLE "public"."deletions" ADD COLUMN "walk_began_at" timestamp with time zone;

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
  v_waiting uuid[] := '{}'::uuid[];
begin
  for x in
    select y.* from public.deletions y left join public.datasets d on d.id = y.dataset_id
    where y.forgotten_at is null and (p_deletion is null or p_deletion in (y.id, y.parent_id))
      and (y.state = 'marked' or y.purge and y.state in ('removed', 'purging')
        or y.kind <> 'user' and y.state <> 'pending' and y.requested_at + v_grace <= v_now and d.oldest_kept_version >= y.version)
      -- a user who only waits for what is at their datasets would stand before it, and a hundred of them before everything
      and not (y.kind = 'user'
        and exists (select 1 from public.deletions z
          where z.parent_id = y.id and (z.state = 'marked' or z.purge and z.state <> 'purged'))
        and not exists (select 1 from public.datasets t where t.user_id = y.user_id and t.deleted_at is null)
        and not exists (select 1 from public.assets a where a.user_id = y.user_id))
    -- those that wait for the store come last, so that they are in nobody's way
    order by y.state <> 'marked', y.state = 'purging',
      (select max(z.advanced_at) from public.deletions z where z.user_id = y.user_id), y.advanced_at, y.requested_at
    limit 100
    for no key update of y skip locked
  loop
    v_done := true;
    if x.kind = 'user' then
      v_done := sediment.remove_user(x, v_limit);
    elsif x.state = 'marked' then
      perform sediment.remove_marked(x, v_limit);
    elsif x.purge and x.state = 'removed' then
      perform sediment.purge_removed(x, v_limit);
    elsif x.state = 'purging' then
      v_done := sediment.split_purged(x, v_limit);
    else
      perform sediment.forget_deleted(x, v_limit);
    end if;
    if v_done then
      update public.deletions y set advanced_at = v_now where y.id = x.id;
      return jsonb_build_object('advanced', x.id, 'more', true);
    end if;
    v_waiting := v_waiting || x.id;
  end loop;
  -- a hundred that wait for the store or for their datasets must not stand before the next hundred for ever
  if cardinality(v_waiting) = 100 then
    update public.deletions y set advanced_at = v_now where y.id = any (v_waiting);
  end if;
  -- the store's part is a worker's: the hourly vacuum would come late
  if p_deletion is null and (
    exists (select 1 from public.objects o where o.split_at <= v_now and o.state = 'stored')
    or exists (
      select 1 from (
        select o.delete_reason from public.objects o
        where o.delete_after <= v_now and o.state = 'deleting' order by o.delete_after desc limit 100) y
      where y.delete_reason like 'deletion %'))
  then
    perform public.wake_vacuum();
  end if;
  return jsonb_build_object('advanced', null, 'more', false);
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
    if coalesce(p_purge, false) and not x.purge then
      x := sediment.purge_later(x.id);
      perform sediment.spend_request(p_user);
    end if;
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
  set deletion_version = v_version, retired_bytes = y.retired_bytes + v_slices.bytes
  where y.id = d.id;
  if x.purge and not v_slices.pending then
    perform sediment.end_versions(d.id, v_version);
  end if;
  insert into public.deleted_slices (dataset_id, "table", period_tag, seq, deletion_id, rows, version)
  select d.id, s."table", s.period_tag, s.seq, x.id, s.rows, case when not s.pending then v_version end
  from jsonb_to_recordset(v_slices.slices)
    as s("table" text, period_tag text, seq bigint, rows bigint, pending boolean);
  perform sediment.look_again(d.id, k."table", k.period_tag) from (
    select distinct s."table", s.period_tag
    from jsonb_to_recordset(v_slices.slices) as s("table" text, period_tag text, pending boolean)
    where not s.pending) k;
  for v_key in
    select distinct s."table", s.period_tag
    from jsonb_to_recordset(v_slices.slices) as s("table" text, period_tag text, pending boolean)
    where s.pending order by 1, 2
  loop
    update public.partitions p set demand_seq = p.demand_seq + 1
    where p.dataset_id = d.id and p."table" = v_key."table" and p.period_tag = v_key.period_tag;
    perform sediment.wake_partition(d.id, v_key."table", v_key.period_tag, 'realtime', 'request', 0);
  end loop;
  perform sediment.spend_request(p_user);
  return sediment.deletion_receipt(x);
end $function$;

CREATE OR REPLACE FUNCTION public.deletion_status(p_user uuid, p_deletion uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  x public.deletions;
begin
  select * into x from public.deletions y where y.id = p_deletion;
  if not found or (p_user is not null and x.requested_by is distinct from p_user
    and (x.dataset_id is not null or x.user_id <> p_user)
    and sediment.dataset_role(p_user, x.dataset_id) is null) then
    perform sediment.fail('not_found', 404, format('there is no deletion %s', p_deletion));
  end if;
  return sediment.deletion_receipt(x);
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
  if not found or (p_user is not null and sediment.dataset_role(p_user, f.dataset_id) is null)
  then
    perform sediment.fail('not_found', 404, format('there is no data file %s', p_file));
  end if;
  d := sediment.require_dataset(p_user, f.dataset_id);
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
    'table', sediment.name_of(f.dataset_id, f."table"), 'period_tag', f.period_tag, 'level', f.level, 'state', f.state,
    'quarantine_code', f.quarantine_code, 'quarantine_reason', f.quarantine_reason,
    'row_count', f.row_count, 'row_group_count', f.row_group_count,
    'uncompressed_bytes', f.uncompressed_bytes, 'schema_fingerprint',
    sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest),
    'schema', (select s.schema from public.file_schemas s where s.digest = coalesce(f.schema_digest, f.schema_fingerprint)),
    'stats', f.stats, 'etag', sediment.etag_of(f.etag, f.object_key), 'uploaded_at', f.uploaded_at, 'added_version', f.added_version,
    'removed_version', f.removed_version,
    'copy_of', (select o.details from public.objects o where o.object_key = f.object_key and o.details ? 'copy_of'));
end $function$;

CREATE OR REPLACE FUNCTION public.stage_splits(p_limit integer DEFAULT 10, p_dataset uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '60s'
AS $function$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 10), 1), 100);
  v_deadline constant timestamptz := clock_timestamp()
    + make_interval(secs => (select s.max_put_seconds from public.service_settings s));
  o public.objects;
  v_seen integer := 0;
  v_copies jsonb;
  v_splits jsonb := '[]'::jsonb;
begin
  for o in
    select * from public.objects x
    where x.split_at <= clock_timestamp() and x.state = 'stored' and (p_dataset is null or x.dataset_id = p_dataset)
    order by x.split_at limit v_limit
    for no key update skip locked
  loop
    v_seen := v_seen + 1;
    with slices as (
      select f.id, f."table", f.period_tag, f.start_byte, f.byte_length, f.checksum,
        format('battle_data/%s/%s/%s/%s.parquet', f.dataset_id, f."table", f.period_tag, gen_random_uuid()) as object_key
      from public.battle_files f where f.object_key = o.object_key
    ), planned as (
      insert into public.objects (object_key, kind, size, expires_at, put_deadline, dataset_id, "table", period_tag,
        staged_version, details)
      select s.object_key, 'fragment', s.byte_length, v_deadline, v_deadline, o.dataset_id, s."table", s.period_tag,
        (select d.version from public.datasets d where d.id = o.dataset_id),
        jsonb_build_object('copy_of', o.object_key, 'start_byte', s.start_byte)
      from slices s
    )
    select jsonb_agg(jsonb_build_object('file', s.id, 'start_byte', s.start_byte, 'byte_length', s.byte_length,
      'checksum', s.checksum, 'object_key', s.object_key) order by s.start_byte)
    into v_copies from slices s;
    update public.objects x
    set split_at = clock_timestamp() + interval '10 minutes', updated_at = clock_timestamp()
    where x.object_key = o.object_key;
    if v_copies is not null then -- else whoever dropped its last row has had it deleted
      v_splits := v_splits || jsonb_build_object('object_key', o.object_key, 'etag', o.etag, 'copies', v_copies);
    end if;
  end loop;
  return jsonb_build_object('splits', v_splits, 'more', v_seen = v_limit);
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
  v_begins boolean;
begin
  select * into strict s from public.service_settings;
  if d.oldest_kept_at + make_interval(secs => s.signed_url_seconds) <= v_now and s.signed_url_until <= v_now then
    v_vacuumable := greatest(d.vacuumable_version, least(d.ending_version, d.oldest_kept_version));
  end if;

  select greatest(
    coalesce(max(t.retention_seconds) filter (where t."table" = '*'), s.retention_seconds),
    max(t.retention_seconds) filter (where t."table" <> '*'))
  into strict v_retention from public.table_settings t where t.dataset_id = d.id;
  select v.version into v_oldest from public.dataset_versions v
  where v.dataset_id = d.id and v.committed_at <= v_now - make_interval(secs => v_retention)
  order by v.committed_at desc limit 1;
  -- retention goes on only after the last end's URLs are dead
  if v_oldest is null or v_oldest <= d.oldest_kept_version or v_vacuumable < d.oldest_kept_version then
    v_oldest := d.oldest_kept_version;
  end if;

  v_begins := v_oldest > v_vacuumable and d.ending_version <= v_vacuumable;
  update public.datasets x
  set vacuumed_at = v_now, vacuumable_version = v_vacuumable, oldest_kept_version = v_oldest,
    ending_version = case when v_begins then v_oldest else x.ending_version end,
    oldest_kept_at = case when v_begins then v_now else x.oldest_kept_at end
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

CREATE OR REPLACE FUNCTION sediment.check_dataset_quota(p_user uuid, p_final boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_max integer;
begin
  perform sediment.refuse_key(p_user);
  select coalesce(l.datasets_max, s.datasets_max) into v_max
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  if p_final then
    -- without a limit, too: the deletion of the user looks for datasets under this lock
    perform sediment.lock_quota(p_user);
  end if;
  if v_max is null then
    return;
  end if;
  if (select count(*) from public.datasets d where d.user_id = p_user and d.deleted_at is null) >= v_max then
    perform sediment.fail('quota_exceeded', 429, format('datasets_max: the user has %s datasets', v_max),
      format('at most %s datasets', v_max));
  end if;
end $function$;

CREATE OR REPLACE FUNCTION sediment.end_versions(p_dataset uuid, p_version bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.datasets d
  set oldest_kept_version = p_version,
    ending_version = case when d.ending_version <= d.vacuumable_version then p_version else d.ending_version end,
    oldest_kept_at = case when d.ending_version <= d.vacuumable_version then clock_timestamp() else d.oldest_kept_at end
  where d.id = p_dataset and d.oldest_kept_version < p_version;
end $function$;

revoke all on function "sediment"."end_versions"(uuid, bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.forget_deleted(x public.deletions, p_limit integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_nestloop TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_whole bigint;
  w public.deletions;
  u public.uploads;
  v_found record;
begin
  if x.kind = 'upload' then
    select * into u from public.uploads y where y.id = x.upload_id;
    if found then
      perform sediment.forget_upload(u);
    end if;
    update public.deletions y set forgotten_at = v_now where y.id = x.id;
    return 1;
  end if;

  -- the walk that is under way, else the newest one's, which is everybody's
  select z.* into strict w
  from public.deletions z
  join public.datasets d on d.id = z.dataset_id
  join public.service_settings s on s.id
  where z.dataset_id = x.dataset_id and z.forgotten_at is null and z.upload_id is null
    and z.state = case when z.purge then 'purged' else 'removed' end
    and z.requested_at + make_interval(secs => s.deleted_upload_seconds) <= v_now and d.oldest_kept_version >= z.version
  order by z.after_hash = '', z.version desc limit 1
  for no key update of z skip locked;
  if w.after_hash = '' then
    w.walk_began_at := v_now;
  end if;
  select max(y.version) into v_whole from public.deletions y
  where y.dataset_id = w.dataset_id and y.kind = 'dataset' and y.version <= w.version
    and y.state = case when y.purge then 'purged' else 'removed' end;

  with done as materialized (
    select coalesce(y."table", '') as "table", coalesce(y.period_tag, '') as period_tag, y.upload_id, y.version
    from public.deletions y
    where y.dataset_id = w.dataset_id and y.version <= w.version
      and y.state = case when y.purge then 'purged' else 'removed' end
  ), scopes as materialized (
    select y."table", y.period_tag, max(y.version) as version from done y where y.upload_id is null group by 1, 2
  ), batch as materialized (
    select y as upload, y.id, sediment.upload_version(y) as version, y."table", y.period_tag, y.content_hash
    from public.uploads y
    where y.dataset_id = w.dataset_id
      and (y."table", y.period_tag, y.content_hash) > (w.after_table, w.after_period_tag, w.after_hash)
    order by y."table", y.period_tag, y.content_hash limit p_limit
  ), slices as materialized (
    select b.id, b.version, s."table", s.period_tag
    from batch b cross join lateral sediment.upload_slices(b.upload) s
    where b.version < w.version
  ), told as (
    select y.id, coalesce(greatest(v_whole, t.version, p.version, b.version, o.version) > y.version, false) as is_gone
    from slices y
    left join scopes t on t."table" = y."table" and t.period_tag = ''
    left join scopes p on p."table" = '' and p.period_tag = y.period_tag
    left join scopes b on b."table" = y."table" and b.period_tag = y.period_tag
    left join done o on o.upload_id = y.id
  ), of_uploads as materialized (
    select z.id, bool_and(z.is_gone) as all_gone, bool_or(z.is_gone) as some_gone from told z group by z.id
  )
  select (select count(*) from batch b) as seen,
    coalesce((select array_agg(z.id) from of_uploads z where z.all_gone), '{}') as gone,
    coalesce((select array_agg(z.id) from of_uploads z where z.some_gone and not z.all_gone), '{}') as shared,
    (select array[b."table", b.period_tag, b.content_hash] from batch b
      order by b."table" desc, b.period_tag desc, b.content_hash desc limit 1) as last
  into strict v_found;
  for u in
    select y.* from public.uploads y where y.id = any (v_found.gone) order by y."table", y.period_tag, y.content_hash
  loop
    perform sediment.forget_upload(u);
  end loop;
  perform sediment.plan_splits(v_found.shared, 'deletion ' || w.id);
  if v_found.seen = p_limit then
    update public.deletions y
    set after_table = v_found.last[1], after_period_tag = v_found.last[2], after_hash = v_found.last[3],
      walk_began_at = w.walk_began_at
    where y.id = w.id;
    return v_found.seen;
  end if;
  update public.deletions y set forgotten_at = v_now
  where y.id = any (array(
    select z.id from public.deletions z
    where z.dataset_id = w.dataset_id and z.forgotten_at is null and z.version <= w.version and z.upload_id is null
      and z.state = case when z.purge then 'purged' else 'removed' end
      and coalesce(z.purged_at, z.removed_at) <= w.walk_began_at
    for no key update skip locked));
  return v_found.seen;
end $function$;

CREATE OR REPLACE FUNCTION sediment.last_kept_period(p_dataset uuid, p_table text, p_keep integer, p_now timestamp with time zone)
 RETURNS date
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_marks constant boolean := sediment.has_marks(p_dataset);
begin
  return (
    select sediment.date_of_tag(p.period_tag) from public.partitions p
    where p.dataset_id = p_dataset and p."table" = p_table
      and sediment.date_of_tag(p.period_tag) <= (p_now at time zone 'UTC')::date + 1
      and exists (select 1 from public.battle_files f
        where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
          and f.removed_version is null and not (v_marks and sediment.is_marked(f, 9223372036854775807)))
    order by 1 desc offset p_keep - 1 limit 1);
end $function$;

CREATE OR REPLACE FUNCTION sediment.mark_deletion(d public.datasets, p_user uuid, p_table text, p_period_tag text, p_purge boolean, p_parent uuid)
 RETURNS public.deletions
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_kind constant text := case when p_period_tag is not null then 'period' when p_table is not null then 'table'
    else 'dataset' end;
  v_version public.dataset_versions;
  x public.deletions;
begin
  v_version := (sediment.next_versions(array[row(d.id, 0, 0, 0, 0, null)::sediment.dataset_change]))[1];
  insert into public.deletions (kind, user_id, requested_by, dataset_id, "table", period_tag, parent_id, version, purge)
  values (v_kind, d.user_id, p_user, d.id, p_table, p_period_tag, p_parent, v_version.version, p_purge)
  returning * into strict x;
  update public.datasets y
  set deletion_version = v_version.version,
    deleted_at = case when v_kind = 'dataset' then coalesce(y.deleted_at, clock_timestamp()) else y.deleted_at end
  where y.id = d.id;
  if p_purge then
    perform sediment.end_versions(d.id, v_version.version);
  end if;
  if v_kind = 'dataset' then
    perform sediment.end_keys(d.id, 'dataset_deleted');
  end if;
  return x;
end $function$;

CREATE OR REPLACE FUNCTION sediment.own_dataset_id(p_user uuid, p_dataset uuid, p_n integer DEFAULT 0)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_hex constant text := sediment.identity_digest(p_dataset, p_user::text, 'own dataset',
    coalesce(nullif(p_n, 0)::text, ''));
begin
  return (substr(v_hex, 1, 12) || '8' || substr(v_hex, 14, 3) || substr('89ab', 1 + ascii(substr(v_hex, 17, 1)) % 4, 1)
    || substr(v_hex, 18, 15))::uuid;
end $function$;

revoke all on function "sediment"."own_dataset_id"(uuid, uuid, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.own_dataset_of(p_user uuid, p_dataset uuid)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_most constant integer := 100;
  v_id uuid;
begin
  for i in 0 .. v_most loop
    v_id := sediment.own_dataset_id(p_user, p_dataset, i);
    exit when not exists (select 1 from public.datasets d where d.id = v_id)
      or sediment.role_suffices(sediment.dataset_role(p_user, v_id), 'writer');
  end loop;
  return v_id;
end $function$;

revoke all on function "sediment"."own_dataset_of"(uuid, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.plan_splits(p_uploads uuid[], p_reason text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
begin
  if cardinality(p_uploads) = 0 then
    return;
  end if;
  with shared as materialized (
    select distinct f.object_key
    from unnest(p_uploads) as i(id)
    join public.uploads u on u.id = i.id
    join public.battle_files f on coalesce(f.upload_id, f.run_id) = u.id and f.level = 0
    where exists (
      select 1 from sediment.upload_slices(u) s
      join public.deletions x on x.dataset_id = u.dataset_id and x.version > sediment.upload_version(u)
        and (x.upload_id is null or x.upload_id = u.id)
        and (x."table" is null or x."table" = s."table")
        and (x.period_tag is null or x.period_tag = s.period_tag))
    union
    select f.object_key from unnest(p_uploads) as i(id)
    join public.forgotten_uploads u on u.id = i.id
    join public.battle_files f on coalesce(f.upload_id, f.run_id) = u.id and f.level = 0
  ), planned as (
    select o.object_key from public.objects o
    where o.object_key = any (array(select s.object_key from shared s)) and o.state = 'stored' and o.split_at is null
      -- what one slice fills holds nothing of another
      and not exists (select 1 from public.battle_files f where f.object_key = o.object_key and f.byte_length = o.size)
    order by o.object_key
    for no key update
  )
  update public.objects o set split_at = v_now, delete_reason = p_reason, updated_at = v_now
  from planned p where o.object_key = p.object_key;
end $function$;

CREATE OR REPLACE FUNCTION sediment.purge_later(p_deletion uuid)
 RETURNS public.deletions
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  x public.deletions;
begin
  update public.deletions y
  set purge = true, purged_at = null, forgotten_at = null, after_table = '', after_period_tag = '', after_hash = ''
  where y.id = p_deletion and not y.purge;
  select * into strict x from public.deletions y where y.id = p_deletion;
  if x.state <> 'pending' then
    perform 1 from public.datasets d where d.id = x.dataset_id for no key update;
    perform sediment.end_versions(x.dataset_id, x.version);
  end if;
  return x;
end $function$;

revoke all on function "sediment"."purge_later"(uuid) from public, anon, authenticated, service_role;

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
  v_of_lake bigint[];
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
    returning f.object_key, f.byte_length, f.id, f.lake_version
  )
  select coalesce(array_agg(distinct y.object_key), '{}'), count(*), coalesce(sum(y.byte_length), 0),
    array_agg(y.id) filter (where y.lake_version is not null)
  into strict v_keys, v_dropped, v_bytes, v_of_lake from dropped y;
  if v_of_lake is not null then
    perform sediment.purge_lake(v_of_lake);
  end if;
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
      and y.dataset_id = x.dataset_id and (x."table" is null or y."table" = x."table")
      and (x.period_tag is null or y.period_tag = x.period_tag)
      -- of one upload what a healing has replaced
      and (x.upload_id is null or y.kind = 'fragment' and exists (
        select 1 from public.uploads u where u.id = x.upload_id and (u.dataset_id, u."table", u.period_tag, u.content_hash)
          = (y.dataset_id, y."table", y.period_tag, y.content_hash)))
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
  -- Of one upload: what merges had written that were refused for it, or given up before. The run that is under way may go on
  -- when all that it has read is shown still, since that has no row of it.
  perform sediment.discard_object(y.object_key, v_reason) from (
    select z.object_key
    from public.deleted_slices s
    join public.objects z on z.dataset_id = s.dataset_id and z."table" = s."table" and z.period_tag = s.period_tag
    join public.partitions p on p.dataset_id = s.dataset_id and p."table" = s."table" and p.period_tag = s.period_tag
    where s.deletion_id = x.id and z.state = 'staged' and z.put_deadline is not null and z.kind = 'compacted'
      and z.created_at <= x.removed_at
      and not (z.run_id = p.run_id and z.token = p.token
        and z.run_ordinal = (select max(o.run_ordinal) from public.objects o
          where o.state = 'staged' and o.put_deadline is not null and o.run_id = z.run_id and o.token = z.token)
        and cardinality(p.staged_inputs) = (select count(*) from public.battle_files f
          where f.id = any (p.staged_inputs) and f.removed_version is null))
    order by z.object_key for update of z skip locked) y;
  update public.deletions y set state = 'purging' where y.id = x.id;
  return v_dropped;
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
      update public.battle_files f
      set removed_version = (
        select min(z.version) from public.deletions z
        where z.dataset_id = x.dataset_id and z.state = 'marked' and z.version > f.added_version
          and (z."table" is null or z."table" = f."table") and (z.period_tag is null or z.period_tag = f.period_tag))
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
  if not sediment.try_lock_quota(x.user_id) then
    return false;
  end if;
  if exists (select 1 from public.datasets y where y.user_id = x.user_id and y.deleted_at is null)
    or exists (select 1 from public.assets a where a.user_id = x.user_id)
  then
    return true;
  end if;
  delete from public.dataset_members m where m.user_id = x.user_id;
  delete from public.idempotency_keys k where k.user_id = x.user_id;
  delete from public.user_usage u where u.user_id = x.user_id;
  delete from public.user_growth u where u.user_id = x.user_id;
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

CREATE OR REPLACE FUNCTION sediment.respell_stages(p_calls jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_calls jsonb := p_calls;
begin
  if jsonb_path_exists(v_calls, '$[*].p_own_dataset ? (@ == true)') then
    select jsonb_agg(case
      when (c.value ->> 'p_own_dataset')::boolean and c.value ->> 'p_user' is not null
        and exists (select 1 from public.datasets d where d.id = (c.value ->> 'p_dataset')::uuid)
        and not sediment.role_suffices(
          sediment.dataset_role((c.value ->> 'p_user')::uuid, (c.value ->> 'p_dataset')::uuid), 'writer')
      then c.value || jsonb_build_object('p_dataset', sediment.own_dataset_of((c.value ->> 'p_user')::uuid,
        (c.value ->> 'p_dataset')::uuid))
      else c.value end order by c.n)
    into strict v_calls
    from jsonb_array_elements(v_calls) with ordinality as c(value, n);
  end if;
  if not exists (
    select 1 from jsonb_array_elements(v_calls) as c
    join public.datasets d on d.id = any (array[(c ->> 'p_dataset')::uuid]) where d.has_aliases)
  then
    return v_calls;
  end if;
  return (
    select jsonb_agg(c.value || jsonb_build_object(
      'p_table', sediment.table_of((c.value ->> 'p_dataset')::uuid, c.value ->> 'p_table'),
      'p_offsets_digest', case when jsonb_typeof(c.value -> 'p_offsets') = 'array'
        then sediment.offsets_digest((c.value ->> 'p_dataset')::uuid, c.value -> 'p_offsets')
        else c.value ->> 'p_offsets_digest' end) order by c.n)
    from jsonb_array_elements(v_calls) with ordinality as c(value, n));
end $function$;

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
    update public.datasets d set deletion_version = greatest(d.deletion_version, x.version) where d.id = p_dataset;
    if x.purge then
      perform sediment.end_versions(p_dataset, x.version);
    end if;
  end loop;
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
    if v_seen < p_limit then
      v_uploads := v_uploads || array(
        select w.id from public.forgotten_uploads w
        where w.dataset_id = x.dataset_id and w.version < x.version and jsonb_array_length(w.slices) > 1
          and exists (select 1 from public.battle_files f where coalesce(f.upload_id, f.run_id) = w.id and f.level = 0));
    end if;
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

CREATE OR REPLACE FUNCTION sediment.step_deletions(p_limit integer DEFAULT 10000)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '60s'
AS $function$
declare
  v_step constant jsonb := public.advance_deletions(p_limit);
begin
  if (v_step ->> 'more')::boolean then
    perform public.wake_vacuum();
  end if;
  return v_step;
end $function$;

revoke all on function "sediment"."step_deletions"(integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.try_lock_quota(p_user uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('sediment quota ' || p_user, 0));
end $function$;

revoke all on function "sediment"."try_lock_quota"(uuid) from public, anon, authenticated, service_role;

CREATE POLICY "member_reads" ON "public"."battle_files" FOR SELECT TO "authenticated" USING (((removed_version IS NULL) AND (NOT ((dataset_id = ANY (ARRAY( SELECT x.dataset_id
   FROM public.deletions x
  WHERE (x.state = 'marked'::text)))) AND (EXISTS ( SELECT 1
   FROM public.deletions x
  WHERE ((x.dataset_id = battle_files.dataset_id) AND (x.state = 'marked'::text) AND (x.version > battle_files.added_version) AND ((x."table" IS NULL) OR (x."table" = battle_files."table")) AND ((x.period_tag IS NULL) OR (x.period_tag = battle_files.period_tag))))))) AND (dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND ((m.expires_at IS NULL) OR (m.expires_at > now()))))))));

COMMENT ON COLUMN "public"."service_settings"."requests_per_minute" IS 'Requests for compaction a minute of a user without a limit of their own, one for each partition that is asked for; redrives, retries of quarantined files, rewrites, new read-only keys, invitations, renames and deletions are among them. Null: no limit. Unit: requests. Default: 600.';

REVOKE ALL ON FUNCTION "sediment"."end_versions"(uuid, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."end_versions"(uuid, bigint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."own_dataset_id"(uuid, uuid, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."own_dataset_id"(uuid, uuid, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."own_dataset_of"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."own_dataset_of"(uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."purge_later"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."purge_later"(uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."step_deletions"(integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."step_deletions"(integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."try_lock_quota"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."try_lock_quota"(uuid) TO "service_role";

select cron.schedule('sediment_deletions', '* * * * *', 'select sediment.step_deletions()');

select cron.schedule('sediment_deletions', '* * * * *', 'select sediment.step_deletions()');
