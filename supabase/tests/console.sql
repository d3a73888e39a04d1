-- read_overview, list_datasets, drop_dead_letters, list_partitions, list_runs, run_timeline, list_quarantined, read_settings, sample_metrics
begin;
\ir helpers/fixtures.sql
select plan(52);
truncate metric_deltas, metric_totals, metric_samples;
create function tests.names(p_list jsonb) returns text language sql as $$
  select string_agg(p ->> 'table' || '/' || (p ->> 'period_tag') || ' ' || (p ->> 'state'), ', ' order by n)
  from jsonb_array_elements(p_list -> 'partitions') with ordinality x(p, n)
$$;
create function tests.last_sample(p_user uuid) returns jsonb language sql as $$ select read_overview(p_user, 900) -> 'samples' -> -1 $$;

grant execute on all functions in schema tests to service_role;
set local role service_role;

-- two owners; one partition of the first is given up, one is merged, a file of the second is in quarantine
select tests.upload(1, 100, 'a' || i) from generate_series(1, 4) i;
select tests.compact(tests.claim(p_dataset => 100));
select tests.upload(1, 100, 'b' || i, 'map', '2024-11-26') from generate_series(1, 4) i;
select tests.upload(2, 101, 'c' || i, 'port') from generate_series(1, 4) i;
create temp table claim as select tests.claim(p_dataset => 100, p_table => 'map') as c;
select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'internal', 'it broke', 'merge', true) from claim;
create temp table claim2 as select tests.claim(p_dataset => 101) as c;
select quarantine_file((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, (tests.ids(c))[1], 'corrupt_page', 'page 3 of column a') from claim2;
-- all of it, for the service
select is(read_overview(null) -> 'totals', '{"datasets": 2, "files": 9, "rows": 120, "bytes": 890}', 'a service sees all that there is');
select is(read_overview(null) ->> 'dead_partitions', '1', 'what was given up');
select is(read_overview(null) ->> 'quarantined_files', '1', 'what is in quarantine');
select is(read_overview(null) -> 'workers' ->> 'busy', '1', 'who works');
select is(jsonb_typeof(read_overview(null) -> 'health'), 'object', 'and how the clockwork is');
select is(tests.names(list_partitions(null, p_state => 'stuck')), 'map/2024-11-26 dead', 'stuck partitions are listed over all datasets');
select is(list_partitions(null, p_state => 'stuck') #>> '{partitions,0,error,code}', 'internal', 'with what they failed of');
select is(list_partitions(null, p_state => 'stuck') #>> '{partitions,0,error,message}', 'it broke', 'in words');
select is(tests.names(list_partitions(null, p_state => 'running')), 'port/2024-11-25 running', 'and those that are worked on');
select is(jsonb_array_length(list_quarantined(null) -> 'files'), 1, 'files in quarantine too');
select is(jsonb_array_length(list_datasets(null) -> 'datasets'), 2, 'and datasets');
select throws_ok($$select list_partitions(null)$$, 'SD400', 'invalid_request', 'without a dataset a state is needed');

-- each owner sees their own
select is(read_overview(tests.u(1)) -> 'totals', '{"datasets": 1, "files": 5, "rows": 80, "bytes": 490}', 'an owner sees their own sums');
select is(read_overview(tests.u(1)) ->> 'scope', 'user', 'and is told so');
select is(read_overview(tests.u(1)) -> 'health', 'null', 'nothing of the clockwork');
select is(read_overview(tests.u(2)) ->> 'dead_partitions', '0', 'nor of what others have that is stuck');
select is(read_overview(tests.u(3)) -> 'totals' ->> 'datasets', '0', 'who has nothing sees nothing');
select is(tests.names(list_partitions(tests.u(2), p_state => 'stuck')), null, 'no partition of others');
select is(tests.names(list_partitions(tests.u(1), p_state => 'stuck')), 'map/2024-11-26 dead', 'their own');
select is((select string_agg(d ->> 'role', ' ') from jsonb_array_elements(list_datasets(tests.u(2)) -> 'datasets') d), 'owner', 'one dataset, and the role in it');
select is(jsonb_array_length(list_quarantined(tests.u(1)) -> 'files'), 0, 'no file of others');
select is((select count(*) from jsonb_array_elements(list_runs(tests.u(1)) -> 'runs') r where r ->> 'dataset_id' <> tests.u(100)::text), 0::bigint, 'no run of others');
select throws_ok($$select list_partitions(tests.u(2), tests.u(100))$$, 'SD403', 'dataset_forbidden', 'another''s dataset is refused');
select throws_ok($$select list_runs(tests.u(2), tests.u(100))$$, 'SD403', 'dataset_forbidden', 'its runs too');
select throws_ok(format($$select run_timeline(tests.u(2), %L)$$, (select c ->> 'run_id' from claim)), 'SD404', 'run_not_found', 'and each of them');

-- pages
select is(tests.names(list_partitions(null, tests.u(100), p_limit => 1)), 'map/2024-11-26 dead', 'a page of a dataset');
select is(tests.names(list_partitions(null, tests.u(100), p_limit => 1, p_cursor => list_partitions(null, tests.u(100), p_limit => 1) ->> 'next_cursor')),
  'port/2024-11-25 idle', 'and the next');
select is(list_partitions(null, tests.u(100)) -> 'next_cursor', 'null', 'which is the last');
select is(list_datasets(null, 1, list_datasets(null, 1) ->> 'next_cursor') #>> '{datasets,0,id}', tests.u(101)::text, 'datasets come in pages');

-- a run in order
select is((select t #>> '{outputs,0,inputs}' from run_timeline(null, (select id from processing_metrics where status = 'success' order by queued_at limit 1)) t), '4', 'a run tells what each output was made of');
select is((select jsonb_array_length(list_runs(null, p_failed => true) -> 'runs')), 1, 'those that failed are found');

-- settings and samples
select is((select s ->> 'unit' from jsonb_array_elements(read_settings() -> 'settings') s where s ->> 'name' = 'max_workers'), 'workers', 'a setting comes with what it means');
insert into table_settings (dataset_id, "table", min_inputs, updated_at)
select tests.u(100), 't' || n, n, now() - n * interval '1 s' from generate_series(2, 202) n;
insert into user_limits (user_id, datasets_max, updated_at) select tests.u(n), n, now() - n * interval '1 s' from generate_series(1000, 1200) n;
select is((select array[jsonb_array_length(s -> 'tables'), jsonb_array_length(s -> 'users')] from read_settings() s), array[200, 200], 'of tables and users those that were changed last are told');
select is((select t #>> '{settings,min_inputs}' from jsonb_array_elements(read_settings(tests.u(100), 't202') -> 'tables') t where t ->> 'table' = 't202'), '202', 'a table that is asked for is among them, however long ago');
select is((select u #>> '{settings,datasets_max}' from jsonb_array_elements(read_settings(p_of_user => tests.u(1200)) -> 'users') u where u ->> 'user_id' = tests.u(1200)::text), '1200', 'and so is a user');
insert into table_names (dataset_id, name, "table", is_current) values (tests.u(100), 'called_anew', 't2', true);
select is((select t #>> '{settings,min_inputs}' from jsonb_array_elements(read_settings(tests.u(100), 'called_anew') -> 'tables') t where t ->> 'table' = 'called_anew'), '2', 'a table goes by the name that it has now');
select isnt(sediment.fold_metrics(), 0, 'counters are added up');
select sediment.sample_metrics();
select is((select array[s.uploads::text, s.merges::text, s.debt_partitions::text] from metric_samples s), array['12', '1', (select count(*)::text from partitions where debt_oldest is not null)], 'and a sample says where they stand');

select is((select array[s.row_count, s.file_count, s.stored_bytes::bigint] from metric_samples s), array[120, 9, 890]::bigint[], 'and what there is');
-- of many datasets the totals are the newest sample's: to add them up is to read them
reset role;
analyze datasets;
set local role service_role;
update metric_samples set dataset_count = 123456, row_count = 7 where at = (select max(at) from metric_samples);
select is((read_overview(null) #>> '{totals,rows}')::bigint, (select sum(row_count) from datasets where deleted_at is null)::bigint, 'totals of few datasets are added up');
select is(sediment.sums_of_all(false, 1) - 'bytes' - 'files', '{"datasets": 123456, "rows": 7}', 'those of many are the newest sample''s');
-- minutes that were left because the clockwork stood still go like all others; of each hour the first stays
insert into metric_samples
select date_trunc('hour', now()) - interval '30 hours' + n * interval '1 minute', n, 0, 0, 0, 0, 0, 0, 0 from generate_series(7, 40) n;
insert into metric_samples values (now() - interval '32 days', 0, 0, 0, 0, 0, 0, 0, 0);
select sediment.sample_metrics();
select is((select array_agg(s.uploads) from metric_samples s where s.at < now() - interval '20 hours'), array[7]::bigint[], 'whatever minutes were missed, one an hour is left of the day before');
select is((select count(*) from jsonb_array_elements(read_overview(null, 2592000) -> 'samples') s where (s ->> 'uploads')::int = 7), 1::bigint, 'and it is in the lines of a month');

-- an owner's lines
select is((select array[s ->> 'row_count', s ->> 'file_count', s ->> 'stored_bytes', s ->> 'uploads'] from tests.last_sample(tests.u(1)) s), array['80', '5', '490', null], 'an owner''s lines end with what there is');
select is((select array[s ->> 'merges', s ->> 'files_merged'] from tests.last_sample(tests.u(1)) s), array['1', '4'], 'and their merges');
select is((select (s ->> 'merges') from tests.last_sample(tests.u(2)) s), '0', 'nobody else''s');
select is((select s ->> 'row_count' from jsonb_array_elements(read_overview(tests.u(1), 900) -> 'samples') s limit 1), '0', 'before the first upload there was nothing');
select is(jsonb_array_length(read_overview(tests.u(1), 900) -> 'samples'), 61, 'sixty steps, and the begin');

-- one period of many; and letters that nobody wants
select is(tests.names(list_partitions(null, tests.u(100), 'map', p_period_tag => '2024-11-26')), 'map/2024-11-26 dead', 'one period is found among many');
create temp table letter as select id from dead_letters where resolved_at is null;
select is((select drop_dead_letters(tests.u(2), array[id]) from letter), (select jsonb_build_object('dropped', '[]'::jsonb, 'skipped', jsonb_build_array(jsonb_build_object('id', id, 'reason', 'not_found'))) from letter), 'another''s letter is none');
select is((select drop_dead_letters(tests.u(1), array[id]) -> 'dropped' from letter), (select jsonb_build_array(id) from letter), 'its owner closes it');
select is((select array[read_overview(tests.u(1)) ->> 'dead_letters', read_overview(tests.u(1)) ->> 'dead_partitions', (drop_dead_letters(null, array[id]) #>> '{skipped,0,reason}')] from letter),
  array['0', '1', 'resolved'], 'the partition stays as it is');
select * from finish();
rollback;
