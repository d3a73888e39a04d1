-- publish_lake, map_lake_schema, prune_lake, purge_lake, note_lake_file, note_lake_table: what the lake shows at which snapshot
begin;
\ir helpers/fixtures.sql
\ir helpers/deletions.sql
select plan(115);
truncate lake_tables, lake_relations, lake_pending, lake_left_files, lake_snapshots cascade;
insert into lake_snapshots (id, at, schema_version, next_file_id) values (0, clock_timestamp() - interval '1 hour', 0, 1);
create function tests.leaf(p_name text, p_type text, p_logical text default null) returns jsonb language sql immutable as $$
  select jsonb_strip_nulls(jsonb_build_object('name', p_name, 'type', p_type, 'logical', p_logical, 'repetition', 'optional')) $$;
-- a schema of a table's files, as commits tell it
create function tests.schema(variadic p_columns jsonb[]) returns jsonb language sql immutable as $$
  select jsonb_build_object('name', 'schema', 'children', to_jsonb(p_columns)) $$;
-- uploads two fragments and merges what a partition has into one file, as a run of a table of the lake does
create function tests.settle(p_dataset integer, p_schema jsonb, p_period text default '2024-11-25', p_version smallint default 1,
  p_table text default 'port') returns bigint language plpgsql as $$
declare
  v_claim jsonb;
begin
  perform tests.upload(1, p_dataset, 'b' || gen_random_uuid(), p_table, p_period) from generate_series(1, 2);
  v_claim := tests.claim(p_dataset => p_dataset, p_table => p_table);
  return (tests.commit(v_claim, tests.output(v_claim) || jsonb_build_object('schema', p_schema, 'lake_version', p_version)) ->> 'file_id')::bigint;
end $$;
create function tests.publish() returns jsonb language sql as $$ select sediment.publish_lake() - 'more' $$;
create function tests.snapshot() returns bigint language sql as $$ select max(id) from lake_snapshots $$;
-- dataset/period/rows of what a snapshot shows
create function tests.shown(p_snapshot bigint default null) returns text language sql as $$
  select coalesce(string_agg(concat_ws('/', right(f.dataset_id::text, 3), f.period_tag, f.row_count), ' '
    order by f.dataset_id, f.period_tag collate "C", f.row_count), '')
  from lake_files f where f.begin_snapshot <= coalesce(p_snapshot, tests.snapshot())
    and coalesce(f.end_snapshot, 9223372036854775807) > coalesce(p_snapshot, tests.snapshot()) $$;
create function tests.columns() returns text language sql as $$
  select string_agg(array_to_string(c.path, '.') || ':' || c.type, ' ' order by c.column_id)
  from lake_columns c where c.end_snapshot is null $$;
-- structs within each other, whose names have 128 bytes that no index can compress
create function tests.deep(p_levels integer, p_seed text) returns jsonb language sql immutable as $$
  with recursive s as (
    select 1 as n, tests.leaf('leaf', 'INT32') as node
    union all
    select n + 1, jsonb_build_object('name', (select string_agg(md5(p_seed || n || '.' || i), '') from generate_series(1, 4) i),
      'repetition', 'optional', 'children', jsonb_build_array(node)) from s where n < p_levels
  ) select node from s order by n desc limit 1 $$;
-- what the catalog may not be able to take, and what is of the moment
create function tests.refuse() returns trigger language plpgsql as $$
begin
  if new.name = 'boom' then raise exception using errcode = '22000', message = 'no such value'; end if;
  if new.name = 'locked' then raise exception using errcode = '55P03', message = 'later'; end if;
  return new;
end $$;
create trigger refuse before insert on lake_columns for each row execute function tests.refuse();
grant execute on all functions in schema tests to service_role;
set local role service_role;

