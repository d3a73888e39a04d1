begin;
\ir helpers/fixtures.sql
select plan(16);
set local role service_role;

create temp table s as select tests.stage(1, 100, 'a', p_kind => 'direct_fragment') as s;
select is(get_upload((s ->> 'stage_id')::uuid, tests.u(1)) ->> 'state', 'staged', 'get_upload shows a stage') from s;
select is(get_upload((s ->> 'stage_id')::uuid, tests.u(1)) ->> 'incoming_key', s ->> 'incoming_key', 'with its incoming key') from s;
select throws_ok($$select get_upload((s ->> 'stage_id')::uuid, tests.u(2)) from s$$, 'SD403', 'forbidden', 'to its user only');
select throws_ok($$select get_upload(tests.u(9), tests.u(2))$$, 'SD410', 'stage_expired', 'and no other');

select throws_ok($$select abandon_upload((s ->> 'stage_id')::uuid, tests.u(2)) from s$$, 'SD403', 'forbidden', 'another user can''t give a stage up');
select is(abandon_upload((s ->> 'stage_id')::uuid, tests.u(1)), '{"abandoned": true}', 'its own user can') from s;
select is((select count(*) from objects where state = 'deleting' and delete_after <= clock_timestamp()), 2::bigint, 'both its objects are to be deleted now');
select is(abandon_upload((s ->> 'stage_id')::uuid, tests.u(1)), '{"abandoned": false}', 'a second time changes nothing') from s;
select throws_ok($$select tests.commit_stage(s, 1, 'a', jsonb_build_array(tests.file('port', '0', 1))) from s$$, 'SD410', 'stage_expired', 'it can''t be committed any more');
select is(abandon_upload(tests.u(9), tests.u(1)), '{"abandoned": false}', 'an unknown stage is no error');

create temp table d as select tests.stage(1, 100, 'd', p_kind => 'direct_fragment') as s;
select is(tests.commit_stage(s, 1, 'd', jsonb_build_array(tests.file('port', '0', 1))) ->> 'key', s ->> 'object_key', 'a direct upload commits the checked copy') from d;
select is((select o.state from objects o, d where o.object_key = s ->> 'incoming_key'), 'deleting', 'and its incoming object goes');
select is(get_upload((s ->> 'stage_id')::uuid, tests.u(1)) -> 'answer' ->> 'key', s ->> 'object_key', 'get_upload then has its first answer') from d;
create temp table d2 as select tests.stage(1, 100, 'd', p_kind => 'direct_fragment') as s;
select is(get_upload((s ->> 'stage_id')::uuid, tests.u(1)) -> 'answer' -> 'duplicate', 'true', 'so has a later stage of the same body') from d2;
create temp table n as select tests.stage(1, 100, 'n', p_digest => 'one') as s union all select tests.stage(1, 100, 'n', p_digest => 'two') union all select tests.stage(1, 100, 'n2');
select lives_ok($$select tests.commit_stage(s, 1, 'n', jsonb_build_array(tests.file('port', '0', 1))) from n limit 1$$, 'a body of which two stages are planned');
select is((select count(*) from n where get_upload((s ->> 'stage_id')::uuid, tests.u(1)) -> 'answer' <> 'null'), 1::bigint, 'is no answer to other offsets, nor to other bytes');

select * from finish();
rollback;
