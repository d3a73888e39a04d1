-- Which uploads make a run: those that give a plan something to do, and those of which that can't be known
begin;
\ir helpers/fixtures.sql
select plan(75);
drop trigger forget_waiting on public.partitions;
create function tests.p(p_dataset integer default 100, p_table text default 'port') returns public.partitions language sql as $$
  select tests.partition(p_dataset, p_table)
$$;
-- uploads a file of so many bytes
create function tests.send(p_dataset integer, p_body text, p_bytes bigint default 100, p_groups integer default 1, p_table text default 'port',
  p_schema text default 'f-port')
returns jsonb language sql as $$
  select tests.commit_stage(tests.stage(1, p_dataset, p_body, p_table, p_size => p_bytes), 1, p_body,
    jsonb_build_array(tests.file(p_table, '2024-11-25', 10, 0, p_bytes) || jsonb_build_object('row_group_count', p_groups, 'schema_fingerprint', p_schema)), p_bytes)
$$;
-- the run that is live ends with nothing done, and says what it leaves
create function tests.close(p_claim jsonb, p_waiting jsonb, p_more jsonb default '{}') returns jsonb language sql as $$
  select tests.commit(p_claim, null, '{}', p_result => jsonb_build_object('decision', 'none', 'planner', 4, 'waiting', p_waiting) || p_more)
$$;
-- what a run leaves of schemas that have no union
create function tests.left_of(p_s1 integer, p_s2 integer, p_oldest timestamptz default null) returns jsonb language sql as $$
  select jsonb_build_object('files', array[greatest(p_s1, p_s2)], 'oldest', array[p_oldest], 'groups', jsonb_build_array(
    jsonb_build_object('schemas', array['s1', 's1b'], 'files', array[p_s1], 'oldest', array[null::timestamptz]),
    jsonb_build_object('schemas', array['s2'], 'files', array[p_s2], 'oldest', array[p_oldest])))
$$;
create function tests.status(p_answer jsonb) returns jsonb language sql as $$
  select run_status(tests.u(1), (p_answer ->> 'metricId')::uuid)
$$;
grant execute on all functions in schema tests to service_role;
set local role service_role;

-- by size tiers
create temp table a as select tests.send(100, 'a1') as a;
select is(tests.messages(), 0::bigint, 'a first upload makes no run');
select is((select count(*) from processing_metrics), 0::bigint, 'nor a row of one');
select is((tests.p()).due_at, null, 'and alone it is never due');
select is((tests.p()).next_run_id::text, (select a ->> 'metricId' from a), 'its metricId is kept for it');
select is((select tests.status(a) ->> 'status' from a), 'queued', 'whose status is queued');
select is((select tests.status(a) ->> 'step' from a), 'not_due', 'and not due');
select is((select tests.status(a) -> 'due_at' from a), 'null', 'by itself never');
select throws_ok($$select run_status(tests.u(2), (a ->> 'metricId')::uuid) from a$$, 'SD404', 'run_not_found', 'another user is told nothing of it');
select is((select compaction_needed from dataset_status where id = tests.u(100)), false, 'a dataset with nothing to do needs no compaction');
create temp table a2 as select tests.send(100, 'a2') as a;
select is((select a ->> 'metricId' from a2), (select a ->> 'metricId' from a), 'a second upload waits under the same id');
select is((tests.p()).due_at, (select (a ->> 'uploaded_at')::timestamptz + interval '1 hour' from a), 'and both are due when the first is old');
select is((select (tests.status(a) ->> 'due_at')::timestamptz from a), (tests.p()).due_at, 'as the status says');
select tests.send(100, 'a3');
select is(tests.messages(), 0::bigint, 'three are fewer than min_inputs');
select is((select debt_files from partition_status where dataset_id = tests.u(100)), 0::bigint, 'and no debt');
select is(tests.send(100, 'a4') ->> 'metricId', (select a ->> 'metricId' from a), 'the fourth has the run that was kept for all');
select is(tests.messages(), 1::bigint, 'and makes it');
select is((tests.p()).due_at, null, 'at once');
select is((select debt_files from partition_status where dataset_id = tests.u(100)), 4::bigint, 'all four are debt');
select is((tests.p()).debt_oldest, (select (a ->> 'uploaded_at')::timestamptz from a), 'since the first came');
select is((select tests.status(a) -> 'step' from a), 'null', 'which is due now');
create temp table c as select tests.claim('w', 100) as c;
select is((select c ->> 'run_id' from c), (select a ->> 'metricId' from a), 'a claim has its id');
select is((select (trigger, status, attempts) from processing_metrics), row('upload'::text, 'running'::text, 1), 'and its row');

