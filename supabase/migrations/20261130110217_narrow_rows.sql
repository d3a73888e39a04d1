-- New rows of battle_files and of the ledger take less: the fingerprint stands with the schema, the ETag with the object, digests
-- and keys are shorter; and one check a table stands for a dozen that each statement reads anew. What is there was held to the
-- same by the old checks: the next migration looks, and keeps nobody waiting.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_apart_check";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_byte_length_check";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_check1";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_check2";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_check3";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_checksum_check";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_check";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_input_count_check";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_level_check";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_merge_facts_check";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_remake_tries_check";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_rewrite_check";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_row_count_check";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_row_group_count_check";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_start_byte_check";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_state_check";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_uncompressed_bytes_check";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_value_count_check";

ALTER TABLE "public"."partitions" DROP CONSTRAINT "partitions_check1";

ALTER TABLE "public"."partitions" DROP CONSTRAINT "partitions_check2";

ALTER TABLE "public"."partitions" DROP CONSTRAINT "partitions_check";

ALTER TABLE "public"."partitions" DROP CONSTRAINT "partitions_debt_bytes_check";

ALTER TABLE "public"."partitions" DROP CONSTRAINT "partitions_debt_files_check";

ALTER TABLE "public"."partitions" DROP CONSTRAINT "partitions_isolation_check";

ALTER TABLE "public"."partitions" DROP CONSTRAINT "partitions_left_alone_files_check";

ALTER TABLE "public"."partitions" DROP CONSTRAINT "partitions_output_cap_bytes_check";

ALTER TABLE "public"."partitions" DROP CONSTRAINT "partitions_period_tag_check";

ALTER TABLE "public"."partitions" DROP CONSTRAINT "partitions_queue_check";

ALTER TABLE "public"."partitions" DROP CONSTRAINT "partitions_table_check";

DROP FUNCTION "sediment"."keep_schemas"(jsonb[]);

ALTER TABLE "public"."objects" SET (fillfactor=95);

ALTER TABLE "public"."file_schemas" ADD COLUMN "fingerprint" text;

ALTER TABLE "public"."battle_files" ALTER COLUMN "schema_fingerprint" DROP NOT NULL;

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
    'removed_version', f.removed_version);
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
      'uncompressed_bytes', f.uncompressed_bytes, 'schema_fingerprint', sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest),
      'stats', f.stats, 'etag', sediment.etag_of(f.etag, f.object_key), 'seq_min', f.seq_min, 'seq_max', f.seq_max,
      'uploaded_at', f.uploaded_at, 'added_version', f.added_version);
  end loop;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    'signed_url_seconds', (select s.signed_url_seconds from public.service_settings s), 'files', to_jsonb(v_files),
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
  v_marks constant boolean := sediment.has_marks(p_dataset);
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
  v_locked record := sediment.lock_commit_calls(p_calls);
  v_calls sediment.commit_call[] := v_locked.calls;
  v_call sediment.commit_call;
  v_plan sediment.commit_plan;
  v_wrong jsonb;
  v_new record;
  v_going sediment.commit_call[];
  v_some boolean := false; -- not all of them go on
  v_refused boolean := false;
  v_answers jsonb := '{}'::jsonb;
  v_out jsonb[];
