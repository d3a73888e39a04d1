begin;
\ir helpers/fixtures.sql
select plan(52);
set local role service_role;

select is(claim_compaction('w1'), '{"claimed": false, "reason": "empty"}', 'an empty queue gives nothing');
select tests.upload(1, 100, 'a');
select is(claim_compaction('w1') ->> 'reason', 'empty', 'a message that waits is not due');
select tests.upload(1, 100, 'b');

create temp table c as select tests.claim() as c;
select is((select c -> 'claimed' from c), 'true', 'a due message is claimed');
select is((select c -> 'token' from c), '1', 'the token rises');
select is((select c -> 'attempt' from c), '1', 'the attempt is counted at the claim');
select is((select c -> 'outputs_committed' from c), '0', 'no commit yet');
select is((select jsonb_array_length(c -> 'files') from c), 2, 'both files are listed');
select is((select jsonb_agg(f -> 'seq_min') from c, jsonb_array_elements(c -> 'files') f), '[1, 2]', 'in upload order');
select is((select c -> 'schemas' from c), '{"f-port": {"name": "root"}}', 'each schema comes once, by its fingerprint');
select is((select c -> 'more' from c), 'false', 'all of them');
select is((select c -> 'forced' from c), 'false', 'nobody forced');
select is((select c -> 'settings' ->> 'min_inputs' from c), '4', 'the settings come along');
select is((select c -> 'steps' from c), '{}', 'and what earlier attempts found');
select is((select status from processing_metrics where id = (select (c ->> 'run_id')::uuid from c)), 'running', 'the run is under way');
select ok((tests.partition(100)).lease_expires_at between clock_timestamp() + '290 s' and clock_timestamp() + '301 s', 'the lease lasts as long as was asked');
select ok((select m.vt >= (tests.partition(100)).lease_expires_at from sediment.queue_messages m), 'the message is hidden until its end');
select is((tests.partition(100)).claimed_demand_seq, 2::bigint, 'the demand that was seen is recorded');

-- somebody else
select is(claim_compaction('w2') ->> 'reason', 'empty', 'a second worker finds nothing due');
update pgmq.q_compaction_realtime set vt = clock_timestamp() - interval '1 s';
select is(claim_compaction('w2') ->> 'reason', 'busy', 'a live lease is not taken, even when its message shows');
select ok((select m.vt >= (tests.partition(100)).lease_expires_at - interval '1 s' from sediment.queue_messages m), 'a refused claim hides the message until the lease''s end');
select is((tests.partition(100)).token, 1::bigint, 'and leaves the token');

-- expired
update partitions set lease_expires_at = clock_timestamp() - interval '1 s';
update pgmq.q_compaction_realtime set vt = clock_timestamp() - interval '1 s';
select is(claim_compaction('w2') -> 'claimed', 'false', 'an expired lease is first taken back');
select is((tests.partition(100)).token, 2::bigint, 'which raises the token');
select is((tests.partition(100)).lease_expires_at, null, 'and frees the lease');
select is((select error_code from processing_metrics where id = (select (c ->> 'run_id')::uuid from c)), 'lease_expired', 'the run says why');
select is((tests.claim('w2')) -> 'attempt', '2', 'the next claim is the second attempt');
update partitions set lease_expires_at = clock_timestamp() - interval '1 s';
update pgmq.q_compaction_realtime set vt = clock_timestamp() - interval '1 s';
select claim_compaction('w2');
select is((tests.claim('w2')) -> 'attempt', '3', 'then the third');
update partitions set lease_expires_at = clock_timestamp() - interval '1 s';
update pgmq.q_compaction_realtime set vt = clock_timestamp() - interval '1 s';
select is(claim_compaction('w2') -> 'claimed', 'false', 'there is no fourth');
select is((select status from processing_metrics where id = (select (c ->> 'run_id')::uuid from c)), 'timeout', 'the run timed out');
select is(tests.messages(), 0::bigint, 'its message is archived');
select is((select count(*) from dead_letters where error_code = 'lease_expired'), 1::bigint, 'and it is in the dead letters');
select ok((tests.partition(100)).dead_since is not null, 'the partition says so');

-- weights
select tests.upload(1, 100 + i, 'w' || i) from generate_series(1, 30) i;
select request_compaction(null, tests.u(100 + i), 'port', '2024-11-25', 'manual') from generate_series(1, 10) i;
update partitions p set queue = 'scheduled', msg_id = sediment.queue_send('scheduled', p.run_id, p.dataset_id, p."table", p.period_tag, 0)
  where p.dataset_id in (select tests.u(100 + i) from generate_series(11, 20) i);
