begin;
\ir helpers/fixtures.sql
select plan(6);
set local role service_role;

-- tables that dedupe
select tests.upload(1, 100, 'l' || i, 'log') from generate_series(1, 4) i;
insert into table_settings (dataset_id, "table", dedupe_keys) values (tests.u(100), 'log', '{id}');
create temp table cl as select tests.claim('w', 100, 'log') as c;
select throws_ok($$select tests.commit(c, tests.output(c, 0, 20), array[(tests.ids(c))[1], (tests.ids(c))[3]]) from cl$$, 'SD409', 'inputs_not_adjacent', 'files that are not adjacent are refused');
select throws_ok($$select tests.commit(c, tests.output(c, 0, 21), (tests.ids(c))[1:2]) from cl$$, 'SD500', 'merge_rows_differ', 'more rows than before are refused');
select is(tests.commit(c, tests.output(c, 0, 15), (tests.ids(c))[1:2], p_last => false) ->> 'run_status', 'running', 'fewer rows are what dedupe is for') from cl;
select quarantine_file((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, (tests.ids(c))[3], 'invalid_parquet', 'bad') from cl;
select throws_ok($$select tests.commit(c, tests.output(c, 1, 20), array[(select id from battle_files where "table" = 'log' and level = 1), (tests.ids(c))[4]], 1) from cl$$, 'SD409', 'inputs_not_adjacent', 'a quarantined file is a barrier');
-- outputs from before the table deduped may hold uploads from both sides of another file
update battle_files set seq_max = 4 where "table" = 'log' and level = 1;
select throws_ok($$select tests.commit(c, tests.output(c, 1, 20), (tests.ids(c))[3:4], 1) from (select jsonb_set(c, '{outputs_committed}', '1') as c from cl) x$$, 'SD409', 'inputs_changed', 'what is in quarantine is no input');
select is(tests.commit(c, tests.output(c, 1, 10), array[(tests.ids(c))[4]], 1, false) ->> 'run_status', 'running', 'a file that is written anew by itself is where it was, whatever lies around it') from cl;

select * from finish();
rollback;
