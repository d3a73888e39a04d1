-- What a read-only key may by our functions, beside owner, writer and stranger.
begin;
\ir helpers/fixtures.sql
\ir helpers/keys.sql
select no_plan();
grant execute on all functions in schema tests to service_role;
set local role service_role;
select tests.upload(1, 100, 'a'), tests.upload(9, 900, 'z');
select accept_invitation(tests.u(2), invite_member(null, tests.u(100), 'writer') ->> 'token');
create temp table f as select id, object_key from battle_files where dataset_id = tests.u(100);
create temp table up as select id from uploads where dataset_id = tests.u(100);

create temp table s as select tests.stage_key(1, 100, 'one') as r;
select commit_key(tests.u(1), (r ->> 'key_id')::uuid) from s;
-- roles: owner 1, writer 2, a key 7, a stranger 4
select tests.key(7, 1, 100, 'seven');
-- the lake: a table, and an object of a reader's
select approve_lake_table('port'), sediment.publish_lake();
create temp table staged as
  select load_lake_table(tests.u(1), tests.u(100)::text, 'port') #>> '{keys,metadata}' as object_key;
update objects o set state = 'stored' from staged s where o.object_key = s.object_key;
create temp table calls (n integer, call text, owner text, writer text, key text, stranger text);
insert into calls values
  (1, 'stage_key(tests.u(%1$s), tests.u(100), '''', tests.hash(''new %1$s''), 60)', 'ok', 'dataset_forbidden', 'dataset_forbidden', 'dataset_forbidden'),
  (2, 'list_keys(tests.u(%s), tests.u(100))', 'ok', 'dataset_forbidden', 'dataset_forbidden', 'dataset_forbidden'),
  (3, 'revoke_key(tests.u(%s), tests.u(100), (select (r ->> ''key_id'')::uuid from s))', 'ok', 'dataset_forbidden', 'dataset_forbidden', 'dataset_forbidden'),
  (4, 'commit_key(tests.u(%s), (select (r ->> ''key_id'')::uuid from s))', 'not_found', 'dataset_forbidden', 'dataset_forbidden', 'dataset_forbidden'),
  (5, 'list_files(tests.u(%s), tests.u(100))', 'ok', 'ok', 'ok', 'dataset_forbidden'),
  (6, 'list_tables(tests.u(%s), tests.u(100))', 'ok', 'ok', 'ok', 'dataset_forbidden'),
  (7, 'version_at(tests.u(%s), tests.u(100), clock_timestamp())', 'ok', 'ok', 'ok', 'dataset_forbidden'),
  (8, 'get_file(tests.u(%s), (select id from f))', 'ok', 'ok', 'ok', 'not_found'),
  (9, 'list_lake(tests.u(%s), tests.u(100)::text)', 'ok', 'ok', 'ok', 'dataset_forbidden'),
  (10, 'load_lake_table(tests.u(%s), tests.u(100)::text, ''port'')', 'ok', 'ok', 'ok', 'dataset_forbidden'),
  (11, 'sign_lake_object(tests.u(%s), (select object_key from staged), tests.u(100)::text)', 'ok', 'ok', 'ok', 'dataset_forbidden'),
  (12, 'sign_lake_object(tests.u(%s), (select object_key from staged))', 'ok', 'ok', 'ok', 'dataset_forbidden'),
  -- the lake of all datasets is for services
  (13, 'list_lake(tests.u(%s), ''lake'')', 'not_found', 'not_found', 'not_found', 'not_found'),
  (14, 'load_lake_table(tests.u(%s), ''lake'', ''port'')', 'not_found', 'not_found', 'not_found', 'not_found'),
  (15, 'sign_lake_object(tests.u(%s), (select object_key from staged), ''lake'')', 'not_found', 'not_found', 'not_found', 'not_found'),
  (16, 'load_lake_table(tests.u(%s), tests.u(900)::text, ''port'')', 'dataset_forbidden', 'dataset_forbidden', 'dataset_forbidden', 'dataset_forbidden');
select is(list_lake(tests.u(x.n)) -> 'names', x.names, format('%s sees the namespaces that they may read', x.who))
from (values (4, 'a stranger', '[]'::jsonb), (7, 'a key', jsonb_build_array(tests.u(100))), (2, 'a writer', jsonb_build_array(tests.u(100))))
  x(n, who, names);
select is(tests.outcome(format(c.call, x.n)), x.expected, format('%s: %s', x.who, c.call))
from calls c cross join lateral (values (4, 'stranger', c.stranger), (7, 'key', c.key), (2, 'writer', c.writer), (1, 'owner', c.owner)) x(n, who, expected)
order by c.n, x.n <> 4, x.n <> 7, x.n <> 2;
select is(tests.outcome(c.call), c.refused, 'a key: ' || c.call) from (values
  ('list_lake(tests.u(7), tests.u(900)::text)', 'dataset_forbidden'),
  ('sign_lake_object(tests.u(7), (select object_key from staged), tests.u(900)::text)', 'dataset_forbidden'),
  ('list_files(tests.u(7), tests.u(900))', 'dataset_forbidden'),
  ('stage_upload(tests.u(7), tests.u(100), ''port'', ''0'', 100, tests.hash(''new''), '''')', 'dataset_forbidden'),
  ('stage_upload(tests.u(7), tests.u(700), ''port'', ''0'', 100, tests.hash(''new''), '''')', 'key_read_only'),
  ('stage_upload(tests.u(7), tests.u(100), ''port'', ''0'', 100, tests.hash(''new''), '''', p_own_dataset => true)', 'key_read_only'),
  ('stage_asset(tests.u(7), ''a.png'', ''a.png'', ''a.png'', 5, tests.hash(''x''))', 'key_read_only'),
  ('accept_invitation(tests.u(7), invite_member(null, tests.u(100), ''writer'') ->> ''token'')', 'key_read_only'),
  ('accept_invitation(tests.u(7), invite_member(null, tests.u(900), ''reader'') ->> ''token'')', 'key_read_only'),
  ('accept_invitation(tests.u(7), invite_member(null, tests.u(100), ''owner'') ->> ''token'')', 'key_read_only'),
  ('invite_member(tests.u(7), tests.u(100), ''reader'')', 'dataset_forbidden'),
  ('request_compaction(tests.u(7), tests.u(100))', 'dataset_forbidden'),
  ('retry_quarantined(tests.u(7), tests.u(100))', 'dataset_forbidden'),
  ('rename_table(tests.u(7), tests.u(100), ''port'', ''x'')', 'dataset_forbidden'),
  ('delete_data(tests.u(7), tests.u(100))', 'dataset_forbidden'),
  ('delete_upload(tests.u(7), (select id from up))', 'not_found'),
  ('delete_user(tests.u(7), tests.u(7))', 'key_read_only')) c(call, refused);
select is(remove_member(tests.u(7), tests.u(100), tests.u(7)) -> 'removed', 'false', 'a key can''t end itself');
select is(remove_member(tests.u(1), tests.u(100), tests.u(7)) -> 'removed', 'false', 'nor is it ended as a member is');
select is(tests.outcome('list_files(tests.u(7), tests.u(100))'), 'ok', 'it reads on');

select * from finish();
rollback;
