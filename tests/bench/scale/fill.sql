-- A catalog as many users fill it: datasets of ten partitions, three of which have a due message, four debt, three are at rest
-- after a merge that succeeded; one partition in a hundred is dead. Each has an upload, one in the ledger, whose five or six
-- slices are its files, two of which are replaced within their retention.
create schema bench;
create function bench.u(n bigint) returns uuid language sql immutable as $$
  select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
$$;
-- the upload of a partition, and its stage
create function bench.upload(d bigint, k integer) returns uuid language sql immutable as $$
  select md5(d || '/' || k)::uuid
$$;
create function bench.key(d bigint, k integer) returns text language sql immutable as $$
  select 'battle_data/' || bench.u(d) || '/t/p' || k || '/' || bench.upload(d, k) || '.parquet'
$$;

-- All of the datasets but their files.
create procedure bench.fill(p_from integer, p_to integer) language plpgsql as $$
begin
  insert into public.datasets (id, user_id, version, vacuumed_at, file_count, row_count, file_size_bytes, partition_count)
  select bench.u(d), bench.u(d % 1000), 3, now() - d * interval '1 ms', 34, 1700, 292400, 10 from generate_series(p_from, p_to) d;
  insert into public.dataset_versions (dataset_id, version, committed_at)
  select bench.u(d), v, now() - interval '1 h' + v * interval '1 min' from generate_series(p_from, p_to) d, generate_series(1, 3) v;
  -- a time that is due comes a day later: a catalog that is kept is the same tomorrow morning
  insert into public.partitions (dataset_id, "table", period_tag, debt_files, debt_bytes, debt_oldest, demand_seq, last_seq,
    queue, msg_id, run_id, ready_at, due_at, dead_since, last_decision)
  select bench.u(d), 't', 'p' || k, case when k < 7 then 1 + d % 50 else 0 end, case when k < 7 then d else 0 end,
    case when k < 7 then now() - d * interval '1 ms' end, 1, 100, case when k < 3 then 'realtime' end,
    case when k < 3 then 1000000000 + d::bigint * 3 + k end, case when k < 3 then gen_random_uuid() end,
    case when k < 3 then now() - interval '1 h' + d * interval '1 ms' end, case when k in (3, 4) then now() + interval '1 day' end,
    case when k = 6 and d % 10 = 0 then now() end, case when k > 6 then '4 files of 4 are merged into 1' end
  from generate_series(p_from, p_to) d, generate_series(0, 9) k;
  insert into public.processing_metrics (id, user_id, dataset_id, "table", period_tag, operation, trigger, priority)
  select p.run_id, bench.u(1), p.dataset_id, p."table", p.period_tag, 'compaction', 'upload', 'realtime'
  from public.partitions p where p.run_id is not null and p.dataset_id between bench.u(p_from) and bench.u(p_to);
  insert into pgmq.q_compaction_realtime (msg_id, enqueued_at, vt, message) overriding system value
  select p.msg_id, now(), p.ready_at, jsonb_build_object('datasetId', p.dataset_id, 'table', p."table", 'periodTag',
    p.period_tag, 'metricId', p.run_id, 'priority', 'realtime', 'triggeredAt', '2026-11-29T23:00:00.000Z')
  from public.partitions p where p.msg_id is not null and p.dataset_id between bench.u(p_from) and bench.u(p_to);
  -- runs of the last 80 days, which no history_seconds ends yet
  insert into public.processing_metrics (id, user_id, dataset_id, "table", period_tag, operation, trigger, priority, status,
    attempts, commits, step, steps_ms, decision, files_before, files_after, rows_before, rows_after, bytes_before, bytes_after,
    error_code, error_message, queued_at, started_at, completed_at)
  select md5('run ' || d || '/' || k)::uuid, bench.u(d % 1000), bench.u(d), 't', 'p' || k, 'compaction', 'upload', 'realtime',
    case when k > 6 then 'success' else 'dlq_failure' end, 1, 1, 'update-metadata', '{"list-fragments": 4, "merge": 21}',
    case when k > 6 then '4 files of 4 are merged into 1' end, 4, 1, 200, 200, 34400, 20000,
    case when k = 6 then 'internal' end, case when k = 6 then 'the merge failed' end, t.at, t.at + interval '2 s', t.at + interval '3 s'
  from generate_series(p_from, p_to) d, generate_series(6, 9) k
  cross join lateral (select now() - (d::bigint * 7919 % 6912000) * interval '1 s' as at) t
  where k > 6 or d % 10 = 0;
  insert into public.run_commits (run_id, ordinal, token, answer, committed_at)
  select md5('run ' || d || '/' || k)::uuid, 0, 1, '{"committed": true}', now() - (d::bigint * 7919 % 6912000) * interval '1 s'
  from generate_series(p_from, p_to) d, generate_series(7, 9) k;
  insert into public.dead_letters (id, user_id, dataset_id, "table", period_tag, run_id, queue, error_code, error_message, attempts,
    first_failed_at, last_failed_at, alerted_at, created_at)
  select d, bench.u(d % 1000), bench.u(d), 't', 'p6', md5('run ' || d || '/6')::uuid, 'compaction_realtime',
    (array['internal', 'run_timeout', 'output_mismatch'])[1 + d / 10 % 3], 'the merge failed', 3, t.at, t.at, t.at, t.at
  from generate_series(p_from, p_to) d
  cross join lateral (select now() - (d::bigint * 7919 % 6912000) * interval '1 s' as at) t
  where d % 10 = 0;
  insert into public.objects (object_key, kind, state, size, etag, put_deadline, user_id, dataset_id, "table", period_tag, stage_id,
    content_hash)
  select bench.key(d, k), 'fragment', case when d % 100 = 7 and k = 0 then 'staged' else 'stored' end, 43000,
    md5(d || ' ' || k), now() + interval '1 day', bench.u(d % 1000), bench.u(d), 't', 'p' || k, bench.upload(d, k),
    md5(d || ' ' || k) || md5(k || ' ' || d)
  from generate_series(p_from, p_to) d, generate_series(0, 9) k;
  insert into public.uploads (id, dataset_id, "table", period_tag, content_hash, offsets_digest, user_id, object_key, size,
    version, metric_id, slices)
  select bench.upload(d, k), bench.u(d), 't', 'p' || k, md5(d || ' ' || k) || md5(k || ' ' || d), '', bench.u(d % 1000),
    '.parquet', 43000, 1, md5('run ' || d || '/' || k)::uuid, 't 50 0,t 50 1,t 50 2,t 50 3,t 50 4'
  from generate_series(p_from, p_to) d, generate_series(0, 9) k;
