-- user_limits, service_settings' defaults
begin;
\ir helpers/fixtures.sql
select plan(77);
create function tests.body_of(p_files jsonb, p_user integer, p_body text) returns jsonb language plpgsql as $$
begin
  return tests.commit_stage(tests.stage(p_user, p_user * 100, p_body), p_user, p_body, p_files);
end $$;
create function tests.periods(p_from integer, p_to integer) returns jsonb language sql as $$
  select jsonb_agg(tests.file('port', 'p' || i, 1, p_ordinal => i - p_from)) from generate_series(p_from, p_to) i
$$;
create function tests.with_schema(p_name text, p_chars integer default 1) returns jsonb language sql as $$
  select jsonb_build_array(tests.file('port', 'p1', 1) || jsonb_build_object('schema', jsonb_build_object('name', repeat(p_name, p_chars))))
$$;
create function tests.said(p_call text) returns text language plpgsql as $$
declare v_said text;
begin
  execute p_call;
  return null;
exception when others then
  get stacked diagnostics v_said = pg_exception_hint;
  return sqlerrm || ', ' || v_said;
end $$;
set local role service_role;

select ok((select uploads_per_minute >= 1000 and upload_bytes_per_day >= 1000000000 and stored_bytes_max >= 1000000000
  and datasets_max >= 100 and tables_max >= 100 and partitions_max >= 1000 and open_stages_max >= 1000
  and requests_per_minute >= 100 and partitions_per_minute >= 100 and schemas_per_minute >= 10 from service_settings), 'limits are on, and far from what one installation sends');
select lives_ok($$select tests.stage(1, 100, 'a' || i) from generate_series(1, 50) i$$, 'such a one meets none');
select is((select (minute_uploads, day_bytes, open_stages) from user_usage), row(50, 5000::bigint, 50), 'though all is counted');
update user_usage set minute_uploads = 0;

insert into user_limits (user_id, uploads_per_minute) values (tests.u(1), 3);
select lives_ok($$select tests.stage(1, 100, 'b' || i) from generate_series(1, 3) i$$, 'as many uploads a minute as allowed');
select throws_ok($$select tests.stage(1, 100, 'b4')$$, 'SD429', 'rate_limited', 'and no more');
select is((select minute_uploads from user_usage where user_id = tests.u(1)), 3, 'a refused one is not counted');
select lives_ok($$select tests.stage(2, 200, 'b')$$, 'another user is not touched');
update user_usage set minute_start = minute_start - interval '1 minute';
select lives_ok($$select tests.stage(1, 100, 'b5')$$, 'the next minute is another');

update user_limits set uploads_per_minute = null, upload_bytes_per_day = 1000 where user_id = tests.u(1);
update user_usage set day_bytes = 900 where user_id = tests.u(1);
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

-- what an output replaced counts as long as a version shows it
update user_limits set stored_bytes_max = 1000 where user_id = tests.u(1);
create temp table k as select tests.compact(tests.claim('w', 100));
select is((select (file_size_bytes, retired_bytes) from datasets where id = tests.u(100)), row(190::bigint, 200::bigint), 'what was merged is counted still');
select throws_ok($$select tests.stage(1, 100, 'r', p_size => 500)$$, 'SD429', 'quota_exceeded', 'against what may be stored');
update service_settings set retention_seconds = 0, signed_url_seconds = 0, vacuum_interval_seconds = 0;
update service_settings set signed_url_until = 'epoch';
update datasets set version_committed_at = version_committed_at - interval '1 day';
update dataset_versions set committed_at = committed_at - interval '1 day';
select plan_vacuum(), plan_vacuum(), plan_vacuum();
select is((select retired_bytes from datasets where id = tests.u(100)), 0::bigint, 'until vacuum has dropped it');
select lives_ok($$select tests.stage(1, 100, 'r', p_size => 500)$$, 'then there is room again');

update user_limits set stored_bytes_max = null, datasets_max = 1 where user_id = tests.u(1);
select throws_ok($$select tests.stage(1, 101, 'e')$$, 'SD429', 'quota_exceeded', 'so are datasets');
select lives_ok($$select tests.stage(1, 100, 'e')$$, 'those that are there can be used');

update service_settings set uploads_per_minute = 1;
select tests.stage(3, 300, 'f');
select throws_ok($$select tests.stage(3, 300, 'f2')$$, 'SD429', 'rate_limited', 'the service''s default holds for who has no row');
update user_limits set uploads_per_minute = 1000 where user_id = tests.u(1);
select lives_ok($$select tests.stage(1, 100, 'g' || i) from generate_series(1, 5) i$$, 'a user''s own limit goes before it');

