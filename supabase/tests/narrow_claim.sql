-- Files that kill: after a death the next attempts take on less, until one file is known.
begin;
\ir helpers/fixtures.sql
select plan(48);

create function tests.die(p_claim jsonb) returns void language plpgsql as $$
begin
  perform stage_output((p_claim ->> 'run_id')::uuid, (p_claim ->> 'outputs_committed')::integer, (p_claim ->> 'token')::bigint, 90, tests.ids(p_claim));
  update public.partitions set lease_expires_at = clock_timestamp() - interval '1 s', claimed_at = clock_timestamp() - interval '50 s'
  where run_id = (p_claim ->> 'run_id')::uuid;
  perform expire_leases();
end $$;
-- a worker that takes on what it is given: it dies where the file is among them, else commits all
create function tests.work(p_poison bigint, p_dataset integer, p_together integer default 1) returns text language plpgsql as $$
declare v_claim jsonb := tests.claim('w', p_dataset);
begin
  if not (v_claim ->> 'claimed')::boolean then return v_claim ->> 'reason'; end if;
  if p_poison = any (tests.ids(v_claim)) and cardinality(tests.ids(v_claim)) >= p_together then
    perform tests.die(v_claim);
    return 'died of ' || cardinality(tests.ids(v_claim));
  end if;
  if cardinality(tests.ids(v_claim)) = 0 then perform tests.commit(v_claim, null, '{}'); return 'nothing'; end if;
  perform tests.commit(v_claim, tests.output(v_claim, (v_claim ->> 'outputs_committed')::integer), p_n => (v_claim ->> 'outputs_committed')::integer);
  return 'merged ' || cardinality(tests.ids(v_claim));
end $$;

select tests.upload(1, 100, 'a' || i) from generate_series(1, 8) i;
create temp table poison as select id from battle_files where dataset_id = tests.u(100) order by seq_min offset 5 limit 1;
create temp table log as select n, null::text as did from generate_series(1, 12) n;
create temp table first_claim as select tests.claim('w', 100) as c;
select is((select c ->> 'trial' from first_claim), 'false', 'a plan is free at first');
select tests.die(c) from first_claim;
select is((select staged_inputs from partitions), (select tests.ids(c) from first_claim), 'what a worker is at was written down before it read it');
select is((select attempts from processing_metrics), 0, 'a death at known files is no attempt');
select is((select worked_seconds > 40 from processing_metrics), false, 'and its time no work');
select is((select count(*) from dead_letters), 0::bigint, 'nothing is given up');
create temp table second as select tests.claim('w', 100) as c;
select is((select (c ->> 'trial', cardinality(tests.ids(c)), (c ->> 'lease_seconds')::numeric <= 60) from second), row('true'::text, 4, true), 'half of them next, under a lease of a minute');
select tests.commit(c, tests.output(c)) from second;
select ok((tests.partition(100)).isolation is not null, 'the sound half is merged, and the rest still on trial');
update log set did = tests.work((select id from poison), 100);
select is((select count(*) from battle_files where state = 'quarantined'), 1::bigint, 'one file is set aside');
select is((select id from battle_files where state = 'quarantined'), (select id from poison), 'the one that kills');
select is((select quarantine_code from battle_files where state = 'quarantined'), 'worker_died', 'for that');
select matches((select quarantine_reason from battle_files where state = 'quarantined'), '2 workers died of it alone \(10 rows, 100 bytes, 400 before compression\)', 'with figures');
select ok((select count(*) from log where did like 'died%') <= 5, 'after few deaths');
select is((tests.partition(100)).isolation, null, 'and the partition is free again');
select is((select count(*) from log where did = 'died of 1'), 2::bigint, 'two of them of the file alone');
select is((select sum(row_count) from battle_files where removed_version is null), 80::numeric, 'every row is there');
select is((tests.partition(100)).output_cap_bytes, null, 'its outputs stay as large as they were');
select is((select count(*) from dead_letters), 0::bigint, 'without a dead letter');

