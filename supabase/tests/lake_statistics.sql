-- lake_bound, keep_lake_statistics: what readers of the lake are told of the values of files, by which they pass by some
begin;
\ir helpers/fixtures.sql
select plan(43);
truncate lake_tables, lake_relations, lake_pending, lake_left_files, lake_snapshots cascade;
insert into lake_snapshots (id, at, schema_version, next_file_id) values (0, clock_timestamp() - interval '1 hour', 0, 1);

create function tests.bounds(p_min jsonb, p_max jsonb, p_type text, p_logical text default null, p_spelling text default null)
returns text language sql as $$
  select concat_ws(' | ', coalesce(sediment.lake_bound(p_min, x, false), '-'), coalesce(sediment.lake_bound(p_max, x, true), '-'))
  from jsonb_strip_nulls(jsonb_build_object('type', p_type, 'logical', p_logical, 'spelling', p_spelling)) x $$;
create function tests.leaf(p_name text, p_type text, p_logical text default null) returns jsonb language sql immutable as $$
  select jsonb_strip_nulls(jsonb_build_object('name', p_name, 'type', p_type, 'logical', p_logical, 'repetition', 'optional')) $$;
create function tests.settle(p_dataset integer, p_stats text, p_schema jsonb default null) returns bigint language plpgsql as $$
declare
  v_claim jsonb;
begin
  perform tests.upload(1, p_dataset, 'b' || gen_random_uuid()) from generate_series(1, 2);
  v_claim := tests.claim(p_dataset => p_dataset, p_table => 'port');
  return (tests.commit(v_claim, tests.output(v_claim) || jsonb_build_object('stats', to_jsonb(p_stats), 'lake_version', 1, 'schema',
    coalesce(p_schema, jsonb_build_object('name', 's', 'children', jsonb_build_array(tests.leaf('id', 'INT64'), tests.leaf('At', 'INT64', 'TIMESTAMP(MICROS,UTC)'),
      tests.leaf('note', 'BYTE_ARRAY', 'STRING'), tests.leaf('f', 'DOUBLE')))))) ->> 'file_id')::bigint;
end $$;
create function tests.told(p_dataset integer) returns text language sql as $$
  select coalesce(string_agg(concat_ws(' ', y.name, s.value_count, s.null_count, coalesce(s.min_value, '-'), coalesce(s.max_value, '-'), s.contains_nan), ', '
    order by s.column_id), '')
  from lake_statistics s join lake_files l on l.id = s.file_id join lake_columns y on y.relation_id = s.relation_id and y.column_id = s.column_id
  where l.dataset_id = tests.u(p_dataset) and y.end_snapshot is null and l.end_snapshot is null $$;
grant execute on all functions in schema tests to service_role;
set local role service_role;

