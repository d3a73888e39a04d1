-- The slices of an acknowledged upload, as they were told first.
create or replace function sediment.upload_slices(u public.uploads)
returns table (ordinal integer, "table" text, period_tag text, row_count bigint, seq bigint)
language sql
stable
set search_path = ''
as $$
  select (x.f ->> 'ordinal')::integer, x.f ->> 'table', x.f ->> 'period_tag', (x.f ->> 'row_count')::bigint, u.seqs[x.n]
  from jsonb_array_elements(u.answer -> 'files') with ordinality as x(f, n)
  union all
  select x.n::integer - 1, x."table", coalesce(u.period_tags[x.n], u.period_tag), u.row_counts[x.n], u.seqs[x.n]
  from unnest(u.tables) with ordinality as x("table", n)
$$;
