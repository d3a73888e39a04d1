begin;
\ir helpers/fixtures.sql
select plan(12);
set local role service_role;

select tests.upload(1, 100, 'a'), tests.upload(1, 100, 'b');
create temp table c as select tests.claim() as c;
create temp table s as select stage_output((c ->> 'run_id')::uuid, 0, 1, 1000) as s from c;
select is((select s ->> 'object_key' from s), (select format('battle_compacted/%s/port/2024-11-25/%s-1-0.parquet', tests.u(100), c ->> 'run_id') from c),
  'the key names dataset, table, period, run, token and ordinal');
select is((select state from objects o, s where o.object_key = s ->> 'object_key'), 'staged', 'it is planned before the PUT');
select is((select size from objects o, s where o.object_key = s ->> 'object_key'), 1000::bigint, 'with the size that is expected');
select is(stage_output((c ->> 'run_id')::uuid, 0, 1, 1000), (select s from s), 'asked again it is the same') from c;
select isnt(stage_output((c ->> 'run_id')::uuid, 1, 1, 1000) ->> 'object_key', (select s ->> 'object_key' from s), 'the next output has another key') from c;
select throws_ok($$select stage_output((c ->> 'run_id')::uuid, 0, 2, 1000) from c$$, 'SD409', 'lease_lost', 'another token is refused');
select throws_ok($$select stage_output(tests.u(9), 0, 1, 1000)$$, 'SD404', 'run_not_found', 'an unknown run is refused');
select throws_ok($$select stage_output((c ->> 'run_id')::uuid, -1, 1, 1000) from c$$, 'SD400', 'invalid_request', 'an ordinal is not negative');

-- a newer worker
select fail_compaction((c ->> 'run_id')::uuid, 1, 'store_failed', 'no', 'merge', false) from c;
create temp table c2 as select tests.claim('w2') as c;
select isnt(stage_output((c ->> 'run_id')::uuid, 0, (c ->> 'token')::bigint, 1000) ->> 'object_key', (select s ->> 'object_key' from s),
  'a newer worker never writes the older one''s key') from c2;
select tests.compact(c) from c2;
select is(stage_output((c ->> 'run_id')::uuid, 0, (c ->> 'token')::bigint, 1000) -> 'committed', 'true', 'after the commit it says so') from c2;
select is(stage_output((c ->> 'run_id')::uuid, 0, (c ->> 'token')::bigint, 1000) -> 'answer' -> 'replayed', 'true', 'and gives the commit''s answer') from c2;
select throws_ok($$select stage_output((c ->> 'run_id')::uuid, 1, (c ->> 'token')::bigint, 1000) from c2$$, 'SD409', 'run_finished', 'a run that has ended plans nothing');

select * from finish();
rollback;