-- nothing is there until a table is approved
select is(tests.publish(), '{"snapshot": null, "added": 0, "removed": 0, "left_out": 0}', 'where no table is approved nothing is published');
select tests.upload(1, 100, 'fragment');
select is((select count(*) from lake_pending), 0::bigint, 'an upload is no news for the lake');
select is(approve_lake_table('port') ->> 'dataset_column', 'dataset_id', 'a table is approved');
select is((select change from lake_pending), 'table', 'which is news');
select is(tests.publish(), '{"snapshot": 1, "added": 0, "removed": 0, "left_out": 0}', 'and makes a snapshot');
select is(tests.columns(), 'dataset_id:varchar period_tag:varchar', 'with the lake''s own columns');
select is(tests.publish(), '{"snapshot": null, "added": 0, "removed": 0, "left_out": 0}', 'and no other');

-- what is merged is shown from the next publication on
create temp table files as select tests.settle(100, tests.schema(tests.leaf('id', 'INT32'))) as a;
select is((select string_agg(change, ' ' order by id) from lake_pending), 'added', 'a commit tells the lake of its output');
select is((select version from lake_pending), (select version from datasets where id = tests.u(100)), 'with its version');
select is(tests.shown(), '', 'it is shown by the next publication');
select is(tests.publish(), '{"snapshot": 2, "added": 1, "removed": 0, "left_out": 0}', 'which comes');
select is(tests.shown(), '100/2024-11-25/30', 'with all of its rows');
select is(tests.columns(), 'dataset_id:varchar period_tag:varchar id:int32', 'its column is the table''s');
select is((select string_agg(m.name || '>' || m.column_id, ' ' order by m.field) from lake_mapping_fields m), 'id>3 dataset_id>1 period_tag>2',
  'its names are mapped to the columns');
select is((select row(next_row_id, dataset_min, period_max)::text from lake_relations), format('(30,%s,2024-11-25)', tests.u(100)), 'the table counts what it has ever shown');

-- a merge swaps its inputs for its output
alter table files add b bigint;
update files set b = tests.settle(100, tests.schema(tests.leaf('id', 'INT64'), tests.leaf('note', 'BYTE_ARRAY', 'STRING'))) where true;
select is((select string_agg(change, ' ' order by change) from lake_pending), 'added removed', 'a merge tells of what went and what came');
select is(tests.publish(), '{"snapshot": 3, "added": 1, "removed": 1, "left_out": 0}', 'both are of one snapshot');
select is(tests.shown(), '100/2024-11-25/50', 'in which each row is once');
select is(tests.shown(2), '100/2024-11-25/30', 'and the one before shows what it showed');
select is(tests.columns(), 'dataset_id:varchar period_tag:varchar id:int64 note:varchar', 'the column is as wide as both need');
select is((select string_agg(type || ' ' || begin_snapshot || '-' || coalesce(end_snapshot::text, ''), ', ' order by begin_snapshot)
  from lake_columns where path = '{id}'), 'int32 2-3, int64 3-', 'the same column, of another type from then on');
select is((select schema_version from lake_snapshots where id = 3), 3::bigint, 'readers are told that the columns are others');
select ok((select bool_and(s.next_file_id > greatest(f.id, f.mapping_id)) from lake_files f, lake_snapshots s where s.id = 3),
  'files and mappings are of one counter, which the snapshot is past');
select is((select next_row_id from lake_relations), 80::bigint, 'rows that went are counted still');

