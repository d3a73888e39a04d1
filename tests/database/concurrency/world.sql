-- One small world for two connections to meet in. Loaded once, after supabase/tests/helpers/fixtures.sql;
-- tests.world() makes it, tests.keep() remembers its rows, tests.restore() brings them back.
--   a     3 files and a quarantined one, leased by worker w, output 0 staged
--   b     1 file, its message due            dead   given up, with a dead letter
--   late  its lease has ended                due    debt that is due, without a message
--   old   compacted long ago: a vacuum has versions to move, a row to drop and objects to delete
-- Stages: one and two hold slices of a and b in opposite orders; twin is the same body as one; alone is of b only.
create table tests.handles (name text primary key, value jsonb not null);
grant all on tests.handles to service_role;

create function tests.handle(p_name text) returns jsonb language sql stable as $$
  select h.value from tests.handles h where h.name = p_name
$$;

create function tests.world() returns void language plpgsql as $$
declare
  v_claim jsonb;
begin
  update public.service_settings set vacuum_interval_seconds = 0, realtime_delay_seconds = 0, lease_seconds = 3600;

  -- old
  perform tests.upload(1, 100, 'old1', 'old'), tests.upload(1, 100, 'old2', 'old');
  perform tests.compact(tests.claim('w', 100, 'old'));
  update public.dataset_versions set committed_at = committed_at - interval '9 days';
  update public.datasets set version_committed_at = version_committed_at - interval '9 days',
    oldest_kept_version = 3, oldest_kept_at = oldest_kept_at - interval '1 day';
  insert into tests.handles select 'old', to_jsonb(array_agg(object_key)) from public.objects where kind = 'fragment';
  -- dead
  perform tests.upload(1, 100, 'dead', 'dead');
  v_claim := tests.claim('w', 100, 'dead');
  perform public.fail_compaction((v_claim ->> 'run_id')::uuid, (v_claim ->> 'token')::bigint, 'internal', 'no', 'merge', true);
  -- due
  perform tests.upload(1, 100, 'due', 'due');
  perform tests.commit(tests.claim('w', 100, 'due'), null, '{}', p_result => '{"debt": {"files": 1, "bytes": 100}}');
  update public.partitions set due_at = clock_timestamp() - interval '1 s' where "table" = 'due';
  -- late
  perform tests.upload(1, 100, 'late', 'late');
  insert into tests.handles values ('late', tests.claim('lazy', 100, 'late'));
  update public.partitions set lease_expires_at = clock_timestamp() - interval '1 s', ready_at = clock_timestamp() - interval '1 s'
  where "table" = 'late';
  -- a
  perform tests.upload(1, 100, 'a' || i, 'a') from generate_series(1, 4) i;
  v_claim := tests.claim('w', 100, 'a');
  perform public.quarantine_file((v_claim ->> 'run_id')::uuid, (v_claim ->> 'token')::bigint, (tests.ids(v_claim))[4], 'invalid_parquet', 'bad');
  v_claim := jsonb_set(v_claim, '{files}', (v_claim -> 'files') - 3);
  insert into tests.handles values ('a', v_claim), ('output', tests.output(v_claim));
  update public.partitions set lease_expires_at = clock_timestamp() + interval '1 hour', ready_at = clock_timestamp() + interval '1 hour'
  where "table" = 'a';
  -- b
  perform tests.upload(1, 100, 'b', 'b');
  perform tests.make_due();
  update pgmq.q_compaction_realtime m set vt = p.ready_at from public.partitions p
  where p.msg_id = m.msg_id and p.queue = 'realtime' and p.lease_expires_at is not null;
  -- stages
  insert into tests.handles values
    ('one', tests.stage(1, 100, 'one', 'a', p_size => 200, p_kind => 'concatenated')),
    ('twin', tests.stage(1, 100, 'one', 'a', p_size => 200, p_kind => 'concatenated')),
    ('two', tests.stage(1, 100, 'two', 'b', p_size => 200, p_kind => 'concatenated')),
    ('alone', tests.stage(1, 100, 'alone', 'b'));
