-- Members of a dataset, invitations, handover; row security by dataset instead of by copied user ids.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP POLICY "owner_reads" ON "public"."assets";

DROP POLICY "owner_reads" ON "public"."battle_files";

DROP POLICY "owner_reads" ON "public"."dataset_versions";

DROP POLICY "owner_reads" ON "public"."datasets";

DROP POLICY "owner_reads" ON "public"."dead_letters";

DROP POLICY "owner_reads" ON "public"."deletions";

DROP POLICY "owner_reads" ON "public"."ended_rows";

DROP POLICY "owner_reads" ON "public"."partitions";

DROP POLICY "owner_reads" ON "public"."processing_metrics";

DROP POLICY "owner_reads" ON "public"."table_settings";

DROP POLICY "owner_reads" ON "public"."uploads";

DROP POLICY "owner_reads" ON "public"."user_limits";

DROP INDEX "public"."dead_letters_user";

DROP FUNCTION "sediment"."require_owned_dataset"(uuid, uuid);

CREATE TABLE "public"."dataset_invitations" ("id" uuid NOT NULL DEFAULT gen_random_uuid(), "dataset_id" uuid NOT NULL, "role" text NOT NULL, "token_hash" text NOT NULL, "user_id" uuid, "keep_role" text, "invited_by" uuid, "created_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), "expires_at" timestamp with time zone NOT NULL, "accepted_at" timestamp with time zone, "accepted_by" uuid, "revoked_at" timestamp with time zone, CONSTRAINT "dataset_invitations_check1" CHECK (((keep_role IS NULL) OR (role = 'owner'::text))), CONSTRAINT "dataset_invitations_check" CHECK (((accepted_at IS NULL) = (accepted_by IS NULL))), CONSTRAINT "dataset_invitations_keep_role_check" CHECK ((keep_role = ANY (ARRAY['writer'::text, 'reader'::text]))), CONSTRAINT "dataset_invitations_pkey" PRIMARY KEY (id), CONSTRAINT "dataset_invitations_role_check" CHECK ((role = ANY (ARRAY['owner'::text, 'writer'::text, 'reader'::text]))), CONSTRAINT "dataset_invitations_token_hash_key" UNIQUE (token_hash));

revoke all on "public"."dataset_invitations" from public, anon, authenticated, service_role;

ALTER TABLE "public"."dataset_invitations" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."dataset_members" ("dataset_id" uuid NOT NULL, "user_id" uuid NOT NULL, "role" text NOT NULL, "invited_by" uuid, "since" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "dataset_members_pkey" PRIMARY KEY (dataset_id, user_id), CONSTRAINT "dataset_members_role_check" CHECK ((role = ANY (ARRAY['writer'::text, 'reader'::text]))));

revoke all on "public"."dataset_members" from public, anon, authenticated, service_role;

ALTER TABLE "public"."dataset_members" ENABLE ROW LEVEL SECURITY;

ALTER TYPE "sediment"."commit_call" ADD ATTRIBUTE "owner_id" uuid CASCADE;

ALTER TYPE "sediment"."stage_call" ADD ATTRIBUTE "owner_id" uuid CASCADE;

CREATE OR REPLACE FUNCTION public.accept_invitation(p_user uuid, p_token text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_hash constant text := encode(sha256(convert_to(p_token, 'UTF8')), 'hex');
  v_owner uuid;
  d public.datasets;
  i public.dataset_invitations;
begin
  select * into i from public.dataset_invitations x where x.token_hash = v_hash;
  if not found or p_user is null or i.user_id <> p_user then
    perform sediment.fail('not_found', 404, 'there is no such invitation', 'a token that an owner has sent');
  end if;
  perform sediment.refuse_deleted_user(p_user);
  select y.user_id into strict v_owner from public.datasets y where y.id = i.dataset_id;
  if i.role = 'owner' then
    perform sediment.lock_quota(least(v_owner, p_user));
    perform sediment.lock_quota(greatest(v_owner, p_user));
  end if;
  d := sediment.lock_dataset(null, i.dataset_id, 'owner');
  select * into strict i from public.dataset_invitations x where x.id = i.id for no key update;
  if d.deleted_at is not null then
    perform sediment.fail('dataset_deleted', 410, format('dataset %s was deleted on %s', d.id, d.deleted_at));
  end if;
  if i.accepted_by = p_user and sediment.dataset_role(p_user, d.id) = i.role then
    return jsonb_build_object('dataset_id', d.id, 'role', i.role, 'owner_id', d.user_id);
  end if;
  if i.accepted_at is not null or i.revoked_at is not null or i.expires_at <= clock_timestamp()
    or i.role = 'owner' and d.user_id <> v_owner
  then
    perform sediment.fail('invitation_gone', 410, case
      when i.accepted_at is not null then 'the invitation was accepted before'
      when i.revoked_at is not null then 'the invitation was revoked'
      when i.expires_at <= clock_timestamp() then format('the invitation has expired on %s', i.expires_at)
      else 'the dataset was handed over meanwhile' end, 'a new invitation');
  end if;
  if d.user_id = p_user then
    perform sediment.fail('invalid_request', 400, 'the dataset is the user''s own', 'another user');
  end if;
  -- before a handover ends those that are open
  update public.dataset_invitations x set accepted_at = clock_timestamp(), accepted_by = p_user where x.id = i.id;
  if i.role = 'owner' then
    perform sediment.hand_over(d, p_user, i.keep_role);
  else
    insert into public.dataset_members as m (dataset_id, user_id, role, invited_by)
    values (d.id, p_user, i.role, i.invited_by)
    on conflict (dataset_id, user_id) do update set role = excluded.role, invited_by = excluded.invited_by;
  end if;
  return jsonb_build_object('dataset_id', d.id, 'role', i.role,
    'owner_id', case when i.role = 'owner' then p_user else d.user_id end);
end $function$;

revoke all on function "public"."accept_invitation"(uuid, text) from public, anon, authenticated, service_role;

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
  perform sediment.require_role(p_user, d.id, 'owner');
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
    and sediment.dataset_role(p_user, x.dataset_id) is distinct from 'owner') then
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
  if exists (select 1 from public.datasets d where d.id = o.dataset_id) then
    perform sediment.require_role(p_user, o.dataset_id, 'writer');
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

CREATE OR REPLACE FUNCTION public.invite_member(p_user uuid, p_dataset uuid, p_role text, p_invitee uuid DEFAULT NULL::uuid, p_keep_role text DEFAULT NULL::text, p_ttl_seconds integer DEFAULT 604800)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  -- members, and offers that are open, of one dataset
  v_most constant integer := 1000;
  v_now constant timestamptz := clock_timestamp();
  v_token constant text := 'sdi_' || replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
  d public.datasets;
  i public.dataset_invitations;
begin
  if (p_role in ('owner', 'writer', 'reader')) is not true
    or p_keep_role is not null and (p_role <> 'owner' or p_keep_role not in ('writer', 'reader'))
  then
    perform sediment.fail('invalid_request', 400, 'the role is none, or the one to keep is not of a handover',
      'role owner, writer or reader; keep_role writer or reader, beside role owner');
  end if;
  if (p_ttl_seconds between 60 and 2592000) is not true then
    perform sediment.fail('invalid_request', 400, format('the invitation would last %s s', p_ttl_seconds),
      '60 to 2592000 seconds');
  end if;
  d := sediment.lock_dataset(p_user, p_dataset, 'owner');
  if p_invitee = d.user_id then
    perform sediment.fail('invalid_request', 400, 'the dataset is that user''s already', 'another user');
  end if;
  delete from public.dataset_invitations x
  where x.dataset_id = d.id and x.expires_at < v_now - interval '30 days';
  if v_most <= (select count(*) from public.dataset_members m where m.dataset_id = d.id) + (
    select count(*) from public.dataset_invitations x where x.dataset_id = d.id and x.expires_at > v_now
      and x.accepted_at is null and x.revoked_at is null)
  then
    perform sediment.fail('quota_exceeded', 429, format('members: the dataset has %s, with open invitations', v_most),
      format('at most %s members and open invitations', v_most));
  end if;
  insert into public.dataset_invitations (dataset_id, role, token_hash, user_id, keep_role, invited_by, expires_at)
  values (d.id, p_role, encode(sha256(convert_to(v_token, 'UTF8')), 'hex'), p_invitee, p_keep_role, p_user,
    v_now + make_interval(secs => p_ttl_seconds))
  returning * into strict i;
  return jsonb_build_object('invitation_id', i.id, 'dataset_id', d.id, 'role', i.role, 'user_id', i.user_id,
    'keep_role', i.keep_role, 'token', v_token, 'expires_at', i.expires_at);
end $function$;

revoke all on function "public"."invite_member"(uuid, uuid, text, uuid, text, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.list_dead_letters(p_user uuid, p_dataset uuid DEFAULT NULL::uuid, p_limit integer DEFAULT 100, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 1000);
  v_cursor jsonb := sediment.decode_cursor(p_cursor);
  v_at timestamptz;
  v_id bigint;
  v_open integer;
  v_letters jsonb;
  v_next text;
  v_datasets uuid[];
begin
  if v_cursor is not null and (coalesce(v_cursor ->> 'before', '') !~ '^\d{1,18}$'
    or coalesce(v_cursor ->> 'at', '') !~ '^\d{1,18}$')
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  v_at := to_timestamp(0) + make_interval(secs => (v_cursor ->> 'at')::bigint / 1000000.0);
  v_id := (v_cursor ->> 'before')::bigint;

  -- a user's and everybody's are two questions: one plan for both would read everybody's
  if p_user is null then
    select count(*) into strict v_open from (
      select 1 from public.dead_letters l
      where l.resolved_at is null and (p_dataset is null or l.dataset_id = p_dataset) limit 1000
    ) x;
    v_letters := (
      select jsonb_agg(sediment.letter_json(l) order by l.created_at desc, l.id desc) from (
        select * from public.dead_letters x
        where x.resolved_at is null and (p_dataset is null or x.dataset_id = p_dataset)
          and (v_id is null or (x.created_at, x.id) < (v_at, v_id))
        order by x.created_at desc, x.id desc limit v_limit + 1) l);
  else
    v_datasets := sediment.datasets_of(p_user, 'reader');
    select count(*) into strict v_open from (
      select 1 from public.dead_letters l
      where l.dataset_id = any (v_datasets) and l.resolved_at is null and (p_dataset is null or l.dataset_id = p_dataset) limit 1000
    ) x;
    v_letters := (
      select jsonb_agg(sediment.letter_json(l) order by l.created_at desc, l.id desc) from (
        select * from public.dead_letters x
        where x.dataset_id = any (v_datasets) and x.resolved_at is null and (p_dataset is null or x.dataset_id = p_dataset)
          and (v_id is null or (x.created_at, x.id) < (v_at, v_id))
        order by x.created_at desc, x.id desc limit v_limit + 1) l);
  end if;
  v_letters := coalesce(v_letters, '[]');
  if jsonb_array_length(v_letters) > v_limit then
    v_letters := v_letters - v_limit;
    v_next := sediment.encode_cursor(jsonb_build_object('before', v_letters -> -1 ->> 'id',
      'at', v_letters -> -1 ->> 'at'));
  end if;
  v_letters := (select coalesce(jsonb_agg(l.value - 'at' order by l.n), '[]')
    from jsonb_array_elements(v_letters) with ordinality as l(value, n));
  return jsonb_build_object('open', v_open, 'letters', v_letters, 'next_cursor', v_next);
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
    'signed_url_seconds', (select s.signed_url_seconds from public.service_settings s), 'files', to_jsonb(v_files), 'next_cursor', case when v_more then sediment.encode_cursor(jsonb_build_object(
      'd', d.id, 'v', v_version, 't', v_files[cardinality(v_files)] -> 'table',
      'p', v_files[cardinality(v_files)] -> 'period_tag', 's', v_files[cardinality(v_files)] -> 'seq_min')) end);
end $function$;

CREATE OR REPLACE FUNCTION public.list_members(p_user uuid, p_dataset uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  d constant public.datasets := sediment.require_dataset(p_user, p_dataset, 'reader');
  v_role constant text := sediment.dataset_role(p_user, p_dataset);
  v_all constant boolean := p_user is null or v_role = 'owner';
begin
  return jsonb_build_object('dataset_id', d.id, 'owner_id', d.user_id, 'role', v_role,
    'members', (
      select coalesce(jsonb_agg(jsonb_build_object('user_id', m.user_id, 'role', m.role, 'invited_by', m.invited_by,
        'since', m.since) order by m.since, m.user_id), '[]')
      from public.dataset_members m where m.dataset_id = d.id and (v_all or m.user_id = p_user)),
    'invitations', (
      select coalesce(jsonb_agg(jsonb_build_object('invitation_id', i.id, 'role', i.role, 'user_id', i.user_id,
        'keep_role', i.keep_role, 'created_at', i.created_at, 'expires_at', i.expires_at)
        order by i.created_at, i.id), '[]')
      from public.dataset_invitations i
      where v_all and i.dataset_id = d.id and i.accepted_at is null and i.revoked_at is null
        and i.expires_at > clock_timestamp()));
end $function$;

revoke all on function "public"."list_members"(uuid, uuid) from public, anon, authenticated, service_role;

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
  d := sediment.require_dataset(p_user, p_dataset);
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

CREATE OR REPLACE FUNCTION public.redrive_dead_letters(p_user uuid, p_ids bigint[] DEFAULT NULL::bigint[], p_filter jsonb DEFAULT NULL::jsonb, p_limit integer DEFAULT 100)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  -- ids are meant as they stand: the limit is for filters
  v_limit integer := least(greatest(coalesce(p_limit, 100), cardinality(p_ids), 1), 1000);
  v_filter jsonb := coalesce(p_filter, '{}');
  v_datasets constant uuid[] := sediment.datasets_of(p_user, 'writer');
  v_ids bigint[];
  v_key record;
  v_run uuid;
  v_redriven jsonb := '[]';
  v_done jsonb;
  v_skipped jsonb;
begin
  if cardinality(p_ids) > 1000 or jsonb_typeof(v_filter) <> 'object'
    or v_filter - array['dataset_id', 'table', 'error_code', 'before'] <> '{}'
  then
    perform sediment.fail('invalid_request', 400, 'over 1000 ids, or a filter with other fields',
      'dataset_id, table, error_code, before');
  end if;

  select coalesce(array_agg(x.id), '{}') into strict v_ids
  from (
    select l.id from public.dead_letters l
    where l.resolved_at is null and l.dataset_id is not null and l."table" is not null
      and (p_user is null or l.dataset_id = any (v_datasets))
      and (p_ids is null or l.id = any (p_ids))
      and (v_filter ->> 'dataset_id' is null or l.dataset_id = (v_filter ->> 'dataset_id')::uuid)
      and (v_filter ->> 'table' is null or l."table" = v_filter ->> 'table')
      and (v_filter ->> 'error_code' is null or l.error_code = v_filter ->> 'error_code')
      and (v_filter ->> 'before' is null or l.last_failed_at < (v_filter ->> 'before')::timestamptz)
    order by l.id limit v_limit
  ) x;

  -- all partitions first, sorted; the queue after them
  perform 1 from public.partitions p
  where (p.dataset_id, p."table", p.period_tag) in (
    select l.dataset_id, l."table", l.period_tag from public.dead_letters l where l.id = any (v_ids))
  order by p.dataset_id, p."table", p.period_tag
  for no key update;

  for v_key in
    select distinct l.dataset_id, l."table", l.period_tag from public.dead_letters l
    where l.id = any (v_ids) and l.resolved_at is null order by 1, 2, 3
  loop
    update public.partitions p
    set demand_seq = p.demand_seq + 1, forced_seq = p.demand_seq + 1
    where p.dataset_id = v_key.dataset_id and p."table" = v_key."table" and p.period_tag = v_key.period_tag;
    v_run := sediment.wake_partition(v_key.dataset_id, v_key."table", v_key.period_tag, 'manual', 'redrive', 0);
    with done as (
      update public.dead_letters l
      set resolved_at = clock_timestamp(), resolution = 'redriven', redriven_run_id = v_run
      where l.id = any (v_ids) and l.resolved_at is null and l.dataset_id = v_key.dataset_id
        and l."table" = v_key."table" and l.period_tag = v_key.period_tag
      returning l.id
    )
    select coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'run_id', v_run, 'dataset_id', v_key.dataset_id,
      'table', v_key."table", 'period_tag', v_key.period_tag) order by d.id), '[]') into strict v_done from done d;
    v_redriven := v_redriven || v_done;
  end loop;

  select coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'reason', case
      when l.id is null or (p_user is not null and (l.dataset_id = any (v_datasets)) is not true) then 'not_found'
      when l.resolved_at is not null then 'resolved' else 'no_partition' end) order by i.id), '[]')
  into strict v_skipped
  from unnest(p_ids) as i(id)
  left join public.dead_letters l on l.id = i.id
  where not exists (select 1 from jsonb_array_elements(v_redriven) r where (r ->> 'id')::bigint = i.id);
  perform sediment.spend_request(p_user);
  return jsonb_build_object('redriven', v_redriven, 'skipped', v_skipped, 'more', cardinality(v_ids) = v_limit);
