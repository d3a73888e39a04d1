-- What all datasets hold together. Of over p_many, by PostgreSQL's estimate, it is what the newest sample of the last 20
-- minutes has: to add them up is to read them.
--   p_exact: they are added up whatever their number
-- Returns {datasets, files, rows, bytes}.
create or replace function sediment.sums_of_all(p_exact boolean, p_many integer default 50000)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_sums jsonb;
begin
  if not p_exact and (select c.reltuples > p_many from pg_catalog.pg_class c where c.oid = 'public.datasets'::regclass) then
    select jsonb_build_object('datasets', s.dataset_count, 'files', s.file_count, 'rows', s.row_count, 'bytes', s.stored_bytes)
    into v_sums
    from public.metric_samples s
    where s.at > v_now - interval '20 minutes' and s.dataset_count is not null
    order by s.at desc limit 1;
    if found then
      return v_sums;
    end if;
  end if;
  select jsonb_build_object('datasets', count(*), 'files', coalesce(sum(d.file_count), 0),
    'rows', coalesce(sum(d.row_count), 0), 'bytes', coalesce(sum(d.file_size_bytes), 0))
  into strict v_sums from public.datasets d where d.deleted_at is null;
  return v_sums;
end $$;