end $$;

-- The p_slice-th file of each partition that has one: slice by slice, so that a partition's lie apart, as they come.
create procedure bench.fill_files(p_from integer, p_to integer, p_slice integer) language plpgsql as $$
begin
  insert into public.battle_files (id, dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte, byte_length,
    level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes, schema_digest, added_version, removed_version,
    uploaded_by, uploaded_at, stats)
  -- an odd factor: each number has one id, and those that follow each other lie apart, as those of next_row_id
  select 281474976710656 + ((d * 60::bigint + k * 6 + p_slice) * 411522630413 & 281474976710655), bench.u(d), 't', 'p' || k,
    bench.upload(d, k), p_slice, bench.key(d, k), p_slice * 8600, 8600, 0, p_slice, p_slice, 50, 1, 20000, 's', 1,
    case when p_slice in (0, 3) then 3 end, bench.u(d % 1000), now(),
    '{"id": {"min": 1, "max": 50, "nulls": 0}, "at": {"min": "2026-11-29T00:00:00Z", "max": "2026-11-29T23:59:59Z", "nulls": 0}}'
  from generate_series(p_from, p_to) d, generate_series(0, 9) k
  where p_slice < 5 or k % 3 = 0;
end $$;

-- What is once: the schema, files in quarantine, and the samples of a month.
create procedure bench.finish() language plpgsql as $$
begin
  insert into public.file_schemas (digest, schema, fingerprint) values ('s', '{"name": "root", "children": []}', 'f');
  insert into public.metric_samples
  select now() - n * interval '1 minute', n, n, n, n, n, n, n, n from generate_series(1, 1500) n;
  insert into public.metric_samples
  select date_trunc('hour', now()) - n * interval '1 hour', n, n, n, n, n, n, n, n from generate_series(26, 744) n;
  update public.battle_files set state = 'quarantined', quarantine_code = 'invalid_parquet', quarantined_at = now()
  where removed_version is null and seq_min = 1 and dataset_id < bench.u(20);
end $$;

-- The indexes of the large tables that no constraint has: dropped before many rows, made again after them as they were.
create table bench.dropped_indexes (name text primary key, definition text not null);
create procedure bench.drop_indexes() language plpgsql as $$
declare
  v_name text;
begin
  insert into bench.dropped_indexes
  select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
  from pg_index i where i.indrelid = any (array['public.partitions', 'public.processing_metrics', 'public.objects',
      'public.battle_files', 'public.uploads', 'public.dataset_versions', 'public.dead_letters', 'pgmq.q_compaction_realtime']::regclass[])
    and not exists (select 1 from pg_constraint c where c.conindid = i.indexrelid);
  for v_name in select name from bench.dropped_indexes loop
    execute 'drop index ' || v_name;
  end loop;
end $$;
