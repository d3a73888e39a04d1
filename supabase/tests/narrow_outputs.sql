-- What the store refuses for its size is planned smaller, and dies only where that is no use.
begin;
\ir helpers/fixtures.sql
select plan(9);
set local role service_role;

select tests.upload(1, 100, 'a');
create temp table c as select tests.claim() as c;
select is((select c -> 'settings' ->> 'target_file_bytes' from c), '33554432', 'outputs come to what the settings say');
create temp table f as
  select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'body_too_large', 'over 1 MiB', 'merge', false, 'work', null) as f from c;
select is((select f ->> 'status' from f), 'retry', 'an output that is refused for its size is tried again');
select is((tests.partition(100)).output_cap_bytes, 16777216::bigint, 'at half of it');
select is((select (status, error_code, attempts) from processing_metrics r, c where r.id = (c ->> 'run_id')::uuid),
  row('queued'::text, 'body_too_large'::text, 0), 'and it was no attempt');
create temp table c2 as select tests.claim() as c;
select is((select c -> 'settings' ->> 'target_file_bytes' from c2), '16777216', 'the next claim says so');
select is((select c -> 'attempt' from c2), '1', 'and is the first attempt');

update partitions set output_cap_bytes = 100000 where output_cap_bytes is not null;
select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'body_too_large', 'over 1 MiB', 'merge', false) from c2;
select is((tests.partition(100)).output_cap_bytes, 65536::bigint, 'no output is planned smaller than 64 KiB');
create temp table c3 as select tests.claim() as c;
select is(fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'body_too_large', 'over 1 KiB', 'merge', true) ->> 'status', 'dead',
  'what can not be cut smaller is dead') from c3;
select is((select error_code from dead_letters), 'body_too_large', 'and says why');
select * from finish();
rollback;
