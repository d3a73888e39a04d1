-- list_lake, load_lake_table, commit_lake_metadata, judge_lake_schema, prune_lake_heads: what readers of Iceberg are given
begin;
\ir helpers/fixtures.sql
\ir helpers/deletions.sql
\ir helpers/keys.sql
select no_plan();
truncate lake_tables, lake_relations, lake_pending, lake_left_files, lake_snapshots cascade;
insert into lake_snapshots (id, at, schema_version, next_file_id) values (0, clock_timestamp() - interval '1 hour', 0, 1);
create function tests.leaf(p_name text, p_type text, p_logical text default null) returns jsonb language sql immutable as $$
  select jsonb_strip_nulls(jsonb_build_object('name', p_name, 'type', p_type, 'logical', p_logical, 'repetition', 'optional')) $$;
create function tests.settle(p_user integer, p_dataset integer, p_period text, variadic p_columns jsonb[]) returns bigint language plpgsql as $$
declare
  v_claim jsonb;
  v_id bigint;
begin
  perform tests.upload(p_user, p_dataset, 'b' || gen_random_uuid(), 'port', p_period) from generate_series(1, 2);
  v_claim := tests.claim(p_dataset => p_dataset, p_table => 'port');
  v_id := (tests.commit(v_claim, tests.output(v_claim) || jsonb_build_object('lake_version', 1,
    'schema', jsonb_build_object('name', 'schema', 'children', to_jsonb(p_columns)))) ->> 'file_id')::bigint;
  perform sediment.publish_lake();
  return v_id;
end $$;
create function tests.load(p_user integer default null, p_namespace text default 'lake') returns jsonb language sql as $$
  select load_lake_table(case when p_user is not null then tests.u(p_user) end, p_namespace, 'port') $$;
