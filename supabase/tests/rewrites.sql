-- request_rewrite, list_rewrites, advance_rewrites
begin;
\ir helpers/fixtures.sql
select plan(28);
set local role service_role;

select tests.upload(1, 100, 'a' || i) from generate_series(1, 4) i;
select is(tests.compact(tests.claim(p_dataset => 100)) is not null, true, 'an output is there');
select tests.upload(1, 100, 'b' || i, 'port', '2024-11-26') from generate_series(1, 4) i;
select is(tests.compact(tests.claim(p_dataset => 100)) is not null, true, 'and one of another period');
select tests.upload(1, 100, 'fresh');
select is(sediment.advance_rewrites(), '{"marked": 0, "bytes": 0, "ended": 0}', 'nothing is written anew unless somebody asks');

select throws_ok($$select request_rewrite(tests.u(2), tests.u(100), 'port')$$, 'SD403', 'dataset_forbidden', 'a stranger may not ask');
select throws_ok($$select request_rewrite(tests.u(1), tests.u(100), 'no_table')$$, 'SD404', 'not_found', 'a table without files is not found');
select throws_ok($$select request_rewrite(tests.u(1), tests.u(100), 'port', 'no-period')$$, 'SD404', 'not_found', 'nor is a period');
select throws_ok($$select request_rewrite(tests.u(1), tests.u(100), 'port', null, true)$$, 'SD404', 'not_found', 'nobody stops what was not asked for');
select is(list_rewrites(tests.u(1), tests.u(100)), '{"rewrites": []}', 'and nothing came of any of it');

select is(request_rewrite(tests.u(1), tests.u(100), 'port') - 'asked_at' - 'dataset_id',
  '{"table": "port", "period_tag": null, "ended_at": null, "files": 0, "bytes": 0, "waiting": 0, "left_alone": 0}', 'the owner asks');
-- one byte an hour: a file a minute
update service_settings set rewrite_bytes_per_hour = 1;
select is(sediment.advance_rewrites(), '{"marked": 1, "bytes": 90, "ended": 0}', 'a minute marks what the budget gives, one file at least');
select is((select string_agg(period_tag, ' ') from battle_files where rewrite is not null), '2024-11-25', 'the first period comes first');
select is((select rewrite ->> 'anew' from battle_files where rewrite is not null), 'true', 'of what is marked nothing is to be copied');
select is((tests.partition(100)).queue, 'realtime', 'it joins the message that is there');
select is(sediment.advance_rewrites(), '{"marked": 1, "bytes": 90, "ended": 1}', 'the next minute goes on, and ends');
select is((tests.partition(100, 'port', '2024-11-26')).queue, 'scheduled', 'a partition without a message gets one of the lowest priority');
select is(sediment.advance_rewrites(), '{"marked": 0, "bytes": 0, "ended": 0}', 'and nothing after that');
select is((select count(*) from battle_files where level = 0 and rewrite is not null), 0::bigint, 'a fragment that waits for company is left to its merge');
select is((select (r ->> 'files')::int || '/' || (r ->> 'waiting') from jsonb_array_elements(list_rewrites(null, tests.u(100)) -> 'rewrites') r), '2/2', 'it is told how far it is');

-- the run machine writes it
create temp table claim as select tests.claim(p_dataset => 100, p_table => 'port') as c;
select is((select f -> 'rewrite' ->> 'anew' from claim, jsonb_array_elements(c -> 'files') f where f ->> 'level' = '1'), 'true', 'the claim says what is to be written anew');
select is(tests.commit(c, tests.output(c, p_rows => 40), (select array_agg((f ->> 'id')::bigint) from jsonb_array_elements(c -> 'files') f where f ->> 'level' = '1'))
  is not null, true, 'an output takes its place') from claim;
select is((select (r ->> 'waiting')::int from jsonb_array_elements(list_rewrites(null, tests.u(100)) -> 'rewrites') r), 1, 'and it waits no more');

create temp table other as select tests.claim(p_dataset => 100, p_table => 'port') as c;
select tests.commit(c, null, '{}') from other;
select is((list_rewrites(null, tests.u(100)) #>> '{rewrites,0,waiting}') || '/' || (list_rewrites(null, tests.u(100)) #>> '{rewrites,0,left_alone}'), '0/1',
  'what a run leaves as it is is told apart');

-- runs that were at the table when somebody asked may go by older settings
select tests.upload(1, 101, 'c' || i) from generate_series(1, 4) i;
create temp table running as select tests.claim(p_dataset => 101) as c;
select is(request_rewrite(null, tests.u(101), 'port') ->> 'ended_at', null, 'a service asks');
select is(sediment.advance_rewrites(), '{"marked": 0, "bytes": 0, "ended": 0}', 'a run that was at work is waited for');
select is(request_rewrite(null, tests.u(101), 'port', null, true) ->> 'ended_at' is not null, true, 'and what is stopped has ended');

-- no dataset waits for another's to end: one of each before the second of any, and then whose turn is longest ago
update rewrites set ended_at = now() where ended_at is null;
insert into rewrites (dataset_id, "table", asked_at, made_before)
select tests.u(100), 'many' || n, now() - interval '1 day', now() from generate_series(1, 30) n;
insert into rewrites (dataset_id, "table", asked_at, made_before) values (tests.u(101), 'last', now(), now());
select sediment.advance_rewrites();
select isnt((select ended_at from rewrites where "table" = 'last'), null, 'who asked last for one table has a turn beside who asked for thirty');
select is((select count(*) from rewrites where looked_at is not null and "table" like 'many%'), 19::bigint, 'twenty tables have one a minute');
select sediment.advance_rewrites();
select is((select count(*) from rewrites where looked_at is null and "table" like 'many%'), 0::bigint, 'and the others the next');
select * from finish();
rollback;
