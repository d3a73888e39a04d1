-- prune_history: what is old and over goes, what anybody may still ask for stays
begin;
\ir helpers/fixtures.sql
select plan(26);
create function tests.grow_old() returns void language plpgsql as $$
begin
  update processing_metrics set queued_at = queued_at - interval '91 days', completed_at = completed_at - interval '91 days';
  update dead_letters set created_at = created_at - interval '91 days', resolved_at = resolved_at - interval '91 days';
  update alerts set created_at = created_at - interval '91 days';
  update objects set updated_at = updated_at - interval '91 days';
end $$;
grant execute on all functions in schema tests to service_role;
truncate run_children, run_commits, processing_metrics cascade;
select tests.upload(1, 100, 'a'), tests.upload(1, 100, 'b'), tests.upload(1, 101, 'c'), tests.upload(1, 102, 'd');
create temp table first_answer as select sediment.upload_answer(u) as answer from uploads u where u.content_hash = tests.hash('a');
create temp table c1 as select tests.claim('w', 100) as c;
select tests.compact(c) from c1;
create temp table many as select request_compaction(tests.u(1), tests.u(101)) as r;
create temp table c2 as select tests.claim('w', 101) as c;
select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'internal', 'no', 'merge', true) from c2;
select drain_dead_letters(), sweep();
select request_compaction(tests.u(1), tests.u(102), 'port', '2024-11-25');
update alerts set state = 'sent';
insert into dead_letters (queue, error_code, first_failed_at, last_failed_at) values ('manual', 'invalid_message', now(), now());
insert into objects (object_key, kind, state, put_deadline, delete_after) values
  ('gone', 'fragment', 'tombstone', now(), null), ('again', 'fragment', 'tombstone', now(), now()),
  ('going', 'fragment', 'deleting', now(), now());
grant select on first_answer, c1 to service_role;
set local role service_role;
select is(prune_history(), '{"runs": 0, "commits": 0, "dead_letters": 0, "alerts": 0, "objects": 0, "more": false}', 'what is young stays');

select tests.grow_old();
create temp table p1 as select prune_history() as p;
select is((select p -> 'runs' from p1), '2', 'old runs that have ended go: the merge and the request for many');
select is((select p -> 'commits' from p1), '1', 'with their commits');
select is((select count(*) from run_children), 0::bigint, 'and children');
select is((select p -> 'alerts' from p1), '1', 'so do alerts that were sent');
select is((select p -> 'dead_letters' from p1), '1', 'and the letter that nobody can redrive');
select is((select p -> 'objects' from p1), '1', 'and the key of an object that is gone for good');
select is((select array_agg(object_key order by object_key) from objects where object_key in ('gone', 'again', 'going')), '{again,going}', 'not of one that is to be deleted');
select is((select count(*) from dead_letters where dataset_id = tests.u(101)), 1::bigint, 'an open letter stays');
select lives_ok($$select run_status(null, run_id) from dead_letters$$, 'with its run');
select is((select count(*) from processing_metrics where completed_at is null), 1::bigint, 'a run that has not ended stays, however old');
select is((tests.partition(102)).run_id, (select id from processing_metrics where completed_at is null), 'the partition''s own');
select throws_ok($$select run_status(null, (c ->> 'run_id')::uuid) from c1$$, 'SD404', 'run_not_found', 'a run that is forgotten is not found');
select is((tests.upload(1, 100, 'a') - 'duplicate'), (select answer - 'duplicate' from first_answer), 'whoever sends an upload again gets the first answer still');
select is((select count(*) from battle_files where dataset_id = tests.u(100) and removed_version is null), 1::bigint, 'and what was merged stays');

-- once its letter is closed the run goes, and the letter after it
select redrive_dead_letters(null);
select is((select count(*) from dead_letters where resolved_at is null), 0::bigint, 'a redrive closes the letter');
select is((select p - 'commits' - 'alerts' - 'objects' from prune_history() p), '{"runs": 1, "dead_letters": 0, "more": false}', 'then its run goes');
select tests.grow_old();
select is(prune_history() -> 'dead_letters', '1', 'later it goes itself');
select is((select count(*) from dead_letters), 0::bigint, 'and the letter with it');

-- in bounded parts
insert into objects (object_key, kind, state, put_deadline, updated_at) select 'old' || i, 'fragment', 'tombstone', now(), now() - interval '99 days' from generate_series(1, 5) i;
select is((select p - 'runs' - 'commits' - 'alerts' - 'dead_letters' from prune_history(2) p), '{"objects": 2, "more": true}', 'no more than asked for at a time');
select is(prune_history(2) -> 'objects', '2', 'and so on');
select is((select p -> 'more' from prune_history(2) p), 'false', 'to the end');
insert into objects (object_key, kind, state, put_deadline, updated_at) select 'old' || i, 'fragment', 'tombstone', now(), now() - interval '99 days' from generate_series(1, 5) i;
select is((select p - 'runs' - 'commits' - 'alerts' - 'dead_letters' from prune_history(2, 20) p), '{"objects": 5, "more": false}', 'or pass after pass while there is more and time');
select is((select count(*) from uploads), 4::bigint, 'the ledger is never touched');
select throws_ok('delete from processing_metrics', 'SD400', 'invalid_request', 'nor does anybody delete a run that has not ended');
reset role;
select ok(not has_function_privilege('authenticated', 'prune_history(integer, integer)', 'execute'), 'nobody but the service forgets');
select * from finish();
rollback;