-- another dataset with the same columns in another case, and one whose column has a type of its own
select tests.settle(200, tests.schema(tests.leaf('ID', 'INT32')));
create temp table odd as select tests.settle(300, tests.schema(tests.leaf('id', 'BYTE_ARRAY', 'STRING'))) as a;
select is(tests.publish(), '{"snapshot": 4, "added": 1, "removed": 0, "left_out": 1}', 'a schema that cannot be united is left out');
select is(tests.shown(), '100/2024-11-25/50 200/2024-11-25/20', 'the others are shown');
select is(tests.columns(), 'dataset_id:varchar period_tag:varchar id:int64 note:varchar', 'names that differ in case are one column');
select is((select kind || ' ' || dataset_id || ' ' || reason from lake_left_out), 'file ' || tests.u(300) || ' column id: varchar here, int64 in the lake', 'what is left out is listed with why');
select is((select schema_version from lake_snapshots where id = 4), 3::bigint, 'and changes no column');
select tests.settle(400, tests.schema(tests.leaf('id', 'INT32')), p_version => 0::smallint);
select is(tests.publish(), '{"snapshot": null, "added": 0, "removed": 0, "left_out": 1}', 'a file that cannot have the lake''s columns is left out');
select tests.settle(400, tests.schema(tests.leaf('id', 'INT32')));
select is(tests.publish() ->> 'added', '1', 'its merge into one that can is shown');
select is((select count(*) from lake_left_files), 1::bigint, 'and what it replaced is left out no more');
select tests.settle(500, tests.schema(tests.leaf('id', 'INT32'), tests.leaf('Period_Tag', 'BYTE_ARRAY', 'STRING')));
select is(tests.publish() ->> 'left_out', '1', 'one with a column that is called as the lake''s is not shown');

-- set aside and taken back
update battle_files set state = 'quarantined', quarantine_code = 'corrupt_page' where id = (select b from files);
select is(tests.publish() ->> 'removed', '1', 'what is set aside leaves the lake');
select is((retry_quarantined(tests.u(1), tests.u(100)) -> 'files')::text, (select jsonb_build_array(b)::text from files), 'what is taken back');
select is(tests.publish() ->> 'added', '1', 'comes again');
update battle_files set state = 'quarantined' where id = (select b from files);
update battle_files set state = 'active' where id = (select b from files);
select is(tests.publish(), '{"snapshot": null, "added": 0, "removed": 0, "left_out": 0}', 'what was away between two publications was never away');
update battle_files set object_key = (select object_key from battle_files where id = (select a from odd)) where id = (select b from files);
select is(tests.publish(), '{"snapshot": 8, "added": 1, "removed": 1, "left_out": 0}', 'a file in another object is another file of the lake');

-- a dataset at a time
select tests.settle(110, tests.schema(tests.leaf('id', 'INT32')), '2024-11-2' || i) from generate_series(1, 3) i;
select tests.settle(600, tests.schema(tests.leaf('id', 'INT32')), '2024-11-2' || i) from generate_series(1, 3) i;
select is(sediment.publish_lake(1) - 'snapshot', '{"added": 3, "removed": 0, "left_out": 0, "more": true}', 'a dataset''s news are taken together, however few are asked for');
select is(sediment.publish_lake(1) - 'snapshot', '{"added": 3, "removed": 0, "left_out": 0, "more": false}', 'and the others'' next');

-- a deletion is seen whole, whatever its slices have come to
select tests.settle(120, tests.schema(tests.leaf('id', 'INT32')), '2024-11-2' || i) from generate_series(1, 3) i;
select is(tests.publish() ->> 'added', '3', 'a dataset has three periods');
create temp table whole as select tests.snapshot() as at, delete_data(tests.u(1), tests.u(120), 'port') as r;
select tests.settle(120, tests.schema(tests.leaf('id', 'INT32')), '2024-11-24');
select is(tests.publish() - 'snapshot', '{"added": 1, "removed": 3, "left_out": 0}', 'what is marked is gone with the next publication, before any slice, and what came since is there');
select matches(tests.shown((select at from whole)), '120/2024-11-21/20 120/2024-11-22/20 120/2024-11-23/20', 'the snapshot before shows it');
update battle_files set state = 'quarantined' where dataset_id = tests.u(120) and period_tag = '2024-11-22' and lake_version is not null;
update battle_files set state = 'active' where dataset_id = tests.u(120) and period_tag = '2024-11-22' and lake_version is not null;
select is(tests.publish(), '{"snapshot": null, "added": 0, "removed": 0, "left_out": 0}', 'whatever becomes of a file until then it does not come back');
select tests.slices(r) from whole;
select is((select count(*) from lake_pending), 3::bigint, 'its slices are news again');
select is(tests.publish(), '{"snapshot": null, "added": 0, "removed": 0, "left_out": 0}', 'of which nothing comes');
select delete_data(tests.u(1), tests.u(120), p_period_tag => '2024-11-24');
select is(tests.publish() ->> 'removed', '1', 'a period of all tables is gone as well');
select delete_data(tests.u(1), tests.u(120));
select is(tests.publish() ->> 'snapshot', null, 'and a dataset of which nothing is left is no news');
do $$ begin while (advance_deletions() ->> 'more')::boolean loop null; end loop; end $$;

