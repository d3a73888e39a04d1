begin;
\ir helpers/fixtures.sql
select plan(25);
set local role service_role;

create temp table s as select tests.stage(1, 100, 'a') as s;
select is((select count(*) from datasets), 0::bigint, 'who only plans keeps no dataset');
select lives_ok($$select tests.stage(2, 100, 'a')$$, 'nor takes its id from anybody');
insert into datasets (id, user_id) values (tests.u(100), tests.u(1));
select matches((select s ->> 'object_key' from s),
  '^battle_data/00000000-0000-4000-8000-000000000100/port/2024-11-25/[0-9a-f-]{36}\.parquet$', 'the key names dataset, table, period and stage');
select is((select o.state from objects o, s where o.object_key = s ->> 'object_key'), 'staged', 'the object is planned before any byte');
select is((select s -> 'duplicate' from s), 'false', 'a new body is no duplicate');
select is((select s -> 'answer' from s), 'null', 'and has no answer yet');
select ok((select (s ->> 'expires_at')::timestamptz between now() + '100 s' and now() + '130 s' from s), 'the stage expires after the token');
select ok((select o.put_deadline >= o.expires_at + interval '7200 s' from objects o, s where o.object_key = s ->> 'object_key'),
  'the deadline is past the last possible PUT');

select matches(tests.stage(1, 100, 'b', p_kind => 'concatenated') ->> 'object_key', '\.bin$', 'slices go to a .bin');
create temp table d as select tests.stage(1, 100, 'big', p_kind => 'direct_fragment') as s;
select matches((select s ->> 'incoming_key' from d), '^incoming/00000000-0000-4000-8000-000000000001/', 'a direct upload has a key that its client may write');
select is((select count(*) from objects o, d where o.stage_id = (d.s ->> 'stage_id')::uuid), 2::bigint, 'both keys are planned');
select is(tests.stage(1, 100, 'c') -> 'incoming_key', 'null', 'others have none');

select throws_ok($$select tests.stage(2, 100, 'a')$$, 'SD403', 'dataset_forbidden', 'another user''s dataset is refused');
select throws_ok($$select tests.stage(1, 100, 'a', p_table => '../x')$$, 'SD400', 'invalid_name', 'a table is a name');
select throws_ok($$select tests.stage(1, 100, 'a', p_table => repeat('x', 65))$$, 'SD400', 'invalid_name', 'of at most 64 characters');
select throws_ok($$select tests.stage(1, 100, 'a', p_period => '')$$, 'SD400', 'invalid_name', 'a period_tag is a name');
select throws_ok($$select tests.stage(1, 100, 'a', p_size => 0)$$, 'SD400', 'invalid_request', 'an empty body is refused');
select throws_ok($$select tests.stage(1, 100, 'a', p_kind => 'other')$$, 'SD400', 'invalid_request', 'the kind is one of four');
select throws_ok(format($$select stage_upload(%L, %L, 't', '0', 1, 'ABC', '')$$, tests.u(1), tests.u(100)), 'SD400', 'invalid_request', 'the hash is lower-case hex');
select throws_ok(format($$select stage_upload(null, %L, 't', '0', 1, %L, '')$$, tests.u(100), tests.hash('x')), 'SD400', 'invalid_request', 'somebody must own the upload');

create temp table first as select tests.upload(1, 100, 'again') as a;
create temp table second as select tests.stage(1, 100, 'again') as s;
select is((select s -> 'duplicate' from second), 'true', 'a body that was acknowledged is a duplicate');
select is((select s -> 'answer' ->> 'metricId' from second), (select a ->> 'metricId' from first), 'with the first answer');
select isnt((select s ->> 'object_key' from second), (select a ->> 'key' from first), 'and can be sent again to a key of its own');
select throws_ok($$select tests.stage(1, 100, 'again', p_digest => 'other offsets')$$, 'SD422', 'upload_conflict', 'the same body with other offsets is a conflict');
select lives_ok($$select tests.stage(1, 100, 'again', p_period => '2024-11-26')$$, 'the same body in another period is another upload');

select * from finish();
rollback;