-- while a worker is at it
create temp table a5 as select tests.send(100, 'a5') as a;
select isnt((select a ->> 'metricId' from a5), (select a ->> 'metricId' from a), 'an upload that came after the claim has another run');
select is((select tests.status(a) ->> 'status' from a5), 'queued', 'which is queued');
select is((select tests.commit(c, tests.output(c), p_result => '{"decision": "merged", "planner": 4, "waiting": {"files": [1], "oldest": [null]}}') -> 'requeued' from c), 'false', 'and is not made when the first ends');
select is((tests.p()).tier_files, '{2}', 'the output and what came since wait');
select is((tests.p()).due_at, (select (a ->> 'uploaded_at')::timestamptz + interval '1 hour' from a5), 'until the upload is old');
select is((select tests.status(a) ->> 'step' from a5), 'not_due', 'as its status says');
select tests.send(100, 'a6'), tests.send(100, 'a7');
select is(tests.messages(), 1::bigint, 'four with the output make the next run');
create temp table c2 as select tests.claim('w', 100) as c;
select is((select c ->> 'run_id' from c2), (select a ->> 'metricId' from a5), 'under the id that was kept');
select tests.send(100, 'b' || i) from generate_series(1, 4) i;
select is((select tests.close(c, '{"files": [4], "oldest": [null]}') -> 'requeued' from c2), 'true', 'as many as a plan would merge have their run when the one before ends');
create temp table c3 as select tests.claim('w', 100) as c;
select tests.close(c, '{"files": [3, 0, 3], "oldest": [null, null, null]}') from c3;
select tests.send(100, 'large', 200000);
select is((tests.p()).tier_files, '{3,0,4}', 'a file counts in the tier of its size');
select is(tests.messages(), 1::bigint, 'and makes it full');
create temp table c4 as select tests.claim('w', 100) as c;
select tests.commit(c, null, '{}') from c4;
select is((tests.p()).tier_files, null, 'a worker that says nothing of what it leaves');
select tests.send(100, 'unknown');
select is(tests.messages(), 1::bigint, 'has the next upload make a run');

-- what is full grown, and what is written anew for its row groups
select tests.send(101, 'grown', 30000000);
select is((tests.p(101)).tier_files, '{}', 'a full grown file waits for nothing');
select is((select tests.messages()), 1::bigint, 'and makes no run');
select tests.send(102, 'fragmented', 30000000, 400);
select is((select tests.messages()), 2::bigint, 'unless its row groups are small');

-- age
select tests.send(103, 'old');
update partitions set tier_oldest = array[clock_timestamp() - interval '2 hours'] where dataset_id = tests.u(103);
select tests.send(103, 'young');
select ok((tests.p(103)).msg_id is not null, 'an old upload that gets company makes a run');
select tests.send(104, 'old');
update partitions set tier_oldest = array[clock_timestamp() - interval '2 hours'] where dataset_id = tests.u(104);
select tests.send(104, 'large', 40000);
select ok((tests.p(104)).msg_id is null, 'not by company of a larger tier');
select is((tests.p(104)).due_at, (select uploaded_at + interval '1 hour' from battle_files where dataset_id = tests.u(104) and byte_length = 40000), 'which is due by its own age');
update partitions set due_at = clock_timestamp() - interval '1 s' where dataset_id = tests.u(104);
select sweep();
select is((tests.p(104)).queue, 'scheduled', 'what is due has its run by the sweep');
select is((select trigger from processing_metrics where id = (tests.p(104)).run_id), 'sweep', 'of which that is the trigger');