-- vacuum, and what the lake keeps
select is((delete_data(tests.u(1), tests.u(110), 'port', '2024-11-21') ->> 'state'), 'marked', 'a period is deleted');
select advance_deletions(1000);
select is(tests.publish() ->> 'removed', '1', 'which leaves the lake');
select is((select count(*) from battle_files f where f.dataset_id = tests.u(110) and f.period_tag = '2024-11-21' and f.lake_version is not null), 1::bigint, 'its file is there');
update datasets set vacuumable_version = version, oldest_kept_version = version, vacuumed_at = '-infinity' where id = tests.u(110);
select plan_vacuum(1000, false, tests.u(110));
select is((select count(*) from battle_files f where f.dataset_id = tests.u(110) and f.period_tag = '2024-11-21' and f.lake_version is not null), 1::bigint, 'no vacuum takes what a kept snapshot of the lake shows');
select is(sediment.prune_lake(1000), 0, 'snapshots are kept for a while');
update lake_snapshots set at = at - interval '2 days' where true;
select cmp_ok(sediment.prune_lake(1000), '>', 0, 'and go with the files that none shows any more');
select is((select count(*) from lake_snapshots), 1::bigint, 'but for the last one');
select is((select count(*) from lake_files where end_snapshot is not null), 0::bigint, 'which shows what it showed');
update datasets set vacuumed_at = '-infinity' where id = tests.u(110);
select plan_vacuum(1000, false, tests.u(110));
select is((select count(*) from battle_files f where f.dataset_id = tests.u(110) and f.period_tag = '2024-11-21' and f.lake_version is not null), 0::bigint, 'the vacuum takes the file then');
select is((select count(*) from lake_schemas k where k.mapping_id is not null and not exists (select 1 from lake_files f where f.mapping_id = k.mapping_id)), 0::bigint,
  'and what maps no file is forgotten');
-- a removal that is not published yet
select tests.settle(600, tests.schema(tests.leaf('id', 'INT32')), '2024-12-01');
select tests.publish();
select delete_data(tests.u(1), tests.u(600), 'port', '2024-12-01');
select advance_deletions(1000);
delete from lake_files where dataset_id = tests.u(600) and period_tag = '2024-12-01';
update datasets set vacuumable_version = version, oldest_kept_version = version, vacuumed_at = '-infinity' where id = tests.u(600);
select plan_vacuum(1000, false, tests.u(600));
select is((select count(*) from battle_files f where f.period_tag = '2024-12-01' and f.lake_version is not null), 1::bigint, 'nor one of which the lake is still to be told');
select is(tests.publish() ->> 'removed', '0', 'which it is');

-- a purge leaves nothing at any snapshot
select tests.settle(600, tests.schema(tests.leaf('id', 'INT32')), '2024-12-02');
select tests.publish();
create temp table then_ as select tests.snapshot() as at;
select matches(tests.shown((select at from then_)), '600/2024-12-02/20', 'a period is shown');
select tests.slices(delete_data(tests.u(1), tests.u(600), 'port', '2024-12-02', p_purge => true));
select is((select count(*) from lake_files f where f.period_tag = '2024-12-02'), 0::bigint, 'what is purged is in no snapshot, before any publication');
select tests.publish();
select unalike(tests.shown((select at from then_)), '%2024-12-02%', 'and in none after it');

