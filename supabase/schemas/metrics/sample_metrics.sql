-- Writes down where the counters stand and what there is, each minute. After a day the first of each hour is kept, and
-- after a month none; whatever the clockwork missed. Returns the minute.
create or replace function sediment.sample_metrics()
returns timestamptz
language plpgsql
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_at constant timestamptz := date_trunc('minute', v_now);
  -- of many datasets each tenth minute: they are read for it
  v_all constant jsonb := sediment.sums_of_all(extract(minute from v_at)::integer % 10 = 0);
begin
  insert into public.metric_samples as s (at, uploads, upload_bytes, merges, files_merged, lag_seconds, debt_partitions,
    debt_oldest_seconds, dead_letters, row_count, file_count, stored_bytes, dataset_count)
  select v_at, coalesce(sum(t.events) filter (where t.metric = 'uploads' and t.label = 'stored'), 0),
    coalesce(sum(t.amount) filter (where t.metric = 'uploads' and t.label = 'stored'), 0),
    coalesce(sum(t.events) filter (where t.metric = 'merge_lag_seconds'), 0),
    coalesce(sum(t.events) filter (where t.metric = 'merged_files' and t.label = 'input'), 0),
    coalesce(sum(t.amount) filter (where t.metric = 'merge_lag_seconds'), 0),
    (select count(*) from (select 1 from public.partitions p where p.debt_oldest is not null limit 10000) x),
    (select coalesce(greatest(extract(epoch from v_now - min(p.debt_oldest)), 0), 0) from public.partitions p
      where p.debt_oldest is not null),
    (select count(*) from (select 1 from public.dead_letters l where l.resolved_at is null limit 10000) x),
    (v_all ->> 'rows')::bigint, (v_all ->> 'files')::bigint, (v_all ->> 'bytes')::double precision, (v_all ->> 'datasets')::bigint
  from public.metric_totals t
  on conflict (at) do update
  set uploads = excluded.uploads, upload_bytes = excluded.upload_bytes, merges = excluded.merges,
    files_merged = excluded.files_merged, lag_seconds = excluded.lag_seconds, debt_partitions = excluded.debt_partitions,
    debt_oldest_seconds = excluded.debt_oldest_seconds, dead_letters = excluded.dead_letters,
    row_count = excluded.row_count, file_count = excluded.file_count, stored_bytes = excluded.stored_bytes,
    dataset_count = excluded.dataset_count;
  delete from public.metric_samples s
  where s.at < v_now - interval '31 days'
    or s.at < v_now - interval '25 hours' and exists (select 1 from public.metric_samples e
      where e.at < s.at and e.at >= date_trunc('hour', s.at));
  return v_at;
end $$;
