-- Writes what calls of commit_upload bring, once their identities are in the ledger: schemas, data files, objects staged
-- → stored, versions, debt and demand of the partitions, run rows and queue messages; and the ledger's answers.
-- The uploads of one dataset that are committed together appear in one version. Returns {n: answer}.
create or replace function sediment.write_commits(p_calls sediment.commit_call[], p_files sediment.commit_file[])
returns jsonb
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_delay integer;
  v_versions public.dataset_versions[];
  v_files jsonb;
  v_runs sediment.partition_run[];
  v_answers jsonb;
begin
  perform sediment.keep_schemas(array_agg(f.schema_fingerprint), array_agg(f.schema)) from unnest(p_files) as f;

  -- Partitions, sorted by key: made when absent, then locked in a statement of their own.
  insert into public.partitions (dataset_id, "table", period_tag)
  select distinct f.dataset_id, f."table", f.period_tag from unnest(p_files) as f
  -- an insert would wait for whoever updates the row that is there
  where not exists (select 1 from public.partitions x
    where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag)
  order by 1, 2, 3
  on conflict (dataset_id, "table", period_tag) do nothing;

  perform 1 from (select distinct s.dataset_id, s."table", s.period_tag from unnest(p_files) as s) f
  join public.partitions x
    on x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
  order by f.dataset_id, f."table", f.period_tag
  for no key update of x;

  select array_agg(v) into strict v_versions from sediment.next_versions((
    select array_agg(row(t.dataset_id, t.files, t.bytes, t.rows, t.uncompressed, null)::sediment.dataset_change)
    from (
      select f.dataset_id, count(*) as files, sum(f.byte_length) as bytes, sum(f.row_count) as rows,
        sum(f.uncompressed_bytes) as uncompressed
      from unnest(p_files) as f group by f.dataset_id
    ) t)) as v;

  update public.objects x
  set state = 'stored', size = c.object_size, etag = c.etag, expires_at = null, updated_at = v_now
  from unnest(p_calls) as c
  where x.object_key = any (array[c.object_key]) and x.state = 'staged';
  perform sediment.discard_object(x.object_key, 'the checked copy is stored')
  from public.objects x
  where x.stage_id = any (array(select c.stage from unnest(p_calls) as c)) and x.stage_id is not null
    and x.kind = 'incoming';

  with inserted as (
    insert into public.battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte,
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at)
    select f.dataset_id, f."table", f.period_tag, c.stage, f.ordinal, c.object_key, f.start_byte,
      f.byte_length, c.etag, 0, f.seq, f.seq, f.row_count, f.row_group_count, f.uncompressed_bytes,
      f.value_count, f.merge_facts, f.schema_fingerprint, f.stats, v.version, c.user_id, v_now
    from (
      select s.*, x.last_seq
        + row_number() over (partition by s.dataset_id, s."table", s.period_tag order by s.n, s.ordinal) as seq
      from unnest(p_files) as s
      join public.partitions x
        on x.dataset_id = any (array[s.dataset_id]) and x."table" = s."table" and x.period_tag = s.period_tag
    ) f
    join unnest(p_calls) as c on c.n = f.n
    join unnest(v_versions) as v on v.dataset_id = f.dataset_id
    order by f.n, f.ordinal
    returning id, upload_id, "table", period_tag, ordinal, row_count
  )
  select jsonb_object_agg(t.upload_id, t.files) into strict v_files from (
    select i.upload_id, jsonb_agg(jsonb_build_object('id', i.id, 'table', i."table", 'period_tag', i.period_tag,
      'ordinal', i.ordinal, 'row_count', i.row_count) order by i.ordinal) as files
    from inserted i group by i.upload_id
  ) t;

  select s.realtime_delay_seconds into strict v_delay from public.service_settings s where s.id;
  with raised as (
    update public.partitions x
    set debt_files = x.debt_files + f.files, debt_bytes = x.debt_bytes + f.bytes,
      debt_oldest = coalesce(x.debt_oldest, v_now), demand_seq = x.demand_seq + f.uploads,
      last_seq = x.last_seq + f.files
    from (
      select s.dataset_id, s."table", s.period_tag, count(*) as files, sum(s.byte_length)::bigint as bytes,
        count(distinct s.n) as uploads
      from unnest(p_files) as s group by s.dataset_id, s."table", s.period_tag
    ) f
    where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
    returning x.dataset_id, x."table", x.period_tag,
      -- wake_partition would find a message that waits, of this priority or a higher one, and early enough
      case when x.lease_expires_at is null and x.ready_at <= v_now + make_interval(secs => v_delay)
        and x.queue in ('realtime', 'manual') then x.run_id end as run_id
  )
  select array_agg(row(r.dataset_id, r."table", r.period_tag, r.run_id)::sediment.partition_run
    order by r.dataset_id, r."table", r.period_tag)
  into strict v_runs from raised r;
  for i in 1 .. cardinality(v_runs) loop
    if v_runs[i].run_id is null then
      v_runs[i].run_id := sediment.wake_partition(v_runs[i].dataset_id, v_runs[i]."table", v_runs[i].period_tag,
        'realtime', 'upload', v_delay);
    end if;
  end loop;

  -- looked up in an object: a join of files and runs by nested loops would grow with the square of a body's slices
  with run_of as materialized (
    select jsonb_object_agg(concat_ws('/', r.dataset_id, r."table", r.period_tag), r.run_id) as ids
    from unnest(v_runs) as r
  ), answered as (
    update public.uploads u
    set answer = jsonb_build_object('key', c.object_key, 'size', c.size, 'uploaded_at', v_now, 'metricId', r.main,
      'duplicate', false, 'dataset_id', c.dataset_id, 'version', v.version, 'files', v_files -> (c.stage::text),
      'runs', r.runs)
    from unnest(p_calls) as c
    join unnest(v_versions) as v on v.dataset_id = c.dataset_id
    join lateral (
      select jsonb_agg(jsonb_build_object('table', x."table", 'period_tag', x.period_tag, 'metricId', x.run_id)
          order by x."table", x.period_tag) as runs,
        -- the run of the partition that the upload named, else that of its first
        (array_agg(x.run_id order by (x."table" = c."table" and x.period_tag = c.period_tag) desc, x."table",
          x.period_tag))[1] as main
      from (
        select distinct f."table", f.period_tag,
          (select o.ids from run_of o) ->> concat_ws('/', f.dataset_id, f."table", f.period_tag) as run_id
        from unnest(p_files) as f where f.n = c.n
      ) x
    ) r on true
    where u.id = any (array[c.stage])
    returning c.n, u.answer
  )
  select jsonb_object_agg(a.n, a.answer) into strict v_answers from answered a;
  return v_answers;
end $$;