begin
  if v_locked.aliased then
    v_calls := sediment.respell_commits(v_calls);
  end if;
  v_plan := sediment.plan_commits(v_calls);
  if v_plan.wrong then
    -- the ledger held it when it was staged, so that no files came along, and then it was deleted
    perform sediment.refuse_deleted_stages(v_calls);
    v_wrong := sediment.wrong_files(v_calls, v_plan.known);
  end if;
  -- Mostly nothing is known, wrong or limited. By owner, then as they came: two groups that wait for owners' quotas must
  -- not wait for each other.
  if v_plan.wrong or v_plan.known is not null or v_plan.limited or v_locked.settled then
    v_some := true;
    for v_call in select c.* from unnest(v_calls) as c where c.outcome is null order by c.owner_id, c.n loop
      v_calls[v_call.n].outcome := case
        when v_call.n = any (v_plan.known) then sediment.first_outcome(v_call)
        when v_wrong ? v_call.n::text then
          case when v_call.files = '[]' and exists (
              select 1 from public.objects o join public.datasets d on d.id = o.dataset_id
              where o.object_key = v_call.object_key and d.deletion_version > coalesce(o.staged_version, 0))
            then sediment.failure('stage_expired', 410,
              format('what stage %s was a duplicate of was deleted', v_call.stage))
            else sediment.failure('invalid_request', 400, v_wrong ->> v_call.n::text) end
        -- which of the owners it is, check_stored finds out
        when v_plan.limited then sediment.quota_outcome(v_call, v_calls)
      end;
    end loop;
    v_plan := sediment.plan_commits(v_calls);
  end if;

  -- What is new with them: datasets, made here, partitions and schemas. By owner, then as they came, as above. What is
  -- known already was asked for by the plan: schemas and partitions are never deleted.
  if v_plan.is_new then
    for v_new in
      with x as materialized (
        select distinct f.n, f.user_id, f.dataset_id, f."table", f.period_tag, f.schema_digest
        from unnest(v_plan.files) as f
      )
      select x.n, count(distinct (x."table", x.period_tag)) filter (where p.dataset_id is null)::integer as partitions,
        array_agg(distinct x."table") filter (where p.dataset_id is null) as tables,
        array_agg(distinct x.schema_digest) filter (where k.digest is null) as schemas
      from x
      left join public.datasets d on d.id = any (array[x.dataset_id])
      left join public.partitions p on p.dataset_id = any (array[x.dataset_id]) and p."table" = x."table"
        and p.period_tag = x.period_tag
      left join public.file_schemas k on k.digest = any (array[x.schema_digest])
      where d.id is null or d.user_id <> x.user_id or p.dataset_id is null or k.digest is null
      group by coalesce(d.user_id, x.user_id), x.n
      order by coalesce(d.user_id, x.user_id), x.n
    loop
      v_calls[v_new.n].outcome := sediment.admit_commit(v_calls[v_new.n], v_new.partitions, v_new.tables,
        -- one for each 64 KiB of its text begun
        case when v_new.schemas is null then 0 else (
          select sum(ceil(octet_length(s.schema::text) / 65536.0))::integer
          from (
            select distinct on (f.schema_digest) f.schema from unnest(v_plan.files) as f
            where f.n = v_new.n and f.schema_digest = any (v_new.schemas)
            order by f.schema_digest
          ) s) end);
      v_refused := v_refused or v_calls[v_new.n].outcome is not null;
    end loop;
    if v_refused then
      v_some := true;
      v_plan := sediment.plan_commits(v_calls);
    end if;
  end if;

  v_going := v_calls;
  if v_some then
    select array_agg(c) into v_going from unnest(v_calls) as c where c.outcome is null;
  end if;
  if v_going is not null then
    v_answers := sediment.write_commits(v_going, v_plan, v_locked.direct);
  end if;

  if v_some then
    for v_call in select c.* from unnest(v_calls) as c where c.outcome ? 'heal' order by c.n loop
      v_calls[v_call.n].outcome := (
        select sediment.heal_upload(v_call, u) from public.uploads u
        where u.dataset_id = v_call.dataset_id and u."table" = v_call."table" and u.period_tag = v_call.period_tag
          and u.content_hash = v_call.content_hash);
    end loop;
    -- those that were stored are counted where they are
    insert into public.metric_deltas (metric, label, events, amount)
    select 'uploads', x.outcome, count(*), sum(x.size)
    from (
      select c.size, case when c.outcome #>> '{answer,healed}' = 'true' then 'healed' else 'duplicate' end as outcome
      from unnest(v_calls) as c where c.outcome ? 'answer'
    ) x
    group by x.outcome;
  end if;

  for i in 1 .. cardinality(v_calls) loop
    v_out[i] := coalesce(v_calls[i].outcome, jsonb_build_object('answer', v_answers -> i::text));
  end loop;
  return v_out;
end $function$;

