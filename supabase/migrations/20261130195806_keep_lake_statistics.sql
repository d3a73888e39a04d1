-- What readers of the lake pass files by: bounds of sort keys (lake_statistics). A table that is shaped anew is shown whole at one
-- snapshot; bounds of a table are a user's; prunings are a job of their own.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP VIEW "lake"."ducklake_file_column_stats";

CREATE TABLE "public"."lake_statistics" ("file_id" bigint NOT NULL, "relation_id" bigint NOT NULL, "column_id" bigint NOT NULL, "value_count" bigint, "null_count" bigint, "min_value" text, "max_value" text, "contains_nan" boolean, CONSTRAINT "lake_statistics_pkey" PRIMARY KEY (file_id, column_id));

revoke all on "public"."lake_statistics" from public, anon, authenticated, service_role;

ALTER TABLE "public"."lake_statistics" ENABLE ROW LEVEL SECURITY;

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
  perform sediment.refuse_request(p_user);
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
      lost_since = null, remake_at = null, remake_tries = 0,
      rewrite = coalesce(f.rewrite, sediment.lake_mark(f."table", f.level, f.lake_version))
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
  perform sediment.spend_request(p_user, jsonb_array_length(v_requested));
  return jsonb_build_object('dataset_id', d.id, 'files', v_files, 'requested', v_requested);
end $function$;

