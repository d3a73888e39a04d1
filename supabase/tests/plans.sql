begin;
\ir helpers/fixtures.sql
select plan(4);

-- Plans are made when the tables are empty, and kept by pooled connections until the first ANALYZE: what is looked up
-- by a key must go by that key from the first row on.
create function tests.index_of(p_sql text) returns text language plpgsql as $$
declare
  v_plan json;
begin
  execute 'explain (format json) ' || p_sql into v_plan;
  return (regexp_match(v_plan::text, '"Index Name": "(\w+)"'))[1];
end $$;

select is(tests.index_of($$update objects set etag = 'e' where object_key = 'k' and state = 'staged'$$), 'objects_pkey',
  'a staged object is found by its key');
select is(tests.index_of($$select * from objects where stage_id = tests.u(1) and state = 'staged'$$), 'objects_stage',
  'the objects of a stage by the stage');
select is(tests.index_of($$select * from objects where state = 'staged' and put_deadline <= now()$$), 'objects_staged',
  'those that no PUT can reach any more by the deadline');
select is(tests.index_of($$select * from battle_files where dataset_id = tests.u(1) and "table" = 't' and period_tag = '0'
  and removed_version is null$$), 'battle_files_visible', 'the visible files of a partition by the partition');

select * from finish();
rollback;
