-- drain_dead_letters, claim_alerts, finish_alert, redrive_dead_letters, list_dead_letters
begin;
\ir helpers/fixtures.sql
create function tests.die(p_dataset integer, p_code text) returns void language plpgsql as $$
declare c jsonb;
begin
  perform tests.upload(p_dataset / 100, p_dataset, 'die' || p_dataset || clock_timestamp());
  c := tests.claim('w', p_dataset);
  perform fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, p_code, 'it broke', 'merge', true);
end $$;
grant execute on all functions in schema tests to service_role;
select plan(42);
set local role service_role;

select tests.die(100, 'store_failed'), tests.die(101, 'store_failed'), tests.die(102, 'schema_incompatible'), tests.die(200, 'store_failed'), tests.die(201, 'internal'), tests.die(202, 'internal');
select pgmq.send('compaction_dlq', '{"garbage": true}'), pgmq.send('compaction_dlq', '"text"'), pgmq.send('compaction_dlq', '{"deadLetterId": "999999999"}');

-- drain
create temp table d1 as select drain_dead_letters() as d;
select is((select d -> 'drained' from d1), '5', 'five messages at a time');
select is((select d -> 'more' from d1), 'true', 'and there are more');
create temp table d2 as select drain_dead_letters() as d;
select is((select d -> 'drained' from d2), '4', 'then the rest, whatever it holds');
select is((select count(*) from pgmq.q_compaction_dlq), 0::bigint, 'all are archived');
select is(drain_dead_letters(), '{"more": false, "alerts": 0, "drained": 0}', 'an empty queue is no error');
select is((select count(*) from alerts), 3::bigint, 'one alert an error class');
select is((select occurrences from alerts where class = 'store_failed'), 3, 'which counts what it stands for');
select is((select payload ->> 'message' from alerts where class = 'internal'), 'it broke', 'and says what happened');
select tests.die(100, 'store_failed');
select is(drain_dead_letters() -> 'alerts', '0', 'a further one in the window raises none');
select is((select occurrences from alerts where class = 'store_failed'), 4, 'but is counted');
update alerts set window_start = window_start - interval '1 hour';
select tests.die(101, 'store_failed');
select is(drain_dead_letters() -> 'alerts', '1', 'the next window raises one again');

-- alerts
update service_settings set alert_webhooks = '[{"kind": "plain", "url": "https://example.com"}]';
create temp table al as select claim_alerts(10, 60) as a;
select is((select jsonb_array_length(a -> 'alerts') from al), 4, 'alerts are handed out');
select is((select a #>> '{webhooks,0,url}' from al), 'https://example.com', 'with the addresses');
select is(jsonb_array_length(claim_alerts(10) -> 'alerts'), 0, 'to one sender at a time');
create temp table one as select min(id) as id from alerts;
select is(finish_alert(id, false, 'HTTP 500', '{aa}') ->> 'state', 'pending', 'one that failed is tried again') from one;
select is((select a.taken from alerts a, one where a.id = one.id), '{aa}', 'and keeps who took it');
select ok((select next_attempt_at > clock_timestamp() + interval '10 s' from alerts a, one where a.id = one.id), 'later');
select is(finish_alert(id, true) ->> 'state', 'sent', 'one that was sent is done') from one;
select is(finish_alert(id, false, 'late') ->> 'state', 'sent', 'for good') from one;
update alerts set attempts = 8 where state = 'pending';
select is(finish_alert(max(id), false, 'no') ->> 'state', 'failed', 'after its attempts it is given up') from alerts;
select throws_ok($$select finish_alert(0, true)$$, 'SD404', 'not_found', 'an unknown alert');

-- list
select is(list_dead_letters(tests.u(1)) -> 'open', '5', 'a user sees the own letters');
select is(list_dead_letters(null) -> 'open', '8', 'the service all');
select is(list_dead_letters(null, tests.u(102)) #>> '{letters,0,error_code}', 'schema_incompatible', 'of one dataset');
create temp table l as select list_dead_letters(null, p_limit => 3) as l;
select is((select jsonb_array_length(l -> 'letters') from l), 3, 'by pages');
select is(jsonb_array_length(list_dead_letters(null, p_limit => 30, p_cursor => (select l ->> 'next_cursor' from l)) -> 'letters'), 5, 'that go on');

-- redrive
create temp table mine as select array_agg(id order by id) as ids from dead_letters where dataset_id = tests.u(100) and resolved_at is null;
create temp table his as select array_agg(id order by id) as ids from dead_letters where user_id = tests.u(2);
create temp table r as select redrive_dead_letters(tests.u(1), mine.ids || his.ids[1] || 999999::bigint) as r from mine, his;
select is((select jsonb_array_length(r -> 'redriven') from r), 2, 'the letters of a partition are redriven together');
select is((select count(distinct x ->> 'run_id') from r, jsonb_array_elements(r -> 'redriven') x), 1::bigint, 'by one run');
select is((select jsonb_agg(distinct x ->> 'reason') from r, jsonb_array_elements(r -> 'skipped') x), '["not_found"]', 'another user''s letter looks as if it were not there');
select is((tests.partition(100)).queue, 'manual', 'the run is a manual one');
select is((tests.partition(100)).dead_since, null, 'and the partition lives');
select is((select count(*) from dead_letters where resolution = 'redriven'), 2::bigint, 'the letters are resolved');
select is(redrive_dead_letters(tests.u(1), (select ids from mine)) #>> '{skipped,0,reason}', 'resolved', 'a second time there is nothing to redrive');
select is((select count(*) from processing_metrics where trigger = 'redrive'), 1::bigint, 'nor another run');
select is(jsonb_array_length(redrive_dead_letters(tests.u(1), p_filter => '{"error_code": "schema_incompatible"}') -> 'redriven'), 1, 'by error class');
select is(jsonb_array_length(redrive_dead_letters(null, p_filter => jsonb_build_object('dataset_id', tests.u(200))) -> 'redriven'), 1, 'by dataset');
select is(redrive_dead_letters(null, p_limit => 1) -> 'more', 'true', 'in slices');
select throws_ok($$select redrive_dead_letters(null, p_filter => '{"sql": 1}')$$, 'SD400', 'invalid_request', 'by no other field');
select is((tests.claim('w', 100)) -> 'forced', 'true', 'a redriven run is forced');
insert into dead_letters (queue, error_code, first_failed_at, last_failed_at) values ('manual', 'invalid_message', now(), now());
select is(redrive_dead_letters(null, array[(select id from dead_letters order by created_at desc limit 1)]) #>> '{skipped,0,reason}', 'no_partition', 'a message that could not be read has nothing to run');

-- many ids at once are meant as they stand
insert into partitions (dataset_id, "table", period_tag) select tests.u(100), 'many', 'p' || i from generate_series(1, 150) i;
insert into dead_letters (user_id, dataset_id, "table", period_tag, queue, error_code, first_failed_at, last_failed_at)
select tests.u(1), tests.u(100), 'many', 'p' || i, 'realtime', 'internal', now(), now() from generate_series(1, 150) i;
create temp table many as select redrive_dead_letters(tests.u(1), (select array_agg(id) from dead_letters where "table" = 'many')) as r;
select is((select jsonb_array_length(r -> 'redriven') from many), 150, 'all ids of a redrive are redriven, beyond its default limit');
select is((select r -> 'skipped' from many), '[]', 'and none is skipped for a reason that is not so');

select * from finish();
rollback;
