-- advance_lake, and when a partition of a table of the lake is looked at
begin;
\ir helpers/fixtures.sql
select plan(34);
truncate lake_tables restart identity cascade;
set local role service_role;

-- outputs of before
select tests.upload(1, 100 + d, d || '-' || i) from generate_series(0, 2) d, generate_series(1, 2) i;
select tests.compact(tests.claim(p_dataset => 100 + d)) from generate_series(0, 2) d;
select tests.upload(1, 103, 'x' || i, 'other') from generate_series(1, 2) i;
select tests.compact(tests.claim(p_dataset => 103));
select is((select count(*) from battle_files where level = 1), 4::bigint, 'outputs are there');
select is(sediment.advance_rewrites(), '{"marked": 0, "bytes": 0, "ended": 0}', 'without the lake none is marked');

-- a run that is at work since before
select tests.upload(1, 101, 'late' || i) from generate_series(1, 2) i;
create temp table before as select tests.claim(p_dataset => 101) as c;
select approve_lake_table('port');
update service_settings set rewrite_bytes_per_hour = 1;
select is(sediment.advance_rewrites(), '{"marked": 1, "bytes": 90, "ended": 0}', 'a minute marks what the budget gives, one at least');
select is((select dataset_id from battle_files where rewrite is not null), tests.u(100), 'the first dataset comes first');
select is((select rewrite from battle_files where rewrite is not null), '{"reason": "its table is in the lake", "schema": null}', 'nothing keeps its bytes from being copied');
select is((tests.partition(100)).queue, 'scheduled', 'and its partition has a run of the lowest priority');
select is(sediment.advance_rewrites(), '{"marked": 0, "bytes": 0, "ended": 0}', 'a run that went by the settings of before is waited for');
select tests.compact(c) from before;
select is((select lake_version from battle_files where dataset_id = tests.u(101) and level = 2), null, 'since it may write an output without the columns');
update service_settings set rewrite_bytes_per_hour = 1000000;
select is(sediment.advance_rewrites(), '{"marked": 2, "bytes": 180, "ended": 0}', 'then the walk goes on through all datasets');
select is((select settled_dataset_id from lake_tables), null, 'and is over');
select is((select count(*) from battle_files where rewrite is not null and "table" = 'other'), 0::bigint, 'other tables stay as they are');
select is(sediment.advance_rewrites(), '{"marked": 0, "bytes": 0, "ended": 0}', 'nothing is marked twice');
create temp table anew as select tests.claim(p_dataset => 102) as c;
select tests.commit(c, tests.output(c) || '{"lake_version": 1}') from anew;
select is((select count(*) from battle_files where rewrite is not null and removed_version is null), 2::bigint, 'what is written anew has no mark');
update lake_tables set settled_dataset_id = tests.u(0), settled_period_tag = '', settled_seq = -1;
update battle_files set rewrite = null where rewrite is not null;
select is((sediment.advance_rewrites() ->> 'marked')::int, 2, 'nor gets it one again');

-- what comes back from quarantine when the walk has passed
create temp table lost as select id from battle_files where dataset_id = tests.u(100) and level = 1;
update battle_files set rewrite = null, state = 'quarantined', quarantine_code = 'object_missing', quarantine_reason = 'x' where id = (select id from lost);
select retry_quarantined(tests.u(1), tests.u(100));
select is((select rewrite ->> 'reason' from battle_files where id = (select id from lost)), 'its table is in the lake', 'an output that is tried again is marked');
update battle_files set rewrite = null, state = 'quarantined', quarantine_code = 'object_missing', quarantine_reason = 'x' where id = (select id from lost);
select sediment.readmit_files(array[f.object_key], array[f.id], '{}') from battle_files f where id = (select id from lost);
select is((select rewrite ->> 'reason' from battle_files where id = (select id from lost)), 'its table is in the lake', 'as is one whose object is back');
select is(sediment.lake_mark('port', 0, null), null, 'an upload needs no mark');
select is(sediment.lake_mark('port', 1, 1::smallint), null, 'nor does what has the columns');
select is(sediment.lake_mark('other', 1, null), null, 'nor what is of another table');
select withdraw_lake_table('port');
select is(sediment.lake_mark('port', 1, null), null, 'nor what was taken out');
select is((approve_lake_table('port') ->> 'id')::int, 1, 'a table that comes back');
select is((select (settled_dataset_id, settling_since is null, settled_period_tag, settled_seq)::text from lake_tables), '(00000000-0000-0000-0000-000000000000,t,"",-1)', 'is gone through again');

-- when a partition is looked at
select is(sediment.next_look('{1}', array[timestamptz '2026-01-01'], 4, 3600, '2026-01-01 00:10'), null, 'an upload alone is not looked at');
select is(sediment.next_look('{1}', array[timestamptz '2026-01-01'], 4, 3600, '2026-01-01 00:10', true), '2026-01-01 01:00'::timestamptz, 'in the lake it is, at its age');
select is(sediment.next_look('{1}', array[timestamptz '2026-01-01'], 4, 3600, '2026-01-01 02:00', true), '2026-01-01 02:00'::timestamptz, 'and at once when it is older');
select is(sediment.next_look('{}', array[null, null, timestamptz '2026-01-01'], 4, 3600, '2026-01-01 00:10', true), '2026-01-01 01:00'::timestamptz, 'so is one that is full grown');
select is(sediment.next_look('{2}', array[null::timestamptz], 4, 3600, '2026-01-01', true), null, 'our own outputs do not age');

-- from here on what waits is known
reset role;
drop trigger forget_waiting on partitions;
set local role service_role;
select tests.upload(1, 110, 'first');
select is((tests.partition(110)).msg_id, null, 'a first upload makes no run');
select ok((select due_at between clock_timestamp() + interval '55 min' and clock_timestamp() + interval '61 min' from tests.partition(110)), 'its partition is due when it is old enough');
create temp table grown as select tests.stage(1, 111, 'grown', p_size => 40000000) as s;
select tests.commit_stage(s, 1, 'grown', jsonb_build_array(tests.file('port', '2024-11-25', 10, 0, 40000000)), 40000000) from grown;
select ok((select due_at between clock_timestamp() + interval '55 min' and clock_timestamp() + interval '61 min' from tests.partition(111)), 'whatever its size');
select is((select tier_files from tests.partition(111)), '{0}', 'and what is full grown is no company for others');
select tests.upload(1, 113, 'else', 'other');
select is((tests.partition(113, 'other')).due_at, null, 'of another table it never is');

-- files that the planner looks at
select tests.upload(1, 112, 'n' || i) from generate_series(1, 3) i;
update battle_files set byte_length = 40000000, uncompressed_bytes = 80000000 where dataset_id = tests.u(112);
select is((select jsonb_array_length(l -> 'files') || '/' || (l ->> 'part') from sediment.list_inputs(tests.u(112), 'port', '2024-11-25', -1, 100, null, sediment.settings_of(tests.u(112), 'port')) l),
  '3/false', 'full-grown uploads are among what matters');
select is((select count(*) from battle_files where "table" = 'port' and lake_version is null and rewrite is null and level > 0 and removed_version is null), 0::bigint, 'no output was forgotten');
select * from finish();
rollback;
