-- sign_lake_object: what a caller may have read by a signature
begin;
\ir helpers/fixtures.sql
\ir helpers/deletions.sql
\ir helpers/keys.sql
select no_plan();
truncate lake_tables, lake_relations, lake_pending, lake_left_files, lake_snapshots cascade;
insert into lake_snapshots (id, at, schema_version, next_file_id) values (0, clock_timestamp() - interval '1 hour', 0, 1);
create function tests.settle(p_user integer, p_dataset integer, p_period text, p_table text default 'port') returns text language plpgsql as $$
declare
  v_claim jsonb;
  v_id bigint;
begin
  perform tests.upload(p_user, p_dataset, 'b' || gen_random_uuid(), p_table, p_period) from generate_series(1, 2);
  v_claim := tests.claim(p_dataset => p_dataset, p_table => p_table);
  v_id := (tests.commit(v_claim, tests.output(v_claim) || jsonb_build_object('lake_version', 1, 'schema',
    '{"name": "schema", "children": [{"name": "id", "type": "INT32", "repetition": "optional"}]}'::jsonb)) ->> 'file_id')::bigint;
  perform sediment.publish_lake();
  return (select f.object_key from battle_files f where f.id = v_id);
end $$;
-- loads a table and writes it; the key of its metadata
create function tests.load(p_user integer, p_namespace text, p_table text default 'port') returns text language plpgsql as $$
declare
  p jsonb := load_lake_table(case when p_user is not null then tests.u(p_user) end, p_namespace, p_table);
