-- catalog_health
begin;
\ir helpers/fixtures.sql
select plan(12);
set local role service_role;

-- four workers, of which two died, one of them at its run's last attempt
select tests.upload(1, 100 + i, 'a' || i) from generate_series(1, 6) i;
select tests.make_due();
select claim_compaction('w1'), claim_compaction('w2'), claim_compaction('w3'), claim_compaction('w4');
update partitions set lease_expires_at = clock_timestamp() - interval '1 s' where lease_worker in ('w1', 'w2');
update processing_metrics set attempts = 3 where worker = 'w2';
select expire_leases();

update partitions set due_at = null where due_at < clock_timestamp();
select is(catalog_health() -> 'ok', 'true', 'the catalog is well');
update partitions set lease_expires_at = clock_timestamp() - interval '3 min' where lease_worker = 'w3';
select is(catalog_health() -> 'ok', 'false', 'but not while nobody takes an old lease back');
update partitions set lease_expires_at = clock_timestamp() + interval '3 min' where lease_worker = 'w3';
insert into partitions (dataset_id, "table", period_tag, due_at) values (tests.u(101), 'unsent', '0', clock_timestamp() - interval '6 min');
select is(catalog_health() -> 'ok', 'false', 'nor while debt is due and nobody sends for it');
delete from partitions where "table" = 'unsent';
select is(catalog_health() -> 'leases', '2', 'and says how many are at work');
select is(catalog_health() -> 'dead_letters', '1', 'and what is dead');
select isnt(catalog_health() ->> 'pgmq', null, 'and on what it runs');
reset role;
update partitions set ready_at = clock_timestamp() - interval '91 s', lease_expires_at = null, claimed_demand_seq = null where msg_id is not null;
select ok(catalog_health() -> 'reasons' ? 'work_waits', 'it is stuck while what is due waits for over three ticks');
update circuit_breaker set state = 'open', part = 'store_read', error_message = '503', opened_at = now(), probe_at = now();
select is(catalog_health() -> 'reasons', '["breaker_open"]', 'or the breaker is open, which is reason enough');
update circuit_breaker set state = 'closed';
insert into net._http_response (id, status_code, created) values (1, 401, clock_timestamp());
select ok(catalog_health() -> 'reasons' ? 'pings_refused', 'or pings are refused');
insert into net._http_response (id, status_code, created) values (2, 200, clock_timestamp());
select ok(not catalog_health() -> 'reasons' ? 'pings_refused', 'not all of them');
create function pg_temp.never_missed() returns setof text
language plpgsql as $$
declare
  v_job record;
begin
  for v_job in select j.jobname, j.schedule, j.command from cron.job j where j.jobname like 'sediment\_%' order by j.jobname loop
    perform cron.unschedule(v_job.jobname);
    if not 'jobs_missing' = any (sediment.clockwork_faults()) then
      return next v_job.jobname;
    end if;
    perform cron.schedule(v_job.jobname, v_job.schedule, v_job.command);
  end loop;
end $$;
select is_empty('select pg_temp.never_missed()', 'each job is missed where it does not run');
select cron.unschedule('sediment_tick');
select ok(catalog_health() -> 'reasons' ? 'jobs_missing', 'or a job is missing');
set local role service_role;

select * from finish();
rollback;
