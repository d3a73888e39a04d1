-- max_run_seconds: a run that is claimed over and over ends too
begin;
\ir helpers/fixtures.sql
select plan(23);
create function tests.run_of(c jsonb) returns processing_metrics language sql as $$
  select * from processing_metrics r where r.id = (c ->> 'run_id')::uuid
$$;
create function tests.age(c jsonb, p_seconds integer) returns void language sql as $$
  update partitions set claimed_at = claimed_at - make_interval(secs => p_seconds) where run_id = (c ->> 'run_id')::uuid
$$;
create function tests.fail(c jsonb) returns jsonb language sql as $$
  select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'store_failed', 'no answer', 'merge', false)
$$;

grant execute on all functions in schema tests to service_role;
set local role service_role;
update service_settings set max_attempts = 100;

-- a run that fails and fails
select tests.upload(1, 100, 'a'), tests.upload(1, 100, 'b');
create temp table c1 as select tests.claim('w', 100) as c;
select tests.age(c, 2000) from c1;
select is(tests.fail(c) ->> 'status', 'retry', 'a run with time left is tried again') from c1;
select ok((tests.run_of(c)).worked_seconds between 2000 and 2030, 'and what it worked is counted') from c1;
create temp table c2 as select tests.claim('w', 100) as c;
select tests.age(c, 1500) from c2;
select ok((renew_lease((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 600) ->> 'lease_expires_at')::timestamptz
  <= clock_timestamp() + interval '101 s', 'a lease is renewed to the end of the run''s time, over all its claims') from c2;
select throws_ok(format($$select renew_lease(%L, %s, 1)$$, c ->> 'run_id', c ->> 'token'), null, null, 'and no further') from c2, (select tests.age(c, 200) from c2) x where false
union all select lives_ok($$select tests.age(c, 200) from c2$$, 'time goes on');
select throws_ok(format($$select renew_lease(%L, %s, 1)$$, c ->> 'run_id', c ->> 'token'), 'SD504', 'run_timeout', 'and no further') from c2;
update partitions set lease_expires_at = clock_timestamp() + interval '1 s' where run_id = (select (c ->> 'run_id')::uuid from c2);
select is(tests.fail(c) ->> 'status', 'dead', 'then a failure is the last') from c2;
select is((tests.run_of(c)).status, 'timeout', 'the run timed out') from c2;
select is((select error_code from dead_letters where run_id = (c ->> 'run_id')::uuid), 'run_timeout', 'as its letter says') from c2;
select matches((select error_message from dead_letters where run_id = (c ->> 'run_id')::uuid), 'store_failed: no answer', 'with the last failure') from c2;
select is((tests.partition(100)).lease_expires_at, null, 'the lease is free');

-- a lease that ran out counts to its end, not to when it was taken back
select tests.upload(1, 200, 'a'), tests.upload(1, 200, 'b');
create temp table c3 as select tests.claim('w', 200) as c;
update partitions set claimed_at = now() - interval '5000 s', lease_expires_at = now() - interval '4700 s' where dataset_id = tests.u(200);
select expire_leases();
select ok((tests.run_of(c)).worked_seconds between 299 and 301, 'an expired lease counts to its end') from c3;
select is((tests.run_of(c)).status, 'queued', 'not to the moment at which the cron came back') from c3;

-- a run that gets on, turn after turn
select tests.upload(1, 300, 'a' || i) from generate_series(1, 6) i;
select request_compaction(tests.u(1), tests.u(300));
create temp table c4 as select tests.claim('w', 300) as c;
select tests.age(c, 3000) from c4;
select is(tests.commit(c, tests.output(c, 0, 20), (tests.ids(c))[1:2], 0, true, '{"more": true, "debt": {"files": 4, "bytes": 400}}')
  ->> 'run_status', 'queued', 'with time left the same run goes on') from c4;
create temp table c5 as select tests.claim('w', 300) as c;
select is((select c ->> 'run_id' from c5), (select c ->> 'run_id' from c4), 'as it does');
select tests.age(c, 601) from c5;
create temp table r5 as select tests.commit(c, tests.output(c, 1, 20), (select array_agg((f ->> 'id')::bigint) from jsonb_array_elements(c -> 'files') f where f ->> 'level' = '0' and (f ->> 'seq_min')::int < 5),
  1, true, '{"more": true, "decision": "on and on", "debt": {"files": 2, "bytes": 200}}') as r from c5;
select is((select r ->> 'run_status' from r5), 'success', 'past its time it ends, well, since it committed');
select is((select r -> 'requeued' from r5), 'true', 'and the rest is queued');
create temp table c6 as select tests.claim('w', 300) as c;
select isnt((select c ->> 'run_id' from c6), (select c ->> 'run_id' from c5), 'under another run');
select is((select c -> 'forced' from c6), 'true', 'which is forced as the first was');
select is((tests.run_of(c)).worked_seconds, 0::float8, 'and has all its time') from c6;
select is(tests.commit(c, tests.output(c, 0, 60)) ->> 'run_status', 'success', 'and comes to the end') from c6;
select is((select count(*) from dead_letters where dataset_id = tests.u(300)), 0::bigint, 'without a dead letter');
select is((tests.partition(300)).done_seq, (tests.partition(300)).demand_seq, 'and with all demand seen');

-- what is left must be worth a claim: a lease of seconds would only fail, and dead-letter a run that got on
select tests.upload(1, 400, 'a' || i) from generate_series(1, 4) i;
create temp table c7 as select tests.claim('w', 400) as c;
select tests.age(c, 3400) from c7;
select is(tests.commit(c, tests.output(c, 0, 20), (tests.ids(c))[1:2], 0, true, '{"more": true, "debt": {"files": 2, "bytes": 200}}')
  ->> 'run_status', 'success', 'a run with less than a lease left ends, well, before it must') from c7;

select * from finish();
rollback;
