begin;
\ir helpers/fixtures.sql
select plan(35);
set local role service_role;

select tests.upload(1, 100, 'a', 'port', '2024-11-25'), tests.upload(1, 100, 'b', 'port', '2024-11-26'), tests.upload(1, 100, 'c', 'ship', '0');
create temp table before as select * from partitions;

-- one partition
create temp table r as select request_compaction(tests.u(1), tests.u(100), 'port', '2024-11-25', 'manual') as a;
select is((select a ->> 'instanceId' from r), (select run_id::text from before where "table" = 'port' and period_tag = '2024-11-25'), 'a request joins the waiting run');
select is((select a -> 'partitions' from r), '1', 'one partition was asked');
select is((tests.partition(100)).queue, 'manual', 'a higher priority moves the message');
select ok((tests.partition(100)).ready_at <= clock_timestamp() + interval '1 second', 'and brings it forward');
select is(tests.messages(), 3::bigint, 'there is still one message a partition');
select is((select priority from processing_metrics where id = (select (a ->> 'instanceId')::uuid from r)), 'manual', 'the run has the new priority');
select is((tests.partition(100)).forced_seq, 2::bigint, 'a manual request forces');
select is(request_compaction(tests.u(1), tests.u(100), 'port', '2024-11-25', 'scheduled') ->> 'instanceId', (select a ->> 'instanceId' from r), 'a lower priority joins');
select is((tests.partition(100)).queue, 'manual', 'and does not move it back');
select is((tests.partition(100)).forced_seq, 2::bigint, 'nor force');

-- all of a dataset
create temp table f as select request_compaction(tests.u(1), tests.u(100)) as a;
select is((select a -> 'partitions' from f), '3', 'without a table every partition in debt is asked');
select is((select jsonb_array_length(a -> 'requested') from f), 3, 'and named');
select is((select a -> 'cursor' from f), 'null', 'nothing is left to ask');
select is((select count(*) from run_children where parent_id = (select (a ->> 'instanceId')::uuid from f)), 3::bigint, 'the run of the request knows its children');
select is(run_status(tests.u(1), (select (a ->> 'instanceId')::uuid from f)) ->> 'status', 'running', 'and is under way while they are');
select is(request_compaction(tests.u(1), tests.u(100), 'port') -> 'partitions', '2', 'of one table');
select is((select count(*) from partitions where queue = 'manual'), 3::bigint, 'all are manual now');

-- leased: the demand waits for the next run
create temp table c as select tests.claim() as c;
create temp table n as select request_compaction(tests.u(1), tests.u(100), c ->> 'table', c ->> 'period_tag', 'manual') as a from c;
select isnt((select a ->> 'instanceId' from n), (select c ->> 'run_id' from c), 'a request while a worker is at it gets a run of its own');
select is((select a ->> 'instanceId' from n), (select next_run_id::text from partitions p, c where p.run_id = (c ->> 'run_id')::uuid), 'which waits behind it');
select is(request_compaction(tests.u(1), tests.u(100), c ->> 'table', c ->> 'period_tag', 'manual') ->> 'instanceId', (select a ->> 'instanceId' from n), 'further requests join that') from c;
select is((tests.compact(c)) -> 'requeued', 'true', 'and it goes on after the commit') from c;
select is((select status from processing_metrics where id = (select (a ->> 'instanceId')::uuid from n)), 'queued', 'as a queued run');

-- nothing to do
select is(request_compaction(tests.u(1), tests.u(100), 'plane') -> 'partitions', '0', 'a table without debt asks nothing');
create temp table e as select request_compaction(tests.u(1), tests.u(100), 'plane') as a;
select is(run_status(null, (a ->> 'instanceId')::uuid) ->> 'status', 'success', 'and its run has ended') from e;
create temp table idle as select count(*) as runs from processing_metrics;
select is(request_compaction(tests.u(1), tests.u(100), 'plane') ->> 'instanceId', (select a ->> 'instanceId' from e), 'asked in vain again it is that run');
select is(request_compaction(tests.u(1), tests.u(100), 'plane') -> 'requested', '[]', 'which has asked for nothing');
select is((select count(*) from processing_metrics), (select runs from idle), 'and no row is written');
update processing_metrics set queued_at = queued_at - interval '25 hours' where id = (select (a ->> 'instanceId')::uuid from e);
select isnt(request_compaction(tests.u(1), tests.u(100), 'plane') ->> 'instanceId', (select a ->> 'instanceId' from e), 'after a day it is another one');

-- many: the first slice here, the rest by a message
insert into partitions (dataset_id, "table", period_tag, debt_files, debt_oldest) select tests.u(100), 'many', 'p' || i, 1, now() from generate_series(1, 250) i;
create temp table m as select request_compaction(tests.u(1), tests.u(100), 'many', p_priority => 'manual') as a;
select is((select a -> 'partitions' from m), '100', 'a large request asks a slice');
select isnt((select a ->> 'cursor' from m), null, 'and leaves the rest to a message');
create temp table spread (reason text);
do $$ begin
  for i in 1 .. 3 loop
    delete from pgmq.q_compaction_manual where message ->> 'table' is not null; -- only the request itself
    delete from pgmq.q_compaction_realtime;
    update pgmq.q_compaction_manual set vt = clock_timestamp() - interval '1 s';
    insert into spread select claim_compaction('w') ->> 'reason';
  end loop;
end $$;
select is((select array_agg(reason) from spread), array['fanned_out', 'fanned_out', 'empty'], 'which claims spread, slice by slice');
select is((select count(*) from run_children where parent_id = (select (a ->> 'instanceId')::uuid from m)), 250::bigint, 'until every partition was asked');
select is((select fan_out_cursor from processing_metrics where id = (select (a ->> 'instanceId')::uuid from m)), null, 'and the request is done');

-- refusals
select throws_ok($$select request_compaction(tests.u(2), tests.u(100))$$, 'SD403', 'dataset_forbidden', 'another user''s dataset is refused');
select throws_ok($$select request_compaction(null, tests.u(100), 'none', '0')$$, 'SD404', 'not_found', 'an unknown partition is not found');

select * from finish();
rollback;
