-- What a claim lists: the files that a plan can touch, however many others are before them
begin;
\ir helpers/fixtures.sql
select plan(11);
insert into file_schemas (digest, schema) values ('s', '{}');
insert into objects (object_key, kind, state, put_deadline) values ('k', 'fragment', 'stored', now());
create function tests.add_files(p_from integer, p_to integer, p_bytes bigint, p_level integer default 0,
  p_state text default 'active') returns void language sql as $$
  insert into battle_files (dataset_id, "table", period_tag, upload_id, run_id, ordinal, object_key, start_byte, byte_length,
    level, seq_min, seq_max, state, row_count, row_group_count, uncompressed_bytes, schema_fingerprint, added_version,
    uploaded_by, uploaded_at)
  select tests.u(100), 'port', '2024-11-25', case when p_level = 0 then gen_random_uuid() end,
    case when p_level > 0 then gen_random_uuid() end, 0, 'k', 0, p_bytes, p_level, i, i, p_state, 1, 1, p_bytes * 4, 's', 1,
    tests.u(1), now() from generate_series(p_from, p_to) i
$$;
create function tests.listed(p_after bigint default -1, p_limit integer default 2000) returns jsonb language sql as $$
  select sediment.list_inputs(tests.u(100), 'port', '2024-11-25', p_after, p_limit, null,
    sediment.partition_settings(tests.partition(100)))
$$;
create function tests.seqs(p_page jsonb) returns integer[] language sql as $$
  select array_agg((f ->> 'seq_min')::integer order by (f ->> 'seq_min')::integer) from jsonb_array_elements(p_page -> 'files') f
$$;
insert into datasets (id, user_id, version) values (tests.u(100), tests.u(1), 1);
insert into partitions (dataset_id, "table", period_tag) values (tests.u(100), 'port', '2024-11-25');

-- 3,000 done files, and 20 small ones behind them
select tests.add_files(1, 3000, 26000000, 1), tests.add_files(3001, 3020, 1000);
create temp table page as select tests.listed() as l;
select is(jsonb_array_length(l -> 'files'), 120, 'small files behind thousands of done ones are in the first page') from page;
select is((tests.seqs(l))[101:120], array(select generate_series(3001, 3020)), 'all of them') from page;
select is((l -> 'part', l -> 'more', l -> 'cursor'), ('true'::jsonb, 'false'::jsonb, 'null'::jsonb), 'and the list says that it is a part') from page;
-- pages
select is((tests.seqs(tests.listed(p_limit => 110)))[110], 3010, 'a page is cut at its limit');
select is(tests.seqs(tests.listed(3010)), array(select generate_series(3011, 3020)), 'the next goes on from there');
select is(tests.listed(3010) -> 'part', 'false', 'and is whole');

-- bounds: what a plan would take is never left out
update battle_files set byte_length = 25165823 where seq_min = 2999;
update battle_files set rewrite = '{"reason": "r", "schema": null}' where seq_min = 2998;
update battle_files set level = 0, run_id = null, upload_id = gen_random_uuid(), row_group_count = 50, uncompressed_bytes = 52428800 where seq_min = 2997;
select is((tests.seqs(tests.listed()))[101:103], '{2997,2998,2999}', 'nor one just below three quarters of the target, one marked to be rewritten, a fragmented one');
insert into table_settings (dataset_id, "table", target_file_bytes) values (tests.u(100), 'port', 67108864);
select is((jsonb_array_length(tests.listed() -> 'files'), tests.listed() -> 'more'), (2000, 'true'::jsonb), 'a larger target makes done files small again');
delete from table_settings;
update partitions set output_cap_bytes = 1000;
select is(jsonb_array_length(tests.listed() -> 'files'), 102, 'and outputs that are kept small make small ones done');
update partitions set output_cap_bytes = null;

-- a table that dedupes sees each barrier
insert into table_settings (dataset_id, "table", dedupe_keys) values (tests.u(100), 'port', '{a}');
select tests.add_files(3021, 3040, 1000, p_state => 'quarantined'), tests.add_files(3041, 3041, 1000), tests.add_files(3042, 3042, 1000, p_state => 'quarantined'), tests.add_files(3043, 3043, 1000);
select is((tests.seqs(tests.listed()))[101:128], '{2997,2998,2999,3000}' || array(select generate_series(3001, 3021)) || '{3041,3042,3043}', 'a table that dedupes has one barrier for each stretch of them');
select is(tests.seqs(tests.listed(3020)), array(select generate_series(3021, 3043)), 'of few all are listed');
select * from finish();
rollback;
