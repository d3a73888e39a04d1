-- Deletion of datasets, tables, periods and users, with receipts; users who are deleted in Auth are deleted here.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."dead_letters" DROP CONSTRAINT "dead_letters_resolution_check";

DROP FUNCTION "public"."stage_upload"(uuid, uuid, text, text, bigint, text, text, text, integer, integer, jsonb, text);

CREATE TABLE "public"."deletions" ("id" uuid NOT NULL DEFAULT gen_random_uuid(), "kind" text NOT NULL, "user_id" uuid NOT NULL, "requested_by" uuid, "dataset_id" uuid, "table" text, "period_tag" text, "upload_id" uuid, "parent_id" uuid, "version" bigint, "purge" boolean NOT NULL DEFAULT false, "state" text NOT NULL DEFAULT 'marked'::text, "after_table" text NOT NULL DEFAULT ''::text, "after_period_tag" text NOT NULL DEFAULT ''::text, "after_hash" text NOT NULL DEFAULT ''::text, "files" bigint NOT NULL DEFAULT 0, "rows" bigint NOT NULL DEFAULT 0, "bytes" bigint NOT NULL DEFAULT 0, "assets" bigint NOT NULL DEFAULT 0, "requested_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), "removed_at" timestamp with time zone, "purged_at" timestamp with time zone, "forgotten_at" timestamp with time zone, CONSTRAINT "deletions_check1" CHECK (((kind = 'upload'::text) = (upload_id IS NOT NULL))), CONSTRAINT "deletions_check2" CHECK (((kind = 'period'::text) = (period_tag IS NOT NULL))), CONSTRAINT "deletions_check3" CHECK (((kind <> ALL (ARRAY['user'::text, 'dataset'::text, 'upload'::text])) OR ("table" IS NULL))), CONSTRAINT "deletions_check4" CHECK (((kind <> 'table'::text) OR ("table" IS NOT NULL))), CONSTRAINT "deletions_check" CHECK ((((kind = 'user'::text) = (dataset_id IS NULL)) AND ((kind = 'user'::text) = (version IS NULL)))), CONSTRAINT "deletions_kind_check" CHECK ((kind = ANY (ARRAY['user'::text, 'dataset'::text, 'table'::text, 'period'::text, 'upload'::text]))), CONSTRAINT "deletions_pkey" PRIMARY KEY (id), CONSTRAINT "deletions_state_check" CHECK ((state = ANY (ARRAY['marked'::text, 'removed'::text, 'purged'::text]))));

revoke all on "public"."deletions" from public, anon, authenticated, service_role;

ALTER TABLE "public"."deletions" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."forgotten_uploads" ("id" uuid NOT NULL, "dataset_id" uuid NOT NULL, "digest" text NOT NULL, "version" bigint NOT NULL, "slices" jsonb NOT NULL, "forgotten_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "forgotten_uploads_pkey" PRIMARY KEY (id));

revoke all on "public"."forgotten_uploads" from public, anon, authenticated, service_role;

ALTER TABLE "public"."forgotten_uploads" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."identity_key" ("id" boolean NOT NULL DEFAULT true, "key" text NOT NULL, CONSTRAINT "identity_key_id_check" CHECK (id), CONSTRAINT "identity_key_pkey" PRIMARY KEY (id));

revoke all on "public"."identity_key" from public, anon, authenticated, service_role;

ALTER TABLE "public"."identity_key" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."datasets" ADD COLUMN "deletion_version" bigint NOT NULL DEFAULT 0;

ALTER TABLE "public"."datasets" ADD COLUMN "deleted_at" timestamp with time zone;

ALTER TABLE "public"."objects" ADD COLUMN "staged_version" bigint;

ALTER TABLE "public"."service_settings" ADD COLUMN "deleted_upload_seconds" integer NOT NULL DEFAULT 172800;

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
        or y.kind <> 'user' and y.requested_at + v_grace <= v_now and d.oldest_kept_version >= y.version)
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

revoke all on function "public"."advance_deletions"(integer, uuid) from public, anon, authenticated, service_role;

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
  v_keep interval;
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
      select make_interval(secs => s.signed_url_seconds) into strict v_keep from public.service_settings s;
      perform sediment.retire_object(v_old.object_key, 'replaced asset', v_keep);
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

CREATE OR REPLACE FUNCTION public.delete_data(p_user uuid, p_dataset uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_purge boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  x public.deletions;
  v_failure jsonb := coalesce(
    case when p_table is not null then sediment.name_failure('table', p_table) end,
    case when p_period_tag is not null then sediment.name_failure('period_tag', p_period_tag) end);
begin
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  -- the dataset's row alone: whoever waits for it holds partitions, and this call wants none
  select * into d from public.datasets y where y.id = p_dataset for no key update;
  if not found then
    perform sediment.fail('not_found', 404, format('there is no dataset %s', p_dataset));
  end if;
  if p_user is not null and d.user_id <> p_user then
    perform sediment.fail('dataset_forbidden', 403, format('dataset %s belongs to another user', p_dataset));
  end if;
  if d.deleted_at is not null then
    select * into x from public.deletions y
    where y.dataset_id = d.id and y.kind = 'dataset' order by y.purge desc, y.version limit 1;
    if x.purge or not coalesce(p_purge, false) then
      return sediment.deletion_receipt(x);
    end if;
    return sediment.deletion_receipt(sediment.mark_deletion(d, p_user, null, null, true, null));
  end if;
  if (p_table is not null or p_period_tag is not null) and not exists (
    select 1 from public.partitions p where p.dataset_id = d.id and (p_table is null or p."table" = p_table)
      and (p_period_tag is null or p.period_tag = p_period_tag))
  then
    perform sediment.fail('not_found', 404, format('dataset %s has no data of %s', d.id,
      concat_ws('/', coalesce(p_table, '*'), p_period_tag)));
  end if;
  return sediment.deletion_receipt(
    sediment.mark_deletion(d, p_user, p_table, p_period_tag, coalesce(p_purge, false), null));
end $function$;

revoke all on function "public"."delete_data"(uuid, uuid, text, text, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.delete_upload(p_user uuid, p_upload uuid, p_purge boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  x public.deletions;
  u public.uploads;
  d public.datasets;
  v_files record;
  v_version bigint;
begin
  select * into x from public.deletions y where y.upload_id = p_upload;
  if found and (p_user is null or x.user_id = p_user) then
    return sediment.deletion_receipt(x);
  end if;
  select * into u from public.uploads y where y.id = p_upload;
  if not found or p_user is not null and not exists (
    select 1 from public.datasets y where y.id = u.dataset_id and y.user_id = p_user)
  then
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
  select count(*) as files, coalesce(sum(f.row_count), 0)::bigint as rows, coalesce(sum(f.byte_length), 0)::bigint as bytes,
    coalesce(sum(f.uncompressed_bytes), 0)::bigint as uncompressed,
    array_agg(f.id) as ids
  into strict v_files
  from public.battle_files f
  where coalesce(f.upload_id, f.run_id) = u.id and f.removed_version is null and not sediment.is_marked(f, d.version);
  if v_files.files < (
    select count(*) from jsonb_array_elements(u.answer -> 'files') f
    where not exists (
      select 1 from public.deletions y where y.dataset_id = u.dataset_id
        and y.version > (u.answer ->> 'version')::bigint and y.upload_id is null
        and (y."table" is null or y."table" = f ->> 'table')
        and (y.period_tag is null or y.period_tag = f ->> 'period_tag')))
  then
    perform sediment.fail('provenance_unknown', 422,
      format('rows of upload %s were merged with those of others, and can''t be told from them', u.id),
      'its period, its table or its dataset');
  end if;

  v_version := ((sediment.next_versions(array[row(u.dataset_id, -v_files.files, -v_files.bytes, -v_files.rows,
    -v_files.uncompressed, null)::sediment.dataset_change]))[1]).version;
  update public.battle_files f set removed_version = v_version where f.id = any (v_files.ids);
  insert into public.deletions (kind, user_id, requested_by, dataset_id, upload_id, version, purge, state, files, rows,
    bytes, removed_at)
  values ('upload', d.user_id, p_user, d.id, u.id, v_version, coalesce(p_purge, false), 'removed', v_files.files,
    v_files.rows, v_files.bytes, clock_timestamp())
  returning * into strict x;
  update public.datasets y
  set deletion_version = v_version, retired_bytes = y.retired_bytes + v_files.bytes,
    oldest_kept_version = case when x.purge then v_version else y.oldest_kept_version end,
    oldest_kept_at = case when x.purge then clock_timestamp() else y.oldest_kept_at end
  where y.id = d.id;
  return sediment.deletion_receipt(x);
end $function$;

revoke all on function "public"."delete_upload"(uuid, uuid, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.delete_user(p_user uuid, p_by uuid DEFAULT NULL::uuid, p_purge boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  x public.deletions;
begin
  if p_user is null then
    perform sediment.fail('invalid_request', 400, 'p_user is needed');
  end if;
  -- an asset that is being committed is there before the mark, or sees it
  perform sediment.lock_quota(p_user);
  insert into public.deletions as y (kind, user_id, requested_by, purge)
  values ('user', p_user, p_by, coalesce(p_purge, false))
  on conflict (user_id) where kind = 'user' do update
  set purge = true, state = case when y.purge then y.state else 'marked' end, removed_at = null, purged_at = null,
    forgotten_at = null
  where excluded.purge and not y.purge;
  select * into strict x from public.deletions y where y.user_id = p_user and y.kind = 'user';
  return sediment.deletion_receipt(x);
end $function$;

revoke all on function "public"."delete_user"(uuid, uuid, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.deletion_status(p_user uuid, p_deletion uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  x public.deletions;
begin
  select * into x from public.deletions y where y.id = p_deletion;
  if not found or (p_user is not null and x.user_id <> p_user and x.requested_by is distinct from p_user) then
    perform sediment.fail('not_found', 404, format('there is no deletion %s', p_deletion));
  end if;
  return sediment.deletion_receipt(x);
end $function$;

revoke all on function "public"."deletion_status"(uuid, uuid) from public, anon, authenticated, service_role;

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
    'uploaded_at', a.updated_at);
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
  d := sediment.own_dataset(p_user, f.dataset_id);
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
  return jsonb_build_object('stage_id', p_stage, 'state', o.state, 'dataset_id', o.dataset_id,
    'table', o."table", 'period_tag', o.period_tag, 'object_key', o.object_key,
    'incoming_key', (select x.object_key from public.objects x where x.stage_id = p_stage and x.kind = 'incoming'),
    'size', o.size, 'content_hash', o.content_hash, 'offsets_digest', o.offsets_digest, 'details', o.details,
    'expires_at', o.expires_at, 'answer', (
      select u.answer || jsonb_build_object('duplicate', true) from public.uploads u
      where u.dataset_id = o.dataset_id and u."table" = o."table" and u.period_tag = o.period_tag
        and u.content_hash = o.content_hash and u.offsets_digest = o.offsets_digest
        and sediment.lost_files(u.id) = 0
        and not exists (select 1 from public.datasets d where d.id = u.dataset_id
          and d.deletion_version > (u.answer ->> 'version')::bigint and sediment.upload_deleted_at(u) is not null)));
end $function$;

CREATE OR REPLACE FUNCTION public.list_assets(p_user uuid, p_prefix text DEFAULT NULL::text, p_limit integer DEFAULT 1000, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_after text := sediment.decode_cursor(p_cursor) ->> 'after';
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  v_assets jsonb;
begin
  perform sediment.refuse_deleted_user(p_user);
  select coalesce(jsonb_agg(jsonb_build_object('key', a.key, 'relative_path', a.relative_path,
    'file_name', a.file_name, 'size', a.size, 'content_hash', a.content_hash, 'etag', a.etag,
    'uploaded_at', a.updated_at) order by a.key), '[]')
  into strict v_assets
  from (
    select * from public.assets x
    where x.user_id = p_user and (v_after is null or x.key > v_after)
      and (p_prefix is null or starts_with(x.key, p_prefix))
    order by x.key limit v_limit + 1
  ) a;
  if jsonb_array_length(v_assets) <= v_limit then
    return jsonb_build_object('assets', v_assets, 'next_cursor', null);
  end if;
  v_assets := v_assets - v_limit;
  return jsonb_build_object('assets', v_assets,
    'next_cursor', sediment.encode_cursor(jsonb_build_object('after', v_assets -> -1 ->> 'key')));
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
    'files', to_jsonb(v_files), 'next_cursor', case when v_more then sediment.encode_cursor(jsonb_build_object(
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
  d := sediment.own_dataset(p_user, p_dataset);
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
      -- of several schemas of one fingerprint that of the first file stands for all
      select distinct on (n.schema_fingerprint) n.schema_fingerprint, n.digest, n.place
      from numbered n where n.place <= v_limit order by n.schema_fingerprint, n.place
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
  perform sediment.spend_upload(p_user, p_size);

  v_key := format('assets/%s/%s.%s', p_user, v_stage, lower(substring(p_file_name from '\.([A-Za-z0-9]+)$')));
  insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, stage_id, content_hash,
    asset_key, details)
  values (v_key, 'asset', p_size, v_expires, v_expires + make_interval(secs => p_max_put_seconds), p_user, v_stage,
    p_content_hash, p_key, jsonb_build_object('relative_path', p_relative_path, 'file_name', p_file_name));
  return jsonb_build_object('stage_id', v_stage, 'object_key', v_key, 'expires_at', v_expires,
    'replaces', v_current.key is not null);
end $function$;

CREATE OR REPLACE FUNCTION public.stage_upload(p_user uuid, p_dataset uuid, p_table text, p_period_tag text, p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text DEFAULT 'fragment'::text, p_ttl_seconds integer DEFAULT 120, p_max_put_seconds integer DEFAULT 7200, p_details jsonb DEFAULT NULL::jsonb, p_idempotency_key text DEFAULT NULL::text, p_again boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return sediment.answer_of(sediment.stage_uploads(jsonb_build_array(jsonb_build_object(
    'p_user', p_user, 'p_dataset', p_dataset, 'p_table', p_table, 'p_period_tag', p_period_tag, 'p_size', p_size,
    'p_content_hash', p_content_hash, 'p_offsets_digest', p_offsets_digest, 'p_kind', p_kind,
    'p_ttl_seconds', p_ttl_seconds, 'p_max_put_seconds', p_max_put_seconds, 'p_details', p_details,
    'p_idempotency_key', p_idempotency_key, 'p_again', p_again))));
end $function$;

revoke all on function "public"."stage_upload"(uuid, uuid, text, text, bigint, text, text, text, integer, integer, jsonb, text, boolean) from public, anon, authenticated, service_role;

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
  where d.id = p.dataset_id and d.deletion_version > (u.answer ->> 'version')::bigint
    and sediment.upload_deleted_at(u) is not null;
  perform sediment.keep_idempotency_key(p.user_id, p.idempotency_key,
    concat_ws('/', p.dataset_id, p."table", p.period_tag, p.content_hash, p.offsets_digest));
end $function$;

CREATE OR REPLACE FUNCTION sediment.check_dataset_quota(p_user uuid, p_final boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_max integer;
begin
  select coalesce(l.datasets_max, s.datasets_max) into v_max
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  if v_max is null then
    return;
  end if;
  if p_final then
    perform sediment.lock_quota(p_user);
  end if;
  if (select count(*) from public.datasets d where d.user_id = p_user and d.deleted_at is null) >= v_max then
    perform sediment.fail('quota_exceeded', 429, format('datasets_max: the user has %s datasets', v_max),
      format('at most %s datasets', v_max));
  end if;
end $function$;

CREATE OR REPLACE FUNCTION sediment.commit_uploads(p_calls jsonb)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_indexonlyscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_calls sediment.commit_call[] := sediment.lock_commit_calls(p_calls);
  v_call sediment.commit_call;
  v_read record;
  v_files sediment.commit_file[];
  v_entered uuid[];
  v_limited boolean;
  v_new record;
  v_refused boolean := false;
  v_going sediment.commit_call[];
  v_answers jsonb := '{}';
begin
  v_read := sediment.read_commit_files(v_calls);
  v_files := v_read.files;
  if v_read.wrong is not null then
    -- the ledger held it when it was staged, so that no files came along, and then it was deleted
    perform sediment.refuse_deleted_stages(v_calls);
    for v_call in select c.* from unnest(v_calls) as c where v_read.wrong ? c.n::text loop
      v_calls[v_call.n].outcome := sediment.failure('invalid_request', 400, v_read.wrong ->> v_call.n::text);
    end loop;
  end if;

  -- Whoever inserts the identity first acknowledges it; a racer waits here and then reads what was answered.
  with entered as (
    insert into public.uploads (id, dataset_id, "table", period_tag, content_hash, offsets_digest, user_id,
      object_key, size)
    select c.stage, c.dataset_id, c."table", c.period_tag, c.content_hash, c.offsets_digest, c.user_id,
      c.object_key, c.size
    from unnest(v_calls) as c
    where c.outcome is null and not c.known
    order by c.dataset_id, c."table", c.period_tag, c.content_hash
    on conflict (dataset_id, "table", period_tag, content_hash) do nothing
    returning id
  )
  select coalesce(array_agg(e.id), '{}') into strict v_entered from entered e;
  select coalesce(bool_or(sediment.is_near_quota(x.user_id, x.bytes, x.max)), false) into strict v_limited
  from (
    select c.user_id, sum(c.object_size)::bigint as bytes,
      coalesce(min(l.stored_bytes_max), min(s.stored_bytes_max)) as max
    from unnest(v_calls) as c
    join public.service_settings s on s.id
    left join public.user_limits l on l.user_id = any (array[c.user_id])
    where c.outcome is null and not c.known
    group by c.user_id
  ) x
  where x.max is not null;
  if v_limited then
    -- which of its users it is, check_stored finds out
    select array_agg((c.n, c.stage, c.user_id, c.size, c.object_size, c.etag, c.files, c.dataset_id, c."table",
      c.period_tag, c.content_hash, c.offsets_digest, c.object_key, c.known, true, c.outcome)::sediment.commit_call
      order by c.n)
    into strict v_calls from unnest(v_calls) as c;
  end if;

  if cardinality(v_entered) = cardinality(v_calls) and not v_limited then
    -- as mostly: nothing is known, refused or limited
    v_going := v_calls;
  else
    -- By user, then as they came: two groups that wait for users' quotas must not wait for each other.
    for v_call in
      select c.* from unnest(v_calls) as c
      where c.outcome is null and (c.limited or c.stage <> all (v_entered)) order by c.user_id, c.n
    loop
      v_calls[v_call.n].outcome := case when v_call.stage = any (v_entered)
        then sediment.quota_outcome(v_call, v_calls) else sediment.first_outcome(v_call) end;
    end loop;
    select array_agg(c) into v_going from unnest(v_calls) as c where c.outcome is null;
    select array_agg(f order by f.dataset_id, f."table", f.period_tag, f.n, f.ordinal) into v_files
    from unnest(v_files) as f where f.n in (select c.n from unnest(v_going) as c);
  end if;

  -- What is new with them: datasets, made here, and partitions. By user, then as they came, as above.
  for v_new in
    with x as materialized (
      select distinct f.n, f.user_id, f.dataset_id, f."table", f.period_tag from unnest(v_files) as f
    )
    select x.n, count(*) filter (where p.dataset_id is null)::integer as partitions,
      array_agg(distinct x."table") filter (where p.dataset_id is null) as tables
    from x
    left join public.datasets d on d.id = any (array[x.dataset_id])
    left join public.partitions p on p.dataset_id = any (array[x.dataset_id]) and p."table" = x."table"
      and p.period_tag = x.period_tag
    where d.id is null or d.user_id <> x.user_id or p.dataset_id is null
    group by x.user_id, x.n
    order by x.user_id, x.n
  loop
    v_calls[v_new.n].outcome := sediment.admit_commit(v_calls[v_new.n], v_new.partitions, v_new.tables);
    v_refused := v_refused or v_calls[v_new.n].outcome is not null;
  end loop;
  if v_refused then
    select array_agg(c) into v_going from unnest(v_calls) as c where c.outcome is null;
    select array_agg(f order by f.dataset_id, f."table", f.period_tag, f.n, f.ordinal) into v_files
    from unnest(v_files) as f where f.n in (select c.n from unnest(v_going) as c);
  end if;

  if v_going is not null then
    v_answers := sediment.write_commits(v_going, v_files);
  end if;

  for v_call in select c.* from unnest(v_calls) as c where c.outcome ? 'heal' order by c.n loop
    v_calls[v_call.n].outcome := (
      select sediment.heal_upload(v_call, u) from public.uploads u
      where u.dataset_id = v_call.dataset_id and u."table" = v_call."table" and u.period_tag = v_call.period_tag
        and u.content_hash = v_call.content_hash);
  end loop;

  return (
    select array_agg(coalesce(c.outcome, jsonb_build_object('answer', v_answers -> c.n::text)) order by c.n)
    from unnest(v_calls) as c);
end $function$;

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
    'table', x."table", 'period_tag', x.period_tag, 'upload_id', x.upload_id, 'version', x.version, 'purge', x.purge, 'state', x.state,
    'done', case when x.purge then x.state = 'purged' and v_left = 0 else x.state <> 'marked' end,
    'files', v_sum.files, 'rows', v_sum.rows, 'bytes', v_sum.bytes, 'assets', v_sum.assets, 'objects_left', v_left,
    'requested_at', x.requested_at, 'removed_at', x.removed_at, 'purged_at', x.purged_at);
end $function$;

revoke all on function "sediment"."deletion_receipt"(public.deletions) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.end_partition_run(p public.partitions)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_left record;
begin
  update public.processing_metrics r
  set status = 'success', completed_at = v_now, step = null, error_code = null, error_message = null,
    error_step = null, decision = 'ended: what it was to compact was deleted'
  where r.id in (p.run_id, p.next_run_id);
  if p.msg_id is not null then
    perform sediment.queue_archive(p.queue, p.msg_id);
  end if;
  update public.dead_letters l set resolved_at = v_now, resolution = 'deleted'
  where l.dataset_id = p.dataset_id and l."table" = p."table" and l.period_tag = p.period_tag
    and l.resolved_at is null;

  select count(*) as files, coalesce(sum(f.byte_length), 0)::bigint as bytes, min(f.uploaded_at) as oldest
  into strict v_left from public.battle_files f
  where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
    and f.removed_version is null and f.state = 'active'
    and not (sediment.has_marks(p.dataset_id) and sediment.is_marked(f, 9223372036854775807));
  update public.partitions x
  set queue = null, msg_id = null, run_id = null, next_run_id = null, ready_at = null, token = x.token + 1,
    lease_expires_at = null, lease_worker = null, lease_slot = null, claimed_at = null, claimed_demand_seq = null,
    claimed_debt_files = null, claimed_debt_bytes = null, due_at = null, dead_since = null, dead_looks = 0,
    idle_runs = 0, staged_inputs = null, isolation = null, output_cap_bytes = null, plan_digest = null,
    debt_files = v_left.files, debt_bytes = v_left.bytes, debt_oldest = v_left.oldest,
    demand_seq = x.demand_seq + (v_left.files > 0)::integer, done_seq = x.demand_seq,
    last_decision = 'ended: what it was to compact was deleted', last_considered_at = v_now
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  if v_left.files > 0 then
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'realtime', 'follow_up', 0);
  end if;
end $function$;

revoke all on function "sediment"."end_partition_run"(public.partitions) from public, anon, authenticated, service_role;

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
  -- the dataset was nobody's when it was planned, and became another user's
  if v_first.user_id <> p.user_id then
    return sediment.failure('dataset_forbidden', 403, format('dataset %s belongs to another user', p.dataset_id));
  end if;
  if exists (select 1 from public.datasets d where d.id = p.dataset_id
      and d.deletion_version > (v_first.answer ->> 'version')::bigint)
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
    return '{"heal": true}';
  end if;
  perform sediment.discard_object(x.object_key, 'a duplicate upload')
  from public.objects x where x.stage_id = p.stage and x.state = 'staged';
  return jsonb_build_object('answer', v_first.answer || jsonb_build_object('duplicate', true));
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
    if (u.answer ->> 'version')::bigint < x.version and sediment.upload_deleted_at(u) is not null then
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

revoke all on function "sediment"."forget_deleted"(public.deletions, integer) from public, anon, authenticated, service_role;

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
      select jsonb_agg(jsonb_build_object('table', f -> 'table', 'period_tag', f -> 'period_tag', 'row_count',
        f -> 'row_count')) from jsonb_array_elements(u.answer -> 'files') f));
  return true;
end $function$;

revoke all on function "sediment"."forget_upload"(public.uploads) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.has_marks(p_dataset uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select exists (select 1 from public.deletions x where x.dataset_id = p_dataset and x.state = 'marked')
$function$;

revoke all on function "sediment"."has_marks"(uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.identity_digest(p_dataset uuid, p_table text, p_period_tag text, p_content_hash text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_key text;
begin
  select k.key into v_key from public.identity_key k;
  if not found then
    insert into public.identity_key (key) values (replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''))
    on conflict (id) do nothing;
    select k.key into strict v_key from public.identity_key k;
  end if;
  -- one block of 64 bytes, the length of the key: nothing has to be padded
  return encode(sha256(convert_to(translate(v_key, '0123456789abcdef', 'ghijklmnopqrstuv'), 'UTF8')
    || sha256(convert_to(v_key || concat_ws('/', p_dataset, p_table, p_period_tag, p_content_hash), 'UTF8'))), 'hex');
end $function$;

revoke all on function "sediment"."identity_digest"(uuid, text, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.is_marked(f public.battle_files, p_version bigint)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select exists (
    select 1 from public.deletions x
    where x.dataset_id = f.dataset_id and x.state = 'marked' and x.version > f.added_version and x.version <= p_version
      and (x."table" is null or x."table" = f."table") and (x.period_tag is null or x.period_tag = f.period_tag))
$function$;

revoke all on function "sediment"."is_marked"(public.battle_files, bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.list_inputs(p_dataset uuid, p_table text, p_period_tag text, p_after bigint, p_limit integer, p_only bigint[] DEFAULT NULL::bigint[])
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_page jsonb;
  v_schema record;
  v_schemas jsonb := '{}';
  v_count integer := 0;
  v_bytes integer := 0;
  v_marks constant boolean := sediment.has_marks(p_dataset);
begin
  with page as (
    select f.* from public.battle_files f
    where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
      and f.removed_version is null and f.seq_min > p_after
      and not (v_marks and sediment.is_marked(f, 9223372036854775807)) and (p_only is null or f.id = any (p_only))
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
        from public.service_settings s) then 'quarantined' else k.state end, 'checksum', k.checksum, 'etag', k.etag,
      'uploaded_at', k.uploaded_at, 'rewrite', k.rewrite) order by k.seq_min) from kept k), '[]'),
    'digests', coalesce((select jsonb_agg(jsonb_build_array(d.fingerprint, d.digest) order by d.seq_min) from (
      select distinct on (k.schema_fingerprint) k.schema_fingerprint as fingerprint, k.seq_min,
        coalesce(k.schema_digest, k.schema_fingerprint) as digest
      from kept k where k.state = 'active' order by k.schema_fingerprint, k.seq_min) d), '[]'),
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
    deleted_at = case when v_kind = 'dataset' then coalesce(y.deleted_at, clock_timestamp()) else y.deleted_at end,
    oldest_kept_version = case when p_purge then v_version.version else y.oldest_kept_version end,
    oldest_kept_at = case when p_purge then clock_timestamp() else y.oldest_kept_at end
  where y.id = d.id;
  return x;
end $function$;

revoke all on function "sediment"."mark_deletion"(public.datasets, uuid, text, text, boolean, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.note_deleted_user()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  insert into public.deletions (kind, user_id, requested_by) values ('user', old.id, old.id)
  on conflict (user_id) where kind = 'user' do nothing;
  return old;
end $function$;

revoke all on function "sediment"."note_deleted_user"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.own_dataset(p_user uuid, p_dataset uuid)
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
        and (x.upload_id is null or y.upload_id = x.upload_id)
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

revoke all on function "sediment"."purge_removed"(public.deletions, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.read_stage_calls(p_calls jsonb)
 RETURNS sediment.stage_call[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  return (
    select array_agg(row(c.n, a.p_user, a.p_dataset, a.p_table, a.p_period_tag, a.p_size, a.p_content_hash,
      coalesce(a.p_offsets_digest, ''), coalesce(a.p_kind, 'fragment'), coalesce(a.p_ttl_seconds, 120),
      coalesce(a.p_max_put_seconds, 7200), a.p_details, a.p_idempotency_key,
      case when u.answer is not null and gone.at is null and sediment.lost_files(u.id) = 0 then u.answer end,
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
        when d.user_id <> a.p_user then
          sediment.failure('dataset_forbidden', 403, format('dataset %s belongs to another user', a.p_dataset))
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
      end)::sediment.stage_call order by c.n)
    from jsonb_array_elements(p_calls) with ordinality as c(value, n)
    cross join lateral jsonb_to_record(c.value) as a(p_user uuid, p_dataset uuid, p_table text, p_period_tag text,
      p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text, p_ttl_seconds integer,
      p_max_put_seconds integer, p_details jsonb, p_idempotency_key text, p_again boolean)
    left join public.datasets d on d.id = any (array[a.p_dataset])
    left join public.uploads u on u.dataset_id = any (array[a.p_dataset]) and u."table" = a.p_table
      and u.period_tag = a.p_period_tag and u.content_hash = a.p_content_hash
    left join public.deletions z on z.user_id = any (array[a.p_user]) and z.kind = 'user'
    cross join lateral (select case when d.deletion_version > (u.answer ->> 'version')::bigint
      then sediment.upload_deleted_at(u) end as at) gone);
end $function$;

CREATE OR REPLACE FUNCTION sediment.refuse_deleted_stages(p_calls sediment.commit_call[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_call record;
begin
  for v_call in
    select c.n, c.stage, c.user_id, c.dataset_id, c."table", c.period_tag, c.files,
      coalesce(o.staged_version, 0) as staged_version, d.deletion_version, z.id is not null as by_user
    from unnest(p_calls) as c
    join public.datasets d on d.id = any (array[c.dataset_id])
    join public.objects o on o.object_key = any (array[c.object_key])
    left join public.deletions z on z.user_id = any (array[c.user_id]) and z.kind = 'user'
    where d.deletion_version > coalesce(o.staged_version, 0) or z.id is not null
  loop
    if v_call.by_user then
      perform sediment.refuse_deleted_user(v_call.user_id);
    end if;
    if exists (
      select 1 from public.deletions x
      where x.dataset_id = v_call.dataset_id and x.version > v_call.staged_version and x.upload_id is null
        and ((x."table" is null or x."table" = v_call."table")
            and (x.period_tag is null or x.period_tag = v_call.period_tag)
          or jsonb_typeof(v_call.files) = 'array' and exists (
            select 1 from jsonb_array_elements(v_call.files) f
            where (x."table" is null or x."table" = f ->> 'table')
              and (x.period_tag is null or x.period_tag = f ->> 'period_tag'))))
    then
      perform sediment.fail('dataset_deleted', 410,
        format('stage %s was opened before what it was for was deleted', v_call.stage), 'a new upload');
    end if;
  end loop;
end $function$;

revoke all on function "sediment"."refuse_deleted_stages"(sediment.commit_call[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.refuse_deleted_user(p_user uuid)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if exists (select 1 from public.deletions x where x.user_id = p_user and x.kind = 'user') then
    perform sediment.fail('user_deleted', 410, format('user %s was deleted', p_user), 'another account');
  end if;
end $function$;

revoke all on function "sediment"."refuse_deleted_user"(uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.refuse_marked_inputs(p public.partitions, p_run uuid, p_inputs bigint[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if sediment.has_marks(p.dataset_id) and exists (
    select 1 from public.battle_files f
    where f.id = any (p_inputs) and sediment.is_marked(f, 9223372036854775807))
  then
    perform sediment.fail('lease_lost', 409, format('what run %s has read is being deleted', p_run));
  end if;
end $function$;

revoke all on function "sediment"."refuse_marked_inputs"(public.partitions, uuid, bigint[]) from public, anon, authenticated, service_role;

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
    set state = 'removed', removed_at = clock_timestamp(), after_table = '', after_period_tag = '', after_hash = ''
    where y.id = x.id;
  end if;
  return v_files;
end $function$;

revoke all on function "sediment"."remove_marked"(public.deletions, integer) from public, anon, authenticated, service_role;

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

  select case when x.purge then '0' else make_interval(secs => s.signed_url_seconds) end
  into strict v_keep from public.service_settings s;
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

revoke all on function "sediment"."remove_user"(public.deletions, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.replace_files(p public.partitions, p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_input_keys text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
  perform sediment.refuse_marked_inputs(p, p_run, p_inputs);

  update public.datasets d set retired_bytes = d.retired_bytes + v_in.bytes where d.id = p.dataset_id;
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
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest)
    select p.dataset_id, p."table", p.period_tag, p_run, p_n, v_out.object_key, 0, v_out.size, v_out.etag,
      v_in.level + 1, v_in.seq_min, v_in.seq_max, v_out.row_count, v_out.row_group_count,
      v_out.uncompressed_bytes, v_out.value_count, v_out.merge_facts, v_out.schema_fingerprint, v_out.stats,
      v_version.version, r.user_id, v_now, v_out.checksum, sediment.schema_digest(p_output -> 'schema')
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
end $function$;

CREATE OR REPLACE FUNCTION sediment.stage_uploads(p_calls jsonb)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_indexonlyscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_calls sediment.stage_call[] := sediment.read_stage_calls(p_calls);
  v_call sediment.stage_call;
  v_now timestamptz := clock_timestamp();
  v_detail text;
  v_hint text;
  v_out jsonb[];
begin
  -- By what they lock, then as they came: two groups with calls of the same users must not wait for each other.
  for v_call in
    select c.* from unnest(v_calls) as c where c.needs_admission and c.outcome is null
    order by c.user_id, c.dataset_id, c.idempotency_key, c.n
  loop
    begin
      perform sediment.admit_upload(v_call);
    exception when others then
      -- the errors of sediment.fail are this call's own; any other, and a lock not had, is the group's
      if sqlstate not like 'SD%' then
        raise;
      end if;
      get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
      v_calls[v_call.n].outcome := sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
    end;
  end loop;

  v_calls := sediment.spend_uploads(v_calls);

  with planned as materialized (
    select c.*, t.stage_id, t.suffix, v_now + make_interval(secs => c.ttl_seconds) as expires_at,
      v_now + make_interval(secs => c.ttl_seconds + c.max_put_seconds) as put_deadline,
      format('battle_data/%s/%s/%s/%s%s', c.dataset_id, c."table", c.period_tag, t.stage_id, t.suffix) as object_key,
      case when c.kind like 'direct%' then format('incoming/%s/%s%s', c.user_id, t.stage_id, t.suffix) end
        as incoming_key
    from unnest(v_calls) as c
    cross join lateral (select gen_random_uuid() as stage_id,
      case when c.kind like '%concatenated' then '.bin' else '.parquet' end as suffix) t
  ), fragments as (
    insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, "table",
      period_tag, stage_id, content_hash, offsets_digest, details, staged_version)
    select p.object_key, 'fragment', p.size, p.expires_at, p.put_deadline, p.user_id, p.dataset_id, p."table",
      p.period_tag, p.stage_id, p.content_hash, p.offsets_digest, p.details,
      (select d.version from public.datasets d where d.id = any (array[p.dataset_id]))
    from planned p where p.outcome is null
  ), incoming as (
    insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, stage_id)
    select p.incoming_key, 'incoming', p.size, p.expires_at, p.put_deadline, p.user_id, p.dataset_id, p.stage_id
    from planned p where p.outcome is null and p.incoming_key is not null
  )
  select array_agg(coalesce(p.outcome, jsonb_build_object('answer', jsonb_build_object(
    'stage_id', p.stage_id, 'object_key', p.object_key, 'incoming_key', p.incoming_key,
    'expires_at', p.expires_at, 'duplicate', p.first_answer is not null,
    'answer', p.first_answer || jsonb_build_object('duplicate', true)))) order by p.n)
  into strict v_out
  from planned p;
  return v_out;
end $function$;

CREATE OR REPLACE FUNCTION sediment.upload_deleted_at(u public.uploads)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select case when bool_and(x.at is not null) then max(x.at) end
  from jsonb_array_elements(u.answer -> 'files') f
  cross join lateral (
    select min(d.requested_at) as at from public.deletions d
    where d.dataset_id = u.dataset_id and d.version > (u.answer ->> 'version')::bigint
      and (d.upload_id is null or d.upload_id = u.id)
      and (d."table" is null or d."table" = f ->> 'table')
      and (d.period_tag is null or d.period_tag = f ->> 'period_tag')) x
$function$;

revoke all on function "sediment"."upload_deleted_at"(public.uploads) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.watch_auth_users(p_users text DEFAULT 'auth.users'::text)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if to_regclass(p_users) is null then
    return false;
  end if;
  if exists (select 1 from pg_catalog.pg_trigger t
    where t.tgrelid = to_regclass(p_users) and t.tgname = 'sediment_note_deleted_user')
  then
    return true;
  end if;
  execute format('create trigger sediment_note_deleted_user after delete on %s
    for each row execute function sediment.note_deleted_user()', to_regclass(p_users));
  return true;
end $function$;

revoke all on function "sediment"."watch_auth_users"(text) from public, anon, authenticated, service_role;

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
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest)
    select f.dataset_id, f."table", f.period_tag, f.stage, f.ordinal, f.object_key, f.start_byte,
      f.byte_length, f.etag, 0, v_seqs[f.ordinality], v_seqs[f.ordinality], f.row_count, f.row_group_count,
      f.uncompressed_bytes, f.value_count, f.merge_facts, f.schema_fingerprint, f.stats,
      (select v.version from unnest(v_versions) as v where v.dataset_id = f.dataset_id), f.user_id, v_now,
      f.checksum, f.schema_digest
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
end $function$;

ALTER TABLE "public"."dead_letters" ADD CONSTRAINT "dead_letters_resolution_check" CHECK ((resolution = ANY (ARRAY['redriven'::text, 'succeeded'::text, 'deleted'::text])));

ALTER TABLE "public"."deletions" ADD CONSTRAINT "deletions_dataset_id_fkey" FOREIGN KEY (dataset_id) REFERENCES public.datasets(id);

ALTER TABLE "public"."deletions" ADD CONSTRAINT "deletions_parent_id_fkey" FOREIGN KEY (parent_id) REFERENCES public.deletions(id);

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_deleted_upload_seconds_check" CHECK ((deleted_upload_seconds >= 0));

CREATE INDEX deletions_dataset ON public.deletions USING btree (dataset_id, version);

CREATE INDEX deletions_marked ON public.deletions USING btree (dataset_id) WHERE (state = 'marked'::text);

CREATE INDEX deletions_open ON public.deletions USING btree (requested_at) WHERE (forgotten_at IS NULL);

CREATE INDEX deletions_parent ON public.deletions USING btree (parent_id) WHERE (parent_id IS NOT NULL);

CREATE UNIQUE INDEX deletions_upload ON public.deletions USING btree (upload_id) WHERE (upload_id IS NOT NULL);

CREATE UNIQUE INDEX deletions_users ON public.deletions USING btree (user_id) WHERE (kind = 'user'::text);

CREATE INDEX deletions_user ON public.deletions USING btree (user_id);

CREATE INDEX forgotten_uploads_dataset ON public.forgotten_uploads USING btree (dataset_id);

CREATE TRIGGER sediment_note_deleted_user AFTER DELETE ON auth.users FOR EACH ROW EXECUTE FUNCTION sediment.note_deleted_user();

CREATE POLICY "owner_reads" ON "public"."deletions" FOR SELECT TO "authenticated" USING ((user_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "service_all" ON "public"."deletions" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."forgotten_uploads" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."identity_key" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

COMMENT ON COLUMN "public"."service_settings"."deleted_upload_seconds" IS 'How long the bytes of a deleted upload are refused with upload_deleted unless they come with again=1: what clients keep to retry, and a day. After that they are a new upload. Unit: seconds. Default: 172800 (2 days).';

COMMENT ON TABLE "public"."deletions" IS 'What was deleted when, by whom: the receipts.';

REVOKE ALL ON FUNCTION "public"."advance_deletions"(integer, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."advance_deletions"(integer, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."delete_data"(uuid, uuid, text, text, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."delete_data"(uuid, uuid, text, text, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."delete_upload"(uuid, uuid, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."delete_upload"(uuid, uuid, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."delete_user"(uuid, uuid, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."delete_user"(uuid, uuid, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."deletion_status"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."deletion_status"(uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."stage_upload"(uuid, uuid, text, text, bigint, text, text, text, integer, integer, jsonb, text, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."stage_upload"(uuid, uuid, text, text, bigint, text, text, text, integer, integer, jsonb, text, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."deletion_receipt"(public.deletions) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."deletion_receipt"(public.deletions) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."end_partition_run"(public.partitions) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."end_partition_run"(public.partitions) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."forget_deleted"(public.deletions, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."forget_deleted"(public.deletions, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."forget_upload"(public.uploads) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."forget_upload"(public.uploads) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."has_marks"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."has_marks"(uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."identity_digest"(uuid, text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."identity_digest"(uuid, text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."is_marked"(public.battle_files, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."is_marked"(public.battle_files, bigint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."mark_deletion"(public.datasets, uuid, text, text, boolean, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."mark_deletion"(public.datasets, uuid, text, text, boolean, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."note_deleted_user"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."note_deleted_user"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."purge_removed"(public.deletions, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."purge_removed"(public.deletions, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."refuse_deleted_stages"(sediment.commit_call[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."refuse_deleted_stages"(sediment.commit_call[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."refuse_deleted_user"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."refuse_deleted_user"(uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."refuse_marked_inputs"(public.partitions, uuid, bigint[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."refuse_marked_inputs"(public.partitions, uuid, bigint[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."remove_marked"(public.deletions, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."remove_marked"(public.deletions, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."remove_user"(public.deletions, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."remove_user"(public.deletions, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."upload_deleted_at"(public.uploads) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."upload_deleted_at"(public.uploads) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."watch_auth_users"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."watch_auth_users"(text) TO "service_role";

GRANT SELECT ON TABLE "public"."deletions" TO "authenticated";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."deletions" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."forgotten_uploads" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."identity_key" TO "service_role";

select cron.schedule('sediment_deletions', '* * * * *', 'select public.advance_deletions(10000)');

select sediment.watch_auth_users();
