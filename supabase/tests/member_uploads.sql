-- What members upload: rights are looked up at the commit, limits count for the owner.
begin;
\ir helpers/fixtures.sql
\ir helpers/members.sql
select no_plan();
set local role service_role;

select tests.upload(1, 100, 'a'), tests.upload(9, 900, 'z');
select tests.join_as(2, 100, 'writer'), tests.join_as(3, 100, 'reader');
select tests.join_as(6, 100, 'writer');

-- uploads of members
select tests.upload(2, 100, 'by a writer', 'port', '2024-11-26');
select is((select uploaded_by from battle_files where dataset_id = tests.u(100) and period_tag = '2024-11-26'), tests.u(2), 'a file knows who has uploaded it');
select is((tests.upload(1, 100, 'by a writer', 'port', '2024-11-26')) -> 'duplicate', 'true', 'the same bytes by another of the dataset are a duplicate');
create temp table late as select tests.stage(6, 100, 'late') as s, tests.stage(6, 100, 'late too', 'new_table') as n, tests.stage(6, 100, 'by a writer', 'port', '2024-11-26') as d;
select is(remove_member(tests.u(6), tests.u(100), tests.u(6)) -> 'removed', 'true', 'a member leaves');
select throws_ok($$select tests.commit_stage(s, 6, 'late', jsonb_build_array(tests.file('port', '2024-11-25', 10))) from late$$, 'SD403', 'dataset_forbidden', 'what was staged before can''t be committed');
select throws_ok($$select tests.commit_stage(d, 6, 'by a writer', '[]') from late$$, 'SD403', 'dataset_forbidden', 'nor is a duplicate''s answer told');
select throws_ok($$select get_upload((s ->> 'stage_id')::uuid, tests.u(6)) from late$$, 'SD403', 'dataset_forbidden', 'a direct upload is not completed');
select is(abandon_upload((s ->> 'stage_id')::uuid, tests.u(6)) -> 'abandoned', 'true', 'it can be given up') from late;
select is(group_upload_calls('[]', jsonb_build_array(
    jsonb_build_object('p_stage', s ->> 'stage_id', 'p_user', tests.u(2), 'p_size', 100, 'p_etag', 'e', 'p_content_hash', tests.hash('g1'), 'p_files', jsonb_build_array(tests.file('port', '2024-11-25', 10))),
    jsonb_build_object('p_stage', g ->> 'stage_id', 'p_user', tests.u(7), 'p_size', 100, 'p_etag', 'e', 'p_content_hash', tests.hash('g2'), 'p_files', jsonb_build_array(tests.file('port', '2024-11-25', 10))))) -> 'commits' @> '[{"error": {"message": "dataset_forbidden"}}]', true, 'of a group the removed one''s is refused')
from (select tests.stage(2, 100, 'g1') as s, tests.join_as(7, 100, 'writer') as j) a
cross join lateral (select tests.stage(7, 100, 'g2') as g) b
cross join lateral (select remove_member(null, tests.u(100), tests.u(7))) c;
select is((select count(*) from uploads where content_hash in (tests.hash('g2'), tests.hash('late'))), 0::bigint, 'and leaves nothing in the ledger');
select is((select count(*) from uploads where content_hash = tests.hash('g1')), 1::bigint, 'the other''s is acknowledged');

-- limits count for the owner
insert into user_limits (user_id, uploads_per_minute) values (tests.u(1), 1);
update user_usage set minute_start = date_trunc('minute', clock_timestamp()), minute_uploads = 1 where user_id = tests.u(1);
select throws_ok($$select tests.stage(2, 100, 'one more')$$, 'SD429', 'rate_limited', 'a writer''s uploads count for the owner');
select lives_ok($$select tests.stage(2, 200, 'my own')$$, 'and not for the writer');
update user_limits set uploads_per_minute = null, stored_bytes_max = 300 where user_id = tests.u(1);
select throws_ok($$select tests.stage(2, 100, 'too much')$$, 'SD429', 'quota_exceeded', 'so do stored bytes');
delete from user_limits;

select * from finish();
rollback;