begin
  perform commit_lake_metadata(p || jsonb_build_object('types', '{}'::jsonb, 'history', '[]'::jsonb, 'kept', '[]'::jsonb),
    (select coalesce(jsonb_agg(jsonb_build_object('object_key', k, 'size', 1, 'etag', 'e', 'rows', 1, 'added_files', 1, 'added_rows', 1,
      'min_sequence', 1, 'files', (select jsonb_agg(f -> 0) from jsonb_array_elements(p -> 'files') f))), '[]')
      from jsonb_array_elements(p #> '{keys,manifests}') k),
    jsonb_build_object('object_key', p #> '{keys,list}', 'size', 1, 'etag', 'e'),
    jsonb_build_object('object_key', p #> '{keys,metadata}', 'size', 1, 'etag', 'e'), 'text');
  return p #>> '{keys,metadata}';
end $$;
-- whether a user's request is signed, or what it is refused with
create function tests.sign(p_user integer, p_key text, p_namespace text default null, p_table text default null) returns text language sql as $$
  select tests.outcome(format('sign_lake_object(%s, %L, %L, %L)', case when p_user is null then 'null' else format('tests.u(%s)', p_user) end,
    p_key, p_namespace, p_table)) $$;
create temp table k (name text primary key, key text);
grant all on k to service_role;
create function tests.k(p_name text) returns text language sql as $$ select key from k where name = p_name $$;
create function tests.ns(n integer) returns text language sql as $$ select tests.u(n)::text $$;
grant execute on all functions in schema tests to service_role;
set local role service_role;
select approve_lake_table('port'), approve_lake_table('dock');
insert into k values ('mine', tests.settle(1, 100, 'a')), ('docked', tests.settle(1, 100, 'a', 'dock')), ('theirs', tests.settle(2, 200, 'a')),
  ('unlisted', tests.settle(1, 100, 'a', 'pier'));
insert into k values ('metadata', tests.load(1, tests.u(100)::text)), ('of all', tests.load(null, 'lake'));
select tests.key(7, 1, 100, 'seven');

select is(tests.sign(1, tests.k('mine')), 'ok', 'a user reads their file');
select is(tests.sign(1, tests.k('mine'), tests.ns(100), 'port'), 'ok', 'as one of its table');
select is(tests.sign(1, tests.k('metadata'), tests.ns(100), 'port'), 'ok', 'and the table''s metadata');
select is(tests.sign(7, tests.k('mine')), 'ok', 'so does a key');
select is(tests.sign(1, tests.k('mine'), tests.ns(100), 'dock'), 'forbidden', 'not as one of another table');
select is(tests.sign(1, tests.k('metadata'), tests.ns(100), 'dock'), 'forbidden', 'nor the metadata');
select is(tests.sign(1, tests.k('theirs')), 'dataset_forbidden', 'nor another''s file');
select is(tests.sign(1, tests.k('theirs'), tests.ns(100), 'port'), 'forbidden', 'as one of their own neither');
select is(tests.sign(1, tests.k('theirs'), tests.ns(200), 'port'), 'dataset_forbidden', 'nor in the other''s name');
select is(tests.sign(7, tests.k('theirs'), tests.ns(100), 'port'), 'forbidden', 'nor does a key');
select is(tests.sign(1, tests.k('of all')), 'not_found', 'nor what is written of all datasets');
select is(tests.sign(1, tests.k('of all'), tests.ns(100), 'port'), 'forbidden', 'as their own neither');
select is(tests.sign(1, tests.k('of all'), 'lake', 'port'), 'not_found', 'nor as all''s');
select is(tests.sign(1, tests.k('unlisted')), 'forbidden', 'nor a file of a table that is not in the lake');
select is(tests.sign(1, o.object_key), 'forbidden', 'nor an upload''s body')
from (select object_key from battle_files where dataset_id = tests.u(100) and level = 0 limit 1) o;
select is(tests.sign(1, x.key), x.expected, format('nor %s', x.key))
from (values ('', 'not_found'), ('lake', 'not_found'), ('lake/' || tests.ns(100), 'forbidden'), ('lake/' || tests.ns(100) || '/x', 'forbidden'),
  ('lake/' || tests.ns(200) || '/x', 'dataset_forbidden'), ('battle_compacted/' || tests.ns(100) || '/%', 'forbidden')) x(key, expected);
select is(tests.sign(null, tests.k(x.name)), 'ok', 'a service reads ' || x.name)
from (values ('mine'), ('theirs'), ('of all')) x(name);
select is(tests.sign(null, tests.k('metadata')), 'forbidden', 'in the namespace of all not what is one dataset''s');
select is(tests.sign(null, tests.k('unlisted')), 'forbidden', 'nor what is not in the lake');

-- what is written is read once it is stored
update lake_heads set seen_file = 0, drop_history = true where true;
insert into k select 'staged', load_lake_table(tests.u(1), tests.ns(100), 'port') #>> '{keys,metadata}';
select is((select state from objects where object_key = tests.k('staged')), 'staged', 'somebody writes the metadata');
select is(tests.sign(1, tests.k('staged')), 'forbidden', 'which nobody reads until it is stored');
update objects set state = 'deleting', delete_after = clock_timestamp() + interval '1 minute' where object_key = tests.k('metadata');
select is(tests.sign(1, tests.k('metadata')), 'ok', 'who has begun by the last one reads on');
update objects set delete_after = clock_timestamp() where object_key = tests.k('metadata');
select is(tests.sign(1, tests.k('metadata')), 'forbidden', 'and not when it is being deleted');

-- what a version has no more
insert into k values ('later', tests.settle(1, 100, 'b'));
select tests.slices(delete_data(tests.u(1), tests.u(100), 'port', 'a', p_purge => true));
select is(tests.sign(1, tests.k('mine')), 'forbidden', 'what is purged is read no more');
select is(tests.sign(null, tests.k('mine')), 'forbidden', 'by a service neither');
select is(tests.sign(1, tests.k('later')), 'ok', 'the others are');
insert into k values ('marked', tests.settle(1, 100, 'm', 'dock'));
create temp table unsaid as select delete_data(tests.u(1), tests.u(100), 'dock', 'm') as r;
select is(tests.sign(1, tests.k('marked')), 'ok', 'what is deleted is read as long as a version before is kept');
update datasets set oldest_kept_version = deletion_version where id = tests.u(100);
select is(tests.sign(1, tests.k('marked')), 'forbidden', 'and not from then on, though no publication has come yet');
select tests.slices(r) from unsaid;
select is(tests.sign(1, tests.k('marked')), 'forbidden', 'nor when it is carried out');
select withdraw_lake_table('port');
select sediment.publish_lake();
select is(tests.sign(1, tests.k('later')), 'forbidden', 'a table that is withdrawn is not');
select revoke_key(tests.u(1), tests.u(100), k.id) from dataset_keys k where k.user_id = tests.u(7);
select is(tests.sign(7, tests.k('docked')), 'dataset_forbidden', 'a key that is revoked reads nothing');
select is(tests.sign(1, tests.k('docked')), 'ok', 'its owner does');
select delete_data(tests.u(1), tests.u(100), null, null);
select is(tests.sign(1, tests.k('docked')), 'dataset_deleted', 'of a deleted dataset nothing is');

select * from finish();
rollback;
