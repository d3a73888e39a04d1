-- What upkeep, views and commits cost follows what they answer, not how much is there: each is measured in pages that it
-- touches, over a catalog and over one ten times as large.
begin;
\ir helpers/fixtures.sql
select plan(25);
update service_settings set max_datasets_per_run = 50;

-- Pages that a statement touches, its functions' included; whatever it changes is taken back.
create function tests.pages(p_sql text) returns bigint language plpgsql as $$
declare
  v_plan json;
begin
  for i in 1 .. 2 loop -- what is planned and cached is so by the second time
    begin
      execute 'explain (analyze, buffers, timing off, format json) ' || p_sql into v_plan;
      raise exception using errcode = 'TSDRY';
    exception when sqlstate 'TSDRY' then null;
    end;
  end loop;
  return (v_plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint + (v_plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint;
end $$;

-- Datasets of ten partitions: of each ten three with a due message, four in debt (one of them dead), three at rest.
create function tests.fill(p_from integer, p_to integer) returns void language plpgsql as $$
begin
  insert into datasets (id, user_id, vacuumed_at) select tests.u(10000 + d), tests.u(d), now() from generate_series(p_from, p_to) d;
  insert into partitions (dataset_id, "table", period_tag, debt_files, debt_bytes, debt_oldest, queue, msg_id, run_id,
    ready_at, due_at, dead_since)
  select tests.u(10000 + d), 't', 'p' || k, case when k < 7 then 1 + d % 50 else 0 end, case when k < 7 then d else 0 end,
    case when k < 7 then now() - d * interval '1 s' end, case when k < 3 then 'realtime' end,
    case when k < 3 then 100000 + d * 3 + k end, case when k < 3 then gen_random_uuid() end,
    case when k < 3 then now() - interval '1 h' + d * interval '1 ms' end, case when k in (3, 4) then now() + interval '1 h' end,
    case when k = 6 then now() end
  from generate_series(p_from, p_to) d, generate_series(0, 9) k;
  insert into pgmq.q_compaction_realtime (msg_id, enqueued_at, vt, message) overriding system value
  select p.msg_id, now(), p.ready_at, jsonb_build_object('datasetId', p.dataset_id, 'table', p."table", 'periodTag',
    p.period_tag, 'metricId', p.run_id, 'priority', 'realtime', 'triggeredAt', '2026-11-29T23:00:00.000Z')
  from partitions p where p.msg_id is not null
    and p.dataset_id between tests.u(10000 + p_from) and tests.u(10000 + p_to);
  insert into objects (object_key, kind, state, size, put_deadline, user_id, stage_id, content_hash)
  select 'k/' || lpad(i::text, 9, '0'), 'fragment', case when i % 1000 = 7 then 'staged' else 'stored' end, 1,
    now() + interval '1 h', tests.u(1), gen_random_uuid(), 'h' from generate_series(p_from * 10, p_to * 10 + 9) i;
  insert into battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte, byte_length, level,
    seq_min, seq_max, row_count, row_group_count, uncompressed_bytes, schema_fingerprint, added_version, uploaded_by, uploaded_at)
  select tests.u(1), 'big', '0', gen_random_uuid(), 0, 'k/' || lpad(i::text, 9, '0'), 0, 1, 0, i, i, 1, 1, 1, 's', 1,
    tests.u(1), now() from generate_series(p_from * 10, p_to * 10 + 9) i;
  -- what compaction has replaced since version 9
  insert into battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte, byte_length, level,
    seq_min, seq_max, row_count, row_group_count, uncompressed_bytes, schema_fingerprint, added_version, removed_version,
    uploaded_by, uploaded_at)
  select tests.u(2), 'old', '0', gen_random_uuid(), 0, 'k/' || lpad(i::text, 9, '0'), 0, 1, 0, i, i, 1, 1, 1, 's', 1, 10,
    tests.u(2), now() from generate_series(p_from * 10, p_to * 10 + 9) i;
end $$;

-- Replaces four files of the large partition, as a run's commit does.
create function tests.replace() returns void language plpgsql as $$
declare
  p partitions := tests.partition(1, 'big', '0');
begin
  perform sediment.replace_files(p, (select id from processing_metrics where dataset_id = tests.u(1) limit 1), 0, 1,
    array(select id from battle_files where dataset_id = tests.u(1) and "table" = 'big' and period_tag = '0'
      and seq_min between 1500 and 1503 and removed_version is null),
    null, null);
exception when sqlstate 'SD500' then null; -- the rows differ: all inputs were looked for
end $$;
create function tests.replace_dedupe() returns void language plpgsql as $$
begin
  update battle_files set row_count = 0 where dataset_id = tests.u(1) and "table" = 'big' and period_tag = '0'
    and seq_min between 1500 and 1503 and removed_version is null;
  perform tests.replace();
end $$;

