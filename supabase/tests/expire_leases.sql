-- expire_leases: workers that died
begin;
\ir helpers/fixtures.sql
select plan(6);
set local role service_role;

-- four workers
select tests.upload(1, 100 + i, 'a' || i) from generate_series(1, 6) i;
select tests.make_due();
select claim_compaction('w1'), claim_compaction('w2'), claim_compaction('w3'), claim_compaction('w4');

select is(expire_leases(), '{"dead": 0, "more": false, "expired": 0}', 'a live lease is left alone');
update partitions set lease_expires_at = clock_timestamp() - interval '1 s' where lease_worker in ('w1', 'w2');
update processing_metrics set attempts = 3 where worker = 'w2';
select is(expire_leases(), '{"dead": 1, "more": false, "expired": 2}', 'expired leases are taken back; attempts that are used up are dead');
select is((select count(*) from partitions where lease_expires_at is not null), 2::bigint, 'the others are left');
select is((select token from partitions p join processing_metrics r on r.id = p.run_id where r.worker = 'w1'), 2::bigint, 'the token rises');
select is((select status from processing_metrics where worker = 'w1'), 'queued', 'the run waits for its next attempt');
select is((select status from processing_metrics where worker = 'w2'), 'timeout', 'or timed out');

select * from finish();
rollback;
