-- A dataset as its owner and members think of it; whether compaction is needed or under way follows from the partitions.
create or replace view public.dataset_status with (security_invoker = true) as
  select d.id, d.user_id, d.name, d.version, d.oldest_kept_version, d.file_count, d.file_size_bytes, d.file_etag,
    d.row_count, d.compression_ratio, d.last_compacted_at,
    coalesce(p.needed, false) as compaction_needed, coalesce(p.in_progress, false) as compaction_in_progress,
    coalesce(p.debt_files, 0)::bigint as debt_files, coalesce(p.debt_bytes, 0)::bigint as debt_bytes,
    p.debt_oldest, coalesce(p.dead, 0)::bigint as dead_partitions, d.created_at, d.updated_at,
    -- files that stay as they are since taking them apart would cost too much; last_decision of their partitions says why
    (select coalesce(sum(x.left_alone_files), 0) from public.partitions x
      where x.dataset_id = d.id and x.left_alone_files > 0)::bigint as left_alone_files
  from public.datasets d
  left join lateral (
    select bool_or(x.debt_oldest is not null) as needed,
      bool_or(x.lease_expires_at > statement_timestamp()) as in_progress,
      sum(x.debt_files) filter (where x.debt_oldest is not null) as debt_files,
      sum(x.debt_bytes) filter (where x.debt_oldest is not null) as debt_bytes, min(x.debt_oldest) as debt_oldest,
      count(x.dead_since) as dead
    from public.partitions x
    where x.dataset_id = d.id -- of all others there is nothing to count
      and (x.debt_oldest is not null or x.due_at is not null or x.msg_id is not null or x.dead_since is not null)
  ) p on true;