-- settings
select tests.send(105, 'one');
update service_settings set min_inputs = 5;
select tests.send(105, 'two');
select ok((tests.p(105)).msg_id is not null, 'when the settings have changed since a plan was made the next upload makes a run');
update service_settings set min_inputs = 4;
select tests.send(106, 'one');
insert into table_settings (dataset_id, "table", min_inputs) values (tests.u(104), 'port', 7);
select tests.send(106, 'two');
select ok((tests.p(106)).msg_id is null, 'but not when those of another table have');
select tests.send(107, i::text) from generate_series(1, 4) i;
create temp table c7 as select tests.claim('w', 107) as c;
update service_settings set min_inputs = 3;
select tests.close(c, '{"files": [3], "oldest": [null]}') from c7;
select ok((select plan_digest is null and last_considered_at < s.plan_changed_at from partitions, service_settings s where dataset_id = tests.u(107)), 'a run that went by older settings is looked at again');
select is((tests.p(107)).tier_files, null, 'and what it left is not known');
select tests.send(111, 'one'), tests.send(111, 'two'), tests.send(112, 'one'), tests.send(112, 'two');
select ok((tests.p(111)).due_at > clock_timestamp() + interval '50 min', 'two uploads wait for an hour');
select sweep();
select is((tests.p(111)).msg_id, null, 'while settings are what they were');
insert into table_settings (dataset_id, "table", max_age_seconds) values (tests.u(111), 'port', 60);
select sweep();
select ok((tests.p(111)).msg_id is not null, 'when the settings of their table have changed a plan is made by these');
select is((tests.p(112)).msg_id, null, 'and none of what another table has waiting');

-- files that are all larger than the lowest tier's
select tests.send(113, i::text, 60000) from generate_series(1, 2) i;
select is((tests.p(113)).tier_files, '{0,2}', 'files of a higher tier count in that one');
select ok((tests.p(113)).due_at > clock_timestamp() + interval '50 min', 'two of it wait for an hour');
select tests.send(113, '3', 60000);
select ok((tests.p(113)).msg_id is not null, 'as many as min_inputs make a run');
create temp table c13 as select tests.claim('w', 113) as c;
select tests.send(113, i::text, 60000) from generate_series(4, 6) i;
select is((select tests.close(c, '{"files": [], "oldest": []}') -> 'requeued' from c13), 'true', 'and as many that came since the claim another one');

