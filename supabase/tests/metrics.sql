-- count_problems, count_run, fold_metrics, read_metrics
begin;
\ir helpers/fixtures.sql
select plan(28);
truncate metric_deltas, metric_totals;
create function tests.counter(p_metric text, p_label text) returns text language sql as $$
  select (c ->> 'events') || '/' || (c ->> 'amount')
  from jsonb_array_elements(public.read_metrics() -> 'counters') c
  where c ->> 'metric' = p_metric and c ->> 'label' = p_label $$;
grant execute on all functions in schema tests to service_role;
set local role service_role;

select is(read_metrics() -> 'counters', '[]', 'nothing has happened yet');
create temp table a as select tests.stage(1, 100, 'a') as s;
select tests.commit_stage(s, 1, 'a', jsonb_build_array(tests.file('port', '2024-11-25', 10))) from a;
select is(tests.counter('uploads', 'stored'), '1/100', 'an upload counts with its bytes');
select tests.commit_stage(s, 1, 'a', jsonb_build_array(tests.file('port', '2024-11-25', 10))) from a;
select is(tests.counter('uploads', 'stored'), '1/100', 'once');
select is(tests.counter('uploads', 'duplicate'), '1/100', 'its commit again is a duplicate');
create temp table bad as select tests.stage(1, 100, 'bad') as s;
select throws_ok($$select tests.commit_stage(s, 2, 'bad', '[]') from bad$$, 'SD403', 'forbidden', 'what is refused');
select is((select sum((c ->> 'events')::integer) from jsonb_array_elements(read_metrics() -> 'counters') c
  where c ->> 'metric' = 'uploads'), 2::bigint, 'is no upload');

select is(sediment.fold_metrics(), 2, 'what was counted is added up');
select is((select count(*) from metric_deltas), 0::bigint, 'and gone');
select is(tests.counter('uploads', 'stored'), '1/100', 'and still counted');
select tests.upload(1, 100, 'b');
select is(tests.counter('uploads', 'stored'), '2/200', 'together with what came since');
select is(sediment.fold_metrics(), 1, 'which is added');
select is(tests.counter('uploads', 'stored'), '2/200', 'to the sum');
select is(sediment.fold_metrics(), 0, 'and not again');

-- runs
select is(sediment.bucket_of(5, '{1,5,15}'), '5', 'a bucket holds its bound');
select is(sediment.bucket_of(5.1, '{1,5,15}'), '15', 'what is over goes to the next');
select is(sediment.bucket_of(16, '{1,5,15}'), '+Inf', 'and what is over all to the last');
create temp table c1 as select tests.claim() as c;
select is(tests.counter('runs', 'merged'), null, 'a run that is claimed has not ended');
select tests.compact(c) from c1;
select is(tests.counter('runs', 'merged'), '1/0', 'one that has merged counts');
select is(tests.counter('merged_files', 'input'), '2/200', 'with what it read');
select isnt(tests.counter('merged_files', 'output'), null, 'and wrote');
select is((select sum((c ->> 'events')::integer) from jsonb_array_elements(read_metrics() -> 'counters') c
  where c ->> 'metric' in ('run_seconds', 'merge_lag_seconds')), 2::bigint, 'its seconds and those that it was waited for');
select tests.upload(1, 200, 'c');
create temp table c2 as select tests.claim('w1', 200) as c;
select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'internal', 'no', 'merge', true) from c2;
select is(tests.counter('runs', 'dlq_failure'), '1/0', 'one that was given up counts as that');

-- problems
select is(count_problems('{"forbidden": 3, "rate_limited": 1}'), '{"added": 2}', 'problems are told in sums');
select is(count_problems('{"forbidden": 2}'), '{"added": 1}', 'now and then');
select is(tests.counter('problems', 'forbidden'), '5/0', 'and added');
select throws_ok($$select count_problems('{"For bidden": 3}')$$, 'SD400', 'invalid_request', 'a code is a word');
select throws_ok($$select count_problems('{"forbidden": -3}')$$, 'SD400', 'invalid_request', 'and only rises');

-- gauges
select is((select string_agg(k, ' ' order by k) from jsonb_object_keys(read_metrics()) k where read_metrics() -> k = 'null'),
  null, 'nothing that is shown is unknown');

select * from finish();
rollback;
