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
  v_parts sediment.partition_change[] := '{}'::sediment.partition_change[];
  v_changes sediment.dataset_change[] := '{}'::sediment.dataset_change[];
  v_part sediment.partition_change;
  v_change sediment.dataset_change;
  v_file sediment.commit_file;
begin
  with read as materialized (
    select c.n, c.dataset_id, c.owner_id, c.object_size, f.ordinal, f."table", f.period_tag, e.is_known,
      c.owner_id <> c.user_id as of_others, k.digest is null or y.dataset_id is null as is_new,
      row(c.n, c.dataset_id, c.stage, c.user_id, c.object_key, c.etag, f.ordinal, f."table", f.period_tag,
        f.start_byte, f.byte_length, f.row_count, f.row_group_count, f.uncompressed_bytes, f.value_count,
        f.merge_facts, f.schema_fingerprint, f.schema, f.stats, f.checksum, x.digest)::sediment.commit_file as file,
      (f.ordinal >= 0 and f.ordinal < jsonb_array_length(t.list)
        and f."table" ~ '^[A-Za-z0-9_-]{1,64}$' and f.period_tag ~ '^[A-Za-z0-9_-]{1,64}$'
        and f.start_byte >= 0 and f.byte_length > 0 and f.byte_length <= c.object_size - f.start_byte
        and f.row_count >= 0 and f.row_group_count >= 0 and f.uncompressed_bytes >= 0
        and coalesce(f.value_count >= 0, true) and coalesce(jsonb_typeof(f.merge_facts) = 'object', true)
        and f.schema_fingerprint is not null and f.schema is not null) is not true as is_wrong
    from unnest(p_calls) as c
    left join public.uploads u on u.dataset_id = any (array[c.dataset_id]) and u."table" = c."table"
      and u.period_tag = c.period_tag and u.content_hash = c.content_hash
    cross join lateral (select c.known or u.id is not null as is_known) e
    cross join lateral (select case when not e.is_known and jsonb_typeof(c.files) = 'array'
      then case when jsonb_array_length(c.files) between 1 and 10000 then c.files end end as list) t
    left join lateral jsonb_to_recordset(t.list) as f(ordinal integer, "table" text, period_tag text,
      start_byte bigint, byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint,
      value_count bigint, merge_facts jsonb, schema_fingerprint text, schema jsonb, stats jsonb, checksum text) on true
    -- sediment.schema_digest, in place of a call for each; an offset keeps it from being worked out for each use
    cross join lateral (
      select encode(substr(sha256(convert_to(f.schema::text, 'UTF8')), 1, 24), 'base64') as digest offset 0) x
    left join public.file_schemas k on k.digest = any (array[x.digest])
    left join public.partitions y
      on y.dataset_id = any (array[c.dataset_id]) and y."table" = f."table" and y.period_tag = f.period_tag
    where c.outcome is null
  )
  select a.files, a.wrong, a.known,
    -- as sediment.is_near_quota has it
    exists (
      select 1 from unnest(a.owners) as o(id)
      left join public.user_limits m on m.user_id = any (array[o.id])
      left join public.user_usage y on y.user_id = any (array[o.id])
      where a.bytes + coalesce(y.asset_bytes, 0) + (
          select coalesce(sum(d.file_size_bytes + d.retired_bytes), 0) from public.datasets d
          where d.user_id = any (array[o.id]))
        > coalesce(m.stored_bytes_max, s.stored_bytes_max)
          - greatest(coalesce(m.stored_bytes_max, s.stored_bytes_max) / 20, 1073741824)),
    a.is_new, null::sediment.partition_change[], null::sediment.dataset_change[], s.realtime_delay_seconds
  into strict v_plan
  from public.service_settings s
  cross join (
    select array_agg(r.file order by r.dataset_id, r."table", r.period_tag, r.n, r.ordinal)
        filter (where r.ordinal is not null) as files,
      coalesce(bool_or(r.is_wrong and not r.is_known), false)
        or count(r.ordinal) <> count(distinct r.n::bigint << 32 | r.ordinal) as wrong,
      array_agg(distinct r.n) filter (where r.is_known) as known,
      coalesce(bool_or(r.of_others or r.is_new) filter (where not r.is_known), false) as is_new,
      array_agg(distinct r.owner_id) filter (where not r.is_known) as owners,
      (sum(r.object_size) filter (where r.ordinal = 0))::bigint as bytes
    from read r
  ) a
  where s.id;

  -- Sorted as they are, what belongs together stands together. Mostly it is one file: a loop costs more than the row.
  if cardinality(v_plan.files) = 1 then
    v_file := v_plan.files[1];
    v_plan.parts := array[row(v_file.dataset_id, v_file."table", v_file.period_tag, 1, 1, v_file.byte_length,
      array[v_file.n], null)::sediment.partition_change];
    v_plan.changes := array[row(v_file.dataset_id, 1, v_file.byte_length, v_file.row_count, v_file.uncompressed_bytes,
      null)::sediment.dataset_change];
    return v_plan;
  end if;
  for i in 1 .. coalesce(cardinality(v_plan.files), 0) loop
    v_file := v_plan.files[i];
    if v_part.dataset_id = v_file.dataset_id and v_part."table" = v_file."table"
      and v_part.period_tag = v_file.period_tag
    then
      v_part.last_file := i;
      v_part.bytes := v_part.bytes + v_file.byte_length;
      if v_part.calls[cardinality(v_part.calls)] <> v_file.n then
        v_part.calls := v_part.calls || v_file.n;
      end if;
    else
      if i > 1 then
        v_parts := v_parts || v_part;
      end if;
      v_part := row(v_file.dataset_id, v_file."table", v_file.period_tag, i, i, v_file.byte_length, array[v_file.n], null);
    end if;
    if v_change.dataset_id = v_file.dataset_id then
      v_change.files := v_change.files + 1;
      v_change.bytes := v_change.bytes + v_file.byte_length;
      v_change.rows := v_change.rows + v_file.row_count;
      v_change.uncompressed := v_change.uncompressed + v_file.uncompressed_bytes;
    else
      if i > 1 then
        v_changes := v_changes || v_change;
      end if;
      v_change := row(v_file.dataset_id, 1, v_file.byte_length, v_file.row_count, v_file.uncompressed_bytes, null);
    end if;
  end loop;
  if v_part.dataset_id is not null then
    v_plan.parts := v_parts || v_part;
    v_plan.changes := v_changes || v_change;
  end if;
  return v_plan;
end $$;