end $$;

create function tests.files_of(p_name text) returns jsonb language sql immutable as $$
  select case p_name
    when 'alone' then jsonb_build_array(tests.file('b', '2024-11-25', 5))
    when 'two' then jsonb_build_array(tests.file('b', '2024-11-25', 5, 0, 100, 0), tests.file('a', '2024-11-25', 7, 100, 100, 1))
    else jsonb_build_array(tests.file('a', '2024-11-25', 7, 0, 100, 0), tests.file('b', '2024-11-25', 5, 100, 100, 1))
  end
$$;

create function tests.commit_of(p_name text) returns jsonb language sql as $$
  select tests.commit_stage(tests.handle(p_name), 1, case p_name when 'twin' then 'one' else p_name end,
    tests.files_of(p_name), case p_name when 'alone' then 100 else 200 end)
$$;

create function tests.commit_call(p_name text) returns jsonb language sql as $$
  select jsonb_build_object('p_stage', tests.handle(p_name) ->> 'stage_id', 'p_user', tests.u(1),
    'p_size', case p_name when 'alone' then 100 else 200 end, 'p_etag', 'e', 'p_content_hash', tests.hash(p_name),
    'p_files', tests.files_of(p_name))
$$;

-- the commits of two stages, and a new stage, as one group; it gives up behind a lock, and leaves its calls to be made alone
create function tests.group_of(p_first text, p_second text) returns jsonb language plpgsql as $$
begin
  return public.group_upload_calls(
    jsonb_build_array(jsonb_build_object('p_user', tests.u(1), 'p_dataset', tests.u(100), 'p_table', 'a',
      'p_period_tag', '0', 'p_size', 100, 'p_content_hash', tests.hash('grouped'), 'p_offsets_digest', '')),
    jsonb_build_array(tests.commit_call(p_first), tests.commit_call(p_second)));
exception when lock_not_available then
  return '"busy"';
end $$;

create function tests.run_of(p_name text) returns uuid language sql stable as $$
  select (tests.handle(p_name) ->> 'run_id')::uuid
$$;
create function tests.token_of(p_name text) returns bigint language sql stable as $$
  select (tests.handle(p_name) ->> 'token')::bigint
$$;

-- Tables in an order in which foreign keys let rows come; they go the other way round.
create function tests.tables() returns text[] language sql immutable as $$
  select array['public.datasets', 'public.dataset_versions', 'public.partitions', 'public.objects', 'public.uploads',
    'public.file_schemas', 'public.battle_files', 'public.processing_metrics', 'public.run_children',
    'public.run_commits', 'public.dead_letters', 'public.alerts', 'pgmq.q_compaction_manual',
    'pgmq.q_compaction_realtime', 'pgmq.q_compaction_scheduled', 'pgmq.q_compaction_dlq',
    'pgmq.a_compaction_manual', 'pgmq.a_compaction_realtime', 'pgmq.a_compaction_scheduled', 'pgmq.a_compaction_dlq']
$$;

create function tests.keep() returns void language plpgsql as $$
declare
  v_table text;
begin
  foreach v_table in array tests.tables() loop
    execute format('create table tests.%I as select * from %s', 'kept_' || split_part(v_table, '.', 2), v_table);
  end loop;
end $$;

-- the world is put back by deleting all of it, live runs too
drop trigger keep_live_run on public.processing_metrics;

create function tests.restore() returns void language plpgsql as $$
declare
  v_tables text[] := tests.tables();
begin
  for i in reverse cardinality(v_tables) .. 1 loop
    execute format('delete from %s', v_tables[i]);
  end loop;
  for i in 1 .. cardinality(v_tables) loop
    execute format('insert into %s overriding system value select * from tests.%I', v_tables[i],
      'kept_' || split_part(v_tables[i], '.', 2));
  end loop;
end $$;
