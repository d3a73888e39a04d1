-- What an idle tick costs: one index scan and nothing else, however much is there that is not due.
begin;
\ir helpers/fixtures.sql
select plan(5);
insert into datasets (id, user_id) values (tests.u(100), tests.u(1));
insert into processing_metrics (id, user_id, dataset_id, operation, trigger, priority)
values (tests.u(7), tests.u(1), tests.u(100), 'fan_out', 'request', 'manual');
-- leased, backing off, delayed, at rest
insert into partitions (dataset_id, "table", period_tag, queue, msg_id, run_id, ready_at, lease_expires_at, claimed_demand_seq)
select tests.u(100), 't', 'p' || i, 'realtime', i, tests.u(7), now() + interval '1 h',
  case when i % 3 = 0 then now() + interval '1 h' end, case when i % 3 = 0 then 0 end from generate_series(1, 3000) i;
insert into partitions (dataset_id, "table", period_tag) select tests.u(100), 'r', 'p' || i from generate_series(1, 3000) i;
select pgmq.send('compaction_realtime', '{}'::jsonb, 3600) from generate_series(1, 1000);
analyze partitions;
create function tests.scans(out idx bigint, out seq bigint, out tuples bigint) language sql volatile as $$
  select coalesce(sum(t.idx_scan), 0)::bigint, coalesce(sum(t.seq_scan), 0)::bigint,
    coalesce(sum(t.idx_tup_fetch), 0)::bigint + coalesce(sum(t.seq_tup_read), 0)::bigint
  from pg_stat_xact_user_tables t where t.schemaname in ('public', 'pgmq', 'sediment')
$$;
select tick(); -- plans are made
create temp table scans_before as select * from tests.scans();
create temp table ticked as select tick() as t;
create temp table scans_after as select * from tests.scans();
select is((select t from ticked), '{"ready": 0, "leases": null, "woken": 0}', 'a tick with nothing due is idle');
select is((select a.idx - b.idx from scans_after a, scans_before b), 1::bigint, 'it costs one index scan');
select is((select a.seq - b.seq from scans_after a, scans_before b), 0::bigint, 'no other scan');
select is((select a.tuples - b.tuples from scans_after a, scans_before b), 0::bigint, 'and reads no row');
update partitions set ready_at = now() - interval '1 s' where period_tag in ('p1', 'p2') and "table" = 't';
select is(tick() -> 'ready', '2', 'what is due it sees');
select * from finish();
rollback;
