-- What calls of commit_upload that hold bring, as far as they are not known yet. It comes after sediment.lock_commit_calls,
-- so that it sees what was acknowledged by whoever was waited for.
-- The function that inspected the bytes has checked more: this is what the catalog itself relies on.
-- Materialized before anything is sorted: else each row to be sorted carries the list that it is from.
create or replace function sediment.plan_commits(p_calls sediment.commit_call[])
returns sediment.commit_plan
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
declare
  v_plan sediment.commit_plan;
begin
  with calls as materialized (
    select c.*, c.known or u.id is not null as is_known
    from unnest(p_calls) as c
    left join public.uploads u on u.dataset_id = any (array[c.dataset_id]) and u."table" = c."table"
      and u.period_tag = c.period_tag and u.content_hash = c.content_hash
    where c.outcome is null
  ), read as materialized (
    select c.n, c.dataset_id, c.user_id, f.ordinal, f."table", f.period_tag, f.byte_length, f.row_count,
      f.uncompressed_bytes, x.digest,
      row(c.n, c.dataset_id, c.stage, c.user_id, c.object_key, c.etag, f.ordinal, f."table", f.period_tag,
        f.start_byte, f.byte_length, f.row_count, f.row_group_count, f.uncompressed_bytes, f.value_count,
        f.merge_facts, f.schema_fingerprint, f.schema, f.stats, f.checksum, x.digest)::sediment.commit_file as file,
      (f.ordinal >= 0 and f.ordinal < jsonb_array_length(t.list) and f."table" ~ '^[A-Za-z0-9_-]{1,64}$' and f.period_tag ~ '^[A-Za-z0-9_-]{1,64}$'
        and f.start_byte >= 0 and f.byte_length > 0 and f.byte_length <= c.object_size - f.start_byte
        and f.row_count >= 0 and f.row_group_count >= 0 and f.uncompressed_bytes >= 0
        and coalesce(f.value_count >= 0, true) and coalesce(jsonb_typeof(f.merge_facts) = 'object', true)
        and f.schema_fingerprint is not null and f.schema is not null) is not true as is_wrong
    from calls c
    cross join lateral (select case when jsonb_typeof(c.files) = 'array'
      then case when jsonb_array_length(c.files) between 1 and 10000 then c.files end end as list) t
    left join lateral jsonb_to_recordset(t.list) as f(ordinal integer, "table" text, period_tag text,
      start_byte bigint, byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint,
      value_count bigint, merge_facts jsonb, schema_fingerprint text, schema jsonb, stats jsonb, checksum text) on true
    -- sediment.schema_digest, in place of a call for each
    cross join lateral (select encode(substr(sha256(convert_to(f.schema::text, 'UTF8')), 1, 24), 'base64') as digest) x
    where not c.is_known
  ), sorted as materialized (
    select r.*, row_number() over (order by r.dataset_id, r."table", r.period_tag, r.n, r.ordinal)::integer as nth
    from read r
  ), partitions as materialized (
    select s.dataset_id, s."table", s.period_tag, min(s.nth) as first_file, max(s.nth) as last_file,
      sum(s.byte_length)::bigint as bytes, sum(s.row_count) as rows, sum(s.uncompressed_bytes) as uncompressed,
      array_agg(distinct s.n) as calls, bool_or(k.digest is null) as new_schemas
    from sorted s
    left join public.file_schemas k on k.digest = any (array[s.digest])
    where s.ordinal is not null
    group by s.dataset_id, s."table", s.period_tag
  )
  select a.files, a.wrong, k.known, l.limited, k.of_others or b.is_new, b.parts, b.changes,
    (select s.realtime_delay_seconds from public.service_settings s where s.id)
  into strict v_plan
  from (
    select array_agg(s.file order by s.nth) filter (where s.ordinal is not null) as files,
      coalesce(bool_or(s.is_wrong), false) or count(*) <> count(distinct s.n::bigint << 32 | s.ordinal) as wrong
    from sorted s
  ) a
  cross join (
    select array_agg(c.n) filter (where c.is_known) as known,
      coalesce(bool_or(c.owner_id <> c.user_id) filter (where not c.is_known), false) as of_others
    from calls c
  ) k
  cross join (
    select coalesce(bool_or(p.is_new), false) as is_new,
      array_agg(p.part order by p.first_file) as parts,
      (select array_agg(row(t.dataset_id, t.files, t.bytes, t.rows, t.uncompressed, null)::sediment.dataset_change)
        from (
          select g.dataset_id, sum(g.last_file - g.first_file + 1) as files, sum(g.bytes) as bytes, sum(g.rows) as rows,
            sum(g.uncompressed) as uncompressed
          from partitions g group by g.dataset_id
        ) t) as changes
    from (
      select x.first_file, row(x.dataset_id, x."table", x.period_tag, x.first_file, x.last_file, x.bytes, x.calls,
          null)::sediment.partition_change as part,
        x.new_schemas or y.dataset_id is null as is_new
      from partitions x
      left join public.partitions y
        on y.dataset_id = any (array[x.dataset_id]) and y."table" = x."table" and y.period_tag = x.period_tag
    ) p
  ) b
  cross join (
    -- as sediment.is_near_quota has it
    select coalesce(bool_or(o.bytes + (
        select coalesce(sum(d.file_size_bytes + d.retired_bytes), 0) from public.datasets d
        where d.user_id = any (array[o.owner_id])
      ) + coalesce((select u.asset_bytes from public.user_usage u where u.user_id = any (array[o.owner_id])), 0)
      > o.max - greatest(o.max / 20, 1073741824)), false) as limited
    from (
      select c.owner_id, sum(c.object_size)::bigint as bytes,
        coalesce(min(m.stored_bytes_max), min(s.stored_bytes_max)) as max
      from calls c
      join public.service_settings s on s.id
      left join public.user_limits m on m.user_id = any (array[c.owner_id])
      where not c.is_known
      group by c.owner_id
    ) o
    where o.max is not null
  ) l;
  return v_plan;
end $$;
