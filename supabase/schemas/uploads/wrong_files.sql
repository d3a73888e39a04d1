-- What is wrong with the data files of calls that hold and are not known, {n: detail}: of a call's the first that is.
create or replace function sediment.wrong_files(p_calls sediment.commit_call[], p_known integer[])
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  return (
    -- of a call's the last one stays
    select jsonb_object_agg(x.n, x.wrong order by x.n, x.ordinal desc nulls first) filter (where x.wrong is not null)
    from (
      select c.n, f.ordinal, case
        when t.list is null then 'p_files is not an array of 1 to 10000 data files'
        when (f.ordinal >= 0 and f.ordinal < jsonb_array_length(t.list) and f."table" ~ '^[A-Za-z0-9_-]{1,64}$' and f.period_tag ~ '^[A-Za-z0-9_-]{1,64}$'
          and f.start_byte >= 0 and f.byte_length > 0 and f.byte_length <= c.object_size - f.start_byte
          and f.row_count >= 0 and f.row_group_count >= 0 and f.uncompressed_bytes >= 0
          and coalesce(f.value_count >= 0, true) and coalesce(jsonb_typeof(f.merge_facts) = 'object', true)
          and f.schema_fingerprint is not null and f.schema is not null) is not true
        then format('data file %s is not well formed: table %s, period_tag %s, start_byte %s, byte_length %s',
          f.ordinal, quote_nullable(left(f."table", 80)), quote_nullable(left(f.period_tag, 80)), f.start_byte,
          f.byte_length)
        when count(*) over (partition by c.n, f.ordinal) > 1 then 'two data files have the same ordinal'
      end as wrong
      from unnest(p_calls) as c
      cross join lateral (select case when jsonb_typeof(c.files) = 'array'
        then case when jsonb_array_length(c.files) between 1 and 10000 then c.files end end as list) t
      left join lateral jsonb_to_recordset(t.list) as f(ordinal integer, "table" text, period_tag text,
        start_byte bigint, byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint,
        value_count bigint, merge_facts jsonb, schema_fingerprint text, schema jsonb) on true
      where c.outcome is null and c.n <> all (coalesce(p_known, '{}'))
    ) x);
end $$;