-- a table that is withdrawn, and approved again
create temp table before as select tests.shown() as s, (select count(*) from lake_files where end_snapshot is null) as n, tests.snapshot() as at;
select withdraw_lake_table('port');
select is(tests.publish(), (select jsonb_build_object('snapshot', at + 1, 'added', 0, 'removed', n, 'left_out', 0) from before), 'a table that is withdrawn leaves the lake with its files');
select is(tests.shown(), '', 'of which none is shown');
select is(tests.shown((select at from before)), (select s from before), 'but at the snapshots before');
select tests.settle(200, tests.schema(tests.leaf('id', 'INT32')), '2024-12-03');
select is(tests.publish() ->> 'added', '0', 'nor is any that comes');
select tests.slices(delete_data(tests.u(1), tests.u(300)));
select sediment.publish_lake();
select approve_lake_table('port');
select is((select (r ->> 'added')::integer + (r ->> 'left_out')::integer || (r ->> 'more') from sediment.publish_lake(2) r), '2true', 'approved again it gets what is there');
do $$ begin for i in 1 .. 50 loop exit when not (sediment.publish_lake(2) ->> 'more')::boolean; end loop; end $$;
select is(tests.shown(), (select string_agg(x, ' ' order by x) from (select unnest(string_to_array(s, ' ')) from before union all select '200/2024-12-03/20') y(x)),
  'some at a time, until it has all');
select is((select count(distinct id) from lake_relations), 2::bigint, 'as another table, whose columns have numbers of their own');

-- hostile schemas
select tests.settle(700, tests.schema(tests.leaf(repeat('x', 200), 'INT32'), tests.leaf('_ducklake_internal_row_id', 'INT64'), tests.leaf('fine', 'INT32')));
select is(tests.publish() ->> 'added', '1', 'a file with names that the lake has no place for is shown');
select is((select string_agg(reason, '; ' order by reason) from lake_left_out where kind = 'column'), 'its name is longer than 128 bytes; its name is one of DuckLake''s own', 'without those columns, which are listed');
select tests.settle(710, tests.schema(tests.deep(12, 'a'), tests.deep(22, 'b'), tests.leaf('beside', 'INT32')));
select is(tests.publish() ->> 'added', '1', 'one of deep structs with long names is shown');
select is((select reason from lake_left_out where kind = 'column' and dataset_id = tests.u(710)), 'its names from the top are longer than 1,500 bytes together', 'without what no index could hold');
select is((select array_agg(depth order by depth desc) from (select cardinality(path) as depth from lake_columns where dataset_id = tests.u(710)) x), '{12,11,10,9,8,7,6,5,4,3,2,1,1}',
  'and with what it can, and its other columns');
