-- What a vacuum would do now, and why, without doing it; then what the store still holds, by state.
select v ->> 'dataset_id' as dataset, v -> 'oldest_kept_version' as oldest_kept, v -> 'vacuumable_version' as vacuumable
from jsonb_array_elements(public.plan_vacuum(5000, true) -> 'versions') v;

select o ->> 'reason' as reason, o ->> 'kind' as kind, o ->> 'state' as state, count(*) as objects,
  pg_size_pretty(sum((o ->> 'size')::bigint)) as size
from jsonb_array_elements(public.plan_vacuum(5000, true) -> 'delete') o
group by 1, 2, 3 order by 4 desc;

-- Counts stop at 10,000, but for those that are stored, which are PostgreSQL's estimate.
select o ->> 'state' as state, o -> 'objects' as objects from jsonb_array_elements(public.read_metrics() -> 'objects') o;

select pg_size_pretty(sum(d.file_size_bytes)) as listed, pg_size_pretty(sum(d.retired_bytes)) as replaced_and_kept
from public.datasets d;