-- writes what was claimed
create function tests.write(p jsonb) returns jsonb language sql as $$
  select commit_lake_metadata(p || jsonb_build_object('types', '{}'::jsonb, 'history', (
      select coalesce(jsonb_agg(h -> 'snapshot'), '[]') from jsonb_array_elements(p -> 'history') h),
    'kept', (select coalesce(jsonb_agg(k -> 'object_key'), '[]') from jsonb_array_elements(p -> 'kept') k)),
    (select coalesce(jsonb_agg(jsonb_build_object('object_key', k, 'size', 1, 'etag', 'e', 'rows', 1, 'added_files', 1, 'added_rows', 1,
      'min_sequence', 1, 'files', (select jsonb_agg(f -> 0) from jsonb_array_elements(p -> 'files') f))), '[]')
      from jsonb_array_elements(p #> '{keys,manifests}') k),
    jsonb_build_object('object_key', p #> '{keys,list}', 'size', 1, 'etag', 'e'),
    jsonb_build_object('object_key', p #> '{keys,metadata}', 'size', 1, 'etag', 'e'), 'text ' || (p ->> 'snapshot')) $$;
create function tests.columns(p jsonb) returns text language sql as $$
  select string_agg(concat(c ->> 'name', ':', c ->> 'type'), ' ' order by (c ->> 'id')::int) from jsonb_array_elements(p -> 'columns') c $$;
create function tests.objects() returns text language sql as $$
  select coalesce(string_agg(s.state || s.n, ' ' order by s.state), '') from (
    select state, count(*) as n from objects where kind = 'lake' group by 1) s $$;
create function tests.approve(p_table text default 'port') returns void language sql as $$
  select withdraw_lake_table(p_table); select sediment.publish_lake();
  update battle_files set lake_version = null where lake_version is not null and "table" = p_table;
  select approve_lake_table(p_table); select sediment.publish_lake() $$;
create function tests.reasons(p jsonb) returns text language sql as $$
  select coalesce(string_agg(x ->> 'reason', '; ' order by x ->> 'reason'), '') from jsonb_array_elements(p -> 'left_out') x $$;
create function tests.held(p jsonb) returns text language sql as $$
  select string_agg(f ->> 3, ' ' order by f ->> 3) from jsonb_array_elements(p -> 'files') f $$;
grant execute on all functions in schema tests to service_role;
set local role service_role;

select is(list_lake(null), '{"names": ["lake"], "more": false}', 'a service sees the namespace of all datasets');
select is(tests.outcome('load_lake_table(null, ''lake'', ''port'')'), 'not_found', 'a table that is not approved is not there');
select approve_lake_table('port');
select tests.settle(1, 100, 'a', tests.leaf('id', 'INT32'), tests.leaf('odd', 'INT32', 'INTEGER(32,UNSIGNED)'));
select is(list_lake(null, 'lake'), '{"names": ["port"], "more": false}', 'one that is approved is');

-- one writes, the others wait, or have the last one
create temp table l as select tests.load() as r;
select is((select r ->> 'state' from l), 'claimed', 'who asks first writes');
select is((select tests.columns(r) from l), 'dataset_id:string period_tag:string id:int odd:', 'a column that Iceberg has no type for is not there');
select is((select r -> 'totals' -> 'files' from l), '1', 'the file is');
select is(tests.objects(), 'staged3', 'a manifest, a list and the metadata are staged before they are written');
select is(tests.load(), '{"state": "busy", "metadata": null, "object_key": null}', 'who asks meanwhile waits');
select is((select tests.write(r) from l), '{"committed": true}', 'it is written');
select is(tests.objects(), 'stored3', 'and stored');
select is(tests.load() ->> 'metadata', 'text 1', 'from then on all have it');
select is((select tests.write(r) from l), '{"committed": false}', 'who comes too late has written for nothing');

-- what comes since; files that a column's type is not promoted to
select tests.settle(1, 100, 'b', tests.leaf('id', 'INT64'));
update l set r = tests.load();
select is((select jsonb_array_length(r -> 'kept') || ' ' || jsonb_array_length(r -> 'files') from l), '1 1', 'manifests of before stay');
select is((select tests.columns(r) from l), 'dataset_id:string period_tag:string id:long odd:', 'an int is promoted');
select is(tests.load() ->> 'metadata', 'text 1', 'who asks meanwhile has the last one');
select tests.write(r) from l;
select is((select count(*) from lake_manifest_lists), 2::bigint, 'the snapshot of before is kept');
select tests.settle(2, 200, 'c', tests.leaf('id', 'INT32', 'INTEGER(16,UNSIGNED)'), tests.leaf('theirs', 'BYTE_ARRAY', 'STRING'));
update l set r = tests.load();
select is((select r -> 'left_out' from l), '[{"rows": 20, "files": 1, "reason": "column id: unsigned here, long in the table"}]',
  'a file that can''t be read as the column is left out, and told of');
select is((select r -> 'totals' -> 'files' from l), '2', 'the others are there');
select tests.write(r) from l;
select tests.settle(1, 100, 'd', tests.leaf('nothing', 'INT32', 'UNKNOWN'));
update l set r = tests.load();
select is((select jsonb_array_length(r -> 'left_out') from l), 2, 'one that a reader does not open is too');
select tests.write(r) from l;

-- who sees what
select is(list_lake(tests.u(1)), format('{"names": ["%s"], "more": false}', tests.u(100))::jsonb, 'a user sees their own datasets');
select is(tests.outcome(format('load_lake_table(tests.u(1), %L, ''port'')', 'lake')), 'not_found', 'and not all of them together');
select tests.key(7, 1, 100, 'seven');
select is(tests.outcome(format('load_lake_table(tests.u(%s), %L, ''port'')', x.n, tests.u(100))), x.expected, x.who || ' loads a table')
from (values (4, 'a stranger', 'dataset_forbidden'), (2, 'another owner', 'dataset_forbidden')) x(n, who, expected);
select is(tests.outcome(format('list_lake(tests.u(4), %L)', tests.u(100))), 'dataset_forbidden', 'a stranger lists none');
insert into datasets (id, user_id) select tests.u(100 + n), tests.u(1) from generate_series(1, 4) n;
select is(list_lake(tests.u(1), p_limit => 2), jsonb_build_object('names', array[tests.u(100), tests.u(101)], 'more', true), 'namespaces come in pages');
select is(list_lake(tests.u(1), p_after => tests.u(101)::text, p_limit => 2), jsonb_build_object('names', array[tests.u(102), tests.u(103)],
  'more', true), 'the next one goes on');
select is(list_lake(tests.u(1), p_after => tests.u(103)::text), jsonb_build_object('names', array[tests.u(104)], 'more', false), 'to the last');
select is(list_lake(tests.u(1), p_after => 'x'), '{"names": [], "more": false}', 'behind which there are none');
select is(list_lake(null, p_after => 'lake'), '{"names": [], "more": false}', 'of a service neither');
select is(list_lake(null, 'lake', 'pore'), '{"names": ["port"], "more": false}', 'so do tables');
select is(list_lake(null, 'lake', 'port'), '{"names": [], "more": false}', 'each once');
delete from datasets where id = any (array[tests.u(101), tests.u(102), tests.u(103), tests.u(104)]);
select is(list_lake(tests.u(7), tests.u(100)::text) -> 'names', '["port"]', 'a key sees the tables of its dataset');
update l set r = tests.load(7, tests.u(100)::text);
select is((select tests.columns(r) from l), 'dataset_id:string period_tag:string id:long odd:', 'and its columns, nobody else''s');
select is((select r -> 'totals' -> 'files' from l), '2', 'and its files alone');
select ok((select r #>> '{keys,list}' like 'lake/' || tests.u(100) || '/%' from l), 'written where its readers may read');
select is((select tests.write(r) from l), '{"committed": true}', 'and kept apart from that of all datasets');
select is(tests.load() ->> 'state', 'fresh', 'which stays as it is');
select is(tests.load(1, tests.u(100)::text) ->> 'state', 'fresh', 'its owner has the same one');

-- a purge
update l set r = tests.load(null);
select tests.settle(1, 100, 'e', tests.leaf('id', 'INT64'));
update l set r = tests.load();
select sediment.purge_lake(tests.u(100), '{port}', array(select battle_file from lake_files where period_tag = 'a'));
select is((select tests.write(r) from l), '{"committed": false}', 'what was written with what is purged is not taken');
update lake_heads set claimed_until = now() where true;
update l set r = tests.load();
select is((select r -> 'history' from l), '[]', 'no snapshot of before is shown again');
select is(tests.load() -> 'metadata', 'null', 'nor the last metadata meanwhile');
select tests.write(r) from l;
select is(tests.load() ->> 'state', 'fresh', 'until it is written anew');

-- what nobody is to be given any more
select is(sediment.prune_lake_heads(100), 1, 'what the purge has dropped is forgotten');

-- and comes again when somebody asks
create temp table stalled as select tests.load(1, tests.u(100)::text) as r;
update lake_heads set claimed_until = now(), drop_history = true where dataset_id = tests.u(100);
select is(sediment.prune_lake_heads(100), 1, 'what nobody has written is forgotten too');
select lives_ok('update l set r = tests.load(1, tests.u(100)::text)', 'it is written under other names, of the same snapshot');
select is((select tests.write(r) from stalled), '{"committed": false}', 'by whom it was forgotten for does not write it');
select is((select tests.write(r) from l), '{"committed": true}', 'but who has asked since');
update lake_heads set seen_at = clock_timestamp() - interval '8 days' where dataset_id = tests.u(100);
select is(tests.load(1, tests.u(100)::text) ->> 'state', 'fresh', 'it is given to who asks after a week');
select is(sediment.prune_lake_heads(100), 0, 'and stays, though nothing was published');
create temp table seen as select seen_at from lake_heads where dataset_id = tests.u(100);
select tests.load(1, tests.u(100)::text);
select is((select seen_at from lake_heads where dataset_id = tests.u(100)), (select seen_at from seen), 'nothing is written each time that somebody asks');

-- what ended so long ago that the lake has forgotten it
update battle_files set state = 'quarantined', quarantine_code = 'corrupt_page' where period_tag = 'e' and lake_version is not null;
select is((select (r ->> 'added') || (r ->> 'removed') from sediment.publish_lake() r), '01', 'a file leaves');
update lake_snapshots set at = at - interval '30 days' where true;
select is(sediment.prune_lake(100) > 0, true, 'and is forgotten');
update l set r = tests.load(1, tests.u(100)::text);
select is((select r ->> 'state' from l), 'claimed', 'metadata that names it is not fresh');
select is(tests.load(1, tests.u(100)::text), '{"state": "busy", "metadata": null, "object_key": null}', 'nor given meanwhile');
select is((select tests.write(r) from l), '{"committed": true}', 'until it is written anew');

-- a purge of what somebody writes still, and the lake has forgotten
select tests.settle(1, 100, 'f', tests.leaf('id', 'INT64'));
update stalled set r = tests.load(1, tests.u(100)::text);
update l set r = tests.load();
delete from lake_files where period_tag = 'f';
select tests.slices(delete_data(tests.u(1), tests.u(100), 'port', 'f', p_purge => true));
select is((select tests.write(r) from stalled), '{"committed": false}', 'what names it is not taken, of its dataset');
select is((select tests.write(r) from l), '{"committed": false}', 'nor of all');
update lake_heads set claimed_until = now() where true;
select is(sediment.prune_lake_heads(1), 1, 'no more are forgotten at once than asked');
select is(sediment.prune_lake_heads(100), 1, 'and the others later');
select sediment.publish_lake();
update l set r = tests.load();
select tests.write(r) from l;
select withdraw_lake_table('port');
select sediment.publish_lake();
select is(sediment.prune_lake_heads(100), 1, 'and what is withdrawn');
select is((select count(*) from lake_manifests) + (select count(*) from lake_manifest_lists), 0::bigint, 'with all that it named');
select is((select count(*) from objects where kind = 'lake' and state = 'stored'), 0::bigint, 'whose objects are deleted');
-- who comes later takes nobody's files away
select tests.approve();
select tests.settle(1, 100, 'f', tests.leaf('id', 'INT32'), tests.leaf('at', 'INT96'), tests.leaf('d', 'INT32', 'DECIMAL(5,2)'));
select tests.settle(2, 200, 'g', tests.leaf('id', 'DOUBLE'), tests.leaf('late', 'INT32'));
select tests.settle(2, 200, 'h', tests.leaf('id', 'INT32', 'DECIMAL(5,2)'));
select tests.settle(2, 200, 'i', tests.leaf('at', 'INT64', 'TIMESTAMP(MICROS,UTC)'));
select tests.settle(2, 200, 'j', tests.leaf('at', 'INT64', 'TIMESTAMP(MICROS,LOCAL)'));
update l set r = tests.load();
select is((select tests.held(r) from l), 'f j', 'files that a column''s first type is not promoted to are left out, and none of before');
select ok((select tests.reasons(r) like '%column id: double here, int in the table' from l), 'which is told');
select is((select tests.columns(r) from l), 'dataset_id:string period_tag:string id:int at: d:decimal(5,2) late:', 'the types stay');
select tests.settle(1, 100, 'k', tests.leaf('d', 'INT64', 'DECIMAL(9,2)'), tests.leaf('late', 'INT64'));
update lake_heads set claimed_until = null where true;
update l set r = tests.load();
select is((select tests.columns(r) from l), 'dataset_id:string period_tag:string id:int at: d:decimal(9,2) late:long',
  'a decimal is promoted, and a column that only files had which are left out has the type of the first that is shown');
select is((select tests.held(r) from l), 'f j k', 'with the files of before');

-- names that Iceberg takes for one
select tests.approve();
select tests.settle(1, 100, 'm', jsonb_build_object('name', 'a', 'repetition', 'optional', 'children', jsonb_build_array(tests.leaf('b', 'INT32'))));
select tests.settle(2, 200, 'n', tests.leaf('A.b', 'INT32'), tests.leaf('c', 'INT32'));
select tests.settle(2, 200, 'o', tests.leaf('c', 'INT32'));
update lake_heads set claimed_until = null where true;
update l set r = tests.load();
select is((select tests.columns(r) from l), 'dataset_id:string period_tag:string a:struct b:int c:int', 'of two columns with the names of one the first is there');
select is((select tests.held(r) || ' ' || tests.reasons(r) from l), 'm o column a.b: another column has its name in Iceberg',
  'and no file of the second');

-- what was published before there was Iceberg
update lake_schemas set iceberg_columns = null, iceberg_reason = null where mapping_id is not null;
update lake_columns set iceberg_type = null where true;
update lake_heads set claimed_until = null where true;
select is(tests.load() - 'metadata' - 'object_key', '{"state": "busy", "waits": true}', 'nothing is shown that was not compared');
select is((select count(*) from lake_heads where claimed_until is not null), 0::bigint, 'and nobody writes');
select sediment.publish_lake();
select is((select tests.load() - 'keys' - 'revision'), (select r - 'keys' - 'revision' from l), 'the next publication does it, and comes to the same');
select is(sediment.publish_lake() -> 'more', 'false', 'once');
update lake_schemas set iceberg_columns = null, fields = 50000 where mapping_id is not null;
select is(sediment.publish_lake() -> 'more', 'true', 'of wide ones some at once');
select is((select count(*) from lake_schemas where mapping_id is not null and iceberg_columns is not null), 1::bigint, 'one at least');
update lake_schemas set fields = 1 where mapping_id is not null;
select is(sediment.publish_lake() -> 'more', 'false', 'and the others with the next publications');

-- a column that has got a type
update lake_heads set claimed_until = null where true;
update l set r = tests.load();
select tests.write(r) from l;
select tests.settle(1, 100, 'p', tests.leaf('c', 'INT32'));
update lake_heads set types = '{"1": "string", "6": null}' where dataset_id = '00000000-0000-0000-0000-000000000000';
update l set r = tests.load();
select is((select r -> 'history' from l), '[]', 'snapshots that had a column without a type end where it has one');
update lake_heads set types = '{"1": "string", "6": "int"}', claimed_until = null where dataset_id = '00000000-0000-0000-0000-000000000000';
update l set r = tests.load();
select is((select jsonb_array_length(r -> 'history') from l), 1, 'and stay where it is the same');

select is(sediment.iceberg_fits('decimal(9,2)', 'decimal(12,2)'), true, 'decimals gain digits');
select is(sediment.iceberg_fits('decimal(9,2)', 'decimal(12,3)'), false, 'and no places');

select * from finish();
rollback;