select tests.settle(711, tests.schema(tests.deep(32, 'c')));
select is(tests.publish() ->> 'added', '1', 'thirty-two levels are read');
select tests.settle(712, tests.schema(tests.deep(33, 'd')));
select is(tests.publish() ->> 'left_out', '1', 'one more is not');
select matches((select reason from lake_left_out where kind = 'file' and dataset_id = tests.u(712)), ': it is nested too deeply$', 'which is said');
select tests.settle(720, tests.schema(tests.leaf('first', 'INT32'), tests.leaf('boom', 'INT32')));
select tests.settle(730, tests.schema(tests.leaf('next', 'INT32')));
select is(tests.publish() - 'snapshot', '{"added": 1, "removed": 0, "left_out": 1}', 'a schema that the catalog cannot take leaves its own file out');
select is((select reason from lake_left_out where dataset_id = tests.u(720)), 'the lake cannot take its schema: no such value', 'with the reason');
select matches(tests.columns(), ' beside:int32 next:int32', 'and nothing of it in the table');
select tests.settle(740, tests.schema(tests.leaf('locked', 'INT32')));
select throws_ok($$select sediment.publish_lake()$$, '55P03', 'later', 'what is of the moment is not laid to a schema');
delete from lake_pending where dataset_id = tests.u(740);
select tests.settle(800, jsonb_build_object('name', 's', 'children', (select jsonb_agg(tests.leaf('c' || i, 'INT32')) from generate_series(1, 1500) i)));
update datasets set user_id = tests.u(2) where id = tests.u(800);
select is(tests.publish() ->> 'added', '1', 'one of very many columns too');
select is((select count(*) from lake_columns where dataset_id = tests.u(800)), 1000::bigint, 'with as many as one user may bring');
select tests.settle(810, tests.schema(tests.leaf('further', 'INT32')));
update datasets set user_id = tests.u(2) where id = tests.u(810);
select is(tests.publish() ->> 'added', '1', 'in however many datasets');
select is((select count(*)::text || ' ' || min(reason) from lake_left_out where kind = 'column' and dataset_id in (tests.u(800), tests.u(810))),
  '200 the table has 2000 columns, or 1000 that one user brought', 'and two hundred of those left out are listed');
select tests.settle(900, tests.schema(tests.leaf('mine', 'INT32')));
select tests.publish();
select matches(tests.columns(), ' mine:int32', 'and another user''s have their place');
select tests.settle(1000, tests.schema(tests.leaf('shape', 'BYTE_ARRAY', 'GEOMETRY')));
select is(tests.publish() ->> 'left_out', '1', 'a type that the lake has not leaves the file out');

-- whose columns they are
select approve_lake_table('ship');
select tests.settle(1100, tests.schema(tests.leaf('power', 'BYTE_ARRAY', 'STRING'), tests.leaf('odd', 'INT32')), p_table => 'ship');
select tests.publish();
select tests.settle(1200, tests.schema(tests.leaf('power', 'INT32'), tests.leaf('name', 'BYTE_ARRAY', 'STRING')), p_table => 'ship');
select is(tests.publish() ->> 'left_out', '1', 'the types are those of whoever came first');
create temp table first_come as select tests.snapshot() as at;
select sediment.shape_lake_table('ship', tests.u(1200));
select is(tests.publish() - 'snapshot', '{"added": 1, "removed": 1, "left_out": 1}', 'until the operator names a dataset');
select is((select string_agg(c.path[1] || ':' || c.type, ' ' order by c.column_id) from lake_columns c join lake_relations r on r.id = c.relation_id
  where r.name = 'ship' and c.end_snapshot is null), 'dataset_id:varchar period_tag:varchar power:int32 name:varchar', 'whose columns are the table''s then');
select is((select dataset_id from lake_left_files f join lake_relations r on r.id = f.relation_id where r.name = 'ship'), tests.u(1100), 'what cannot be united with them is left out');
select is(tests.publish(), '{"snapshot": null, "added": 0, "removed": 0, "left_out": 0}', 'which is done once');
select matches(tests.shown((select at from first_come)), '100/2024-11-25/20', 'and the snapshots before show what they showed');
select tests.settle(1201, tests.schema(tests.leaf('power', 'INT32')), p_table => 'ship');
select is(tests.publish() ->> 'added', '1', 'what fits comes');
select sediment.shape_lake_table('ship', null);
select is(sediment.publish_lake(1) - 'snapshot', '{"added": 1, "removed": 2, "left_out": 2, "more": false}',
  'a table that is shaped anew is whole at once, however few files are asked for: no snapshot has a part of it');
select throws_ok($$select sediment.shape_lake_table('ship', tests.u(77))$$, 'SD404', 'not_found', 'there is such a dataset, or it is refused');

