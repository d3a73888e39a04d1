-- A catalog as many users fill it: datasets of ten partitions, three of which have a due message, four debt (one of them
-- dead), three are at rest; ten objects and files each, a file in three replaced within its retention.
create schema bench;
create function bench.u(n bigint) returns uuid language sql immutable as $$
  select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
$$;
create procedure bench.fill(p_from integer, p_to integer) language plpgsql as $$
begin
  insert into public.datasets (id, user_id, version, vacuumed_at)
  select bench.u(d), bench.u(d % 1000), 3, now() - d * interval '1 ms' from generate_series(p_from, p_to) d;
  insert into public.dataset_versions (dataset_id, version, committed_at)
  select bench.u(d), v, now() - interval '1 h' + v * interval '1 min' from generate_series(p_from, p_to) d, generate_series(1, 3) v;
  insert into public.partitions (dataset_id, "table", period_tag, debt_files, debt_bytes, debt_oldest, demand_seq, last_seq,
    queue, msg_id, run_id, ready_at, due_at, dead_since)
  select bench.u(d), 't', 'p' || k, case when k < 7 then 1 + d % 50 else 0 end, case when k < 7 then d else 0 end,
    case when k < 7 then now() - d * interval '1 ms' end, 1, 100, case when k < 3 then 'realtime' end,
    case when k < 3 then 1000000000 + d::bigint * 3 + k end, case when k < 3 then gen_random_uuid() end,
    case when k < 3 then now() - interval '1 h' + d * interval '1 ms' end, case when k in (3, 4) then now() + interval '1 h' end,
    case when k = 6 then now() end
  from generate_series(p_from, p_to) d, generate_series(0, 9) k;
  insert into public.processing_metrics (id, user_id, dataset_id, "table", period_tag, operation, trigger, priority)
  select p.run_id, bench.u(1), p.dataset_id, p."table", p.period_tag, 'compaction', 'upload', 'realtime'
  from public.partitions p where p.run_id is not null and p.dataset_id between bench.u(p_from) and bench.u(p_to);
  insert into pgmq.q_compaction_realtime (msg_id, enqueued_at, vt, message) overriding system value
  select p.msg_id, now(), p.ready_at, jsonb_build_object('datasetId', p.dataset_id, 'table', p."table", 'periodTag',
    p.period_tag, 'metricId', p.run_id, 'priority', 'realtime', 'triggeredAt', '2026-11-29T23:00:00.000Z')
  from public.partitions p where p.msg_id is not null and p.dataset_id between bench.u(p_from) and bench.u(p_to);
  insert into public.objects (object_key, kind, state, size, put_deadline, user_id, dataset_id, stage_id, content_hash)
  select format('battle_data/%s/%s', d, k), 'fragment', case when d % 100 = 7 and k = 0 then 'staged' else 'stored' end,
    8600, now() + interval '1 h', bench.u(d % 1000), bench.u(d), gen_random_uuid(), 'h'
  from generate_series(p_from, p_to) d, generate_series(0, 9) k;
  insert into public.battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte, byte_length,
    level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes, schema_fingerprint, added_version,
    removed_version, uploaded_by, uploaded_at)
  select bench.u(d), 't', 'p' || k, gen_random_uuid(), 0, format('battle_data/%s/%s', d, k), 0, 8600, 0, i, i, 50, 1, 20000,
    's', 1, case when i = 0 then 3 end, bench.u(d % 1000), now()
  from generate_series(p_from, p_to) d, generate_series(0, 9) k, generate_series(0, 2) i;
end $$;
insert into public.file_schemas (digest, schema) values ('s', '{"name": "root", "children": []}');
