-- The lines of an owner end with the minute, so that an answer that says the same is not sent again.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION sediment.dataset_samples(p_datasets uuid[], p_seconds integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_most constant integer := 10000;
  v_step constant interval := make_interval(secs => greatest(p_seconds / 60, 15));
  -- the end of this minute: an answer holds as long as nothing changes, and its ETag with it
  v_end constant timestamptz := date_trunc('minute', clock_timestamp()) + interval '1 minute';
  v_begin timestamptz := v_end - make_interval(secs => p_seconds);
  v_ids uuid[];
  v_runs bigint;
  v_oldest timestamptz;
begin
  v_ids := array(select d.id from public.datasets d where d.id = any (p_datasets) and d.deleted_at is null
    order by d.updated_at desc limit 100);
  select count(*), min(r.queued_at) into strict v_runs, v_oldest from (
    select y.queued_at from public.processing_metrics y
    where y.dataset_id = any (v_ids) and y.queued_at >= v_begin order by y.queued_at desc limit v_most) r;
  if v_runs = v_most then
    v_begin := v_oldest;
  end if;
  -- before its oldest version nothing is known of a dataset that had others then
  select greatest(v_begin, max(o.committed_at)) into strict v_begin
  from unnest(v_ids) i
  cross join lateral (select v.version, v.committed_at from public.dataset_versions v where v.dataset_id = i
    order by v.version limit 1) o
  where o.version > 1;
  return (
    with times as (
      select t as at, row_number() over (order by t) as n from generate_series(v_end - v_step * floor(
        extract(epoch from v_end - v_begin) / extract(epoch from v_step)), v_end, v_step) t
    ), merges as (
      select width_bucket(r.completed_at, (select array_agg(t.at order by t.at) from times t)) + 1 as n,
        count(*) as merges, sum(r.files_before) as files, sum(extract(epoch from r.completed_at - r.queued_at)) as lag
      from (select * from public.processing_metrics y where y.dataset_id = any (v_ids) and y.queued_at >= v_begin
        order by y.queued_at desc limit v_most) r
      where r.completed_at is not null and r.files_before > 0 and r.operation = 'compaction' group by 1
    )
    select coalesce(jsonb_agg(jsonb_build_object('at', t.at, 'uploads', null, 'upload_bytes', null,
      'merges', coalesce((select sum(m.merges) from merges m where m.n <= t.n), 0),
      'files_merged', coalesce((select sum(m.files) from merges m where m.n <= t.n), 0),
      'lag_seconds', coalesce((select sum(m.lag) from merges m where m.n <= t.n), 0),
      'debt_partitions', null, 'debt_oldest_seconds', null, 'dead_letters', null,
      'row_count', h.row_count, 'file_count', h.file_count, 'stored_bytes', h.stored_bytes) order by t.at), '[]')
    from times t
    cross join lateral (
      -- null where a version is of before these were kept
      select case when count(*) = count(v.row_count) then coalesce(sum(v.row_count), 0) end as row_count,
        case when count(*) = count(v.file_count) then coalesce(sum(v.file_count), 0) end as file_count,
        case when count(*) = count(v.file_size_bytes) then coalesce(sum(v.file_size_bytes), 0) end as stored_bytes
      from unnest(v_ids) i
      cross join lateral (select x.row_count, x.file_count, x.file_size_bytes from public.dataset_versions x
        where x.dataset_id = i and x.committed_at <= t.at order by x.committed_at desc limit 1) v) h);
end $function$;