-- texts that DuckDB casts to the column's type, none of them within the values
select is(tests.bounds('-5', '7', 'INT32'), '-5 | 7', 'integers are their digits');
select is(tests.bounds('"-9223372036854775808"', '"9223372036854775807"', 'INT64'), '-9223372036854775808 | 9223372036854775807', 'large ones too');
select is(tests.bounds('"1"', '"18446744073709551615"', 'INT64', 'INTEGER(64,UNSIGNED)'), '1 | 18446744073709551615', 'and unsigned ones');
select is(tests.bounds('-1.5', '2.25', 'DOUBLE'), '-1.5 | -', 'a fraction has no upper bound: NaN may be above it');
select is(tests.bounds('-125', '99999', 'INT32', 'DECIMAL(9,2)'), '-1.25 | 999.99', 'decimals have their point');
select is(tests.bounds('"-1"', '"123456789012345678"', 'INT64', 'DECIMAL(18,6)'), '-0.000001 | 123456789012.345678', 'wherever it is');
select is(tests.bounds('5', '7', 'INT32', 'DECIMAL(5,0)'), '5 | 7', 'or is none');
select is(tests.bounds('-1', '20000', 'INT32', 'DATE'), '1969-12-31 | 2024-10-04', 'dates are days');
select is(tests.bounds('-719162', '2932896', 'INT32', 'DATE'), '0001-01-01 | 9999-12-31', 'of the years that all write in the same way');
select is(tests.bounds('-719163', '2932897', 'INT32', 'DATE'), '- | -', 'and of no others');
select is(tests.bounds('1732492800123', '-1', 'INT64', 'TIMESTAMP(MILLIS,LOCAL)'), '2024-11-25 00:00:00.123000 | 1969-12-31 23:59:59.999000', 'a timestamp of milliseconds');
select is(tests.bounds('1732492800123456', '1732579199999999', 'INT64', 'TIMESTAMP(MICROS,UTC)'), '2024-11-25 00:00:00.123456+00 | 2024-11-25 23:59:59.999999+00', 'of microseconds, at a place');
select is(tests.bounds('"1732492800123456789"', '"1732492800123456789"', 'INT64', 'TIMESTAMP(NANOS,LOCAL)'), '2024-11-25 00:00:00.123456789 | 2024-11-25 00:00:00.123456789', 'of nanoseconds');
select is(tests.bounds('"1732492800123456789"', '"1732492800123456789"', 'INT64', 'TIMESTAMP(NANOS,UTC)'), '2024-11-25 00:00:00.123456+00 | 2024-11-25 00:00:00.123457+00', 'which a time at a place has not: outwards');
select is(tests.bounds('"-1"', '"-1"', 'INT64', 'TIMESTAMP(NANOS,UTC)'), '1969-12-31 23:59:59.999999+00 | 1970-01-01 00:00:00.000000+00', 'before 1970 too');
select is(tests.bounds('0', '0', 'INT64', 'TIMESTAMP(MICROS,UTC)', 'converted'), '1970-01-01 00:00:00.000000 | 1970-01-01 00:00:00.000000', 'one that is read as local has no place');
select is(tests.bounds('"-62135596800000001"', '"253402300800000000"', 'INT64', 'TIMESTAMP(MICROS,UTC)'), '- | -', 'nor are years told that others write otherwise');
select is(tests.bounds('"a''b"', '"zz"', 'BYTE_ARRAY', 'STRING'), 'a''b | zz', 'texts are what they are');
select is(tests.bounds('0', '1', 'INT32', 'TIME(MILLIS,UTC)'), '- | -', 'times of the day are not told');
select is(tests.bounds('false', 'true', 'BOOLEAN'), '- | -', 'nor are truths');
select is(tests.bounds('null', 'null', 'INT64'), '- | -', 'nor what is not known');

-- of which files and columns
select approve_lake_table('port');
select tests.upload(1, n, 'first') from generate_series(100, 700, 100) n;
insert into table_settings (dataset_id, "table", sort_keys) values
  (tests.u(100), 'port', '{"At desc",id}'), (tests.u(200), '*', '{note}'), (tests.u(300), 'port', '{id}'), (tests.u(300), '*', '{note}'),
  (tests.u(500), 'port', '{nothing,note,f}'), (tests.u(600), 'port', '{a,b,c,d,e}');
select tests.settle(100, '[[1,39],[1732492800000000,1732492800000001,2],["a","z"]]');
select tests.settle(200, '[0,0,["a","z",null]]');
select tests.settle(300, '{"note":["a","z"],"id":[1,2,3]}');
select tests.settle(400, '[[1,39]]');
select tests.settle(500, '[0,0,[null,null,30],[-1.5,2.5,1]]');
select tests.settle(600, '[[1,2],[1,2],[1,2],[1,2],[1,2]]', jsonb_build_object('name', 's', 'children',
  (select jsonb_agg(tests.leaf(x, 'INT32')) from unnest('{a,b,c,d,e}'::text[]) x)));