-- who comes first, of many in one publication: ids are in no order
select tests.settle(n + i, tests.schema(tests.leaf('first' || i, t)), p_table => 'ship')
from generate_series(1, 6) i, (values (2000, 'INT32'), (2100, 'BOOLEAN')) v(n, t) order by i, n;
select tests.publish();
select is((select string_agg(right(l.dataset_id::text, 4), ' ' order by l.dataset_id) from lake_left_files l where l.dataset_id > tests.u(2000)),
  '2101 2102 2103 2104 2105 2106', 'of types that cannot be united that of the file which was written first is the table''s');

-- files of before, while what replaced them waits
select tests.settle(1300, tests.schema(tests.leaf('id', 'INT32')), p_table => 'plane');
do $$ begin while (sediment.publish_lake() ->> 'more')::boolean loop null; end loop; end $$;
select approve_lake_table('plane');
select is(sediment.publish_lake(1) - 'snapshot', '{"added": 1, "removed": 0, "left_out": 0, "more": true}', 'a file of before is shown');
select tests.settle(1302, tests.schema(tests.leaf('id', 'INT32')));
select tests.settle(1303, tests.schema(tests.leaf('id', 'INT32')));
select tests.settle(1300, tests.schema(tests.leaf('id', 'INT32')), p_table => 'plane');
-- ids are in no order: here it is what the walk comes to next
update lake_relations set after_file = -1 where name = 'plane';
select sediment.publish_lake(1);
select is((select sum(row_count) from lake_files where dataset_id = tests.u(1300) and end_snapshot is null), 40::numeric, 'and leaves when one that replaced it comes, whatever else waits');

-- so many files a table
select approve_lake_table('boat');
select tests.settle(3000 + i, tests.schema(tests.leaf('id', 'INT32')), p_table => 'boat') from generate_series(1, 4) i;
do $$ begin while (sediment.publish_lake() ->> 'more')::boolean loop null; end loop; end $$;
select is((select shown_files from lake_relations where name = 'boat'), 4, 'what a table shows is counted');
update datasets set user_id = tests.u(2) where id in (tests.u(3003), tests.u(3004));
reset role;
create function tests.left_out(p_most integer, p_most_of_user integer, p_snapshot bigint default -1) returns text language sql as $$
  select string_agg(right(n.dataset_id::text, 4), ' ' order by n.dataset_id)
  from unnest(sediment.bound_lake_files(array(
    select row(d, r.id, tests.u(d), 'p' || d, 'k', 1, 1, null, 1, null, case when d = 3006 then 'another' end)::sediment.lake_news
    from lake_relations r, unnest('{3001,3002,3003,3005,3006}'::integer[]) d where r.name = 'boat' and r.end_snapshot is null),
    p_snapshot, p_most, p_most_of_user)) n where n.reason like 'the table shows%' $$;
grant execute on all functions in schema tests to service_role;
set local role service_role;
select is(tests.left_out(100, 50), null, 'where there is room none is left out');
update lake_relations set shown_files = 4 where name = 'boat';
select is(tests.left_out(6, 3), '3002 3005', 'where there is none the last are: of a user''s, and of all');
select is((select shown_files from lake_relations where name = 'boat'), 6, 'and not counted');
select is(tests.left_out(4, 4), '3001 3002 3003 3005', 'in a full table none has a place');
update lake_files set period_tag = 'p3002', end_snapshot = 77777 where dataset_id = tests.u(3002);
update lake_relations set shown_files = 4 where name = 'boat';
select is(tests.left_out(3, 2, 77777), '3001 3003 3005', 'but what replaces one that was shown has its own');
update lake_files set end_snapshot = null where dataset_id = tests.u(3002);
update lake_relations set shown_files = 50 where name = 'boat';
select is(tests.left_out(10, 5), null, 'where more were counted than there are it is counted anew');
select is((select shown_files from lake_relations where name = 'boat'), 8, 'which stays');
insert into lake_left_files (battle_file, relation_id, dataset_id, reason) select l.battle_file, l.relation_id, l.dataset_id, 'the table shows 3 files, or 2 of one user'
from lake_files l where l.dataset_id in (tests.u(3001), tests.u(3002));
update lake_files set end_snapshot = 1 + (select max(id) from lake_snapshots) where dataset_id = tests.u(3001);
update battle_files set state = 'quarantined', quarantine_code = 'corrupt_page' where dataset_id = tests.u(3003) and lake_version is not null;
select is((select (r ->> 'removed') || (r ->> 'more') from sediment.publish_lake() r), '1true', 'when files leave others come again');
select is((sediment.publish_lake() ->> 'added')::integer, 1, 'with the next publication');

