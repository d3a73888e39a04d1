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
begin
  insert into public.metric_samples as s (at, uploads, upload_bytes, merges, files_merged, lag_seconds, debt_partitions,
    debt_oldest_seconds, dead_letters, row_count, file_count, stored_bytes)
  select v_at, coalesce(sum(t.events) filter (where t.metric = 'uploads' and t.label = 'stored'), 0),
    coalesce(sum(t.amount) filter (where t.metric = 'uploads' and t.label = 'stored'), 0),
    coalesce(sum(t.events) filter (where t.metric = 'merge_lag_seconds'), 0),
    coalesce(sum(t.events) filter (where t.metric = 'merged_files' and t.label = 'input'), 0),
    coalesce(sum(t.amount) filter (where t.metric = 'merge_lag_seconds'), 0),
    (select count(*) from (select 1 from public.partitions p where p.debt_oldest is not null limit 10000) x),
    (select coalesce(greatest(extract(epoch from v_now - min(p.debt_oldest)), 0), 0) from public.partitions p
      where p.debt_oldest is not null),
    (select count(*) from (select 1 from public.dead_letters l where l.resolved_at is null limit 10000) x),
    d.row_count, d.file_count, d.stored_bytes
  from (
    select coalesce(sum(y.row_count), 0) as row_count, coalesce(sum(y.file_count), 0) as file_count,
      coalesce(sum(y.file_size_bytes), 0) as stored_bytes
    from public.datasets y where y.deleted_at is null) d
  left join public.metric_totals t on true
  group by d.row_count, d.file_count, d.stored_bytes
  on conflict (at) do update
  set uploads = excluded.uploads, upload_bytes = excluded.upload_bytes, merges = excluded.merges,
    files_merged = excluded.files_merged, lag_seconds = excluded.lag_seconds, debt_partitions = excluded.debt_partitions,
    debt_oldest_seconds = excluded.debt_oldest_seconds, dead_letters = excluded.dead_letters,
    row_count = excluded.row_count, file_count = excluded.file_count, stored_bytes = excluded.stored_bytes;
  delete from public.metric_samples s
  where s.at < v_now - interval '31 days'
    or s.at < v_now - interval '25 hours' and exists (select 1 from public.metric_samples e
      where e.at < s.at and e.at >= date_trunc('hour', s.at));
  return v_at;
end $$;
