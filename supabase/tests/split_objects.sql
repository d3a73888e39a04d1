-- stage_splits, commit_split: bytes of deleted slices leave the object that others share
begin;
\ir helpers/fixtures.sql
\ir helpers/deletions.sql
select plan(43);

create function tests.body(p_hash text, p_period text default '0') returns jsonb language sql as $$
  select tests.commit_stage(tests.stage(1, 200, p_hash, 'port', p_period, 200, 'd', 'concatenated'), 1, p_hash,
    jsonb_build_array(tests.file('port', p_period, 10), tests.file('ship', p_period, 7, 100, 100, 1)), 200)
$$;
-- each copy of what was handed out, as a worker that wrote all of them tells it
create function tests.copies(p_split jsonb) returns jsonb language sql as $$
  select jsonb_agg(jsonb_build_object('file', c -> 'file', 'object_key', c ->> 'object_key', 'etag', 'copied'))
  from jsonb_array_elements(p_split -> 'copies') c
$$;
create function tests.state_of(p_key text) returns text language sql as $$ select o.state from objects o where o.object_key = p_key $$;

set local role service_role;

create temp table a as select tests.body('a') ->> 'key' as key;
create temp table d1 as select tests.slices(delete_data(null, tests.u(200), 'port', p_purge => true)) as r;
select is((select r ->> 'state' from d1), 'purging', 'an object that another table shares keeps a purge from its end');
select is((select r ->> 'objects_left' from d1), '1', 'and is counted');
select is((select r ->> 'done' from d1), 'false', 'so that the receipt is not done');
select is((advance_deletions() ->> 'more')::boolean, false, 'nobody turns round in it meanwhile');
create temp table s1 as select stage_splits(p_dataset => tests.u(200)) as s;
select is((select s #>> '{splits,0,object_key}' from s1), (select key from a), 'a worker is told of it');
select is((select jsonb_array_length(s #> '{splits,0,copies}') from s1), 1, 'with the slice that is there');
select is((select s #>> '{splits,0,copies,0,start_byte}' from s1), '100', 'where it stands');
select is((select tests.state_of(s #>> '{splits,0,copies,0,object_key}') from s1), 'staged', 'and a key of its own, planned before any byte is put');
select is(stage_splits() -> 'splits', '[]', 'nobody else is, for a while');

create temp table done as select commit_split(key, tests.copies(s #> '{splits,0}')) as r from a, s1;
select is((select r from done), '{"copied": 1, "left": 0}', 'the copy takes its place');
select is(tests.listed(200), array['ship/0/1'], 'readers see the same');
select is((select version from datasets where id = tests.u(200)), 2::bigint, 'no version comes of it');
select results_eq($$select object_key, start_byte, byte_length, etag from battle_files where "table" = 'ship'$$,
  $$select s #>> '{splits,0,copies,0,object_key}', 0::bigint, 100::bigint, 'copied' from s1$$, 'from an object of its own');
select is((select tests.state_of(key) from a), 'deleting', 'the shared one goes');
select is(get_file(null, f.id) -> 'copy_of', jsonb_build_object('copy_of', key, 'start_byte', 100), 'the copy says of what it is one, for URLs of the shared one') from a, battle_files f where f."table" = 'ship';
select tests.upload(1, 900, 'w', 'port', '0');
select is(get_file(null, f.id) -> 'copy_of', 'null', 'as what never was split says nothing') from battle_files f where f.dataset_id = tests.u(900);
select is((select tests.slices(r) ->> 'state' from d1), 'purging', 'until the store has deleted it the receipt says so');
select is((select plan_vacuum(p_dataset => tests.u(200)) #>> '{delete,0,object_key}'), (select key from a), 'which is at once');
select commit_vacuum(array[(select key from a)]);
select is((select tests.slices(r) - array['deletion_id', 'user_id', 'dataset_id', 'requested_at', 'removed_at', 'purged_at'] from d1),
  '{"kind": "table", "table": "port", "period_tag": null, "upload_id": null, "version": 2, "purge": true, "state": "purged", "done": true, "files": 1, "rows": 10, "bytes": 100, "assets": 0, "objects_left": 0}', 'then it is done');
select is(commit_split(key, tests.copies(s #> '{splits,0}')), '{"copied": 0, "left": 0}', 'told again, nothing happens') from a, s1;

-- a slice that was merged long ago, so that no row tells of it any more
create temp table b as select tests.body('b') ->> 'key' as key;
delete from battle_files where object_key = (select key from b) and "table" = 'port';
create temp table d2 as select tests.slices(delete_data(null, tests.u(200), 'port', p_purge => true)) as r;
select is((select r ->> 'state' from d2), 'purging', 'the ledger tells what an object holds');
create temp table s2 as select stage_splits() as s;
-- the worker dies, and another comes
update objects set split_at = clock_timestamp() where object_key = (select key from b);
create temp table s3 as select stage_splits() as s;
select isnt((select s #>> '{splits,0,copies,0,object_key}' from s3), (select s #>> '{splits,0,copies,0,object_key}' from s2), 'after a death it is handed out with other keys');
select is((select commit_split(key, tests.copies(s #> '{splits,0}')) from b, s3), '{"copied": 1, "left": 0}', 'which are as good');
select is((select commit_split(key, tests.copies(s #> '{splits,0}')) from b, s2), '{"copied": 0, "left": 0}', 'the first worker comes late');
select is((select tests.state_of(s #>> '{splits,0,copies,0,object_key}') from s2), 'deleting', 'and its copy is given up');
select is((select tests.state_of(s #>> '{splits,0,copies,0,object_key}') from s3), 'stored', 'not the other''s');

-- bytes that can't be copied
create temp table c as select tests.body('c') ->> 'key' as key;
create temp table d3 as select tests.slices(delete_data(null, tests.u(200), 'port', p_purge => true)) as r;
create temp table s4 as select stage_splits() as s;
select is((select commit_split(key, '[]') from c), '{"copied": 0, "left": 1}', 'what has changed is left');
select is((select tests.state_of(key) from c), 'stored', 'in its object');
select ok((select split_at > clock_timestamp() + interval '50 minutes' from objects where object_key = (select key from c)), 'to be looked at later');
select is((select commit_split(key, '[]', true) from c), '{"copied": 0, "left": 1}', 'an object that is gone');
select commit_vacuum(array(select object_key from objects where state = 'deleting'));
select is((select tests.slices(r) ->> 'state' from d3), 'purged', 'holds nothing any more');

-- without purge: when no kept version shows the slice any more
create temp table e as select tests.body('e', '1') ->> 'key' as key;
create temp table d4 as select tests.slices(delete_data(null, tests.u(200), 'port', '1')) as r;
select is((select r ->> 'state' from d4), 'removed', 'a deletion without purge');
select is(stage_splits() -> 'splits', '[]', 'keeps the bytes as long as its versions');
update deletions set requested_at = clock_timestamp() - interval '3 days' where id = (select (r ->> 'deletion_id')::uuid from d4);
update datasets set oldest_kept_version = version where id = tests.u(200);
select tests.slices(r) from d4;
select ok(exists (select 1 from jsonb_array_elements(stage_splits() -> 'splits') x where x ->> 'object_key' = (select key from e)), 'and not as long as the other slices');
select is((select jsonb_array_length(s.p #> '{splits}') from (select stage_splits() as p) s), 0, 'once');

-- a healing of an upload of which a slice was deleted
create temp table f as select tests.body('f', '2') ->> 'key' as key;
select tests.slices(delete_data(null, tests.u(200), 'port', '2', true));
update objects set split_at = clock_timestamp() where split_at is not null; -- what was handed out above is due again
create temp table s5 as select stage_splits() as s;
select is((select sum((commit_split(x ->> 'object_key', tests.copies(x)) ->> 'left')::integer) from s5, jsonb_array_elements(s -> 'splits') x), 0::bigint, 'a slice that is in an object of its own');
select commit_vacuum(array(select object_key from objects where state = 'deleting'));
select is((select tests.slices(jsonb_build_object('deletion_id', id)) ->> 'done' from deletions where period_tag = '2'), 'true', 'after a purge');
update battle_files set lost_since = clock_timestamp() - interval '1 hour' where period_tag = '2';
create temp table h as select tests.stage(1, 200, 'f', 'port', '2', 200, 'd', 'concatenated') as s;
select is((select tests.commit_stage(s, 1, 'f', jsonb_build_array(tests.file('port', '2', 10), tests.file('ship', '2', 7, 100, 100, 1)), 200) ->> 'healed' from h), 'true', 'is healed by the whole body');
select is(tests.listed(200), array['ship/0/1', 'ship/0/2', 'ship/0/3', 'ship/1/1', 'ship/2/1'], 'of which readers see nothing more than before');
create temp table s6 as select stage_splits() as s;
select is((select s #>> '{splits,0,object_key}' from s6), (select s ->> 'object_key' from h), 'and which is split at once');
select is((select commit_split(h.s ->> 'object_key', tests.copies(s6.s #> '{splits,0}')) from h, s6), '{"copied": 1, "left": 0}', 'so that the deleted bytes');
select is((select tests.state_of(s ->> 'object_key') from h), 'deleting', 'go again');

select throws_ok($$select commit_split('unknown', '[]')$$, 'SD400', 'invalid_request', 'a key that nobody planned');

select * from finish();
rollback;