reset role;
-- a table of as many files as are shown of one user ends, and is shown anew; and as many are replaced at once
insert into lake_relations (lake_table_id, name, begin_snapshot, next_column_id, end_snapshot)
select lake_table_id, name, begin_snapshot, next_column_id, x.n from lake_relations, (values (77778), (77779)) x (n)
where name = 'boat' and end_snapshot is null;
insert into lake_files (id, relation_id, battle_file, begin_snapshot, end_snapshot, dataset_id, period_tag, object_key, bytes, row_count, row_id_start, mapping_id)
select 1000000000 + x.n::bigint * 100000 + i, case when x.n = 77778 then r.id else o.id end, -i, 0, x.n, tests.u(3001), 'p' || i, 'k', 1, 1, 1, 1
from (values (77778), (77779)) x (n)
join lake_relations o on o.name = 'boat' and o.end_snapshot = x.n
cross join lake_relations r cross join generate_series(1, 60000) i
where r.name = 'boat' and r.end_snapshot is null;
create function tests.bound_many(p_snapshot bigint) returns text language sql as $$
  select count(*) filter (where n.reason is null) || ' ' || count(*) filter (where n.reason is not null)
  from unnest(sediment.bound_lake_files(array(
    select row(i, r.id, tests.u(3001), 'p' || i, 'k', 1, 1, null, 1, null, null)::sediment.lake_news
    from lake_relations r, generate_series(1, 60000) i where r.name = 'boat' and r.end_snapshot is null), p_snapshot)) n $$;
analyze lake_files, lake_relations, datasets;
-- as publish_lake is held to
set local statement_timeout = '60s';
select is(tests.bound_many(77778), '60000 0', 'so many files are replaced at once');
update lake_relations set shown_files = 0 where name = 'boat';
select is(tests.bound_many(77779), format('%s %s', 50000 - x.n, 10000 + x.n), 'or come as others end with a table of before')
from (select count(*) as n from lake_files l join lake_relations r on r.id = l.relation_id join datasets d on d.id = l.dataset_id
  where r.name = 'boat' and l.end_snapshot is null and d.user_id = (select y.user_id from datasets y where y.id = tests.u(3001))) x;
set local statement_timeout = 0;

-- who may
reset role;
select is((select string_agg(c.relname, ' ') from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'sediment', 'storage', 'auth') and c.relkind in ('r', 'v') and has_table_privilege('sediment_lake', c.oid, 'select')
    and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e')), null, 'the lake''s role reads nothing of the catalog itself');
select is((select string_agg(c.relname, ' ') from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'lake' and (has_table_privilege('sediment_lake', c.oid, 'insert') or has_table_privilege('sediment_lake', c.oid, 'update')
    or has_table_privilege('sediment_lake', c.oid, 'delete') or not has_table_privilege('sediment_lake', c.oid, 'select'))), null, 'it reads the lake, and writes nothing');
select is((select string_agg(r || ' ' || c.relname, ' ') from unnest(array['anon', 'authenticated', 'service_role']) r, pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'lake' and has_table_privilege(r, c.oid, 'select')), null, 'and nobody else does');
select * from finish();
rollback;
