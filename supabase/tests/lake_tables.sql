-- approve_lake_table, withdraw_lake_table, and what claims and commits go by
begin;
\ir helpers/fixtures.sql
select plan(28);
truncate lake_tables restart identity cascade;
set local role service_role;

select tests.upload(1, 100, 'a' || i) from generate_series(1, 2) i;
create temp table plain as select sediment.settings_of(tests.u(100), 'port') as s, sediment.plan_digest(tests.u(100), 'port', 5) as digest;
select ok((select not s ? 'lake' from plain), 'a table that nobody approved has no columns of the lake');
create temp table c0 as select tests.claim(p_dataset => 100) as c;
select is((select c -> 'settings' -> 'lake' from c0), null, 'nor has a claim of it');
select tests.compact(c) from c0;
select is((select lake_version from battle_files where level = 1), null, 'nor what a run makes of it');

select is(approve_lake_table('port') - 'approved_at' - 'id',
  '{"name": "port", "dataset_column": "dataset_id", "period_column": "period_tag", "withdrawn_at": null}', 'the operator approves a name');
select is(approve_lake_table('port') ->> 'id', (select id::text from lake_tables), 'approved again it is the same');
select is(sediment.settings_of(tests.u(100), 'port') - 'lake', (select s from plain), 'its other settings are what they were');
select is(sediment.settings_of(tests.u(100), 'port') -> 'lake', '{"dataset_column": "dataset_id", "period_column": "period_tag"}', 'and the columns are among them');
select is(sediment.settings_of(tests.u(200), 'port') -> 'lake' ->> 'period_column', 'period_tag', 'of every dataset''s table of that name');
select is(sediment.settings_of(tests.u(100), 'Port') -> 'lake', null, 'and of no other name');
select isnt(sediment.plan_digest(tests.u(100), 'port', 5), (select digest from plain), 'plans go by it');
select is(sediment.plan_digest(tests.u(100), 'ship', 5), (select digest from plain), 'those of other tables do not');
select ok((select plan_changed_at > clock_timestamp() - interval '1 min' from service_settings), 'partitions that were seen whole are looked at again');

select tests.upload(1, 100, 'b' || i) from generate_series(1, 2) i;
create temp table c1 as select tests.claim(p_dataset => 100) as c;
select is((select c -> 'settings' -> 'lake' ->> 'dataset_column' from c1), 'dataset_id', 'a claim hands them to the worker');
select tests.commit(c, tests.output(c) || '{"lake_version": 1}') from c1;
select is((select lake_version from battle_files where level = 2), 1::smallint, 'what the worker wrote with them is known by it');
select tests.upload(1, 100, 'c' || i) from generate_series(1, 2) i;
create temp table c2 as select tests.claim(p_dataset => 100) as c;
select is((select f ->> 'lake_version' from c2, jsonb_array_elements(c -> 'files') f where f ->> 'level' = '2'), '1', 'the next worker is told');
select is((select array_agg(f -> 'lake_version') from c2, jsonb_array_elements(c -> 'files') f where f ->> 'level' = '0'), array['null', 'null']::jsonb[], 'and of uploads that they have them not');

select is(withdraw_lake_table('port') ->> 'withdrawn_at' is null, false, 'the operator takes it back');
select is(sediment.settings_of(tests.u(100), 'port'), (select s from plain), 'its settings are as before');
select throws_ok($$select withdraw_lake_table('never')$$, 'SD404', 'not_found', 'what was never in it can''t be taken out');

-- names
update file_schemas set schema = '{"name": "root", "children": [{"name": "Dataset_ID", "type": "INT64"}]}';
select tests.upload(1, 101, 'own', 'own');
update battle_files set schema_digest = (select min(digest) from file_schemas);
select is(approve_lake_table('other') ->> 'dataset_column', 'dataset_id', 'a column of another table is in nobody''s way');
select is(approve_lake_table('own') - 'approved_at' - 'id' - 'withdrawn_at',
  '{"name": "own", "dataset_column": "_dataset_id", "period_column": "_period_tag"}', 'beside a table''s own column, in any case, the lake''s are called otherwise');
select is(approve_lake_table('port') ->> 'dataset_column', 'dataset_id', 'what comes back keeps its names, since they stand in files');
select throws_ok($$select approve_lake_table('Port')$$, 'SD400', 'invalid_name', 'a name that differs from it in case only is refused');
select throws_ok($$select approve_lake_table('../x')$$, 'SD400', 'invalid_name', 'a name is one that tables may have');
select throws_ok($$select approve_lake_table(null)$$, 'SD400', 'invalid_name', 'and is none at all refused');

-- bounds
insert into lake_tables (name, dataset_column, period_column) select 't' || i, 'a', 'b' from generate_series(1, 197) i;
select throws_ok($$select approve_lake_table('more')$$, 'SD429', 'quota_exceeded', 'two hundred tables are in it at most');
update lake_tables set withdrawn_at = now() where name like 't%';
select is(approve_lake_table('more') ->> 'name', 'more', 'those that were taken out are not counted');
insert into lake_tables (name, dataset_column, period_column, withdrawn_at) select 'u' || i, 'a', 'b', now() from generate_series(1, 799) i;
select throws_ok($$select approve_lake_table('further')$$, 'SD429', 'quota_exceeded', 'and a thousand names ever');
select * from finish();
rollback;
