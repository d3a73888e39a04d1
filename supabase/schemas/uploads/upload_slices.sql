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
  union all
  select x.n::integer - 1, split_part(w.words[1], '/', 1), coalesce(nullif(split_part(w.words[1], '/', 2), ''), u.period_tag),
    w.words[2]::bigint, w.words[3]::bigint
  from string_to_table(u.slices, ',') with ordinality as x(slice, n)
  cross join lateral (select string_to_array(x.slice, ' ') as words) w
$$;
