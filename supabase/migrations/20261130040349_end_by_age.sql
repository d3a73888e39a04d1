-- Ends by age: keep_rows_seconds, keep_periods.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE TABLE "public"."age_walks" ("dataset_id" uuid NOT NULL, "after_table" text NOT NULL DEFAULT ''::text, "after_period_tag" text NOT NULL DEFAULT ''::text, "walked_at" timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone, CONSTRAINT "age_walks_pkey" PRIMARY KEY (dataset_id));

revoke all on "public"."age_walks" from public, anon, authenticated, service_role;

ALTER TABLE "public"."age_walks" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."ended_rows" ("id" bigint GENERATED ALWAYS AS IDENTITY NOT NULL, "dataset_id" uuid NOT NULL, "table" text NOT NULL, "period_tag" text NOT NULL, "version" bigint NOT NULL, "rule" text NOT NULL, "files" bigint NOT NULL, "rows" bigint NOT NULL, "bytes" bigint NOT NULL, "ended_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "ended_rows_pkey" PRIMARY KEY (id), CONSTRAINT "ended_rows_rule_check" CHECK ((rule = ANY (ARRAY['keep_rows_seconds'::text, 'keep_periods'::text]))));

revoke all on "public"."ended_rows" from public, anon, authenticated, service_role;

ALTER TABLE "public"."ended_rows" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."battle_files" ADD COLUMN "youngest_at" timestamp with time zone;

ALTER TABLE "public"."table_settings" ADD COLUMN "keep_rows_seconds" integer;

ALTER TABLE "public"."table_settings" ADD COLUMN "keep_periods" integer;

CREATE OR REPLACE FUNCTION public.end_aged(p_limit integer DEFAULT 2000, p_partitions integer DEFAULT 200)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '60s'
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  w public.age_walks;
  v_keys jsonb;
  v_count integer;
  v_last jsonb;
  v_aged jsonb;
  v_sum record;
  v_version bigint;
begin
  insert into public.age_walks (dataset_id)
  select distinct t.dataset_id from public.table_settings t
  where (t.keep_rows_seconds is not null or t.keep_periods is not null)
    and not exists (select 1 from public.age_walks x where x.dataset_id = t.dataset_id)
  on conflict (dataset_id) do nothing;
  select x.* into w from public.age_walks x
  where x.walked_at <= v_now - interval '10 minutes' and exists (
    select 1 from public.table_settings t
    where t.dataset_id = x.dataset_id and (t.keep_rows_seconds is not null or t.keep_periods is not null))
  order by x.walked_at limit 1
  for no key update of x skip locked;
  if not found then
    return jsonb_build_object('dataset_id', null, 'version', null, 'files', 0, 'rows', 0, 'more', false);
  end if;

  -- partitions by key, then the dataset: what is read below can't change any more
  select coalesce(jsonb_agg(jsonb_build_object('table', k."table", 'period_tag', k.period_tag)
      order by k."table", k.period_tag), '[]'), count(*)
  into strict v_keys, v_count from (
    select p."table", p.period_tag from public.partitions p
    where p.dataset_id = w.dataset_id and (p."table", p.period_tag) > (w.after_table, w.after_period_tag)
    order by p."table", p.period_tag limit p_partitions
    for no key update
  ) k;
  perform 1 from public.datasets d where d.id = w.dataset_id for no key update;

  with rules as materialized (
    select k."table", k.period_tag, coalesce(t.keep_rows_seconds, d.keep_rows_seconds) as seconds,
      coalesce(t.keep_periods, d.keep_periods) as periods
    from jsonb_to_recordset(v_keys) as k("table" text, period_tag text)
    left join public.table_settings t on t.dataset_id = w.dataset_id and t."table" = k."table"
    left join public.table_settings d on d.dataset_id = w.dataset_id and d."table" = '*'
  ), kept as materialized (
    select r."table", sediment.last_kept_period(w.dataset_id, r."table", min(r.periods), v_now) as since
    from rules r where r.periods is not null group by r."table"
  )
  select coalesce(jsonb_agg(to_jsonb(a)), '[]') into strict v_aged from (
    select f.id, f."table", f.period_tag, f.row_count, f.byte_length, f.uncompressed_bytes,
      case when sediment.date_of_tag(r.period_tag) < k.since then 'keep_periods' else 'keep_rows_seconds' end as rule
    from rules r
    left join kept k on k."table" = r."table"
    join public.battle_files f on f.dataset_id = w.dataset_id and f."table" = r."table" and f.period_tag = r.period_tag
      and f.removed_version is null
    where (sediment.date_of_tag(r.period_tag) < k.since
        or coalesce(f.youngest_at, f.uploaded_at) <= v_now - make_interval(secs => r.seconds))
      and not (sediment.has_marks(w.dataset_id) and sediment.is_marked(f, 9223372036854775807))
    order by f."table", f.period_tag, f.seq_min limit p_limit
  ) a;

  select count(*) as files, coalesce(sum(a.row_count), 0)::bigint as rows, coalesce(sum(a.byte_length), 0)::bigint as bytes,
    coalesce(sum(a.uncompressed_bytes), 0)::bigint as uncompressed
  into strict v_sum
  from jsonb_to_recordset(v_aged) as a(row_count bigint, byte_length bigint, uncompressed_bytes bigint);
  if v_sum.files > 0 then
    v_version := ((sediment.next_versions(array[row(w.dataset_id, -v_sum.files, -v_sum.bytes, -v_sum.rows,
      -v_sum.uncompressed, null)::sediment.dataset_change]))[1]).version;
    update public.datasets d set retired_bytes = d.retired_bytes + v_sum.bytes where d.id = w.dataset_id;
    update public.battle_files f set removed_version = v_version
    where f.id in (select a.id from jsonb_to_recordset(v_aged) as a(id bigint));
    insert into public.ended_rows (dataset_id, "table", period_tag, version, rule, files, rows, bytes)
    select w.dataset_id, a."table", a.period_tag, v_version, a.rule, count(*), sum(a.row_count), sum(a.byte_length)
    from jsonb_to_recordset(v_aged) as a("table" text, period_tag text, rule text, row_count bigint, byte_length bigint)
    group by a."table", a.period_tag, a.rule;
  end if;

  -- a slice that was full looks at the same partitions again
  if v_sum.files < p_limit then
    v_last := case when v_count = p_partitions then v_keys -> -1 end;
    update public.age_walks x
    set after_table = coalesce(v_last ->> 'table', ''), after_period_tag = coalesce(v_last ->> 'period_tag', ''),
      walked_at = case when v_last is null then v_now else x.walked_at end
    where x.dataset_id = w.dataset_id;
  end if;
  return jsonb_build_object('dataset_id', w.dataset_id, 'version', v_version, 'files', v_sum.files, 'rows', v_sum.rows,
    'more', true);
end $function$;

revoke all on function "public"."end_aged"(integer, integer) from public, anon, authenticated, service_role;

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

CREATE OR REPLACE FUNCTION sediment.date_of_tag(p_tag text)
 RETURNS date
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  if p_tag !~ '^\d{4}-\d{2}-\d{2}$' then
    return null;
  end if;
  return make_date(substr(p_tag, 1, 4)::integer, substr(p_tag, 6, 2)::integer, substr(p_tag, 9, 2)::integer);
exception when others then
  return null; -- digits that are no day
end $function$;

revoke all on function "sediment"."date_of_tag"(text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.last_kept_period(p_dataset uuid, p_table text, p_keep integer, p_now timestamp with time zone)
 RETURNS date
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (
    select sediment.date_of_tag(p.period_tag) from public.partitions p
    where p.dataset_id = p_dataset and p."table" = p_table
      and sediment.date_of_tag(p.period_tag) <= (p_now at time zone 'UTC')::date + 1
      and exists (select 1 from public.battle_files f
        where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
          and f.removed_version is null)
    order by 1 desc offset p_keep - 1 limit 1);
end $function$;

revoke all on function "sediment"."last_kept_period"(uuid, text, integer, timestamp with time zone) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.replace_files(p public.partitions, p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_input_keys text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
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
  select count(distinct f.id) as files, coalesce(sum(f.byte_length), 0)::bigint as bytes,
    coalesce(sum(f.row_count), 0)::bigint as rows, coalesce(sum(f.row_group_count), 0)::bigint as row_groups,
    coalesce(sum(f.uncompressed_bytes), 0)::bigint as uncompressed, max(f.level) as level,
    min(f.seq_min) as seq_min, max(f.seq_max) as seq_max,
    max(coalesce(f.youngest_at, f.uploaded_at)) as youngest_at
  into strict v_in
  from unnest(p_inputs) as i(id)
  cross join lateral (select * from public.battle_files x where x.id = i.id offset 0) f
  where f.removed_version is null and f.state = 'active'
    and f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag;
  if v_in.files <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs are visible and sound', v_in.files, cardinality(p_inputs)));
  end if;

  -- What was read is what is there: an input that was healed since holds other bytes.
  if p_input_keys is not null and exists (
    select 1 from unnest(p_inputs, p_input_keys) as i(id, key)
    cross join lateral (select x.object_key from public.battle_files x where x.id = i.id offset 0) f
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
  -- Last writer wins only holds when nothing that was written in between stays outside: all inputs are in between, so
  -- what is there is counted.
  if v_dedupe and v_in.files < (
    select count(*) from public.battle_files f
    where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
      and f.removed_version is null and f.seq_min <= v_in.seq_max and f.seq_max >= v_in.seq_min)
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
  from unnest(p_inputs) as i(id)
  where f.id = any (array[i.id]) and f.removed_version is null;
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
      checksum, schema_digest, youngest_at)
    select p.dataset_id, p."table", p.period_tag, p_run, p_n, v_out.object_key, 0, v_out.size, v_out.etag,
      v_in.level + 1, v_in.seq_min, v_in.seq_max, v_out.row_count, v_out.row_group_count,
      v_out.uncompressed_bytes, v_out.value_count, v_out.merge_facts, v_out.schema_fingerprint, v_out.stats,
      v_version.version, r.user_id, v_now, v_out.checksum, sediment.schema_digest(p_output -> 'schema'),
      v_in.youngest_at
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

ALTER TABLE "public"."age_walks" ADD CONSTRAINT "age_walks_dataset_id_fkey" FOREIGN KEY (dataset_id) REFERENCES public.datasets(id);

ALTER TABLE "public"."ended_rows" ADD CONSTRAINT "ended_rows_dataset_id_fkey" FOREIGN KEY (dataset_id) REFERENCES public.datasets(id);

ALTER TABLE "public"."table_settings" ADD CONSTRAINT "table_settings_keep_periods_check" CHECK ((keep_periods > 0));

ALTER TABLE "public"."table_settings" ADD CONSTRAINT "table_settings_keep_rows_seconds_check" CHECK ((keep_rows_seconds > 0));

CREATE INDEX ended_rows_dataset ON public.ended_rows USING btree (dataset_id, version);

CREATE POLICY "service_all" ON "public"."age_walks" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "owner_reads" ON "public"."ended_rows" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))))));

CREATE POLICY "service_all" ON "public"."ended_rows" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

COMMENT ON COLUMN "public"."table_settings"."keep_periods" IS 'Of period tags that are dates (2024-11-25) and hold data the newest so many stay, others leave the table; tags after tomorrow are not counted, and tags that are no dates never end. Null takes that of the dataset''s row *, else nothing ends by it. Unit: periods. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."keep_rows_seconds" IS 'A data file leaves the table when its youngest row was uploaded longer ago than this; null takes that of the dataset''s row *, else nothing ends by it. Older versions keep it for their retention. Unit: seconds. Default: null.';

REVOKE ALL ON FUNCTION "public"."end_aged"(integer, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."end_aged"(integer, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."date_of_tag"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."date_of_tag"(text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."last_kept_period"(uuid, text, integer, timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."last_kept_period"(uuid, text, integer, timestamp with time zone) TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."age_walks" TO "service_role";

GRANT SELECT ON TABLE "public"."ended_rows" TO "authenticated";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."ended_rows" TO "service_role";

select cron.schedule('sediment_ages', '* * * * *', 'select public.end_aged()');
