-- Ends what is too old by its table's settings: looks at some partitions of one dataset, the one that was looked at longest
-- ago, and takes out at a new version what keep_rows_seconds and keep_periods leave no longer. A change like a merge: no
-- run is ended; one that has read such a file finds inputs_changed, and older versions keep it for their retention.
-- Returns {dataset_id|null, version|null, files, rows, more}.
create or replace function public.end_aged(p_limit integer default 2000, p_partitions integer default 200)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '60s'
as $$
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
    perform sediment.look_again(w.dataset_id, k."table", k.period_tag)
    from (select distinct a."table", a.period_tag from jsonb_to_recordset(v_aged) as a("table" text, period_tag text)) k;
    perform sediment.settle_slices(w.dataset_id, k."table", k.period_tag, v_version)
    from (select distinct a."table", a.period_tag from jsonb_to_recordset(v_aged) as a("table" text, period_tag text)) k
    where sediment.pending_seqs(w.dataset_id, k."table", k.period_tag) is not null;
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
end $$;