-- schemas that have no union; three make a run
select tests.send(114, i::text, p_schema => case when i < 3 then 's1' else 's2' end) from generate_series(1, 3) i;
select ok((tests.p(114)).msg_id is not null, 'schemas of which no run has told count together');
create temp table c14 as select tests.claim('w', 114) as c;
select tests.close(c, tests.left_of(1, 1, clock_timestamp() - interval '2 hours')) from c14;
select tests.send(114, 'second', p_schema => 's1b');
select is((tests.p(114)).tier_groups #> '{0,files}', '[2]', 'an upload counts in the group that its schema belongs to');
select ok((tests.p(114)).msg_id is null and (tests.p(114)).due_at > clock_timestamp() + interval '50 min', 'beside an old file of another group it makes no run');
select tests.send(114, 'unknown', p_schema => 's9');
select ok((tests.p(114)).msg_id is not null, 'one of a schema that is not known may belong to any');
create temp table c14b as select tests.claim('w', 114) as c;
select is((tests.p(114)).tier_groups, null, 'what a worker is given is grouped by it');
select tests.send(114, 'meanwhile', p_schema => 's2');
select is((select tests.close(c, tests.left_of(1, 0)) -> 'requeued' from c14b), 'false', 'one and one that came meanwhile are no three');
select is((tests.p(114)).tier_groups #> '{-1,files}', '[1]', 'what came since the claim may belong to any');
select tests.send(114, 'third', p_schema => 's1');
select ok((tests.p(114)).msg_id is not null, 'and counts with each');
create temp table c14c as select tests.claim('w', 114) as c;
select tests.close(c, tests.left_of(1, 1)) from c14c;
select delete_upload(tests.u(1), id) from uploads where dataset_id = tests.u(114) order by version limit 1;
select ok((tests.p(114)).due_at <= clock_timestamp(), 'where a file is deleted that may have parted them it is looked at');
select tests.send(115, 'other', p_table => 'ship');
insert into table_settings (dataset_id, "table", dedupe_keys) values (tests.u(115), 'port', '{id}');
select tests.send(115, i::text) from generate_series(1, 4) i;
create temp table c15 as select tests.claim('w', 115) as c;
select tests.close(c, tests.left_of(2, 0)) from c15;
select tests.send(115, 'between', p_schema => 's2'), tests.send(115, 'after', p_schema => 's1');
select is((tests.p(115)).tier_groups #> '{0,files}', '[1]', 'where the last writer wins a file of another group parts what was from what comes');
select ok((tests.p(115)).msg_id is null, 'and no plan would act');

-- dead, deleted
select tests.send(108, i::text) from generate_series(1, 4) i;
create temp table c8 as select tests.claim('w', 108) as c;
create temp table a8 as select tests.send(108, 'five') as a;
select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'internal', 'no', 'merge', true) from c8;
select is((tests.p(108)).run_id::text, (select a ->> 'metricId' from a8), 'what came while a run failed for good has a run of its own');
select tests.send(109, 'one');
create temp table a9 as select jsonb_build_object('metricId', u.metric_id) as a from uploads u where u.dataset_id = tests.u(109);
select delete_data(tests.u(1), tests.u(109), 'port');
select advance_deletions();
select is((select tests.status(a) ->> 'status' from a9), 'success', 'of what is deleted the run ends well');
select tests.send(110, 'other', p_table => 'ship');
insert into table_settings (dataset_id, "table", dedupe_keys) values (tests.u(110), 'port', '{id}');
select tests.send(110, 'one'), tests.send(110, 'two');
select delete_upload(tests.u(1), id) from uploads where dataset_id = tests.u(110) and "table" = 'port' order by version limit 1;
select ok((tests.p(110)).due_at <= clock_timestamp(), 'where the last writer wins what lies at the sides of a deleted file is looked at');
-- what leaves while a worker is at it may have told apart what it says it leaves
select tests.send(120, 'g' || i, p_schema => (array['s0', 's1', 's2', 's2'])[i]) from generate_series(1, 4) i;
create temp table c20 as select tests.claim('w', 120) as c;
select delete_upload(tests.u(1), id) from uploads where dataset_id = tests.u(120) and content_hash = tests.hash('g1');
select is((select tests.close(c, tests.left_of(1, 2)) -> 'requeued' from c20), 'true', 'a deletion under a lease has what waits looked at again');
select tests.send(121, 'g' || i, p_schema => (array['s0', 's1', 's2', 's2'])[i]) from generate_series(1, 4) i;
create temp table c21 as select tests.claim('w', 121) as c;
select sediment.set_aside_lost(id, 'object_missing', 'gone'), sediment.look_again(dataset_id, "table", period_tag)
from battle_files where dataset_id = tests.u(121) and removed_version is null order by id limit 1;
select is((select tests.close(c, tests.left_of(1, 2)) -> 'requeued' from c21), 'true', 'as a file has that is lost under one');

-- a worker of before, which tells no groups, leaves as many as make a merge: what has kept them apart may be what leaves
select tests.send(123, 'h' || i) from generate_series(1, 4) i;
select tests.close(tests.claim('w', 123), tests.left_of(4, 4) - 'groups');
create temp table c23 as select (tests.p(123)).due_at as before;
select sediment.look_again(tests.u(123), 'port', (tests.p(123)).period_tag);
select is((before is null, (tests.p(123)).due_at <= clock_timestamp()), (true, true), 'what a plan has left is looked at again when a file leaves') from c23;
select tests.send(124, 'h' || i) from generate_series(1, 4) i;
select tests.close(tests.claim('w', 124), tests.left_of(1, 1) - 'groups');
select sediment.look_again(tests.u(124), 'port', (tests.p(124)).period_tag);
select is((tests.p(124)).due_at, null, 'fewer than make a merge are not');

-- what is deleted is counted no more
select tests.send(122, 'd' || i, p_schema => 's' || 1 + i % 2) from generate_series(1, 4) i;
select tests.close(tests.claim('w', 122), tests.left_of(2, 2));
select isnt((tests.p(122)).tier_groups, null, 'what waits is known by groups');
select delete_data(tests.u(1), tests.u(122));
select advance_deletions();
select is(((tests.p(122)).tier_groups, (tests.p(122)).tier_files), (null::jsonb, '{}'::integer[]), 'until all is deleted');

select * from finish();
rollback;
