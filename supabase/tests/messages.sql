-- messages that somebody else sent, or broke
begin;
\ir helpers/fixtures.sql
create function tests.send(p_message jsonb) returns void language sql as $$
  select pgmq.send('compaction_manual', p_message, 0)
$$;
create function tests.message(p_dataset integer, p_run uuid default gen_random_uuid()) returns jsonb language sql as $$
  select jsonb_build_object('datasetId', tests.u(p_dataset), 'triggeredAt', '2026-11-22T02:00:00.000Z', 'priority', 'manual', 'metricId', p_run)
$$;
grant execute on all functions in schema tests to service_role;
select plan(37);
set local role service_role;
select tests.upload(1, 100, 'a'), tests.upload(1, 100, 'b', 'ship', '0');
update pgmq.q_compaction_realtime set vt = clock_timestamp() + interval '1 hour';

select tests.send('{}'), tests.send('[]'), tests.send('"text"'), tests.send('null'),
  tests.send(tests.message(100) - 'datasetId'), tests.send(tests.message(100) || '{"metricId": 7}'), tests.send(tests.message(100) - 'triggeredAt'),
  tests.send(tests.message(100) || '{"priority": "urgent"}'), tests.send(tests.message(100) || '{"datasetId": "1; drop table datasets"}'),
  tests.send(tests.message(100) || '{"table": "port"}'), tests.send(tests.message(100) || '{"table": "../port", "periodTag": "0"}'),
  tests.send(tests.message(100) || jsonb_build_object('extra', (select string_agg(md5(i::text), '') from generate_series(1, 3200) i))),
  tests.send(tests.message(100) || jsonb_build_object('extra', repeat('x', 100000))),
  tests.send(tests.message(999)), tests.send(tests.message(100) || '{"table": "none", "periodTag": "0"}');
create temp table n as select count(*) as n from pgmq.q_compaction_manual;
do $$ begin
  for i in 1 .. 20 loop perform claim_compaction('w'); end loop;
end $$;
select is((select count(*) from pgmq.q_compaction_manual), 0::bigint, 'no broken message stays in the queue');
select is((select count(*) from dead_letters), (select n from n), 'each is in the dead letters');
select is((select count(*) from pgmq.q_compaction_dlq), (select n from n), 'and in the queue that alerts');
select is((select count(distinct error_code) from dead_letters where error_code = 'invalid_message'), 1::bigint, 'as invalid_message');
select is((select count(*) from dead_letters where pg_column_size(message) > 20000), 0::bigint, 'a large one is cut');
select is((select count(*) from partitions where lease_expires_at is not null), 0::bigint, 'nothing was leased for them');
select results_eq($$select error_message from dead_letters where error_message like '%priority%'$$, array['priority is not one of realtime, manual, scheduled'], 'with the reason');

select is((sediment.parse_message(m)).problem is null, ok, 'parsed: ' || what) from (values
  (tests.message(1), true, 'whole'), (tests.message(1) || '{"table": "a", "periodTag": "b"}', true, 'with a partition'),
  (tests.message(1) || '{"priority": null}', true, 'null priority'), (tests.message(1) - 'priority' - 'metricId', true, 'sent by hand without priority and metricId'), (tests.message(1) || '{"priority": "urgent"}', false, 'another priority'), (tests.message(1) || '{"metricId": 7}', false, 'a number for a run'), (tests.message(1) || '{"datasetId": 5}', false, 'a number for an id'),
  (tests.message(1) || '{"triggeredAt": "yesterday"}', false, 'no time'), (tests.message(1) || '{"periodTag": "b"}', false, 'a period without a table'),
  (tests.message(1) || '{"table": {"a": 1}, "periodTag": "b"}', false, 'an object for a table')) v(m, ok, what);

select is((sediment.parse_message(tests.message(1) || jsonb_build_object('datasetId', repeat('F0a', 21) || '1'))).dataset_id,
  'f0af0af0-af0a-80af-8af0-af0af0af0af0'::uuid, 'a dataset named by a SHA-256 is a UUID of version 8');

-- a message for a partition that has its own: it joins
select tests.send(tests.message(100) || '{"table": "port", "periodTag": "2024-11-25"}');
create temp table before as select tests.partition(100) as p;
select is(claim_compaction('w') ->> 'reason', 'busy', 'a message from outside for a partition joins its own');
select is(claim_compaction('w') -> 'claimed', 'true', 'which is due now');
select is((select (p).run_id from before), (tests.partition(100)).run_id, 'by the run that it has');
select is((tests.partition(100)).queue, 'manual', 'with the message''s priority');
select is((select count(*) from pgmq.q_compaction_manual), 1::bigint, 'and one message in the end');
select is((tests.partition(100)).demand_seq, 2::bigint, 'it counts as demand');

-- a message for a whole dataset: a request
create temp table f as select gen_random_uuid() as id;
select tests.send(tests.message(100, id)) from f;
update pgmq.q_compaction_manual set vt = clock_timestamp() - interval '1 s' where message ->> 'table' is null;
select is(claim_compaction('w') ->> 'reason', 'fanned_out', 'a message without a table is spread');
select is((select count(*) from run_children k, f where k.parent_id = f.id), 2::bigint, 'over the partitions in debt');
select is(run_status(tests.u(1), id) ->> 'status', 'running', 'its metricId can be asked for') from f;
select is((select count(*) from pgmq.q_compaction_manual where message ->> 'table' is null), 0::bigint, 'the message is archived');
select tests.send(tests.message(100, (select run_id from partitions where "table" = 'ship')));
update pgmq.q_compaction_manual set vt = clock_timestamp() - interval '1 s' where message ->> 'table' is null;
select is(claim_compaction('w') ->> 'reason', 'fanned_out', 'one whose metricId is another run');
select is((select error_message from dead_letters order by created_at desc limit 1), 'there is no such dataset, or metricId is another run', 'is refused');

select tests.send(tests.message(100) - 'metricId' - 'priority');
create temp table h as select message from pgmq.q_compaction_manual where message ->> 'table' is null;
update pgmq.q_compaction_manual set vt = clock_timestamp() - interval '1 s' where message ->> 'table' is null;
select is(claim_compaction('w') ->> 'reason', 'fanned_out', 'a message by hand names no run');
select is((select count(*) from processing_metrics where operation = 'fan_out' and trigger = 'message' and priority = 'manual' and id not in (select id from f)), 1::bigint,
  'and gets one of its queue''s priority');

-- a message that was archived since somebody looked
select tests.upload(1, 300, 'z');
create temp table m as select m.msg_id, m.message from sediment.queue_messages m where m.message ->> 'datasetId' = tests.u(300)::text;
select request_compaction(null, tests.u(300), 'port', '2024-11-25', 'manual');
select is(sediment.claim_message('realtime', msg_id, message, 'w', 60, 1), null, 'a message that moved is not claimed by its old place') from m;
select is((tests.partition(300)).lease_expires_at, null, 'and nothing is leased');
select is((tests.partition(300)).demand_seq, 2::bigint, 'nor demanded');
update partitions set ready_at = clock_timestamp() + interval '50 s' where dataset_id = tests.u(300);
select is(sediment.claim_message('manual', p.msg_id, (select message from m) || '{"priority": "manual"}', 'w', 60, 1), null, 'one that failed since waits for its time')
  from partitions p where p.dataset_id = tests.u(300);
select ok((select m.vt > clock_timestamp() + interval '40 s' from sediment.queue_messages m where m.message ->> 'datasetId' = tests.u(300)::text), 'and is hidden until then');

select * from finish();
rollback;
