-- list_tables
begin;
\ir helpers/fixtures.sql
select plan(26);
insert into datasets (id, user_id) values (tests.u(100), tests.u(1));
set local role service_role;

create function pg_temp.periods(p_list jsonb) returns text language sql as $$
  select string_agg(concat_ws(' ', p ->> 'table', p ->> 'period_tag', p ->> 'files', p ->> 'rows', p ->> 'bytes'), ', ' order by n)
  from jsonb_array_elements(p_list -> 'partitions') with ordinality e(p, n)
$$;
-- all pages of a limit, their partitions one after the other
create function pg_temp.pages(p_limit integer, p_version bigint default null) returns jsonb language plpgsql as $$
declare
  v_page jsonb := list_tables(tests.u(1), tests.u(100), p_version, p_limit);
  v_all jsonb := v_page -> 'partitions';
begin
  while v_page ->> 'next_cursor' is not null loop
    v_page := list_tables(tests.u(1), tests.u(100), null, p_limit, v_page ->> 'next_cursor');
    v_all := v_all || (v_page -> 'partitions');
  end loop;
  return v_all;
end $$;

select is(tests.stage(1, 100, 'only') ->> 'duplicate', 'false', 'a dataset without a commit');
select is(list_tables(tests.u(1), tests.u(100)) - 'dataset_id', '{"version": 0, "committed_at": null, "partitions": [], "schemas": {}, "next_cursor": null}', 'has no table, at version 0');
select tests.upload(1, 100, 'a', 'port', '2024-11-25'), tests.upload(1, 100, 'b', 'port', '2024-11-26', 5), tests.upload(1, 100, 'c', 'port', '2024-11-25', 7), tests.upload(1, 100, 'd', 'ship', '0');
create temp table l as select list_tables(tests.u(1), tests.u(100)) as l;
select is((select l -> 'version' from l), '4', 'the newest version');
select is((select pg_temp.periods(l) from l), 'port 2024-11-25 2 17 200, port 2024-11-26 1 5 100, ship 0 1 10 100', 'files, rows and bytes by table and period, in order');
select is((select l -> 'partitions' -> 0 -> 'uncompressed_bytes' from l), '800', 'with bytes before compression');
select is((select l -> 'partitions' -> 0 -> 'schemas' from l), '[{"fingerprint": "f-port", "files": 2, "rows": 17}]', 'by schema');
select is((select l -> 'schemas' from l), '{"f-port": {"name": "root"}, "f-ship": {"name": "root"}}', 'each schema once');
select is((select l -> 'next_cursor' from l), 'null', 'in one page');

-- versions
select is(pg_temp.periods(list_tables(tests.u(1), tests.u(100), 2)), 'port 2024-11-25 1 10 100, port 2024-11-26 1 5 100', 'an older version shows what it held');
select tests.compact(tests.claim(p_dataset => 100, p_table => 'port'));
select tests.compact(tests.claim(p_dataset => 100, p_table => 'port'));
select is(pg_temp.periods(list_tables(tests.u(1), tests.u(100))), 'port 2024-11-25 1 17 90, port 2024-11-26 1 5 90, ship 0 1 10 100', 'the newest shows the outputs');
select is(pg_temp.periods(list_tables(tests.u(1), tests.u(100), 4)), (select pg_temp.periods(l) from l), 'the older one what they were made of');

-- pages
create temp table p1 as select list_tables(tests.u(1), tests.u(100), 4, 1) as l;
select is((select pg_temp.periods(l) from p1), 'port 2024-11-25 1 10 100', 'a page looks at so many files');
select tests.upload(1, 100, 'e', 'zebra', '0');
create temp table p2 as select list_tables(tests.u(1), tests.u(100), null, 1, (select l ->> 'next_cursor' from p1)) as l;
select is((select l -> 'version' from p2), '4', 'the next page shows the version of the first');
select is((select pg_temp.periods(l) from p2), 'port 2024-11-25 1 7 100', 'and goes on in the middle of a period');
select is((select jsonb_agg(f ->> 'fingerprint') from p2, jsonb_array_elements(l -> 'partitions' -> 0 -> 'schemas') f), '["f-port"]', 'with its schemas again');
select is((select sum((p ->> 'rows')::int) from jsonb_array_elements(pg_temp.pages(1)) p), 42::bigint, 'pages of one file add up to all rows');
select is((select sum((p ->> 'files')::int) from jsonb_array_elements(pg_temp.pages(2, 4)) p), 4::bigint, 'pages of two to all files');

-- schemas are as much as a page can hold
reset role;
insert into file_schemas (digest, schema) select 'large-' || n, jsonb_build_object('name', repeat('x', 700000)) from generate_series(1, 3) n;
update battle_files f set schema_fingerprint = 'large-' || n, schema_digest = 'large-' || n from (select id, row_number() over (order by "table", period_tag) as n from battle_files where dataset_id = tests.u(100) and removed_version is null) x where f.id = x.id and n <= 3;
set local role service_role;
create temp table wide as select list_tables(tests.u(1), tests.u(100)) as l;
select is((select pg_temp.periods(l) from wide), 'port 2024-11-25 1 17 90', 'a page ends where its schemas would be more than 1 MiB');
select is((select array_agg(k) from wide, jsonb_object_keys(l -> 'schemas') k), array['large-1'], 'and holds those that it names');
select is((select sum((p ->> 'rows')::int) from jsonb_array_elements(pg_temp.pages(5000)) p), 42::bigint, 'the pages add up all the same');

-- what is refused
select throws_ok($$select list_tables(tests.u(2), tests.u(100))$$, 'SD403', 'dataset_forbidden', 'another user''s dataset is refused');
select lives_ok($$select list_tables(null, tests.u(100))$$, 'the service reads all');
select throws_ok($$select list_tables(tests.u(1), tests.u(100), 99)$$, 'SD404', 'version_unknown', 'a version that is not yet');
select throws_ok($$select list_tables(tests.u(1), tests.u(100), p_cursor => 'e30=')$$, 'SD400', 'invalid_cursor', 'a forged cursor');
update datasets set oldest_kept_version = 5 where id = tests.u(100);
select throws_ok($$select list_tables(tests.u(1), tests.u(100), 4)$$, 'SD410', 'version_gone', 'a version that is no longer kept is gone');
select throws_ok($$select list_tables(tests.u(1), tests.u(100), p_cursor => (select l ->> 'next_cursor' from p1))$$, 'SD410', 'version_gone', 'also for a cursor that pinned it');

select * from finish();
rollback;