-- together only
select tests.upload(1, 200, 'b' || i) from generate_series(1, 4) i;
create temp table one as select min(id) as id from battle_files where dataset_id = tests.u(200);
select is(tests.work((select id from one), 200, 4), 'died of 4', 'files that kill together');
select is(tests.work((select id from one), 200, 4), 'merged 2', 'are sound by halves');
select is(tests.work((select id from one), 200, 4), 'merged 2', 'both of them');
select is((tests.partition(200)).output_cap_bytes, 200::bigint, 'then outputs are kept smaller');
select is((tests.partition(200)).isolation, null, 'and nobody is accused');
select request_compaction(tests.u(1), tests.u(200), 'port', '2024-11-25');
select is(tests.claim('w', 200) #>> '{settings,target_file_bytes}', '200', 'the planner is told so');

-- alone in its partition
select tests.upload(1, 300, 'c');
create temp table lone as select id from battle_files where dataset_id = tests.u(300);
select is(tests.work((select id from lone), 300), 'died of 1', 'a file that is alone');
create temp table l1 as select tests.claim('w', 300) as c;
select ok((select jsonb_array_length(c -> 'controls') between 1 and 3 from l1), 'is tried again after files of others');
select is((select count(*) from l1, jsonb_array_elements(c -> 'controls') x join battle_files f on f.id = (x ->> 'id')::bigint where f.dataset_id = tests.u(300) or f.state <> 'active'), 0::bigint, 'which are sound as far as is known');
select tests.die(c) from l1;
select is((select state from battle_files f, lone where f.id = lone.id), 'active', 'while none of them has passed it is not accused');
select is((select error_code from dead_letters where dataset_id = tests.u(300)), 'worker_died', 'but given up, as a dead letter');
select ok((tests.partition(300)).due_at is not null, 'which is looked at again');
update partitions set due_at = clock_timestamp() - interval '1 s' where dataset_id = tests.u(300);
select sweep();
create temp table l2 as select tests.claim('w', 300) as c;
select ok((select jsonb_array_length(c -> 'controls') > 0 from l2), 'then a file of others comes first again');
update partitions set lease_expires_at = clock_timestamp() - interval '1 s', claimed_at = clock_timestamp() - interval '50 s'
where dataset_id = tests.u(300);
select expire_leases();
select is((select (r.attempts, r.error_code) from processing_metrics r join l2 on r.id = (l2.c ->> 'run_id')::uuid), row(0, 'lease_expired'::text), 'a worker that is lost before it wrote anything down may have died of those: no attempt');
create temp table l2b as select tests.claim('w', 300) as c;
select is((select count(*) from l2, l2b, jsonb_array_elements(l2.c -> 'controls') x, jsonb_array_elements(l2b.c -> 'controls') y where x -> 'id' = y -> 'id'), 0::bigint, 'and others come next');
drop table l2;
alter table l2b rename to l2;
select is((select pass_control((c ->> 'run_id')::uuid, (c ->> 'token')::bigint) ->> 'sound' from l2), 'true', 'and this time passes');
select throws_ok($$select pass_control((c ->> 'run_id')::uuid, (c ->> 'token')::bigint - 1) from l2$$, 'SD409', 'lease_lost', 'in the worker that has the lease');
select tests.die(c) from l2;
select is((select quarantine_code from battle_files f, lone where f.id = lone.id), 'worker_died', 'when the file kills after that it is set aside');
select is((tests.partition(300)).isolation, null, 'and the partition is free');
select tests.upload(1, 500, 'e');
create temp table l3 as select tests.claim('w', 500) as c;
select is((select jsonb_array_length(c -> 'controls') from l3), 0, 'nothing else is merged for nothing');

-- what lies between those on trial: one that was set aside meanwhile, and one of another trial
select tests.upload(1, 600, 'f' || i) from generate_series(1, 6) i;
insert into table_settings (dataset_id, "table", dedupe_keys) values (tests.u(600), 'port', '{id}');
create function tests.f(p_nth integer) returns bigint language sql as $$
  select id from battle_files where dataset_id = tests.u(600) order by seq_min offset p_nth - 1 limit 1
$$;
create temp table t1 as select tests.claim('w', 600) as c;
select quarantine_file((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, tests.f(2), 'invalid_parquet', 'bad') from t1;
select tests.die(c) from t1;
create temp table t2 as select tests.claim('w', 600) as c;
select is((select (c ->> 'trial', tests.ids(c)) from t2), row('true'::text, array[tests.f(1), tests.f(2), tests.f(3), tests.f(4)]), 'of a trial in a table that dedupes what lies between is listed');
select is((select c #>> '{files,1,state}' from t2), 'quarantined', 'as a barrier');
select throws_ok($$select tests.commit(c, tests.output(c, 0, 30), array[tests.f(1), tests.f(3), tests.f(4)]) from t2$$, 'SD409', 'inputs_not_adjacent', 'across which nothing is merged');
update partitions set isolation = jsonb_set(isolation, '{suspects}', to_jsonb(array[tests.f(1), tests.f(4), tests.f(6)])) where dataset_id = tests.u(600);
update partitions set isolation = jsonb_set(isolation, '{trial}', '3'), staged_inputs = null, lease_expires_at = clock_timestamp() - interval '1 s' where dataset_id = tests.u(600);
select expire_leases();
create temp table t3 as select tests.claim('w', 600) as c;
select is((select jsonb_agg(f -> 'state' order by f -> 'seq_min') from t3, jsonb_array_elements(c -> 'files') f), '["active", "quarantined", "quarantined", "active", "quarantined", "active"]', 'so is what is sound and not on trial');
update table_settings set dedupe_keys = '{}' where dataset_id = tests.u(600);
update partitions set lease_expires_at = clock_timestamp() - interval '1 s' where dataset_id = tests.u(600);
select expire_leases();
create temp table t4 as select tests.claim('w', 600) as c;
select is((select tests.ids(c) from t4), array[tests.f(1), tests.f(4), tests.f(6)], 'where all rows stay only those on trial are listed');
select lives_ok($$select tests.commit(c, tests.output(c)) from t4$$, 'and merged');

-- no death
select tests.upload(1, 400, 'd' || i) from generate_series(1, 2) i;
create temp table cut as select tests.claim('w', 400) as c;
update clockwork set gap_ended_at = clock_timestamp() + interval '1 s';
select tests.die(c) from cut;
select is((tests.partition(400)).isolation, null, 'a lease that ran out while the clockwork stood still is no death');
select is((select attempts from processing_metrics where dataset_id = tests.u(400)), 0, 'and no attempt');
update clockwork set gap_ended_at = '-infinity';
create temp table cut2 as select tests.claim('w', 400) as c;
update circuit_breaker set closed_at = clock_timestamp() + interval '1 s';
select tests.die(c) from cut2;
select is((tests.partition(400)).isolation, null, 'nor one while the breaker was open');
update circuit_breaker set closed_at = null;
update clockwork set beat_at = clock_timestamp() - interval '1 h';
select sediment.beat_clockwork();
select ok((select gap_ended_at > clock_timestamp() - interval '1 min' from clockwork), 'a heartbeat that was missed is noted');
create temp table cut3 as select tests.claim('w', 400) as c;
update partitions set lease_expires_at = clock_timestamp() - interval '1 s' where dataset_id = tests.u(400);
update clockwork set gap_ended_at = '-infinity';
select expire_leases();
select is((select attempts from processing_metrics where dataset_id = tests.u(400)), 1, 'a worker that had begun nothing is a failed attempt');

select * from finish();
rollback;