CREATE OR REPLACE FUNCTION sediment.etag_of(p_etag text, p_object_key text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select coalesce(p_etag, (select o.etag from public.objects o where o.object_key = p_object_key))
$function$;

revoke all on function "sediment"."etag_of"(text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.fingerprint_of(p_fingerprint text, p_digest text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select coalesce(p_fingerprint, (select k.fingerprint from public.file_schemas k where k.digest = p_digest))
$function$;

revoke all on function "sediment"."fingerprint_of"(text, text) from public, anon, authenticated, service_role;

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
      checksum text)
  ), old as (
    select f.* from public.battle_files f where coalesce(f.upload_id, f.run_id) = u.id
  ), healed as (
    update public.battle_files f
    set object_key = p.object_key, etag = null, start_byte = n.start_byte, byte_length = n.byte_length,
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

CREATE OR REPLACE FUNCTION sediment.keep_schemas(p_schemas jsonb[], p_fingerprints text[] DEFAULT NULL::text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  insert into public.file_schemas (digest, schema, fingerprint)
  select distinct on (f.digest) f.digest, f.schema, f.fingerprint
  from (select sediment.schema_digest(s.schema) as digest, s.schema, s.fingerprint
    from unnest(p_schemas, p_fingerprints) as s(schema, fingerprint)) f
  where not exists (select 1 from public.file_schemas k where k.digest = any (array[f.digest]))
  order by f.digest
  on conflict (digest) do nothing;
end $function$;

revoke all on function "sediment"."keep_schemas"(jsonb[], text[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.list_controls(p public.partitions)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return (select coalesce(jsonb_agg(jsonb_build_object(
    'id', c.id, 'object_key', c.object_key, 'start_byte', c.start_byte, 'byte_length', c.byte_length,
    'level', c.level, 'seq_min', c.seq_min, 'seq_max', c.seq_max, 'row_count', c.row_count,
    'row_group_count', c.row_group_count, 'uncompressed_bytes', c.uncompressed_bytes, 'value_count', c.value_count,
    'merge_facts', c.merge_facts, 'schema_fingerprint', sediment.fingerprint_of(c.schema_fingerprint, c.schema_digest), 'state', c.state,
    'checksum', c.checksum, 'etag', sediment.etag_of(c.etag, c.object_key), 'uploaded_at', c.uploaded_at, 'rewrite', null)), '[]')
    from (
      select x.* from (
        select f.* from public.battle_files f
        where f.removed_version is null and f.state = 'active' and f.lost_since is null
        order by f.id desc limit 50) x
      where (x.dataset_id, x."table", x.period_tag) is distinct from (p.dataset_id, p."table", p.period_tag)
        -- it is to be light for any worker
        and x.uncompressed_bytes <= 16777216
      order by (x.level > 0) desc, random() limit 3) c);
end $function$;

CREATE OR REPLACE FUNCTION sediment.list_inputs(p_dataset uuid, p_table text, p_period_tag text, p_after bigint, p_limit integer, p_only bigint[], p_settings jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_told constant integer := 100;
  v_grown constant bigint := ceil(0.75 * (p_settings ->> 'target_file_bytes')::bigint);
  v_healthy constant bigint := (p_settings ->> 'healthy_row_group_bytes')::bigint;
  v_dedupe constant boolean := jsonb_array_length(p_settings -> 'dedupe_keys') > 0;
  v_page jsonb;
  v_schema record;
  v_schemas jsonb := '{}'::jsonb;
  v_count integer := 0;
  v_bytes integer := 0;
  v_marks constant boolean := sediment.has_marks(p_dataset);
  v_pending constant int8multirange := sediment.pending_seqs(p_dataset, p_table, p_period_tag);
begin
  -- in the index's order, so that it ends with the page
  with told as (
    select x.*, count(*) filter (where x.done) over w as done_so_far, lag(x.done) over w as after_done
    from (
      select f.*, f.state <> 'active' or (f.byte_length >= v_grown and f.rewrite is null
        and (v_pending is null or not sediment.seqs_of(f) && v_pending) and not (f.level = 0
        and f.row_group_count > 1 and f.uncompressed_bytes < v_healthy * f.row_group_count)) as done
      from public.battle_files f
      where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
        and f.removed_version is null and f.seq_min > p_after
        and not (v_marks and sediment.is_marked(f, 9223372036854775807)) and (p_only is null or f.id = any (p_only))
    ) x
    window w as (order by x.seq_min)
  ), page as (
    select t.* from told t
    where not t.done or t.done_so_far <= v_told or p_only is not null or (v_dedupe and t.after_done is not true)
    order by t.seq_min
    limit p_limit + 1
  ), kept as (
    select p.*, sediment.fingerprint_of(p.schema_fingerprint, p.schema_digest) as fingerprint
    from page p order by p.seq_min limit p_limit
  )
  select jsonb_build_object(
    'files', coalesce((select jsonb_agg(jsonb_build_object(
      'id', k.id, 'object_key', k.object_key, 'start_byte', k.start_byte, 'byte_length', k.byte_length,
      'level', k.level, 'seq_min', k.seq_min, 'seq_max', k.seq_max, 'row_count', k.row_count,
      'row_group_count', k.row_group_count, 'uncompressed_bytes', k.uncompressed_bytes,
      'value_count', k.value_count, 'merge_facts', k.merge_facts, 'schema_fingerprint', k.fingerprint,
      'state', case when k.lost_since > clock_timestamp() - (select make_interval(secs => s.second_look_seconds)
        from public.service_settings s) then 'quarantined' else k.state end, 'checksum', k.checksum, 'etag', sediment.etag_of(k.etag, k.object_key),
      'uploaded_at', k.uploaded_at, 'rewrite', k.rewrite,
      'apart', k.apart,
      'provenance', case when k.provenance_length is not null then jsonb_build_object('start', k.provenance_start,
        'length', k.provenance_length) end,
      'drop', case when v_pending is not null then (
        select jsonb_agg(s.seq order by s.seq) from public.deleted_slices s
        where s.dataset_id = p_dataset and s."table" = p_table and s.period_tag = p_period_tag and s.version is null
          and coalesce(k.seqs, int8multirange(int8range(k.seq_min, k.seq_max, '[]'))) @> s.seq) end)
      order by k.seq_min) from kept k), '[]'),
    'digests', coalesce((select jsonb_agg(jsonb_build_array(d.fingerprint, d.digest) order by d.seq_min) from (
      select distinct on (k.fingerprint) k.fingerprint, k.seq_min,
        coalesce(k.schema_digest, k.schema_fingerprint) as digest
      from kept k where k.state = 'active' order by k.fingerprint, k.seq_min) d), '[]'),
    'part', (select count(*) filter (where k.done) >= v_told from kept k),
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

CREATE OR REPLACE FUNCTION sediment.list_remake(p public.partitions)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  f public.battle_files;
  v_ids bigint[];
begin
  for f in
    select * from public.battle_files x
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
      and x.removed_version is null and x.remake_at <= clock_timestamp()
    order by x.remake_at limit 10
  loop
    v_ids := sediment.retired_inputs(f);
    if v_ids is null then
      update public.battle_files x set remake_at = null where x.id = f.id;
      continue;
    end if;
    return jsonb_build_object('file', f.id, 'row_count', f.row_count, 'schema_fingerprint',
        sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest),
      'schema', (select s.schema from public.file_schemas s
        where s.digest = coalesce(f.schema_digest, f.schema_fingerprint)),
      'inputs', (select jsonb_agg(jsonb_build_object(
        'id', i.id, 'object_key', i.object_key, 'start_byte', i.start_byte, 'byte_length', i.byte_length,
        'level', i.level, 'seq_min', i.seq_min, 'seq_max', i.seq_max, 'row_count', i.row_count,
        'row_group_count', i.row_group_count, 'uncompressed_bytes', i.uncompressed_bytes,
        'value_count', i.value_count, 'merge_facts', i.merge_facts, 'schema_fingerprint',
        sediment.fingerprint_of(i.schema_fingerprint, i.schema_digest),
        'state', i.state, 'checksum', i.checksum, 'etag', sediment.etag_of(i.etag, i.object_key), 'uploaded_at', i.uploaded_at, 'rewrite', null,
        'provenance', case when i.provenance_length is not null then jsonb_build_object('start', i.provenance_start,
          'length', i.provenance_length) end,
        -- uploads whose rows the output was written without, since they were deleted
        'drop', (select jsonb_agg(s.seq order by s.seq) from public.deleted_slices s
          where s.dataset_id = p.dataset_id and s."table" = p."table" and s.period_tag = p.period_tag
            and sediment.seqs_of(i) @> s.seq and not sediment.seqs_of(f) @> s.seq))
        order by i.seq_min) from public.battle_files i where i.id = any (v_ids)));
  end loop;
  return null;
end $function$;

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
    cross join lateral (select encode(substr(sha256(convert_to(f.schema::text, 'UTF8')), 1, 24), 'base64') as digest) x
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

CREATE OR REPLACE FUNCTION sediment.remake_file(p public.partitions, p_run uuid, p_n integer, p_token bigint, p_file bigint, p_inputs bigint[], p_output jsonb, p_input_keys text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  f public.battle_files;
  v_out record;
begin
  select * into f from public.battle_files x
  where x.id = p_file and x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
    and x.removed_version is null and x.state = 'quarantined'
    and x.quarantine_code in ('object_missing', 'object_changed');
  if not found then
    perform sediment.fail('inputs_changed', 409, format('output %s is not missed any more', p_file));
  end if;
  if (select array_agg(i.id order by i.id) from unnest(p_inputs) as i(id)) is distinct from
    (select array_agg(i.id order by i.id) from unnest(sediment.retired_inputs(f)) as i(id))
  then
    perform sediment.fail('inputs_changed', 409, format('these are not the files that output %s replaced', p_file));
  end if;
  if p_input_keys is null or exists (
    select 1 from unnest(p_inputs, p_input_keys) as i(id, key)
    join public.battle_files x on x.id = i.id where x.object_key is distinct from i.key)
  then
    perform sediment.fail('inputs_changed', 409, 'an input is in another object than the one that was read');
  end if;

  select * into v_out from jsonb_to_record(p_output) as t(object_key text, size bigint, etag text, row_count bigint,
    row_group_count integer, uncompressed_bytes bigint, value_count bigint, merge_facts jsonb, schema_fingerprint text,
    stats jsonb, checksum text, provenance_start bigint, provenance_length integer);
  if (v_out.row_count, v_out.schema_fingerprint) is distinct from (f.row_count, sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest)) then
    perform sediment.fail('merge_rows_differ', 500, format('output %s held %s rows of schema %s, the remade one %s of %s',
      p_file, f.row_count, sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest), v_out.row_count, v_out.schema_fingerprint));
  end if;

  perform 1 from public.datasets d where d.id = p.dataset_id for no key update;
  perform sediment.refuse_marked_inputs(p, p_run, array[p_file]);
  perform sediment.store_output(p_run, p_n, p_token, p_output);
  update public.battle_files x
  set object_key = v_out.object_key, byte_length = v_out.size, etag = v_out.etag,
    row_group_count = v_out.row_group_count, uncompressed_bytes = v_out.uncompressed_bytes,
    value_count = v_out.value_count, merge_facts = v_out.merge_facts, stats = v_out.stats, checksum = v_out.checksum,
    provenance_start = v_out.provenance_start, provenance_length = v_out.provenance_length,
    schema_digest = sediment.schema_digest(p_output -> 'schema'), lost_since = null, state = 'active',
    quarantine_code = null, quarantine_reason = null, quarantined_at = null, remake_at = null, remake_tries = 0
  where x.id = f.id;
  update public.datasets d
  set file_size_bytes = d.file_size_bytes + v_out.size - f.byte_length,
    uncompressed_bytes = d.uncompressed_bytes + v_out.uncompressed_bytes - f.uncompressed_bytes
  where d.id = p.dataset_id;
  -- whoever holds a URL of an object whose bytes changed may still read it
  perform sediment.retire_object(f.object_key, 'its output was remade', sediment.signed_url_life());
  update public.processing_metrics r set attempts = 0 where r.id = p_run;
  return jsonb_build_object('version', null, 'file_id', f.id);
end $function$;

CREATE OR REPLACE FUNCTION sediment.schema_digest(p_schema jsonb)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return encode(substr(sha256(convert_to(p_schema::text, 'UTF8')), 1, 24), 'base64');
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
  return jsonb_build_object('key', sediment.upload_key(u), 'size', u.size, 'uploaded_at', u.created_at, 'metricId', u.metric_id,
    'duplicate', false, 'dataset_id', u.dataset_id, 'version', u.version, 'files', '[]'::jsonb, 'runs', (
      select jsonb_agg(jsonb_build_object('table', p."table", 'period_tag', p.period_tag,
        'metricId', coalesce(u.run_ids[p.n], u.metric_id)) order by p.n)
      from (
        select d."table", d.period_tag,
          row_number() over (order by d."table" collate "C", d.period_tag collate "C") as n
        from (select distinct s."table", s.period_tag from sediment.upload_slices(u) as s) d
      ) p));
end $function$;

CREATE OR REPLACE FUNCTION sediment.upload_key(u public.uploads)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select case when u.object_key like '.%'
    then concat('battle_data/', u.dataset_id, '/', u."table", '/', u.period_tag, '/', u.id, u.object_key)
    else u.object_key end
$function$;

revoke all on function "sediment"."upload_key"(public.uploads) from public, anon, authenticated, service_role;

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
      cross join lateral sediment.wait_for_company(sediment.new_partition(f.dataset_id, f."table"),
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
        from sediment.wait_for_company(x, v_files[f.first_file : f.last_file], v_now) as w),
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
    select a.stage, a.dataset_id, a."table", a.period_tag, a.content_hash, a.offsets_digest, a.user_id,
      case when starts_with(a.object_key, k.stem) then substr(a.object_key, length(k.stem) + 1) else a.object_key end,
      a.size, v_now, a.seqs, a.version, a.main, a.tables, a.period_tags, a.row_counts, a.run_ids
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

ALTER TABLE "public"."battle_files" ADD CONSTRAINT "battle_files_facts" CHECK (((start_byte >= 0) AND (byte_length > 0) AND (level >= 0) AND (state = ANY (ARRAY['active'::text, 'quarantined'::text])) AND (row_count >= 0) AND (row_group_count >= 0) AND (uncompressed_bytes >= 0) AND (value_count >= 0) AND (jsonb_typeof(merge_facts) = 'object'::text) AND (checksum ~ '^[0-9a-f]{16}$'::text) AND (jsonb_typeof(rewrite) = 'object'::text) AND (jsonb_typeof(apart) = 'object'::text) AND (input_count > 0) AND (remake_tries >= 0) AND ((upload_id IS NULL) <> (run_id IS NULL)) AND ((upload_id IS NULL) = (level > 0)) AND (seq_min <= seq_max) AND (removed_version > added_version))) NOT VALID;

ALTER TABLE "public"."partitions" ADD CONSTRAINT "partitions_facts" CHECK ((("table" ~ '^[A-Za-z0-9_-]{1,64}$'::text) AND (period_tag ~ '^[A-Za-z0-9_-]{1,64}$'::text) AND (debt_files >= 0) AND (debt_bytes >= 0) AND (queue = ANY (ARRAY['manual'::text, 'realtime'::text, 'scheduled'::text])) AND (jsonb_typeof(isolation) = 'object'::text) AND (output_cap_bytes > 0) AND (left_alone_files >= 0) AND ((queue IS NULL) = (msg_id IS NULL)) AND ((msg_id IS NULL) = (run_id IS NULL)) AND ((msg_id IS NULL) = (ready_at IS NULL)) AND ((lease_expires_at IS NULL) OR (msg_id IS NOT NULL)) AND ((lease_expires_at IS NULL) = (claimed_demand_seq IS NULL)))) NOT VALID;

REVOKE ALL ON FUNCTION "sediment"."etag_of"(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."etag_of"(text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."fingerprint_of"(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."fingerprint_of"(text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."keep_schemas"(jsonb[], text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."keep_schemas"(jsonb[], text[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."upload_key"(public.uploads) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."upload_key"(public.uploads) TO "service_role";