CREATE OR REPLACE FUNCTION sediment.advance_lake(p_bytes bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_ahead constant integer := 100;
  v_most_looked constant integer := 5000;
  v_datasets constant integer := 2000;
  v_stopped boolean := false;
  v_room integer;
  v_left bigint := p_bytes;
  v_seen integer := 0;
  v_marked integer := 0;
  v_dataset uuid;
  v_looked record;
  v_page record;
  t public.lake_tables;
begin
  select * into t from public.lake_tables x
  where x.settled_dataset_id is not null order by x.settling_since nulls first, x.id limit 1
  for no key update skip locked;
  if not found then
    return '{"marked": 0, "bytes": 0}'::jsonb;
  end if;
  t.settling_since := coalesce(t.settling_since, clock_timestamp());
  v_room := v_ahead - (select count(*) from (
    select 1 from public.battle_files f
    join public.partitions p on p.dataset_id = f.dataset_id and p."table" = f."table" and p.period_tag = f.period_tag
    where f.rewrite is not null and f.removed_version is null and f."table" = t.name and p.msg_id is not null
    limit v_ahead) x);

  for v_dataset in
    select d.id from public.datasets d where d.id >= t.settled_dataset_id order by d.id limit v_datasets
  loop
    v_seen := v_seen + 1;
    if v_dataset > t.settled_dataset_id then
      t.settled_dataset_id := v_dataset;
      t.settled_period_tag := '';
      t.settled_seq := -1;
    end if;
    continue when not exists (select 1 from public.partitions p where p.dataset_id = v_dataset and p."table" = t.name);
    v_stopped := v_room <= 0 or (v_left <= 0 and v_marked > 0) or exists (select 1 from public.partitions p
      where p.dataset_id = v_dataset and p."table" = t.name and p.lease_expires_at is not null
        and p.claimed_at <= t.settling_since);
    exit when v_stopped;
    select coalesce(array_agg(l.id), '{}') as ids, array_agg(l.period_tag) as tags, array_agg(l.seq_min) as seqs,
      coalesce(array_agg(l.byte_length), '{}') as sizes, coalesce(array_agg(l.older), '{}') as older
    into strict v_looked from (
      select f.id, f.period_tag, f.seq_min, f.byte_length,
        f.state = 'active' and f.rewrite is null and f.level > 0 and f.lake_version is null as older
      from public.battle_files f
      where f.dataset_id = v_dataset and f."table" = t.name and f.removed_version is null
        and (f.period_tag, f.seq_min) > (t.settled_period_tag, t.settled_seq)
      order by f.period_tag, f.seq_min limit v_most_looked) l;
    select * into strict v_page
    from sediment.take_older(v_looked.sizes, v_looked.older, v_room, v_left, v_marked = 0);

    perform public.mark_for_rewrite((
      select coalesce(jsonb_agg(jsonb_build_object('id', v_looked.ids[k.place], 'reason', 'its table is in the lake')
        order by k.place), '[]')
      from unnest(v_page.taken) as k(place)));
    v_marked := v_marked + cardinality(v_page.taken);
    v_room := v_room - cardinality(v_page.taken);
    v_left := v_left - v_page.bytes;
    t.settled_period_tag := coalesce(v_looked.tags[v_page.reached], t.settled_period_tag);
    t.settled_seq := coalesce(v_looked.seqs[v_page.reached], t.settled_seq);
    v_stopped := not v_page.whole or cardinality(v_looked.ids) >= v_most_looked;
    exit when v_stopped;
  end loop;
  update public.lake_tables x
  set settled_dataset_id = case when v_stopped or v_seen = v_datasets then t.settled_dataset_id end, settling_since = t.settling_since,
    settled_period_tag = t.settled_period_tag, settled_seq = t.settled_seq
  where x.id = t.id;
  return jsonb_build_object('marked', v_marked, 'bytes', p_bytes - v_left);
end $function$;

CREATE OR REPLACE FUNCTION sediment.advance_rewrites()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  v_ahead constant integer := 100;
  v_most_looked constant integer := 5000;
  v_turns constant integer := 20;
  v_turn integer := 0;
  v_picked jsonb;
  v_lake jsonb;
  v_share bigint;
  v_left bigint := (select s.rewrite_bytes_per_hour / 60 from public.service_settings s);
  v_marked bigint := 0;
  v_bytes bigint := 0;
  v_ended integer := 0;
  v_room bigint;
  v_looked record;
  v_page record;
  v_whole boolean;
  v_now timestamptz;
  v_settings jsonb;
  v_grown bigint;
  v_waits timestamptz;
  x public.rewrites;
begin
  v_picked := (
    select jsonb_agg(jsonb_build_object('dataset', p.dataset_id, 'table', p."table") order by p.n) from (
      select o.dataset_id, o."table", row_number() over (order by o.of_dataset, o.looked_at nulls first, o.asked_at) as n
      from (select r.dataset_id, r."table", r.looked_at, r.asked_at, row_number() over (
          partition by r.dataset_id order by r.looked_at nulls first, r.asked_at) as of_dataset
        from public.rewrites r where r.ended_at is null) o
      order by n limit v_turns) p);
  for x in
    select r.* from jsonb_array_elements(v_picked) with ordinality as p(picked, n)
    join public.rewrites r on r.dataset_id = (p.picked ->> 'dataset')::uuid and r."table" = p.picked ->> 'table'
    where r.ended_at is null order by p.n
    for update of r skip locked
  loop
    exit when v_left <= 0 and v_marked > 0;
    v_now := clock_timestamp();
    v_share := greatest(v_left / (jsonb_array_length(v_picked) - v_turn), 1);
    v_turn := v_turn + 1;
    update public.rewrites r set looked_at = v_now where r.dataset_id = x.dataset_id and r."table" = x."table";
    if x.made_before is null then
      continue when exists (select 1 from public.partitions p
        where p.lease_expires_at > v_now and p.dataset_id = x.dataset_id and p."table" = x."table"
          and p.claimed_at <= x.asked_at);
      x.made_before := v_now;
    end if;
    v_room := v_ahead - sediment.files_to_rewrite(x, true, v_ahead);
    continue when v_room <= 0;

    v_settings := sediment.settings_of(x.dataset_id, x."table");
    v_grown := ceil(0.75 * (v_settings ->> 'target_file_bytes')::bigint);
    v_waits := v_now - make_interval(secs => (v_settings ->> 'max_age_seconds')::integer);
    select coalesce(array_agg(l.id), '{}') as ids, array_agg(l.period_tag) as tags, array_agg(l.seq_min) as seqs,
      coalesce(array_agg(l.byte_length), '{}') as sizes, coalesce(array_agg(l.older), '{}') as older
    into strict v_looked from (
      select f.id, f.period_tag, f.seq_min, f.byte_length,
        f.state = 'active' and f.rewrite is null and f.uploaded_at < x.made_before
          and (f.level > 0 or f.byte_length >= v_grown or f.uploaded_at < v_waits) as older
      from public.battle_files f
      where f.dataset_id = x.dataset_id and f."table" = x."table" and f.removed_version is null
        and (f.period_tag, f.seq_min) > (x.after_period_tag, x.after_seq)
        and (x.period_tag is null or f.period_tag = x.period_tag)
      order by f.period_tag, f.seq_min limit v_most_looked) l;
    select * into strict v_page
    from sediment.take_older(v_looked.sizes, v_looked.older, v_room, v_share, v_marked = 0);
    v_whole := v_page.whole and cardinality(v_looked.ids) < v_most_looked;

    perform public.mark_for_rewrite((
      select coalesce(jsonb_agg(jsonb_build_object('id', v_looked.ids[k.place], 'anew', true,
        'reason', 'the table''s settings may have changed since') order by k.place), '[]')
      from unnest(v_page.taken) as k(place)));
    v_left := v_left - v_page.bytes;
    v_bytes := v_bytes + v_page.bytes;
    v_marked := v_marked + cardinality(v_page.taken);
    v_ended := v_ended + v_whole::integer;
    update public.rewrites r
    set made_before = x.made_before, files = r.files + cardinality(v_page.taken), bytes = r.bytes + v_page.bytes,
      after_period_tag = coalesce(v_looked.tags[v_page.reached], r.after_period_tag),
      after_seq = coalesce(v_looked.seqs[v_page.reached], r.after_seq), ended_at = case when v_whole then clock_timestamp() end
    where r.dataset_id = x.dataset_id and r."table" = x."table";
  end loop;
  if v_marked = 0 then
    v_lake := sediment.advance_lake(v_left);
    v_marked := (v_lake ->> 'marked')::bigint;
    v_bytes := (v_lake ->> 'bytes')::bigint;
  end if;
  return jsonb_build_object('marked', v_marked, 'bytes', v_bytes, 'ended', v_ended);
end $function$;

CREATE OR REPLACE FUNCTION sediment.clockwork_faults()
 RETURNS text[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_jobs constant text[] := array['sediment_tick', 'sediment_leases', 'sediment_sweep', 'sediment_history',
    'sediment_scheduled', 'sediment_vacuum', 'sediment_store_check', 'sediment_dead_letters', 'sediment_health', 'sediment_keys',
    'sediment_deletions', 'sediment_ages', 'sediment_rewrites', 'sediment_metrics', 'sediment_cron_log',
    'sediment_lake', 'sediment_lake_history'];
  v_faults text[] := '{}'::text[];
  v_refused integer;
  v_outdated integer;
begin
  begin
    -- a timeout alone is no fault: a ping does not wait for the work
    with answered as (
      select p.path, r.status_code, r.created, r.content like '%schema_outdated%' as outdated
      from net._http_response r left join public.pings p on p.id = r.id
      where r.created > clock_timestamp() - interval '5 minutes')
    select count(*), count(*) filter (where a.outdated) into strict v_refused, v_outdated
    from answered a where a.status_code >= 400 and not exists (
      select 1 from answered s where s.status_code between 200 and 299
        and (s.path is not distinct from a.path or a.status_code in (401, 403) and s.created > a.created));
    if v_refused > 0 then
      v_faults := v_faults || 'pings_refused'::text;
    end if;
    if v_outdated > 0 then
      v_faults := v_faults || 'schema_outdated'::text;
    end if;
  exception when insufficient_privilege or undefined_table then null;
  end;
  begin
    if (select count(*) from cron.job j where j.jobname = any (v_jobs) and j.active) < cardinality(v_jobs) then
      v_faults := v_faults || 'jobs_missing'::text;
    end if;
    if exists (
      select 1 from cron.job j
      cross join lateral (select bool_and(d.status = 'failed') as failed, count(*) as runs from (
        select x.status from cron.job_run_details x where x.jobid = j.jobid and x.status in ('succeeded', 'failed')
        order by x.runid desc limit 3) d) l
      where j.jobname = any (v_jobs) and l.runs = 3 and l.failed)
    then
      v_faults := v_faults || 'jobs_failing'::text;
    end if;
  exception when insufficient_privilege or undefined_table then null;
  end;
  return v_faults;
end $function$;

CREATE OR REPLACE FUNCTION sediment.keep_lake_statistics(p_from bigint, p_until bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_hashjoin TO 'on'
AS $function$
begin
  with shown as materialized (
    select l.id, l.relation_id, l.dataset_id, l.mapping_id, l.row_count, l.battle_file
    from public.lake_files l where l.id >= p_from and l.id < p_until
  ), sorted as materialized (
    select s.relation_id, s.dataset_id, s.mapping_id, y.column_id, c.leaf, c.place::integer - 1 as place
    from (select distinct x.relation_id, x.dataset_id, x.mapping_id from shown x) s
    join public.lake_relations r on r.id = s.relation_id
    -- of sediment.settings_of this one
    cross join lateral (
      select regexp_replace(u.key, '(\s+(asc|desc))?\s*$', '', 'i') as name
      from unnest(coalesce(
        (select t.sort_keys from public.table_settings t where t.dataset_id = s.dataset_id and t."table" = r.name),
        (select t.sort_keys from public.table_settings t where t.dataset_id = s.dataset_id and t."table" = '*')
      )) with ordinality as u(key, place)
      where u.place <= 4 offset 0) k
    join public.lake_schemas m on m.mapping_id = s.mapping_id
    join public.file_schemas f on f.digest = m.schema_digest
    cross join lateral jsonb_array_elements(f.schema -> 'children') with ordinality as c(leaf, place)
    join public.lake_columns y on y.relation_id = s.relation_id and y.end_snapshot is null
      and y.path = array[lower(c.leaf ->> 'name' collate "C")]
    where c.leaf ->> 'name' = k.name and c.leaf ? 'type' and c.leaf ->> 'repetition' is distinct from 'repeated'
  ), told as (
    -- min, max and how many nulls, as shared/catalog/packed_stats.ts packs them
    select s.id, s.row_count, o.relation_id, o.column_id, o.leaf, t.bounds,
      case when jsonb_array_length(t.bounds) < 3 then 0 else (t.bounds ->> 2)::bigint end as nulls
    from shown s
    join sorted o on o.relation_id = s.relation_id and o.dataset_id = s.dataset_id and o.mapping_id = s.mapping_id
    join public.battle_files b on b.id = s.battle_file
    cross join lateral (select (b.stats #>> '{}')::jsonb as stats where jsonb_typeof(b.stats) = 'string') p
    cross join lateral (
      select case jsonb_typeof(p.stats) when 'array' then p.stats -> o.place when 'object' then p.stats -> (o.leaf ->> 'name') end
        as bounds) t
    where jsonb_typeof(t.bounds) = 'array'
  )
  insert into public.lake_statistics (file_id, relation_id, column_id, value_count, null_count, min_value, max_value, contains_nan)
  select t.id, t.relation_id, t.column_id, t.row_count - t.nulls, t.nulls, sediment.lake_bound(t.bounds -> 0, t.leaf, false),
    sediment.lake_bound(t.bounds -> 1, t.leaf, true), case when t.leaf ->> 'type' not in ('FLOAT', 'DOUBLE') then false end
  from told t
  on conflict (file_id, column_id) do nothing;
end $function$;

revoke all on function "sediment"."keep_lake_statistics"(bigint, bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.lake_bound(p_bound jsonb, p_leaf jsonb, p_upper boolean)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_day constant numeric := 86400000000000;
  v_text constant text := p_bound #>> '{}';
  v_logical constant text := p_leaf ->> 'logical';
  v_type constant text := sediment.lake_type(p_leaf ->> 'type', v_logical, p_leaf ->> 'spelling');
  v_nanos numeric;
  v_days integer;
  v_rest bigint;
begin
  if v_text is null or v_type is null then
    return null;
  end if;
  if v_type in ('float32', 'float64') then
    return case when not p_upper then v_text end;
  end if;
  if v_type ~ '^u?int\d+$' or v_type = 'varchar' then
    return v_text;
  end if;
  if v_type like 'decimal(%' then
    return (v_text || 'e-' || substring(v_type from ',(\d+)'))::numeric::text;
  end if;
  if v_type = 'date' then
    v_nanos := v_text::numeric * v_day;
  elsif v_type like 'timestamp%' then
    v_nanos := v_text::numeric * case when v_logical like '%(MILLIS,%' then 1000000 when v_logical like '%(MICROS,%' then 1000 else 1 end;
    if v_type <> 'timestamp_ns' then
      v_nanos := case when p_upper then ceil(v_nanos / 1000) else floor(v_nanos / 1000) end * 1000;
    end if;
  else
    return null;
  end if;
  -- the years that all write in the same way
  if v_nanos < -719162 * v_day or v_nanos >= 2932897 * v_day then
    return null;
  end if;
  v_days := floor(v_nanos / v_day);
  v_rest := v_nanos - v_days * v_day;
  return to_char(date '1970-01-01' + v_days, 'YYYY-MM-DD') || case when v_type = 'date' then '' else
    ' ' || concat_ws(':', lpad((v_rest / 3600000000000)::text, 2, '0'), lpad((v_rest / 60000000000 % 60)::text, 2, '0'),
      lpad((v_rest / 1000000000 % 60)::text, 2, '0')) || '.' || left(lpad((v_rest % 1000000000)::text, 9, '0'),
      case when v_type = 'timestamp_ns' then 9 else 6 end) || case when v_type = 'timestamptz' then '+00' else '' end end;
end $function$;

revoke all on function "sediment"."lake_bound"(jsonb, jsonb, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.lock_quota(p_user uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform pg_catalog.pg_advisory_xact_lock(sediment.quota_key(p_user));
end $function$;

CREATE OR REPLACE FUNCTION sediment.map_lake_schema(p_relation public.lake_relations, p_digest text, p_dataset uuid, p_snapshot bigint, p_mapping bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_columns_most constant integer := 2000; -- those of nested ones too
  v_columns_of_user constant integer := 1000; -- that one user brought, in however many datasets
  -- what readers load of a table's mappings at once, and what of it one dataset and one user may make
  v_fields_most constant integer := 200000;
  v_fields_of_one constant integer := 20000;
  v_fields_of_user constant integer := 50000;
  v_left_most constant integer := 1000;
  v_left_of_user constant integer := 200;
  v_user constant uuid := (select d.user_id from public.datasets d where d.id = p_dataset);
  v_reason text;
  v_next bigint := p_relation.next_column_id;
  v_ids bigint[] := '{}'::bigint[]; -- of each field its column
  v_room integer;
  v_count bigint;
  v_changed boolean := false;
  v_why text;
  v_id bigint;
  v_type text;
  v_schema jsonb;
  f record;
  c public.lake_columns;
begin
  select k.schema into v_schema from public.file_schemas k where k.digest = p_digest;
  if not found then
    v_reason := 'the catalog has no schema of it';
  else
    -- what cannot be read or united is seen before anything is written
    select count(*),
      case when bool_or(y.column_id in (1, 2)) then 'a column of its own has the name of one of the lake''s'
        else (array_agg(format('column %s: %s', left(array_to_string(x.path, '.'), 200),
          coalesce(x.problem, format('%s here, %s in the lake', x.type, y.type))) order by x.field)
          filter (where x.problem is not null
            or y.type is not null and x.type <> 'unknown' and sediment.lake_union(x.type, y.type) is null))[1] end
    into strict v_count, v_reason
    from sediment.lake_fields(v_schema) x
    left join public.lake_columns y on y.relation_id = p_relation.id and y.path = x.path and y.end_snapshot is null;
  end if;
  if v_reason is not null then
    if p_mapping is null then
      return jsonb_build_object('mapped', false, 'changed', false);
    end if;
    insert into public.lake_schemas (relation_id, schema_digest, reason) values (p_relation.id, p_digest, v_reason);
    return jsonb_build_object('mapped', false, 'changed', false);
  end if;
  if (select coalesce(sum(k.fields), 0) + v_count > v_fields_most
      or coalesce(sum(k.fields) filter (where k.dataset_id = p_dataset), 0) + v_count > v_fields_of_one
      or coalesce(sum(k.fields) filter (where k.dataset_id in (select d.id from public.datasets d where d.user_id = v_user)), 0)
        + v_count > v_fields_of_user
    from public.lake_schemas k where k.relation_id = p_relation.id)
  then
    return jsonb_build_object('mapped', false, 'changed', false);
  end if;

  if p_mapping is not null then
    insert into public.lake_schemas (relation_id, schema_digest, mapping_id, fields, dataset_id)
    values (p_relation.id, p_digest, p_mapping, v_count, p_dataset);
  end if;
  select least(v_columns_most - count(distinct y.column_id),
    v_columns_of_user - count(distinct y.column_id)
      filter (where y.dataset_id in (select d.id from public.datasets d where d.user_id = v_user)))
  into strict v_room from public.lake_columns y where y.relation_id = p_relation.id;
  for f in select x.* from sediment.lake_fields(v_schema) x order by x.field loop
    -- A column of nulls is one without: what type it has comes with its first value. Below one that is left out there is nothing.
    continue when f.type = 'unknown' or f.parent is not null and v_ids[f.parent] is null;
    select * into c from public.lake_columns y
    where y.relation_id = p_relation.id and y.path = f.path and y.end_snapshot is null;
    if found then
      v_id := c.column_id;
      v_type := sediment.lake_union(f.type, c.type);
      if v_type <> c.type then
        if c.begin_snapshot = p_snapshot then
          update public.lake_columns y set type = v_type
          where y.relation_id = p_relation.id and y.column_id = c.column_id and y.begin_snapshot = p_snapshot;
        else
          update public.lake_columns y set end_snapshot = p_snapshot
          where y.relation_id = p_relation.id and y.column_id = c.column_id and y.begin_snapshot = c.begin_snapshot;
          insert into public.lake_columns (relation_id, column_id, parent_id, path, name, type, begin_snapshot, dataset_id)
          values (c.relation_id, c.column_id, c.parent_id, c.path, c.name, v_type, p_snapshot, c.dataset_id);
        end if;
        v_changed := true;
      end if;
    else
      -- with all that is below it, or not at all: a list without its element is no column
      v_why := coalesce(f.misnamed, case when f.parent is null or v_ids[f.parent] < p_relation.next_column_id then
        case when f.size > v_room then format('the table has %s columns, or %s that one user brought', v_columns_most, v_columns_of_user) end
        end);
      if v_why is not null then
        insert into public.lake_left_columns (relation_id, path, dataset_id, reason)
        select p_relation.id, array(select left(x.part, 128) from unnest(f.path) with ordinality as x(part, place) order by x.place),
          p_dataset, v_why
        where (
          select count(*) < v_left_most and count(*) filter (
            where l.dataset_id in (select d.id from public.datasets d where d.user_id = v_user)) < v_left_of_user
          from public.lake_left_columns l where l.relation_id = p_relation.id)
        on conflict (relation_id, path) do nothing;
        continue;
      end if;
      v_id := v_next;
      v_next := v_next + 1;
      v_room := v_room - 1;
      insert into public.lake_columns (relation_id, column_id, parent_id, path, name, type, begin_snapshot, dataset_id)
      values (p_relation.id, v_id, v_ids[f.parent], f.path, f.name, f.type, p_snapshot, p_dataset);
      v_changed := true;
    end if;
    v_ids[f.field] := v_id;
    continue when p_mapping is null;
    insert into public.lake_mapping_fields (mapping_id, field, parent, name, column_id)
    values (p_mapping, f.field, f.parent, f.name, v_id);
  end loop;
  -- a run's commit tells the schema of uploads; the file has the lake's own columns besides
  insert into public.lake_mapping_fields (mapping_id, field, name, column_id)
  select p_mapping, v_count + y.column_id, y.name, y.column_id
  from public.lake_columns y where y.relation_id = p_relation.id and y.column_id in (1, 2) and p_mapping is not null;
  update public.lake_relations r set next_column_id = v_next where r.id = p_relation.id;
  return jsonb_build_object('mapped', p_mapping is not null, 'changed', v_changed);
exception when others then
  if not sediment.is_data_error(sqlstate) then
    raise;
  end if;
  if p_mapping is not null then
    insert into public.lake_schemas (relation_id, schema_digest, reason)
    values (p_relation.id, p_digest, 'the lake cannot take its schema: ' || left(sqlerrm, 200));
  end if;
  return jsonb_build_object('mapped', false, 'changed', false);
end $function$;

CREATE OR REPLACE FUNCTION sediment.publish_lake(p_files integer DEFAULT 5000)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '60s'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_nothing constant jsonb := '{"snapshot": null, "added": 0, "removed": 0, "left_out": 0, "more": false}'::jsonb;
  v_last public.lake_snapshots;
  v_snapshot bigint;
  v_next bigint;
  v_schema_changed boolean := false;
  v_tables boolean;
  v_anew smallint[] := '{}'::smallint[]; -- tables of which one was shown that ends here
  v_whole bigint[] := '{}'::bigint[];
  v_added sediment.lake_news[];
  v_ended bigint;
  v_ended_tables bigint := 0;
  v_shown bigint := 0;
  v_left bigint := 0;
  v_more boolean;
  v_mapped jsonb;
  r public.lake_relations;
  t public.lake_tables;
  v record;
begin
  if not exists (select 1 from public.lake_pending) then
    return v_nothing;
  end if;
  if not pg_try_advisory_xact_lock(sediment.lake_lock()) then
    return v_nothing || '{"more": true}'::jsonb;
  end if;
  select * into strict v_last from public.lake_snapshots s order by s.id desc limit 1;
  v_snapshot := v_last.id + 1;
  v_next := v_last.next_file_id;

  delete from public.lake_pending p where p.dataset_id is null;
  v_tables := found;
  if v_tables then
    for r in
      select x.* from public.lake_relations x join public.lake_tables y on y.id = x.lake_table_id
      left join public.lake_shapes z on z.lake_table_id = y.id
      where x.end_snapshot is null and (y.withdrawn_at is not null or x.shaped_by is distinct from z.dataset_id)
    loop
      update public.lake_files l set end_snapshot = v_snapshot where l.relation_id = r.id and l.end_snapshot is null;
      get diagnostics v_ended = row_count;
      v_ended_tables := v_ended_tables + v_ended;
      delete from public.lake_left_files l where l.relation_id = r.id;
      update public.lake_columns c set end_snapshot = v_snapshot where c.relation_id = r.id and c.end_snapshot is null;
      update public.lake_relations x set end_snapshot = v_snapshot where x.id = r.id;
      v_schema_changed := true;
      v_anew := v_anew || r.lake_table_id;
    end loop;
    for t in
      select y.* from public.lake_tables y
      where y.withdrawn_at is null and not exists (
        select 1 from public.lake_relations x where x.lake_table_id = y.id and x.end_snapshot is null)
    loop
      insert into public.lake_relations (lake_table_id, name, begin_snapshot, next_column_id, shaped_by)
      values (t.id, t.name, v_snapshot, 3, (select z.dataset_id from public.lake_shapes z where z.lake_table_id = t.id))
      returning * into strict r;
      if t.id = any (v_anew) then
        v_whole := v_whole || r.id;
      end if;
      insert into public.lake_columns (relation_id, column_id, path, name, type, begin_snapshot)
      values (r.id, 1, array[lower(t.dataset_column)], t.dataset_column, 'varchar', v_snapshot),
        (r.id, 2, array[lower(t.period_column)], t.period_column, 'varchar', v_snapshot);
      for v in
        select f.schema_digest from (
          select y.schema_digest, y.uploaded_at, y.id from public.battle_files y
          where y.dataset_id = r.shaped_by and y."table" = t.name and y.removed_version is null and y.schema_digest is not null
          limit 10000) f
        group by f.schema_digest order by min(f.uploaded_at), min(f.id) limit 100
      loop
        select * into strict r from public.lake_relations x where x.id = r.id;
        perform sediment.map_lake_schema(r, v.schema_digest, r.shaped_by, v_snapshot, null);
      end loop;
      v_schema_changed := true;
    end loop;
  end if;

  with before as materialized (
    select x.id as relation_id, f.id as file_id, f.dataset_id
    from public.lake_relations x
    cross join lateral (
      select y.id, y.dataset_id from public.battle_files y
      where y."table" = x.name and y.lake_version is not null and y.removed_version is null and y.id > x.after_file
      -- what takes the place of a table that is shown shows all at once: else rows would be missing until it does
      order by y.id limit case when x.id <> all (v_whole) then p_files end) f
    where x.end_snapshot is null and x.after_file is not null
  ), first as materialized (
    select x.dataset_id from (select p.dataset_id from public.lake_pending p order by p.id limit p_files) x
    -- what such a file has replaced may wait still
    union select b.dataset_id from before b
  ), taken as (
    delete from public.lake_pending p where p.dataset_id = any (array(select f.dataset_id from first f))
    returning p.file_id, p.dataset_id, p.version
  ), marked as (
    -- all that a deletion covers
    select f.id as file_id
    from taken k
    join public.deletions x on x.dataset_id = k.dataset_id and x.version = k.version and x.state = 'marked'
    join public.lake_relations o on o.end_snapshot is null and (x."table" is null or o.name = x."table")
    cross join lateral (
      select y.period_tag from public.partitions y
      where y.dataset_id = x.dataset_id and y."table" = o.name and (x.period_tag is null or y.period_tag = x.period_tag)
      offset 0) p
    cross join lateral (
      select y.id from public.battle_files y
      where y.dataset_id = x.dataset_id and y."table" = o.name and y.period_tag = p.period_tag
        and y.removed_version is null and y.added_version < x.version and y.lake_version is not null
      offset 0) f
    where k.file_id is null
  ), walked as (
    update public.lake_relations x
    set after_file = (select max(b.file_id) from before b where b.relation_id = x.id and x.id <> all (v_whole) having count(*) = p_files)
    where x.end_snapshot is null and x.after_file is not null
    returning x.after_file
  ), seen as (
    select n.file_id, f.uploaded_at, f.dataset_id, f.period_tag, f.object_key, f.byte_length, f.row_count, f.schema_digest, f.lake_version,
      x.id as relation_id, l.id as shown_id, l.object_key as shown_key, f.id is not null and x.id is not null as is_there
    from (select k.file_id from taken k union select m.file_id from marked m union select b.file_id from before b) n
    left join lateral (
      select * from public.battle_files y
      where y.id = n.file_id and y.removed_version is null and y.state = 'active' and y.lake_version is not null
        and not (sediment.has_marks(y.dataset_id) and sediment.is_marked(y, 9223372036854775807))
      offset 0) f on true
    left join lateral (
      select y.id from public.lake_relations y where y.name = f."table" and y.end_snapshot is null offset 0) x on true
    left join lateral (
      select y.id, y.object_key from public.lake_files y where y.battle_file = n.file_id and y.end_snapshot is null
      offset 0) l on true
  ), ended as (
    update public.lake_files l set end_snapshot = v_snapshot
    from seen s where l.id = s.shown_id and (not s.is_there or s.object_key <> s.shown_key)
    returning 1
  ), unleft as (
    delete from public.lake_left_files l using seen s where l.battle_file = s.file_id
    returning 1
  )
  select array(
      select row(s.file_id, s.relation_id, s.dataset_id, s.period_tag, s.object_key, s.byte_length, s.row_count,
        s.schema_digest, s.lake_version, null, null)::sediment.lake_news
      from seen s where s.is_there and s.object_key is distinct from s.shown_key
      order by s.uploaded_at, s.file_id),
    (select count(*) from ended), exists (select 1 from walked w where w.after_file is not null)
  into strict v_added, v_ended, v_more;
  v_ended := v_ended + v_ended_tables;

  -- each schema that is new to its table, in the order of its first file: ids are in none
  for v in
    select n.relation_id, n.schema_digest, (array_agg(n.dataset_id order by n.place))[1] as dataset_id
    from unnest(v_added) with ordinality as n(battle_file, relation_id, dataset_id, period_tag, object_key, bytes, row_count,
      schema_digest, lake_version, mapping_id, reason, place)
    where n.lake_version = 1 and n.schema_digest is not null and not exists (
      select 1 from public.lake_schemas k where k.relation_id = n.relation_id and k.schema_digest = n.schema_digest)
    group by n.relation_id, n.schema_digest
    order by min(n.place)
  loop
    select * into strict r from public.lake_relations x where x.id = v.relation_id;
    v_mapped := sediment.map_lake_schema(r, v.schema_digest, v.dataset_id, v_snapshot, v_next);
    v_next := v_next + (v_mapped ->> 'mapped')::boolean::integer;
    v_schema_changed := v_schema_changed or (v_mapped ->> 'changed')::boolean;
  end loop;

  v_added := array(
    select row(n.battle_file, n.relation_id, n.dataset_id, n.period_tag, n.object_key, n.bytes, n.row_count, n.schema_digest,
      n.lake_version, k.mapping_id,
      case when n.lake_version <> 1 then 'a column of its own has the name of one of the lake''s, or it has as many as a file may'
        when n.schema_digest is null then 'the catalog has no schema of it' when k.found then k.reason
        else 'the table, its dataset or its user has too many schemas' end)::sediment.lake_news
    from unnest(v_added) n
    left join lateral (
      select y.mapping_id, y.reason, true as found from public.lake_schemas y
      where y.relation_id = n.relation_id and y.schema_digest = n.schema_digest and n.lake_version = 1 offset 0) k on true);
  insert into public.lake_left_files (battle_file, relation_id, dataset_id, reason)
  select n.battle_file, n.relation_id, n.dataset_id, n.reason from unnest(v_added) n where n.reason is not null;
  get diagnostics v_left = row_count;

  insert into public.lake_files (id, relation_id, battle_file, begin_snapshot, dataset_id, period_tag, object_key, bytes,
    row_count, row_id_start, mapping_id)
  select v_next - 1 + row_number() over w, n.relation_id, n.battle_file, v_snapshot, n.dataset_id, n.period_tag, n.object_key,
    n.bytes, n.row_count,
    x.next_row_id + (sum(n.row_count) over (partition by n.relation_id order by n.dataset_id, n.battle_file))::bigint - n.row_count,
    n.mapping_id
  from unnest(v_added) n join public.lake_relations x on x.id = n.relation_id
  where n.reason is null
  window w as (order by n.relation_id, n.dataset_id, n.battle_file);
  get diagnostics v_shown = row_count;
  perform sediment.keep_lake_statistics(v_next, v_next + v_shown);
  v_next := v_next + v_shown;
  update public.lake_relations x
  set next_row_id = x.next_row_id + s.rows, file_bytes = x.file_bytes + s.bytes,
    dataset_min = least(x.dataset_min, s.dataset_min), dataset_max = greatest(x.dataset_max, s.dataset_max),
    period_min = least(x.period_min, s.period_min), period_max = greatest(x.period_max, s.period_max)
  from (
    select n.relation_id, sum(n.row_count) as rows, sum(n.bytes) as bytes, min(n.dataset_id::text collate "C") as dataset_min,
      max(n.dataset_id::text collate "C") as dataset_max, min(n.period_tag collate "C") as period_min,
      max(n.period_tag collate "C") as period_max
    from unnest(v_added) n where n.reason is null group by n.relation_id
  ) s
  where x.id = s.relation_id;

  if v_more then
    insert into public.lake_pending (change) values ('table');
  end if;
  if v_shown > 0 or v_ended > 0 or v_schema_changed then
    insert into public.lake_snapshots (id, at, schema_version, next_file_id)
    values (v_snapshot, greatest(clock_timestamp(), v_last.at + interval '1 microsecond'),
      v_last.schema_version + v_schema_changed::integer, v_next);
  else
    v_snapshot := null;
  end if;
  return jsonb_build_object('snapshot', v_snapshot, 'added', v_shown, 'removed', v_ended, 'left_out', v_left,
    'more', exists (select 1 from public.lake_pending));
end $function$;

CREATE OR REPLACE FUNCTION sediment.quota_key(p_user uuid)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select pg_catalog.hashtextextended('sediment quota ' || p_user, 0)
$function$;

revoke all on function "sediment"."quota_key"(uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.run_vacuum(p_limit integer, p_dataset uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  -- their rows are locked until the slice ends: few at a time, or uploads wait
  v_datasets constant integer := least(p_limit, 50);
  v_interval interval;
  -- read once: the planner makes no index condition of the volatile clock_timestamp()
  v_now timestamptz := clock_timestamp();
  d public.datasets;
  v_seen integer := 0;
  v_step jsonb;
  v_versions jsonb := '[]'::jsonb;
  v_keys text[];
  v_dropped integer := 0;
  v_bytes bigint;
  v_delete jsonb;
begin
  select make_interval(secs => s.vacuum_interval_seconds) into strict v_interval from public.service_settings s;

  for d in
    select * from public.datasets x
    where x.vacuumed_at <= v_now - v_interval and (p_dataset is null or x.id = p_dataset)
    order by x.vacuumed_at limit v_datasets
    for no key update skip locked
  loop
    v_seen := v_seen + 1;
    v_step := sediment.advance_versions(d);
    if v_step is not null then
      v_versions := v_versions || v_step;
    end if;
    select x.* into strict d from public.datasets x where x.id = d.id;

    with dropped as (
      delete from public.battle_files f
      where f.id = any (array(
        select x.id from public.battle_files x
        where x.dataset_id = d.id and x.removed_version <= d.vacuumable_version
          -- what a kept snapshot of the lake shows, or may still come to show; a remade file may have been one of the lake's before
          and (x.level = 0 or not exists (select 1 from public.lake_files l where l.battle_file = x.id)
            and not exists (select 1 from public.lake_pending n where n.file_id = x.id))
        order by x.removed_version limit greatest(p_limit - v_dropped, 0)))
      returning f.object_key, f.byte_length
    )
    select coalesce(array_agg(distinct x.object_key), '{}'), v_dropped + count(*), coalesce(sum(x.byte_length), 0)
    into strict v_keys, v_dropped, v_bytes from dropped x;
    if v_bytes > 0 then
      update public.datasets x set retired_bytes = greatest(x.retired_bytes - v_bytes, 0) where x.id = d.id;
    end if;
    perform sediment.retire_object(k.key, format('no version since %s shows it', d.oldest_kept_version), '0')
    from unnest(v_keys) as k(key)
    where not exists (select 1 from public.battle_files f where f.object_key = k.key);
    -- The slice ended inside this dataset: it is due still, behind all that have waited for longer, so that one with much
    -- to drop does not take every slice.
    if v_dropped >= p_limit then
      update public.datasets x set vacuumed_at = v_now - v_interval where x.id = d.id;
      exit;
    end if;
  end loop;

  v_now := clock_timestamp();
  with due as (
    select o.object_key from public.objects o
    where o.delete_after <= v_now and o.state in ('deleting', 'tombstone')
      and (p_dataset is null or o.dataset_id = p_dataset)
    order by o.delete_after limit p_limit
    for update skip locked
  ), handed as (
    update public.objects o
    set delete_after = clock_timestamp() + interval '10 minutes', updated_at = clock_timestamp()
    from due x where o.object_key = x.object_key
    returning o.object_key, o.kind, o.state, o.size, o.delete_reason
  )
  select coalesce(jsonb_agg(jsonb_build_object('object_key', h.object_key, 'kind', h.kind, 'state', h.state,
    'size', h.size, 'reason', h.delete_reason) order by h.object_key), '[]')
  into strict v_delete from handed h;

  return jsonb_build_object('versions', v_versions, 'files_dropped', v_dropped, 'delete', v_delete,
    'more', v_seen >= v_datasets or v_dropped >= p_limit or jsonb_array_length(v_delete) >= p_limit);
end $function$;

CREATE OR REPLACE FUNCTION sediment.take_older(p_bytes bigint[], p_older boolean[], p_room bigint, p_left bigint, p_one boolean, OUT taken bigint[], OUT bytes bigint, OUT reached bigint, OUT whole boolean)
 RETURNS record
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  with older as (
    select u.place, u.bytes, row_number() over w as n, sum(u.bytes) over w - u.bytes as before
    from unnest(p_bytes, p_older) with ordinality as u(bytes, older, place)
    where u.older
    window w as (order by u.place)
  )
  select coalesce(array_agg(o.place order by o.place) filter (where t.is_taken), '{}'),
    coalesce(sum(o.bytes) filter (where t.is_taken), 0), coalesce(bool_and(t.is_taken), true)
  into strict taken, bytes, whole
  from older o cross join lateral (select o.n <= p_room and (o.before < p_left or o.n = 1 and p_one) as is_taken) t;
  reached := case when whole then nullif(cardinality(p_bytes), 0) else taken[cardinality(taken)] end;
end $function$;

revoke all on function "sediment"."take_older"(bigint[], boolean[], bigint, bigint, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.try_lock_quota(p_user uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return pg_catalog.pg_try_advisory_xact_lock(sediment.quota_key(p_user));
end $function$;

ALTER TABLE "public"."lake_statistics" ADD CONSTRAINT "lake_statistics_file_id_fkey" FOREIGN KEY (file_id) REFERENCES public.lake_files(id) ON DELETE CASCADE;

CREATE VIEW "lake"."ducklake_file_column_stats" AS  SELECT f.id AS data_file_id,
    f.relation_id AS table_id,
    (1)::bigint AS column_id,
    NULL::bigint AS column_size_bytes,
    f.row_count AS value_count,
    (0)::bigint AS null_count,
    (f.dataset_id)::text AS min_value,
    (f.dataset_id)::text AS max_value,
    NULL::boolean AS contains_nan,
    NULL::text AS extra_stats
   FROM public.lake_files f
UNION ALL
 SELECT f.id AS data_file_id,
    f.relation_id AS table_id,
    (2)::bigint AS column_id,
    NULL::bigint AS column_size_bytes,
    f.row_count AS value_count,
    (0)::bigint AS null_count,
    f.period_tag AS min_value,
    f.period_tag AS max_value,
    NULL::boolean AS contains_nan,
    NULL::text AS extra_stats
   FROM public.lake_files f
UNION ALL
 SELECT s.file_id AS data_file_id,
    s.relation_id AS table_id,
    s.column_id,
    NULL::bigint AS column_size_bytes,
    s.value_count,
    s.null_count,
    s.min_value,
    s.max_value,
    s.contains_nan,
    NULL::text AS extra_stats
   FROM public.lake_statistics s;

CREATE INDEX lake_statistics_column ON public.lake_statistics USING btree (relation_id, column_id);

CREATE POLICY "service_all" ON "public"."lake_statistics" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

REVOKE ALL ON FUNCTION "sediment"."keep_lake_statistics"(bigint, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."keep_lake_statistics"(bigint, bigint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."lake_bound"(jsonb, jsonb, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lake_bound"(jsonb, jsonb, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."quota_key"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."quota_key"(uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."take_older"(bigint[], boolean[], bigint, bigint, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."take_older"(bigint[], boolean[], bigint, bigint, boolean) TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."lake_statistics" TO "service_role";

GRANT SELECT ON TABLE "lake"."ducklake_file_column_stats" TO "sediment_lake";

select cron.schedule('sediment_lake', '30 seconds', 'select sediment.publish_lake()');

select cron.schedule('sediment_lake_history', '* * * * *', 'select sediment.prune_lake(10000)');
