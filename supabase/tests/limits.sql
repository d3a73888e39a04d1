-- user_limits, service_settings' defaults
begin;
\ir helpers/fixtures.sql
select plan(20);
set local role service_role;

select lives_ok($$select tests.stage(1, 100, 'a' || i) from generate_series(1, 50) i$$, 'without limits nothing is limited');
select is((select count(*) from user_usage), 0::bigint, 'nor counted');

insert into user_limits (user_id, uploads_per_minute) values (tests.u(1), 3);
update user_usage set minute_start = now();
select lives_ok($$select tests.stage(1, 100, 'b' || i) from generate_series(1, 3) i$$, 'as many uploads a minute as allowed');
select throws_ok($$select tests.stage(1, 100, 'b4')$$, 'SD429', 'rate_limited', 'and no more');
select is((select minute_uploads from user_usage where user_id = tests.u(1)), 3, 'a refused one is not counted');
select lives_ok($$select tests.stage(2, 200, 'b')$$, 'another user is not touched');
update user_usage set minute_start = minute_start - interval '1 minute';
select lives_ok($$select tests.stage(1, 100, 'b5')$$, 'the next minute is another');

update user_limits set uploads_per_minute = null, upload_bytes_per_day = 1000 where user_id = tests.u(1);
update user_usage set day_bytes = 900;
select lives_ok($$select tests.stage(1, 100, 'c')$$, 'as many bytes a day as allowed');
select throws_ok($$select tests.stage(1, 100, 'c')$$, 'SD429', 'quota_exceeded', 'and no more');

update user_limits set upload_bytes_per_day = null, stored_bytes_max = 250 where user_id = tests.u(1);
select tests.upload(1, 100, 'd1'), tests.upload(1, 100, 'd2');
select throws_ok($$select tests.stage(1, 100, 'd3')$$, 'SD429', 'quota_exceeded', 'stored bytes are limited');
select throws_ok($$select stage_asset(tests.u(1), 'a.png', 'a.png', 'a.png', 100, tests.hash('x'))$$, 'SD429', 'quota_exceeded', 'for assets too');

update user_limits set stored_bytes_max = 450 where user_id = tests.u(1);
select commit_asset((s ->> 'stage_id')::uuid, tests.u(1), 200, 'e', tests.hash('y')) from (select stage_asset(tests.u(1), 'y.png', 'y.png', 'y.png', 200, tests.hash('y')) as s) x;
select throws_ok($$select tests.stage(1, 100, 'd4')$$, 'SD429', 'quota_exceeded', 'assets count as stored bytes');


-- stages planned at once each fit; their commits are counted one by one
update user_limits set stored_bytes_max = 550 where user_id = tests.u(1);
create temp table st as select i, tests.stage(1, 100, 'q' || i) as s from generate_series(1, 2) i;
create temp table sa as select stage_asset(tests.u(1), 'q.png', 'q.png', 'q.png', 100, tests.hash('qa')) as s;
select lives_ok($$select tests.commit_stage(s, 1, 'q1', jsonb_build_array(tests.file('port', '0', 10))) from st where i = 1$$, 'a commit that fits is taken');
select throws_ok($$select tests.commit_stage(s, 1, 'q2', jsonb_build_array(tests.file('port', '0', 10))) from st where i = 2$$, 'SD429', 'quota_exceeded', 'one that was planned beside it and fits no more is not');
select throws_ok($$select commit_asset((s ->> 'stage_id')::uuid, tests.u(1), 100, 'e', tests.hash('qa')) from sa$$, 'SD429', 'quota_exceeded', 'nor an asset');
select lives_ok($$select tests.commit_stage(s, 1, 'q1', '[]') from st where i = 1$$, 'an answer is given again though nothing more fits');

update user_limits set stored_bytes_max = null, datasets_max = 1 where user_id = tests.u(1);
select throws_ok($$select tests.stage(1, 101, 'e')$$, 'SD429', 'quota_exceeded', 'so are datasets');
select lives_ok($$select tests.stage(1, 100, 'e')$$, 'those that are there can be used');

update service_settings set uploads_per_minute = 1;
select tests.stage(3, 300, 'f');
select throws_ok($$select tests.stage(3, 300, 'f2')$$, 'SD429', 'rate_limited', 'the service''s default holds for who has no row');
update user_limits set uploads_per_minute = 1000 where user_id = tests.u(1);
select lives_ok($$select tests.stage(1, 100, 'g' || i) from generate_series(1, 5) i$$, 'a user''s own limit goes before it');

select * from finish();
rollback;
