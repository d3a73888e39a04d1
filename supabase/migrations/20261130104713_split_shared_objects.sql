-- Bytes of deleted slices leave the objects that other slices share with them: each of the others gets an object of its own.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."deletions" DROP CONSTRAINT "deletions_state_check";

ALTER TABLE "public"."objects" ADD COLUMN "split_at" timestamp with time zone;

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
      and (y.state = 'marked' or y.purge and y.state in ('removed', 'purging')
        or y.kind <> 'user' and y.state <> 'pending' and y.requested_at + v_grace <= v_now and d.oldest_kept_version >= y.version)
    -- those that wait for the store come last, so that they are in nobody's way
    order by y.state <> 'marked', y.state = 'purging', y.requested_at limit 100
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
      return jsonb_build_object('advanced', x.id, 'more', true);
    end if;
  end loop;
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

CREATE OR REPLACE FUNCTION public.commit_split(p_object_key text, p_copies jsonb, p_missing boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_copied bigint := 0;
  v_left bigint;
  o public.objects;
begin
  if jsonb_typeof(p_copies) is distinct from 'array' then
    perform sediment.fail('invalid_request', 400, 'p_copies is not an array');
  end if;
  -- partitions by key, the dataset, then objects
  perform 1 from public.partitions p
  where (p.dataset_id, p."table", p.period_tag) in (
    select f.dataset_id, f."table", f.period_tag from public.battle_files f where f.object_key = p_object_key)
  order by p.dataset_id, p."table", p.period_tag
  for no key update;
  perform 1 from public.datasets d
  where d.id = (select x.dataset_id from public.objects x where x.object_key = p_object_key)
  for no key update;
  select * into o from public.objects x where x.object_key = p_object_key for no key update;
  if not found then
    perform sediment.fail('invalid_request', 400, format('nobody planned %s', p_object_key));
  end if;
  if p_missing then
    update public.objects x set split_at = null where x.object_key = p_object_key and x.state = 'stored';
  end if;

  with copies as (
    select c.file, c.object_key, c.etag from jsonb_to_recordset(p_copies) as c(file bigint, object_key text, etag text)
  ), stored as (
    update public.objects x
    set state = 'stored', etag = nullif(c.etag, ''), expires_at = null, updated_at = clock_timestamp()
    from copies c
    join public.battle_files f on f.id = c.file and f.object_key = p_object_key
    where x.object_key = c.object_key and x.state = 'staged' and x.kind = 'fragment' and x.size = f.byte_length
    returning c.file, x.object_key, x.etag
  ), moved as (
    update public.battle_files f set object_key = s.object_key, start_byte = 0, etag = s.etag
    from stored s where f.id = s.file
    returning f.id
  )
  select count(*) into strict v_copied from moved m;
  perform sediment.discard_object(x.object_key, 'a copy that nobody needs any more')
  from public.objects x
  where x.object_key in (select c.object_key from jsonb_to_recordset(p_copies) as c(object_key text))
    and x.state = 'staged';

  select count(*) into strict v_left from public.battle_files f where f.object_key = p_object_key;
  if v_left > 0 then
    -- the bytes of these are not what they were: they come again by a healing, or the rows go
    update public.objects x set split_at = clock_timestamp() + interval '1 hour'
    where x.object_key = p_object_key and x.split_at is not null;
  else
    perform sediment.retire_object(p_object_key, coalesce(o.delete_reason, 'its slices are in objects of their own'), '0');
  end if;
  return jsonb_build_object('copied', v_copied, 'left', v_left);
end $function$;

revoke all on function "public"."commit_split"(text, jsonb, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.commit_vacuum(p_keys text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_count integer;
begin
  if cardinality(p_keys) > 5000 then
    perform sediment.fail('invalid_request', 400, 'over 5000 keys');
  end if;
  with rows as (
    select o.object_key from public.objects o
    where o.object_key = any (p_keys) and o.state in ('deleting', 'tombstone')
    order by o.object_key for update
  )
  update public.objects o
  set state = 'tombstone', split_at = null, updated_at = clock_timestamp(),
    delete_after = case when o.put_deadline > clock_timestamp() then o.put_deadline + interval '1 minute' end
  from rows r where o.object_key = r.object_key;
  get diagnostics v_count = row_count;
  return jsonb_build_object('tombstones', v_count, 'ignored', coalesce(cardinality(p_keys), 0) - v_count);
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
        staged_version)
      select s.object_key, 'fragment', s.byte_length, v_deadline, v_deadline, o.dataset_id, s."table", s.period_tag,
        (select d.version from public.datasets d where d.id = o.dataset_id)
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

revoke all on function "public"."stage_splits"(integer, uuid) from public, anon, authenticated, service_role;

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
    where (o.delete_after is not null and o.state = 'deleting' or o.split_at is not null)
      and o.delete_reason = any (v_sum.reasons);
  end if;
  return jsonb_build_object('deletion_id', x.id, 'kind', x.kind, 'user_id', x.user_id, 'dataset_id', x.dataset_id,
    'table', sediment.name_of(x.dataset_id, x."table"), 'period_tag', x.period_tag, 'upload_id', x.upload_id,
    'version', case when x.state <> 'pending' then x.version end, 'purge', x.purge, 'state', x.state,
    'done', case when x.purge then x.state = 'purged' and v_left = 0 else x.state not in ('pending', 'marked') end,
    'files', v_sum.files, 'rows', v_sum.rows, 'bytes', v_sum.bytes, 'assets', v_sum.assets, 'objects_left', v_left,
    'requested_at', x.requested_at, 'removed_at', x.removed_at, 'purged_at', x.purged_at);
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
      perform sediment.forget_upload(u);
    elsif coalesce(cardinality(u.tables), jsonb_array_length(u.answer -> 'files')) > 1 then
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
        and (n.schema_fingerprint = f.schema_fingerprint
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

revoke all on function "sediment"."plan_splits"(uuid[], text) from public, anon, authenticated, service_role;

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
  update public.deletions y set state = 'purging' where y.id = x.id;
  return v_dropped;
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
        and coalesce(cardinality(u.tables), jsonb_array_length(u.answer -> 'files')) > 1
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

revoke all on function "sediment"."split_purged"(public.deletions, integer) from public, anon, authenticated, service_role;

ALTER TABLE "public"."deletions" ADD CONSTRAINT "deletions_state_check" CHECK ((state = ANY (ARRAY['pending'::text, 'marked'::text, 'removed'::text, 'purging'::text, 'purged'::text])));

REVOKE ALL ON FUNCTION "public"."commit_split"(text, jsonb, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."commit_split"(text, jsonb, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."stage_splits"(integer, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."stage_splits"(integer, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."plan_splits"(uuid[], text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."plan_splits"(uuid[], text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."split_purged"(public.deletions, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."split_purged"(public.deletions, integer) TO "service_role";