end $function$;

CREATE OR REPLACE FUNCTION public.remove_member(p_user uuid, p_dataset uuid, p_member uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
begin
  d := sediment.lock_dataset(p_user, p_dataset, case when p_user = p_member then 'reader' else 'owner' end);
  if d.user_id = p_member then
    perform sediment.fail('invalid_request', 400, 'the owner is no member', 'a handover: an invitation of role owner');
  end if;
  delete from public.dataset_members m where m.dataset_id = d.id and m.user_id = p_member;
  return jsonb_build_object('dataset_id', d.id, 'user_id', p_member, 'removed', found);
end $function$;

revoke all on function "public"."remove_member"(uuid, uuid, uuid) from public, anon, authenticated, service_role;

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
  d := sediment.require_dataset(p_user, p_dataset, 'writer');

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
  d := sediment.require_dataset(p_user, p_dataset, 'writer');
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

CREATE OR REPLACE FUNCTION public.revoke_invitation(p_user uuid, p_dataset uuid, p_invitation uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
begin
  d := sediment.lock_dataset(p_user, p_dataset, 'owner');
  if not exists (select 1 from public.dataset_invitations i where i.id = p_invitation and i.dataset_id = d.id) then
    perform sediment.fail('not_found', 404, format('there is no invitation %s', p_invitation));
  end if;
  update public.dataset_invitations i set revoked_at = clock_timestamp()
  where i.id = p_invitation and i.accepted_at is null and i.revoked_at is null and i.expires_at > clock_timestamp();
  return jsonb_build_object('dataset_id', d.id, 'invitation_id', p_invitation, 'revoked', found);
end $function$;

revoke all on function "public"."revoke_invitation"(uuid, uuid, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.run_status(p_user uuid, p_run uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  r public.processing_metrics;
  v_children record;
  v_status text;
  v_step text;
begin
  select * into r from public.processing_metrics x where x.id = p_run;
  if not found or (p_user is not null and sediment.dataset_role(p_user, r.dataset_id) is null) then
    perform sediment.fail('run_not_found', 404, format('there is no run %s', p_run));
  end if;

  v_status := case r.status when 'queued' then 'queued' when 'running' then 'running'
    when 'success' then 'success' else 'error' end;
  v_step := r.step;
  if r.operation = 'fan_out' then
    select count(*) as total, count(c.completed_at) as done,
      count(*) filter (where c.status in ('failure', 'dlq_failure', 'timeout')) as failed
    into strict v_children
    from public.run_children k join public.processing_metrics c on c.id = k.child_id where k.parent_id = r.id;
    v_status := case
      when r.completed_at is not null and v_children.total = 0 then v_status -- the history of its runs is gone
      when r.fan_out_cursor is not null and v_children.total = 0 then 'queued'
      when r.fan_out_cursor is not null or v_children.done < v_children.total then 'running'
      when v_children.failed > 0 then 'error'
      else 'success' end;
  end if;

  return jsonb_build_object('instanceId', r.id, 'dataset_id', r.dataset_id, 'table', r."table",
    'period_tag', r.period_tag, 'operation', r.operation, 'trigger', r.trigger, 'priority', r.priority,
    'status', v_status, 'state', r.status, 'step', v_step, 'progress', r.progress,
    -- the plan of the attempt at work, before its first commit too
    'decision', coalesce(case when r.status = 'running' then r.steps #>> '{merge,decision}' end, r.decision),
    'attempts', r.attempts, 'commits', r.commits,
    'output', case when r.operation = 'compaction' and (r.completed_at is not null or r.commits > 0) then
      coalesce(r.output, '{}') || jsonb_build_object('files_before', r.files_before, 'files_after', r.files_after,
        'row_groups_before', r.row_groups_before, 'row_groups_after', r.row_groups_after,
        'rows_before', r.rows_before, 'rows_after', r.rows_after, 'bytes_before', r.bytes_before,
        'bytes_after', r.bytes_after, 'files_quarantined', r.files_quarantined) end,
    'error', case when r.error_code is not null and r.status <> 'success' then
      jsonb_build_object('code', r.error_code, 'message', r.error_message, 'step', r.error_step) end,
    'children', case when r.operation = 'fan_out' then to_jsonb(v_children) end,
    'queued_at', r.queued_at, 'started_at', r.started_at, 'completed_at', r.completed_at,
    'next_attempt_at', (select p.ready_at from public.partitions p
      where r.status = 'queued' and p.dataset_id = r.dataset_id and p."table" = r."table"
        and p.period_tag = r.period_tag and p.run_id = r.id));
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
  d := sediment.require_dataset(p_user, p_dataset);
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

CREATE OR REPLACE FUNCTION sediment.admit_commit(p sediment.commit_call, p_partitions integer, p_tables text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_detail text;
  v_hint text;
begin
  if not exists (select 1 from public.datasets d where d.id = p.dataset_id) then
    perform sediment.check_dataset_quota(p.user_id, true);
    insert into public.datasets (id, user_id) values (p.dataset_id, p.user_id) on conflict (id) do nothing;
  end if;
  -- a racer may have been first: look again
  perform sediment.require_role(p.user_id, p.dataset_id, 'writer');
  if p_partitions > 0 then
    perform sediment.check_partition_quota(p.owner_id, p.dataset_id, p_partitions, p_tables);
  end if;
  return null;
exception when others then
  -- a lock not had is the group's error
  if sqlstate not like 'SD%' then
    raise;
  end if;
  delete from public.uploads u where u.id = p.stage;
  get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
  return sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
end $function$;

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
  v_call.owner_id := p_user;
  v_call.size := p_bytes;
  perform sediment.answer_of(array[c.outcome])
  from unnest(sediment.spend_uploads(array[v_call])) as c where c.outcome is not null;
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
      v_calls[v_call.n].outcome := case when v_call.files = '[]' and exists (
          select 1 from public.objects o join public.datasets d on d.id = o.dataset_id
          where o.object_key = v_call.object_key and d.deletion_version > coalesce(o.staged_version, 0))
        then sediment.failure('stage_expired', 410, format('what stage %s was a duplicate of was deleted', v_call.stage))
        else sediment.failure('invalid_request', 400, v_read.wrong ->> v_call.n::text) end;
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
  select coalesce(bool_or(sediment.is_near_quota(x.owner_id, x.bytes, x.max)), false) into strict v_limited
  from (
    select c.owner_id, sum(c.object_size)::bigint as bytes,
      coalesce(min(l.stored_bytes_max), min(s.stored_bytes_max)) as max
    from unnest(v_calls) as c
    join public.service_settings s on s.id
    left join public.user_limits l on l.user_id = any (array[c.owner_id])
    where c.outcome is null and not c.known
    group by c.owner_id
  ) x
  where x.max is not null;
  if v_limited then
    -- which of the owners it is, check_stored finds out
    select array_agg((c.n, c.stage, c.user_id, c.size, c.object_size, c.etag, c.files, c.dataset_id, c."table",
      c.period_tag, c.content_hash, c.offsets_digest, c.object_key, c.known, true, c.outcome, c.owner_id)::sediment.commit_call
      order by c.n)
    into strict v_calls from unnest(v_calls) as c;
  end if;

  if cardinality(v_entered) = cardinality(v_calls) and not v_limited then
    -- as mostly: nothing is known, refused or limited
    v_going := v_calls;
  else
    -- By owner, then as they came: two groups that wait for owners' quotas must not wait for each other.
    for v_call in
      select c.* from unnest(v_calls) as c
      where c.outcome is null and (c.limited or c.stage <> all (v_entered)) order by c.owner_id, c.n
    loop
      v_calls[v_call.n].outcome := case when v_call.stage = any (v_entered)
        then sediment.quota_outcome(v_call, v_calls) else sediment.first_outcome(v_call) end;
    end loop;
    select array_agg(c) into v_going from unnest(v_calls) as c where c.outcome is null;
    select array_agg(f order by f.dataset_id, f."table", f.period_tag, f.n, f.ordinal) into v_files
    from unnest(v_files) as f where f.n in (select c.n from unnest(v_going) as c);
  end if;

  -- What is new with them: datasets, made here, and partitions. By owner, then as they came, as above.
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
    group by coalesce(d.user_id, x.user_id), x.n
    order by coalesce(d.user_id, x.user_id), x.n
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

CREATE OR REPLACE FUNCTION sediment.dataset_role(p_user uuid, p_dataset uuid)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select case when d.user_id = p_user then 'owner' else (
    select m.role from public.dataset_members m where m.dataset_id = d.id and m.user_id = p_user) end
  from public.datasets d where d.id = p_dataset
$function$;

revoke all on function "sediment"."dataset_role"(uuid, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.datasets_of(p_user uuid, p_needed text)
 RETURNS uuid[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return array(
    select d.id from public.datasets d where d.user_id = p_user
    union all
    select m.dataset_id from public.dataset_members m
    where m.user_id = p_user and sediment.role_suffices(m.role, p_needed));
end $function$;

revoke all on function "sediment"."datasets_of"(uuid, text) from public, anon, authenticated, service_role;

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

CREATE OR REPLACE FUNCTION sediment.hand_over(d public.datasets, p_to uuid, p_keep_role text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform sediment.refuse_deleted_user(d.user_id);
  perform sediment.check_dataset_quota(p_to, true);
  perform sediment.check_stored(p_to, d.file_size_bytes + d.retired_bytes);
  perform sediment.check_partition_quota(p_to, d.id, d.partition_count::integer, '{}');
  update public.datasets y set user_id = p_to, updated_at = clock_timestamp() where y.id = d.id;
  delete from public.dataset_members m where m.dataset_id = d.id and m.user_id = p_to;
  if p_keep_role is not null then
    insert into public.dataset_members (dataset_id, user_id, role, invited_by)
    values (d.id, d.user_id, p_keep_role, d.user_id);
  end if;
  update public.dataset_invitations x set revoked_at = clock_timestamp()
  where x.dataset_id = d.id and x.accepted_at is null and x.revoked_at is null;
end $function$;

revoke all on function "sediment"."hand_over"(public.datasets, uuid, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.lock_commit_calls(p_calls jsonb)
 RETURNS sediment.commit_call[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  return (
    with calls as materialized (
      select c.n::integer as n, a.*
      from jsonb_array_elements(p_calls) with ordinality as c(value, n)
      cross join lateral jsonb_to_record(c.value) as a(p_stage uuid, p_user uuid, p_size bigint, p_etag text,
        p_content_hash text, p_files jsonb, p_object_size bigint)
    ), locked as materialized (
      select o as object, o.stage_id, o.user_id, o.dataset_id, o."table", o.period_tag, o.content_hash,
        o.offsets_digest, o.object_key, o.state, o.size
      from public.objects o
      where o.stage_id = any (array(select c.p_stage from calls c)) and o.stage_id is not null and o.kind = 'fragment'
      order by o.stage_id
      for update
    ), staged as (
      select c.*, o.dataset_id, o."table", o.period_tag, o.content_hash, o.offsets_digest, o.object_key, o.state,
        -- looked into where something differs: the call costs more than the comparison
        case when (o.user_id = c.p_user and o.content_hash = c.p_content_hash
          and (o.state <> 'staged' or o.size = c.p_size)) is not true
          then sediment.stage_failure(o.object, c.p_stage, c.p_user, c.p_content_hash, c.p_size) end as failure,
        row_number() over (partition by o.dataset_id, o."table", o.period_tag, o.content_hash order by c.n) > 1 as again
      from calls c left join locked o on o.stage_id = c.p_stage
    )
    select array_agg(row(s.n, s.p_stage, s.p_user, s.p_size, coalesce(s.p_object_size, s.p_size), s.p_etag, s.p_files,
      s.dataset_id, s."table", s.period_tag, s.content_hash, s.offsets_digest, s.object_key,
      u.id is not null or s.state <> 'staged', false,
      case when s.failure is not null then s.failure when s.again then '{"busy": true}'::jsonb end,
      coalesce(d.user_id, s.p_user))::sediment.commit_call order by s.n)
    from staged s
    left join public.datasets d on d.id = any (array[s.dataset_id])
    left join public.uploads u on u.dataset_id = any (array[s.dataset_id]) and u."table" = s."table"
      and u.period_tag = s.period_tag and u.content_hash = s.content_hash);
end $function$;

CREATE OR REPLACE FUNCTION sediment.lock_dataset(p_user uuid, p_dataset uuid, p_needed text)
 RETURNS public.datasets
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform 1 from public.datasets d where d.id = p_dataset for no key update;
  -- a statement after the lock: it sees what was waited for
  return sediment.require_dataset(p_user, p_dataset, p_needed);
end $function$;

revoke all on function "sediment"."lock_dataset"(uuid, uuid, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.quota_outcome(p sediment.commit_call, p_calls sediment.commit_call[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_detail text;
  v_hint text;
begin
  perform sediment.check_stored(p.owner_id, (
    select sum(c.object_size)::bigint from unnest(p_calls) as c
    where c.owner_id = p.owner_id and c.n <= p.n and c.outcome is null));
  return null;
exception when others then
  -- a lock not had is the group's error
  if sqlstate not like 'SD%' then
    raise;
  end if;
  delete from public.uploads u where u.id = p.stage;
  get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
  return sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
end $function$;

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
      end, coalesce(d.user_id, a.p_user))::sediment.stage_call order by c.n)
    from jsonb_array_elements(p_calls) with ordinality as c(value, n)
    cross join lateral jsonb_to_record(c.value) as a(p_user uuid, p_dataset uuid, p_table text, p_period_tag text,
      p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text, p_ttl_seconds integer,
      p_max_put_seconds integer, p_details jsonb, p_idempotency_key text, p_again boolean)
    left join public.datasets d on d.id = any (array[a.p_dataset])
    left join public.dataset_members m on m.dataset_id = any (array[d.id]) and m.user_id = a.p_user
    left join public.uploads u on u.dataset_id = any (array[a.p_dataset]) and u."table" = a.p_table
      and u.period_tag = a.p_period_tag and u.content_hash = a.p_content_hash
    left join public.deletions z on z.user_id = any (array[a.p_user]) and z.kind = 'user'
    cross join lateral (select case when d.deletion_version > (u.answer ->> 'version')::bigint
      then sediment.upload_deleted_at(u) end as at) gone);
end $function$;

CREATE OR REPLACE FUNCTION sediment.refuse_removed_writers(p_calls sediment.commit_call[])
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
    select c.user_id, c.dataset_id from unnest(p_calls) as c
    join public.datasets d on d.id = any (array[c.dataset_id])
    where d.user_id <> c.user_id
  loop
    perform sediment.require_role(v_call.user_id, v_call.dataset_id, 'writer');
  end loop;
end $function$;

revoke all on function "sediment"."refuse_removed_writers"(sediment.commit_call[]) from public, anon, authenticated, service_role;

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
  delete from public.dataset_members m where m.user_id = x.user_id;
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

CREATE OR REPLACE FUNCTION sediment.require_dataset(p_user uuid, p_dataset uuid, p_needed text DEFAULT 'reader'::text)
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
  perform sediment.require_role(p_user, p_dataset, p_needed);
  if p_user is not null then
    perform sediment.refuse_deleted_user(p_user);
  end if;
  if p_user is not null and v_dataset.deleted_at is not null then
    perform sediment.fail('dataset_deleted', 410, format('dataset %s was deleted on %s', p_dataset,
      v_dataset.deleted_at));
  end if;
  return v_dataset;
end $function$;

revoke all on function "sediment"."require_dataset"(uuid, uuid, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.require_role(p_user uuid, p_dataset uuid, p_needed text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_role constant text := sediment.dataset_role(p_user, p_dataset);
begin
  if p_user is null or sediment.role_suffices(v_role, p_needed) then
    return;
  end if;
  if v_role is null then
    perform sediment.fail('dataset_forbidden', 403, format('dataset %s belongs to another user', p_dataset));
  end if;
  perform sediment.fail('dataset_forbidden', 403, format('in dataset %s the user is a %s', p_dataset, v_role),
    format('the role %s', p_needed));
end $function$;

revoke all on function "sediment"."require_role"(uuid, uuid, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.role_suffices(p_role text, p_needed text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select coalesce(array_position(array['reader', 'writer', 'owner'], p_role)
    >= array_position(array['reader', 'writer', 'owner'], p_needed), false)
$function$;

revoke all on function "sediment"."role_suffices"(text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.spend_uploads(p_calls sediment.stage_call[])
 RETURNS sediment.stage_call[]
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_minute constant timestamptz := date_trunc('minute', v_now);
  v_day constant timestamptz := date_trunc('day', v_now, 'UTC');
  v_rooms sediment.user_room[] := sediment.user_rooms(
    array(select c.user_id from unnest(p_calls) as c where c.outcome is null
      union select c.owner_id from unnest(p_calls) as c where c.outcome is null), v_now);
  v_calls sediment.stage_call[] := p_calls;
  v_call sediment.stage_call;
  r sediment.user_room;
  v_at integer := 0;
  v_planner integer;
begin
  for v_call in
    select c.* from unnest(p_calls) as c where c.outcome is null order by c.owner_id, c.n
  loop
    while v_at = 0 or v_rooms[v_at].user_id <> v_call.owner_id loop
      v_at := v_at + 1;
    end loop;
    v_planner := v_at;
    if v_call.user_id <> v_call.owner_id then
      v_planner := 1;
      while v_rooms[v_planner].user_id <> v_call.user_id loop
        v_planner := v_planner + 1;
      end loop;
    end if;
    r := v_rooms[v_planner];
    -- counted when what was planned since the last time comes to the limit, not for each
    if r.open_stages >= r.open_stages_max then
      r.open_stages := (
        select count(*) from (
          select 1 from public.objects o
          where o.user_id = any (array[r.user_id]) and o.state = 'staged' and o.user_id is not null
          limit r.open_stages_max) x);
      v_rooms[v_planner] := r;
    end if;
    r := v_rooms[v_at];
    v_call.outcome := case
      when r.minute_uploads >= r.uploads_per_minute then
        sediment.failure('rate_limited', 429,
          format('uploads_per_minute: over %s uploads a minute', r.uploads_per_minute),
          format('retry after %s s', ceil(extract(epoch from v_minute + interval '1 minute' - v_now))))
      when r.day_bytes + v_call.size > r.upload_bytes_per_day then
        sediment.failure('quota_exceeded', 429,
          format('upload_bytes_per_day: over %s uploaded bytes a day', r.upload_bytes_per_day),
          format('retry after %s s', ceil(extract(epoch from v_day + interval '1 day' - v_now))))
      when r.stored_bytes + v_call.size > r.stored_bytes_max then
        sediment.failure('quota_exceeded', 429,
          format('stored_bytes_max: %s more bytes would pass the %s that may be stored', v_call.size,
            r.stored_bytes_max), format('at most %s stored bytes', r.stored_bytes_max))
      when v_rooms[v_planner].open_stages >= v_rooms[v_planner].open_stages_max then
        sediment.failure('quota_exceeded', 429,
          format('open_stages_max: %s planned uploads were not ended', v_rooms[v_planner].open_stages),
          'uploads that are ended, or time for them to expire')
    end;
    if v_call.outcome is not null then
      v_calls[v_call.n].outcome := v_call.outcome;
      continue;
    end if;
    r.minute_uploads := r.minute_uploads + 1;
    r.day_bytes := r.day_bytes + v_call.size;
    v_rooms[v_at] := r;
    v_rooms[v_planner].open_stages := v_rooms[v_planner].open_stages + 1;
  end loop;

  update public.user_usage u
  set minute_start = v_minute, minute_uploads = x.minute_uploads,
    minute_requests = case when u.minute_start = v_minute then u.minute_requests else 0 end,
    day_start = v_day, day_bytes = x.day_bytes, open_stages = x.open_stages
  from unnest(v_rooms) as x
  where u.user_id = any (array[x.user_id]);
  return v_calls;
end $function$;

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

ALTER TABLE "public"."dataset_invitations" ADD CONSTRAINT "dataset_invitations_dataset_id_fkey" FOREIGN KEY (dataset_id) REFERENCES public.datasets(id);

ALTER TABLE "public"."dataset_members" ADD CONSTRAINT "dataset_members_dataset_id_fkey" FOREIGN KEY (dataset_id) REFERENCES public.datasets(id);

CREATE INDEX dataset_invitations_dataset ON public.dataset_invitations USING btree (dataset_id, created_at);

CREATE INDEX dataset_members_user ON public.dataset_members USING btree (user_id, dataset_id);

CREATE POLICY "member_reads" ON "public"."assets" FOR SELECT TO "authenticated" USING ((user_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "member_reads" ON "public"."battle_files" FOR SELECT TO "authenticated" USING (((removed_version IS NULL) AND (dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE (m.user_id = ( SELECT auth.uid() AS uid)))))));

CREATE POLICY "service_all" ON "public"."dataset_invitations" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "member_reads" ON "public"."dataset_members" FOR SELECT TO "authenticated" USING ((user_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "service_all" ON "public"."dataset_members" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "member_reads" ON "public"."dataset_versions" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE (m.user_id = ( SELECT auth.uid() AS uid))))));

CREATE POLICY "member_reads" ON "public"."datasets" FOR SELECT TO "authenticated" USING (((user_id = ( SELECT auth.uid() AS uid)) OR (id = ANY (ARRAY( SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE (m.user_id = ( SELECT auth.uid() AS uid)))))));

CREATE POLICY "member_reads" ON "public"."dead_letters" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE (m.user_id = ( SELECT auth.uid() AS uid))))));

CREATE POLICY "member_reads" ON "public"."deletions" FOR SELECT TO "authenticated" USING (((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE (m.user_id = ( SELECT auth.uid() AS uid))))) OR ((kind = 'user'::text) AND (user_id = ( SELECT auth.uid() AS uid)))));

CREATE POLICY "member_reads" ON "public"."ended_rows" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE (m.user_id = ( SELECT auth.uid() AS uid))))));

CREATE POLICY "member_reads" ON "public"."partitions" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE (m.user_id = ( SELECT auth.uid() AS uid))))));