select is(sediment.publish_lake() ->> 'added', '6', 'files are shown');
select is(tests.told(100), 'id 30 0 1 39 f, At 28 2 2024-11-25 00:00:00.000000+00 2024-11-25 00:00:00.000001+00 f', 'with what is known of the columns by which they are sorted');
select is(tests.told(200), 'note a z f', 'also by the dataset''s own keys; how many nulls there are may not be known');
select is(tests.told(300), 'id 27 3 1 2 f', 'the table''s come first, and bounds may stand by name');
select is(tests.told(400), '', 'of what is not sorted nothing is told');
select is(tests.told(500), 'note 0 30 - - f, f 29 1 -1.5 -', 'a column that is not there is passed over; one of nulls alone has no bounds, fractions no upper one');
select is(tests.told(600), 'a 30 0 1 2 f, b 30 0 1 2 f, c 30 0 1 2 f, d 30 0 1 2 f', 'four columns at most');
select is((
    select string_agg(concat_ws(' ', c ->> 'name', s ->> 2, coalesce(s ->> 3, '-'), coalesce(s ->> 4, '-')), ', ' order by (s ->> 1)::int)
    from (select load_lake_table(tests.u(1), tests.u(x)::text, 'port') as r from unnest('{100,500}'::int[]) x) p
    cross join jsonb_array_elements(p.r -> 'statistics') s join lateral jsonb_array_elements(p.r -> 'columns') c on c -> 'id' = s -> 1),
  'id 0 1 39, At 2 2024-11-25 00:00:00.000000+00 2024-11-25 00:00:00.000001+00, note 30 - -, f 1 -1.5 -',
  'readers of Iceberg are told the same, of the files that they may read');
select is((select count(*) from lake_statistics s where not exists (select 1 from lake_files l where l.id = s.file_id)), 0::bigint, 'of each file that is shown');

-- it goes with the file
select tests.settle(100, '[[40,50]]');
select is(sediment.publish_lake() ->> 'removed', '1', 'a merge replaces a file');
select is(tests.told(100), 'id 50 0 40 50 f', 'of the new one its own is told');
select is((select count(*) from lake_statistics s join lake_files l on l.id = s.file_id where l.dataset_id = tests.u(100)), 3::bigint, 'and of the old one what was, as long as a snapshot shows it');
update lake_snapshots set at = at - interval '2 days' where true;
select sediment.prune_lake(1000);
select is((select count(*) from lake_statistics s join lake_files l on l.id = s.file_id where l.dataset_id = tests.u(100)), 1::bigint, 'then no more');
select sediment.purge_lake(tests.u(300), array(select r.name from lake_relations r), array(select l.battle_file from lake_files l where l.dataset_id = tests.u(300)));
select is(tests.told(300), '', 'nor of what is purged');

-- take_older
select is(sediment.take_older('{5,5,5,5}', '{t,f,t,t}', 10, 100, true)::text, '("{1,3,4}",15,4,t)', 'a walk takes what is older, and goes on behind all that it looked at');
select is(sediment.take_older('{5,5,5,5}', '{t,f,t,t}', 2, 100, true)::text, '("{1,3}",10,3,f)', 'as far as there is room, behind the last that it took');
select is(sediment.take_older('{5,5,5,5}', '{t,f,t,t}', 10, 6, true)::text, '("{1,3}",10,3,f)', 'and bytes are left before each');
select is(sediment.take_older('{50,5}', '{t,t}', 10, 0, true)::text, '({1},50,1,f)', 'the first whatever its size');
select is(sediment.take_older('{50,5}', '{t,t}', 10, 0, false)::text, '({},0,,f)', 'but where there was one before');
select is(sediment.take_older('{5,5}', '{f,f}', 0, 0, false)::text, '({},0,2,t)', 'where none is older it goes on');
select is(sediment.take_older('{}', '{}', 10, 10, true)::text, '({},0,,t)', 'and ends where there is none');
select is((select count(*) from pg_class where relname = 'lake_statistics' and relrowsecurity), 1::bigint, 'who may see it is as with the lake''s other tables');
select * from finish();
rollback;
