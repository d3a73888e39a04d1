-- Queued partitions for the bench, by the real functions: each with five small fragments of one upload.
create schema if not exists bench;

create or replace procedure bench.fill(p_from integer, p_to integer) language plpgsql as $$
declare
  v_user constant uuid := '00000000-0000-4000-8000-000000000001';
  v_dataset uuid;
  v_hash text;
  v_files jsonb;
begin
  for i in p_from .. p_to loop
    v_dataset := format('00000000-0000-4000-8000-%s', lpad(((i - 1) / 100)::text, 12, '0'))::uuid;
    v_hash := lpad(to_hex(i), 64, '0');
    select jsonb_agg(jsonb_build_object('ordinal', n, 'table', 't', 'period_tag', 'p' || i, 'start_byte', n * 100,
      'byte_length', 100, 'row_count', 10, 'row_group_count', 1, 'uncompressed_bytes', 200,
      'schema_fingerprint', 's', 'schema', '{}'::jsonb, 'stats', '{}'::jsonb))
    into v_files from generate_series(0, 4) n;
    perform public.commit_upload((public.stage_upload(v_user, v_dataset, 't', 'p' || i, 500, v_hash, '',
      'concatenated') ->> 'stage_id')::uuid, v_user, 500, 'e', v_hash, v_files);
    if i % 200 = 0 then
      commit;
    end if;
  end loop;
end $$;

-- A history: ended runs and removed files, as they pile up in a year. No function would write so many so fast.
create or replace procedure bench.fill_history(p_runs bigint, p_files bigint) language plpgsql as $$
declare
  v_dataset constant uuid := '00000000-0000-4000-8000-0000000000ff';
  v_user constant uuid := '00000000-0000-4000-8000-000000000001';
begin
  insert into public.datasets (id, user_id, version) values (v_dataset, v_user, 2) on conflict do nothing;
  insert into public.partitions (dataset_id, "table", period_tag) select v_dataset, 't', 'h' || n
  from generate_series(0, 999) n on conflict do nothing;
  insert into public.file_schemas (digest, schema) values ('s', '{}') on conflict do nothing;
  insert into public.objects (object_key, kind, state, size, put_deadline)
  select 'history/' || n, 'fragment', 'stored', 100, now() from generate_series(0, 999) n on conflict do nothing;
  for i in 0 .. (p_runs - 1) / 100000 loop
    insert into public.processing_metrics (user_id, dataset_id, "table", period_tag, operation, trigger, priority,
      status, commits, completed_at)
    select v_user, v_dataset, 't', 'h' || n % 1000, 'compaction', 'upload', 'realtime', 'success', 1, now()
    from generate_series(i * 100000 + 1, least((i + 1) * 100000, p_runs)) n;
    commit;
  end loop;
  set session_replication_role = replica; -- ten million looks at a foreign key are not what is measured
  for i in 0 .. (p_files - 1) / 200000 loop
    insert into public.battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte,
      byte_length, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes, schema_fingerprint,
      added_version, removed_version, uploaded_by, uploaded_at)
    select v_dataset, 't', 'h' || n % 1000, gen_random_uuid(), 0, 'history/' || n % 1000, 0, 100, 0, n, n, 10, 1, 200,
      's', 1, case when n % 10 > 0 then 2 end, v_user, now()
    from generate_series(i * 200000 + 1, least((i + 1) * 200000, p_files)) n;
    commit;
  end loop;
  set session_replication_role = origin;
end $$;