create temp table calls (name text primary key, sql text, few bigint, many bigint, most bigint);
insert into calls (name, sql) values
  ('tick', 'select tick()'),
  ('sweep', 'select sweep(200)'),
  ('sweep of requests', 'select sweep(20)'),
  ('trigger_scheduled', 'select trigger_scheduled(p_max_datasets => 1, p_max_partitions => 4)'),
  ('catalog_health', 'select catalog_health()'),
  ('partition_status by the age of debt',
    'select * from partition_status where debt_oldest is not null order by debt_oldest limit 100'),
  ('partition_status of a dataset', 'select * from partition_status where dataset_id = tests.u(10100)'),
  ('dataset_status of a dataset', 'select * from dataset_status where id = tests.u(10100)'),
  ('dataset_status of a user', 'select * from dataset_status where user_id = tests.u(100)'),
  ('dataset_status of a large dataset', 'select * from dataset_status where id = tests.u(1)'),
  ('list_objects of a rare state', $$select list_objects('staged', 20)$$),
  ('list_objects from the middle', $$select list_objects('stored', 100, sediment.encode_cursor('{"after": "k/000001500"}'))$$),
  ('queue_status', 'select * from queue_status'),
  ('the largest of the oldest debts', 'select * from (select * from partition_status where debt_oldest is not null
    order by debt_oldest limit 1000) o order by debt_bytes desc limit 20'),
  ('list_files of an older version', 'select list_files(null, tests.u(2), p_version => 9, p_limit => 100)'),
  ('list_tables of an older version', 'select list_tables(null, tests.u(2), 9, 100)'),
  ('plan_vacuum', 'select plan_vacuum(100)'),
  ('a commit of four files', 'select tests.replace()'),
  ('a commit that dedupes', 'select tests.replace_dedupe()'),
  ('a purge of what is not there', $$select sediment.purge_removed(jsonb_populate_record(null::deletions, jsonb_build_object(
    'id', tests.u(1), 'dataset_id', tests.u(10100), 'version', 5, 'removed_at', now())), 100)$$);

-- a look at 1,000 of them, each on a page of its own, where there are more
update calls set most = 1100 where name = 'the largest of the oldest debts';

insert into datasets (id, user_id, version) values (tests.u(1), tests.u(1), 9);
insert into datasets (id, user_id, version) values (tests.u(2), tests.u(2), 10);
insert into dataset_versions (dataset_id, version, committed_at) select tests.u(2), v, now() from generate_series(9, 10) v;
insert into partitions (dataset_id, "table", period_tag) values (tests.u(1), 'big', '0'), (tests.u(2), 'old', '0');
insert into partitions (dataset_id, "table", period_tag) select tests.u(1), 'rest', i::text from generate_series(1, 100) i;
insert into file_schemas (digest, schema) values ('s', '{}');
insert into table_settings (dataset_id, "table", dedupe_keys) values (tests.u(1), 'big', '{a}');
insert into processing_metrics (user_id, dataset_id, "table", period_tag, operation, trigger, priority, status, completed_at)
values (tests.u(1), tests.u(1), 'big', '0', 'compaction', 'upload', 'realtime', 'success', now());
-- a request for a whole dataset whose message is there
insert into processing_metrics (user_id, dataset_id, operation, trigger, priority, status, fan_out_cursor, queued_at)
values (tests.u(1), tests.u(1), 'fan_out', 'request', 'realtime', 'running', '{"after_table": "", "after_period_tag": ""}', now() - interval '2 min');
select sediment.queue_send('realtime', (select id from processing_metrics where operation = 'fan_out'), tests.u(1), null, null, 0);

-- of a queue more than are counted
insert into pgmq.q_compaction_realtime (vt, message) select now() + interval '1 h', '{}' from generate_series(1, 600);

select tests.fill(100, 249);
analyze;
update calls set few = tests.pages(sql);
insert into partitions (dataset_id, "table", period_tag) select tests.u(1), 'rest', i::text from generate_series(101, 1000) i;
select tests.fill(250, 1599);
analyze;
update calls set many = tests.pages(sql);
-- an index may be a level higher
select ok(many <= coalesce(most, few * 1.4 + 20), format('%s touches no more where ten times as much is there: %s, then %s pages', name, few, many))
from calls order by name;

-- The few that are staged are found by their index: PostgreSQL 17 leaves out "is not null" of a column that never is null, and
-- then proves no index by it.
create function tests.scans(p_sql text) returns bigint language plpgsql as $$
declare
  v_before constant bigint := (select s.seq_scan from pg_stat_xact_user_tables s where s.relid = 'public.objects'::regclass);
begin
  execute p_sql;
  return (select s.seq_scan from pg_stat_xact_user_tables s where s.relid = 'public.objects'::regclass) - v_before;
end $$;
select is(tests.scans('select read_metrics()'), 0::bigint, 'metrics do not read all objects');

-- what is found by bounded looks is found whole
create temp table found (key text);
do $$
declare
  v_page jsonb := list_objects('staged', 5);
begin
  loop
    insert into found select o ->> 'object_key' from jsonb_array_elements(v_page -> 'objects') o;
    exit when v_page ->> 'next_cursor' is null;
    v_page := list_objects('staged', 5, v_page ->> 'next_cursor');
  end loop;
end $$;
select is((select array_agg(key order by key collate "C") from found),
  (select array_agg(object_key order by object_key collate "C") from objects where state = 'staged'),
  'pages of a rare state, short and empty ones among them, give each object once');
-- counts of queues stop
insert into pgmq.q_compaction_manual (vt, message) select now() - interval '1 h' - i * interval '1 s', '{}' from generate_series(1, 5000) i;
insert into pgmq.q_compaction_manual (vt, message) select now() + interval '1 h', '{}' from generate_series(1, 400) i;
select is((select (messages, due, oldest_due_at) from queue_status where queue = 'manual'),
  row(1000::bigint, 1000::bigint, now() - interval '1 h' - interval '5000 s'), 'queue_status counts up to 1,000, and knows the oldest');
analyze pgmq.q_compaction_manual;
select is((select (messages, due) from queue_status where queue = 'manual'), row(5400::bigint, 5000::bigint), 'of more it has an estimate');
-- messages are looked for where one is gone
delete from pgmq.q_compaction_realtime m where m.msg_id in (select p.msg_id from partitions p where p.msg_id is not null order by p.ready_at limit 700);
select is(sweep(1000) -> 'resent', '700', 'all that are gone are sent again by one sweep');

select * from finish();
rollback;
