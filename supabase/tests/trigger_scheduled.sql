-- trigger_scheduled
begin;
\ir helpers/fixtures.sql
select plan(10);
set local role service_role;

-- four workers, of which two died, one of them at its run's last attempt
select tests.upload(1, 100 + i, 'a' || i) from generate_series(1, 6) i;
select tests.make_due();
select claim_compaction('w1'), claim_compaction('w2'), claim_compaction('w3'), claim_compaction('w4');
update partitions set lease_expires_at = clock_timestamp() - interval '1 s' where lease_worker in ('w1', 'w2');
update processing_metrics set attempts = 3 where worker = 'w2';
select expire_leases();

insert into partitions (dataset_id, "table", period_tag, debt_files, debt_bytes, debt_oldest)
select tests.u(100 + i), 'night', 'p' || j, 1, 1, now() - make_interval(hours => i) from generate_series(1, 6) i, generate_series(1, 2) j;
create temp table t as select trigger_scheduled(4, 2, 1000) as t;
select is((select t -> 'datasets' from t), jsonb_build_array(tests.u(106), tests.u(105), tests.u(104), tests.u(103)), 'the night picks the datasets whose debt is oldest');
select is((select t -> 'partitions' from t), '13', 'and their partitions, also those that have a message, and by a quarter what is dead');
select is((select p.queue from partitions p join processing_metrics r on r.id = p.run_id where r.worker = 'w2'), 'scheduled', 'under the run that it had');
select ok((select bool_and(ready_at <= clock_timestamp()) from partitions where "table" = 'night' and dataset_id in (tests.u(106), tests.u(105))), 'the first ones at once');
select ok((select bool_and(ready_at > clock_timestamp()) from partitions where "table" = 'night' and dataset_id in (tests.u(104), tests.u(103))), 'the next a little later');
select is((select count(*) from partitions where "table" = 'night' and queue = 'scheduled'), 8::bigint, 'with the lowest priority');
update service_settings set max_datasets_per_run = 1;
select is(jsonb_array_length(trigger_scheduled() -> 'datasets'), 1, 'the settings rule the nights of cron');
select cmp_ok(jsonb_array_length(trigger_scheduled(100) -> 'datasets'), '>', 1, 'and an argument overrules them');
select is(trigger_scheduled(4) -> 'datasets', (select t -> 'datasets' from t), 'debt that has its message is asked for again');
select is((select count(*) from sediment.queue_messages m where m.message ->> 'table' = 'night' and m.message ->> 'datasetId' = tests.u(106)::text), 2::bigint, 'which joins that message');

select * from finish();
rollback;