update service_settings set uploads_per_minute = 6000;
-- partitions and tables, counted where they come to be
update user_limits set tables_max = 3, partitions_max = 5 where user_id = tests.u(1);
select is((select count(*) from partitions where dataset_id = tests.u(100)), 2::bigint, 'two partitions of one table so far');
select lives_ok($$select tests.upload(1, 100, 't' || i, 'table' || i) from generate_series(2, 3) i$$, 'as many tables as allowed');
select throws_ok($$select tests.upload(1, 100, 't4', 'table4')$$, 'SD429', 'quota_exceeded', 'and no more');
select is((select count(*) from uploads where content_hash = tests.hash('t4')), 0::bigint, 'a refused one is not in the ledger');
select lives_ok($$select tests.upload(1, 100, 't5', 'table3')$$, 'tables that are there go on');
select lives_ok($$select tests.upload(1, 100, 't6', 'table3', 'other')$$, 'as many partitions as allowed');
select throws_ok($$select tests.upload(1, 100, 't7', 'table3', 'more')$$, 'SD429', 'quota_exceeded', 'and no more');
select is((select array_agg(v -> 'error' ->> 'message' order by n) from jsonb_array_elements((
    select group_upload_calls('[]', (select jsonb_agg(jsonb_build_object('p_stage', s -> 'stage_id', 'p_user', tests.u(u), 'p_size', 100, 'p_etag', 'e',
      'p_content_hash', tests.hash('w' || u), 'p_files', jsonb_build_array(tests.file('table3', 'new', 1)))) from (
        select u, tests.stage(u, u * 100, 'w' || u) as s from unnest(array[1, 2]) u) x)) -> 'commits'))
  with ordinality as t(v, n)), array['quota_exceeded', null], 'in a group each has its own');

-- what is never deleted, and how fast it may grow: an hour's worth at once
insert into user_limits (user_id, partitions_per_minute, schemas_per_minute) values (tests.u(7), 2, 1);
select lives_ok($$select tests.body_of(tests.periods(1, 115), 7, 'g1')$$, 'as many new partitions as an hour may bring');
select throws_ok($$select tests.body_of(tests.periods(110, 121), 7, 'g2')$$, 'SD429', 'rate_limited', 'and no more at once');
select is((select count(*) from partitions where dataset_id = tests.u(700)), 115::bigint, 'what is refused leaves none');
select lives_ok($$select tests.body_of(tests.periods(1, 120), 7, 'g3')$$, 'those that are there count for nothing, and what was refused was not counted');
select matches(tests.said($$select tests.body_of(tests.periods(120, 125), 7, 'g4')$$), '^rate_limited, retry after 1[0-9][0-9] s$', 'the wait is until the account has room for it: 5 too many at 2 a minute');
update user_growth set at = at - interval '150 seconds' where user_id = tests.u(7);
select lives_ok($$select tests.body_of(tests.periods(120, 125), 7, 'g4')$$, 'then it has');
update user_growth set partitions = 0 where user_id = tests.u(7);
select lives_ok($$select tests.body_of(tests.periods(201, 330), 7, 'g5')$$, 'more than that in one upload goes when nothing is owed');
select lives_ok($$select tests.body_of(tests.with_schema('s' || i), 7, 's' || i) from generate_series(1, 59) i$$, 'as many new schemas as an hour may bring');
select throws_ok($$select tests.body_of(tests.with_schema('long', 50000), 7, 'long')$$, 'SD429', 'rate_limited', 'a long one counts as four');
select lives_ok($$select tests.body_of(tests.with_schema('s60'), 7, 's60')$$, 'where a short one counts once');
select throws_ok($$select tests.body_of(tests.with_schema('s61'), 7, 's61')$$, 'SD429', 'rate_limited', 'and then no more');
select lives_ok($$select tests.body_of(tests.with_schema('s' || i), 7, 'again' || i) from generate_series(1, 59) i$$, 'those that are kept count for nothing');
select lives_ok($$select tests.body_of(tests.with_schema('t' || i), 8, 't' || i) from generate_series(1, 70) i$$, 'another user is not touched');

-- a dataset is its first uploader's
create temp table first as select tests.stage(4, 400, 'x') as four, tests.stage(5, 400, 'x') as five;
select lives_ok($$select tests.commit_stage(five, 5, 'x', jsonb_build_array(tests.file('port', '0', 1))) from first$$, 'bytes make a dataset');
select throws_ok($$select tests.commit_stage(four, 4, 'x', jsonb_build_array(tests.file('port', '0', 1))) from first$$, 'SD403', 'dataset_forbidden', 'who only planned earlier has lost nothing and taken nothing');
select is((select user_id from datasets where id = tests.u(400)), tests.u(5), 'it is theirs who sent them');