CREATE POLICY "member_reads" ON "public"."processing_metrics" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE (m.user_id = ( SELECT auth.uid() AS uid))))));

CREATE POLICY "member_reads" ON "public"."table_settings" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE (m.user_id = ( SELECT auth.uid() AS uid))))));

CREATE POLICY "member_reads" ON "public"."uploads" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE (m.user_id = ( SELECT auth.uid() AS uid))))));

CREATE POLICY "member_reads" ON "public"."user_limits" FOR SELECT TO "authenticated" USING ((user_id = ( SELECT auth.uid() AS uid)));

REVOKE ALL ON FUNCTION "public"."accept_invitation"(uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."accept_invitation"(uuid, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."invite_member"(uuid, uuid, text, uuid, text, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."invite_member"(uuid, uuid, text, uuid, text, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_members"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_members"(uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."remove_member"(uuid, uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."remove_member"(uuid, uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."revoke_invitation"(uuid, uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."revoke_invitation"(uuid, uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."dataset_role"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."dataset_role"(uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."datasets_of"(uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."datasets_of"(uuid, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."hand_over"(public.datasets, uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."hand_over"(public.datasets, uuid, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."lock_dataset"(uuid, uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lock_dataset"(uuid, uuid, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."refuse_removed_writers"(sediment.commit_call[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."refuse_removed_writers"(sediment.commit_call[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."require_dataset"(uuid, uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."require_dataset"(uuid, uuid, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."require_role"(uuid, uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."require_role"(uuid, uuid, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."role_suffices"(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."role_suffices"(text, text) TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."dataset_invitations" TO "service_role";

GRANT SELECT ON TABLE "public"."dataset_members" TO "authenticated";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."dataset_members" TO "service_role";