update processing_metrics r set priority = 'scheduled' from partitions p where p.run_id = r.id and p.queue = 'scheduled';
delete from pgmq.q_compaction_realtime where message ->> 'metricId' in (select run_id::text from partitions where queue = 'scheduled');
reset role;
select setval('sediment.queue_turn', 10);
set local role service_role;
create temp table taken (priority text);
do $$ begin
  for i in 1 .. 10 loop
    perform tests.make_due();
    update pgmq.q_compaction_manual m set vt = p.ready_at from partitions p where p.msg_id = m.msg_id and p.queue = 'manual' and p.lease_expires_at is not null;
    update pgmq.q_compaction_realtime m set vt = p.ready_at from partitions p where p.msg_id = m.msg_id and p.queue = 'realtime' and p.lease_expires_at is not null;
    update pgmq.q_compaction_scheduled m set vt = p.ready_at from partitions p where p.msg_id = m.msg_id and p.queue = 'scheduled' and p.lease_expires_at is not null;
    insert into taken select claim_compaction('w') ->> 'priority';
  end loop;
end $$;
select is((select count(*) from taken where priority = 'manual'), 6::bigint, 'of ten turns six are manual');
select is((select count(*) from taken where priority = 'realtime'), 3::bigint, 'three realtime');
select is((select count(*) from taken where priority = 'scheduled'), 1::bigint, 'and one scheduled, though others wait');

-- paging
select tests.upload(1, 300, 'x' || i, 'wide') from generate_series(1, 3) i;
insert into battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte, byte_length, level, seq_min, seq_max,
  row_count, row_group_count, uncompressed_bytes, schema_fingerprint, added_version, uploaded_by, uploaded_at, schema_digest)
select dataset_id, "table", period_tag, gen_random_uuid(), 0, object_key, 0, 10, 0, 3 + i, 3 + i, 1, 1, 10, schema_fingerprint, 1, uploaded_by, now(), schema_digest
from battle_files, generate_series(1, 2500) i where dataset_id = tests.u(300) and seq_min = 1;
create temp table w as select null::jsonb as c where false;
do $$ declare v jsonb; begin
  delete from pgmq.q_compaction_manual; delete from pgmq.q_compaction_scheduled;
  delete from pgmq.q_compaction_realtime where message ->> 'datasetId' <> tests.u(300)::text;
  insert into w select tests.claim('wide');
end $$;
select is((select jsonb_array_length(c -> 'files') from w), 2000, 'a claim lists at most 2,000 files');
select is((select c -> 'more' from w), 'true', 'and says that there are more');
select is((select jsonb_array_length(list_fragments((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, c ->> 'cursor') -> 'files') from w), 503, 'the rest comes after its cursor');
select is((select list_fragments((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, c ->> 'cursor') -> 'schemas' from w), '{"f-wide": {"name": "root"}}', 'with its schemas');
insert into file_schemas (digest, schema) select 'd-' || i, '{"name": "n"}' from generate_series(1, 150) i;
update battle_files set schema_fingerprint = 'n-' || (seq_min - 2353), schema_digest = 'd-' || (seq_min - 2353) where dataset_id = tests.u(300) and seq_min > 2353;
create temp table n as select list_fragments((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, c ->> 'cursor') -> 'schemas' as s from w;
select is((select count(*) from n, jsonb_object_keys(s)), 100::bigint, 'of many schemas the first hundred');
select ok((select s ? 'f-wide' and s ? 'n-99' and not s ? 'n-100' from n), 'in upload order');
-- large as text though small as stored: what fits is counted as text
update file_schemas set schema = jsonb_build_object('name', repeat(U&'\0001', 100000)) where digest in ('d-2', 'd-3');
select ok((select pg_column_size(schema) < 20000 and octet_length(schema::text) > 600000 from file_schemas where digest = 'd-2'), 'a schema that is small as stored');
select is((select count(*) from w, jsonb_object_keys(list_fragments((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, c ->> 'cursor') -> 'schemas')), 3::bigint, 'counts by its text');
-- of two schemas of one fingerprint that of the first file stands for it
update battle_files set schema_fingerprint = 'n-1' where dataset_id = tests.u(300) and seq_min = 2360;
select is((select list_fragments((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, c ->> 'cursor') -> 'schemas' -> 'n-1' from w), '{"name": "n"}', 'the first file''s');
select throws_ok($$select list_fragments((c ->> 'run_id')::uuid, 99, c ->> 'cursor') from w$$, 'SD409', 'lease_lost', 'with the token only');
select throws_ok($$select list_fragments((c ->> 'run_id')::uuid, 1, 'x') from w$$, 'SD400', 'invalid_cursor', 'and a cursor that was given');

select throws_ok($$select claim_compaction('')$$, 'SD400', 'invalid_request', 'a worker has a name');
select throws_ok($$select claim_compaction('w', 0)$$, 'SD400', 'invalid_request', 'a lease has a length');
select throws_ok($$select claim_compaction('w', 999999)$$, 'SD400', 'invalid_request', 'of at most an hour');

-- forced
select tests.upload(1, 400, 'f');
select request_compaction(null, tests.u(400), 'port', '2024-11-25', 'manual');
do $$ begin delete from pgmq.q_compaction_realtime; end $$;
select is((tests.claim('f')) -> 'forced', 'true', 'a manual request is a forced claim');
select is((select p.lease_worker from partitions p where p.dataset_id = tests.u(400)), 'f', 'which names its worker');
select is((select r.worker from processing_metrics r where r.dataset_id = tests.u(400)), 'f', 'in the run too');

select * from finish();
rollback;