-- stages that are not ended
insert into user_limits (user_id, open_stages_max) values (tests.u(6), 2);
create temp table open as select i, tests.stage(6, 600, 'o' || i) as s from generate_series(1, 2) i;
select throws_ok($$select tests.stage(6, 600, 'o3')$$, 'SD429', 'quota_exceeded', 'planned uploads are limited');
select tests.commit_stage(s, 6, 'o1', jsonb_build_array(tests.file('port', '0', 1))) from open where i = 1;
select lives_ok($$select tests.stage(6, 600, 'o3')$$, 'one that was ended makes room');

-- requests
insert into user_limits (user_id, requests_per_minute) values (tests.u(6), 2) on conflict (user_id) do update set requests_per_minute = 2;
select lives_ok($$select request_compaction(tests.u(6), tests.u(600)) from generate_series(1, 2)$$, 'as many requests a minute as allowed');
create temp table runs as select count(*) from processing_metrics;
select throws_ok($$select request_compaction(tests.u(6), tests.u(600))$$, 'SD429', 'rate_limited', 'and no more');
select throws_ok($$select redrive_dead_letters(tests.u(6))$$, 'SD429', 'rate_limited', 'redrives are among them');
select throws_ok($$select delete_upload(tests.u(6), u.id) from uploads u where u.dataset_id = tests.u(600) limit 1$$, 'SD429', 'rate_limited', 'deletions of uploads are among them, too');
select is((select count(*) from processing_metrics), (select count from runs), 'what is refused leaves no row');
select lives_ok($$select request_compaction(null, tests.u(600))$$, 'a service has no limit');


-- a request is as many as the partitions that it wakes
insert into user_limits (user_id, requests_per_minute) values (tests.u(17), 5);
select tests.body_of(tests.periods(1, 4), 17, 'w');
select lives_ok($$select request_compaction(tests.u(17), tests.u(1700)) from generate_series(1, 2)$$, 'one that goes past the limit is granted whole');
select is((select minute_requests from user_usage where user_id = tests.u(17)), 8, 'and counts by its partitions');
create temp table woken as select sum(demand_seq) as demand from partitions where dataset_id = tests.u(1700);
select throws_ok($$select request_compaction(tests.u(17), tests.u(1700))$$, 'SD429', 'rate_limited', 'the next is refused');
select throws_ok($$select sediment.refuse_request(tests.u(17))$$, 'SD429', 'rate_limited', 'before anything is locked');
select lives_ok($$select sediment.refuse_request(null), sediment.refuse_request(tests.u(18))$$, 'a service and others are not touched');
select is((select sum(demand_seq) from partitions where dataset_id = tests.u(1700)), (select demand from woken), 'and wakes nothing');
select throws_ok(format('select %s', call), 'SD429', 'rate_limited', what) from (values
  ('retry_quarantined(tests.u(17), tests.u(1700))', 'retries are among them'),
  ('invite_member(tests.u(17), tests.u(1700), ''reader'')', 'invitations are'),
  ('rename_table(tests.u(17), tests.u(1700), ''port'', ''harbour'')', 'renames are'),
  ('delete_data(tests.u(17), tests.u(1700), ''port'')', 'deletions are'),
  ('request_rewrite(tests.u(17), tests.u(1700), ''port'')', 'rewrites are')) as c(call, what);
update user_usage set minute_start = minute_start - interval '1 minute' where user_id = tests.u(17);
select lives_ok($$select request_compaction(tests.u(17), tests.u(1700))$$, 'the next minute is another');

-- of a dataset that is asked for again and again before its partitions are all asked there is one run
select tests.body_of(tests.periods(1, 101), 18, 'many');
create temp table asked as select i, request_compaction(tests.u(18), tests.u(1800)) as a from generate_series(1, 3) i;
select is((select count(distinct a ->> 'instanceId') from asked), 1::bigint, 'requests join one that is not through');
select is((select count(*) from processing_metrics where dataset_id = tests.u(1800) and operation = 'fan_out'), 1::bigint, 'and write no row');
select is((select count(*) from sediment.queue_messages m where m.message ->> 'metricId' = (select a ->> 'instanceId' from asked limit 1)), 1::bigint, 'nor a message');
select is((select count(*) from run_children k join asked on k.parent_id = (a ->> 'instanceId')::uuid where i = 1), 100::bigint, 'each partition is asked once more, under its own run');
select isnt((select request_compaction(tests.u(18), tests.u(1800), 'port') ->> 'instanceId'), (select a ->> 'instanceId' from asked limit 1), 'one for a table is another');

-- names of a table are never forgotten
update service_settings set requests_per_minute = null;
select lives_ok($$select rename_table(tests.u(18), tests.u(1800), 'port', 'n' || i) from generate_series(1, 99) i$$, 'a table may have had many names');
select throws_ok($$select rename_table(tests.u(18), tests.u(1800), 'port', 'n100')$$, 'SD429', 'quota_exceeded', 'not any number of them');
select lives_ok($$select rename_table(tests.u(18), tests.u(1800), 'port', 'n5')$$, 'one that it had may come back');

select * from finish();
rollback;
