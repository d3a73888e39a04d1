-- Deleted users who wait stand before nothing; members' URLs live as long as the owner's; a removal ends offers, a handover looks at who is deleted.
set local lock_timeout = '5s';
set local check_function_bodies = off;

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
  perform sediment.refuse_key(p_user);
  select y.user_id into strict v_owner from public.datasets y where y.id = i.dataset_id;
  if i.role = 'owner' then
    perform sediment.lock_quota(least(v_owner, p_user));
    perform sediment.lock_quota(greatest(v_owner, p_user));
  end if;
  -- once more: who deletes a user holds their quota while they do
  perform sediment.refuse_deleted_user(p_user);
  d := sediment.lock_dataset(null, i.dataset_id, 'owner');
  select * into strict i from public.dataset_invitations x where x.id = i.id for no key update;
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
      -- a user who only waits for what is at their datasets would stand before it, and a hundred of them before everything
      and not (y.kind = 'user'
        and exists (select 1 from public.deletions z
          where z.parent_id = y.id and (z.state = 'marked' or z.purge and z.state <> 'purged'))
        and not exists (select 1 from public.datasets t where t.user_id = y.user_id and t.deleted_at is null)
        and not exists (select 1 from public.assets a where a.user_id = y.user_id))
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

CREATE OR REPLACE FUNCTION public.list_files(p_user uuid, p_dataset uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_from text DEFAULT NULL::text, p_to text DEFAULT NULL::text, p_version bigint DEFAULT NULL::bigint, p_limit integer DEFAULT 1000, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  v_cursor jsonb := sediment.decode_cursor(p_cursor);
  v_version bigint;
  v_marks boolean;
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
  -- after the version that is shown: a mark that comes between the two would be missed by its own version
  v_marks := sediment.has_marks(p_dataset);
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
        from public.dataset_members m where m.dataset_id = d.id and m.user_id = p_user and m.expires_at is not null))
      from public.service_settings s), 'files', to_jsonb(v_files), 'columns', v_columns,
    'totals', sediment.version_totals(d, v_version), 'next_cursor', case when v_more then sediment.encode_cursor(jsonb_build_object(
      'd', d.id, 'v', v_version, 't', v_last,
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
  v_marks boolean;
  v_committed timestamptz;
  v_limit integer := least(greatest(coalesce(p_limit, 5000), 1), 10000);
  v_partitions jsonb;
  v_schemas jsonb;
  v_next jsonb;
  v_names jsonb;
begin
  if v_cursor is not null and (v_cursor - array['v', 't', 'p', 's', 'd'] <> '{}'
    or v_cursor ->> 'd' is distinct from p_dataset::text
    or coalesce(v_cursor ->> 'v', '') !~ '^\d{1,18}$' or coalesce(v_cursor ->> 's', '') !~ '^\d{1,18}$'
    or v_cursor ->> 't' is null or v_cursor ->> 'p' is null)
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  d := sediment.require_dataset(p_user, p_dataset);
  -- after the version that is shown: a mark that comes between the two would be missed by its own version
  v_marks := sediment.has_marks(p_dataset);
  v_names := sediment.names_of(d);
  v_version := sediment.readable_version(d, coalesce((v_cursor ->> 'v')::bigint, p_version));
  select v.committed_at into v_committed from public.dataset_versions v
  where v.dataset_id = d.id and v.version = v_version;

  -- What is visible now comes in index order; what was removed since is as much as compaction did meanwhile.
  with page as (
    (select f."table", f.period_tag, f.seq_min, f.state, f.row_count, f.byte_length, f.uncompressed_bytes,
        f.uploaded_at, sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest) as schema_fingerprint,
        coalesce(f.schema_digest, f.schema_fingerprint) as digest
      from public.battle_files f
      where f.dataset_id = d.id and f.removed_version is null and f.added_version <= v_version
        and not (v_marks and sediment.is_marked(f, v_version))
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
    union all
    (select f."table", f.period_tag, f.seq_min, f.state, f.row_count, f.byte_length, f.uncompressed_bytes,
        f.uploaded_at, sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest) as schema_fingerprint,
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
    select jsonb_build_object('table', coalesce(v_names ->> b."table", b."table"), 'period_tag', b.period_tag, 'files', sum(b.files),
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

CREATE OR REPLACE FUNCTION public.remove_member(p_user uuid, p_dataset uuid, p_member uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  v_removed boolean;
begin
  d := sediment.lock_dataset(p_user, p_dataset, case when p_user = p_member then 'reader' else 'owner' end);
  if d.user_id = p_member then
    perform sediment.fail('invalid_request', 400, 'the owner is no member', 'a handover: an invitation of role owner');
  end if;
  delete from public.dataset_members m where m.dataset_id = d.id and m.user_id = p_member and m.key_id is null;
  v_removed := found;
  -- another offer that they hold would bring them back
  update public.dataset_invitations x set revoked_at = clock_timestamp()
  where x.dataset_id = d.id and x.user_id = p_member and x.accepted_at is null and x.revoked_at is null;
  return jsonb_build_object('dataset_id', d.id, 'user_id', p_member, 'removed', v_removed);
end $function$;
