-- The data files of calls that hold and are not known yet, sorted by partition, then call and ordinal, and what is
-- wrong with them: {n: detail}, null for nothing. The function that inspected the bytes has checked more; this is what
-- the catalog itself relies on.
-- Materialized before anything is sorted: else each row to be sorted carries the list that it is from.
create or replace function sediment.read_commit_files(
  p_calls sediment.commit_call[], out files sediment.commit_file[], out wrong jsonb
)
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
begin
  with read as materialized (
    select c.n, c.dataset_id, f.ordinal, f."table", f.period_tag,
      row(c.n, c.dataset_id, c.stage, c.user_id, c.object_key, c.etag, f.ordinal, f."table", f.period_tag,
        f.start_byte, f.byte_length, f.row_count, f.row_group_count, f.uncompressed_bytes, f.value_count,
        f.merge_facts, f.schema_fingerprint, f.schema, f.stats, f.checksum,
        sediment.schema_digest(f.schema))::sediment.commit_file as file,
      case
        when t.list is null then 'p_files is not an array of 1 to 10000 data files'
        when (f.ordinal >= 0 and f."table" ~ '^[A-Za-z0-9_-]{1,64}$' and f.period_tag ~ '^[A-Za-z0-9_-]{1,64}$'
          and f.start_byte >= 0 and f.byte_length > 0 and f.byte_length <= c.object_size - f.start_byte
          and f.row_count >= 0 and f.row_group_count >= 0 and f.uncompressed_bytes >= 0
          and coalesce(f.value_count >= 0, true) and coalesce(jsonb_typeof(f.merge_facts) = 'object', true)
          and f.schema_fingerprint is not null and f.schema is not null) is not true
        then format('data file %s is not well formed: table %s, period_tag %s, start_byte %s, byte_length %s',
          f.ordinal, quote_nullable(left(f."table", 80)), quote_nullable(left(f.period_tag, 80)), f.start_byte,
          f.byte_length)
      end as detail
    from unnest(p_calls) as c
    cross join lateral (select case when jsonb_typeof(c.files) = 'array'
      then case when jsonb_array_length(c.files) between 1 and 10000 then c.files end end as list) t
    left join lateral jsonb_to_recordset(t.list) as f(ordinal integer, "table" text, period_tag text,
      start_byte bigint, byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint,
      value_count bigint, merge_facts jsonb, schema_fingerprint text, schema jsonb, stats jsonb, checksum text) on true
    where c.outcome is null and not c.known
  )
  select array_agg(x.file order by x.dataset_id, x."table", x.period_tag, x.n, x.ordinal)
      filter (where x.ordinal is not null),
    -- of a call's the last one stays: the first data file that is wrong
    jsonb_object_agg(x.n, x.wrong order by x.n, x.ordinal desc nulls first) filter (where x.wrong is not null)
  into strict files, wrong
  from (
    select r.*, coalesce(r.detail, case when count(*) over (partition by r.n, r.ordinal) > 1
      then 'two data files have the same ordinal' end) as wrong
    from read r
  ) x;
end $$;
