-- Read-only keys: stage_key, commit_key, list_keys, revoke_key, open_key, claim_ended_keys, finish_ended_key; what a key's user
-- may, by our functions, by row security and in the store.
begin;
\ir helpers/fixtures.sql
select no_plan();
create function tests.stage_key(p_user integer, p_dataset integer, p_secret text, p_ttl integer default 3600)
returns jsonb language sql as $$
  select stage_key(tests.u(p_user), tests.u(p_dataset), 'for ' || p_secret, tests.hash(p_secret), p_ttl)
$$;
-- a key whose user is tests.u(p_key_user)
create function tests.key(p_key_user integer, p_user integer, p_dataset integer, p_secret text) returns uuid language plpgsql as $$
declare v_key uuid := (tests.stage_key(p_user, p_dataset, p_secret) ->> 'key_id')::uuid;
begin
  update dataset_keys k set user_id = tests.u(p_key_user) where k.id = v_key;
  perform commit_key(tests.u(p_user), v_key);
  return v_key;
end $$;
create function tests.outcome(p_call text) returns text language plpgsql as $$
begin
  execute 'select ' || p_call;
  return 'ok';
exception when others then return sqlerrm;
end $$;
create function tests.state_of(p_secret text) returns text language sql as $$
  select sediment.key_json(k) ->> 'state' from dataset_keys k where k.secret_hash = tests.hash(p_secret)
$$;
grant execute on all functions in schema tests to service_role;
set local role service_role;
select tests.upload(1, 100, 'a'), tests.upload(9, 900, 'z');
select accept_invitation(tests.u(2), invite_member(null, tests.u(100), 'writer') ->> 'token');
create temp table f as select id, object_key from battle_files where dataset_id = tests.u(100);
create temp table up as select id from uploads where dataset_id = tests.u(100);

-- a planned key opens nothing; its user is chosen
create temp table s as select tests.stage_key(1, 100, 'one') as r;
select is((select count(*) from dataset_members where key_id is not null), 0::bigint, 'a planned key is nobody''s reader');
select throws_ok($$select open_key(tests.hash('one'))$$, 'SD401', 'key_invalid', 'and has no session');
select is(list_keys(tests.u(1), tests.u(100)) -> 'keys', '[]', 'it is not listed');
select is(commit_key(tests.u(1), (r ->> 'key_id')::uuid) ->> 'state', 'active', 'it begins when Auth has its user') from s;
select is(commit_key(tests.u(1), (r ->> 'key_id')::uuid) ->> 'state', 'active', 'which can be said twice') from s;
select is(open_key(tests.hash('one')), jsonb_build_object('key_id', r -> 'key_id', 'user_id', r -> 'user_id', 'dataset_id', tests.u(100), 'expires_at', r -> 'expires_at'), 'its secret has the session of its user') from s;
select isnt((list_keys(tests.u(1), tests.u(100)) #> '{keys,0,last_used_at}'), 'null', 'its owner sees that it was used');
select is((select count(*) from dataset_keys where secret_hash ~ 'one'), 0::bigint, 'no secret is kept');
select is((list_keys(tests.u(1), tests.u(100)) #>> '{keys,0}') ~ 'hash', false, 'nor told of');
select is(jsonb_array_length(list_members(tests.u(1), tests.u(100)) -> 'members'), 1, 'it is no member');

-- roles: owner 1, writer 2, a key 7, a stranger 4
select tests.key(7, 1, 100, 'seven');
create temp table calls (n integer, call text, owner text, writer text, key text, stranger text);
insert into calls values
  (1, 'stage_key(tests.u(%1$s), tests.u(100), '''', tests.hash(''new %1$s''), 60)', 'ok', 'dataset_forbidden', 'dataset_forbidden', 'dataset_forbidden'),
  (2, 'list_keys(tests.u(%s), tests.u(100))', 'ok', 'dataset_forbidden', 'dataset_forbidden', 'dataset_forbidden'),
  (3, 'revoke_key(tests.u(%s), tests.u(100), (select (r ->> ''key_id'')::uuid from s))', 'ok', 'dataset_forbidden', 'dataset_forbidden', 'dataset_forbidden'),
  (4, 'commit_key(tests.u(%s), (select (r ->> ''key_id'')::uuid from s))', 'not_found', 'dataset_forbidden', 'dataset_forbidden', 'dataset_forbidden'),
  (5, 'list_files(tests.u(%s), tests.u(100))', 'ok', 'ok', 'ok', 'dataset_forbidden'),
  (6, 'list_tables(tests.u(%s), tests.u(100))', 'ok', 'ok', 'ok', 'dataset_forbidden'),
  (7, 'version_at(tests.u(%s), tests.u(100), clock_timestamp())', 'ok', 'ok', 'ok', 'dataset_forbidden'),
  (8, 'get_file(tests.u(%s), (select id from f))', 'ok', 'ok', 'ok', 'not_found');
select is(tests.outcome(format(c.call, x.n)), x.expected, format('%s: %s', x.who, c.call))
from calls c cross join lateral (values (4, 'stranger', c.stranger), (7, 'key', c.key), (2, 'writer', c.writer), (1, 'owner', c.owner)) x(n, who, expected)
order by c.n, x.n <> 4, x.n <> 7, x.n <> 2;
select is(tests.outcome(c.call), c.refused, 'a key: ' || c.call) from (values
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

-- the end of the first one, which the owner has revoked
select is(tests.state_of('one'), 'ended', 'a revoked key has ended');
select throws_ok($$select open_key(tests.hash('one'))$$, 'SD401', 'key_invalid', 'and has no new session');
select is(tests.outcome(format('list_files(%L, tests.u(100))', r ->> 'user_id')), 'dataset_forbidden', 'nor does its old one read') from s;
select is(revoke_key(tests.u(1), tests.u(100), (r ->> 'key_id')::uuid) -> 'revoked', 'false', 'once') from s;
select throws_ok($$select revoke_key(tests.u(9), tests.u(900), (r ->> 'key_id')::uuid) from s$$, 'SD404', 'not_found', 'another dataset''s is not there');
select throws_ok($$select open_key(tests.hash('nobody''s'))$$, 'SD401', 'key_invalid', 'what is no key is answered in the same way');

-- limits
select throws_ok($$select tests.stage_key(1, 100, 'x', 59)$$, 'SD400', 'invalid_request', 'a key lasts a minute at least');
select throws_ok($$select tests.stage_key(1, 100, 'x', null)$$, 'SD400', 'invalid_request', 'and has an end');
select throws_ok($$select stage_key(tests.u(1), tests.u(100), repeat('x', 201), tests.hash('x'), 60)$$, 'SD400', 'invalid_request', 'a label has its length');
select throws_ok($$select tests.stage_key(1, 999, 'x')$$, 'SD404', 'not_found', 'of what is not there there is no key');
update service_settings set keys_max = 2 where id;
select throws_ok($$select tests.stage_key(1, 100, 'x')$$, 'SD429', 'quota_exceeded', 'a dataset has so many keys at once, planned ones too');
select lives_ok($$select tests.stage_key(9, 900, 'x')$$, 'each its own');
update service_settings set keys_max = 20 where id;
insert into user_limits (user_id, requests_per_minute) values (tests.u(9), 1);
update user_usage set minute_start = date_trunc('minute', clock_timestamp()), minute_requests = 1 where user_id = tests.u(9);
select throws_ok($$select tests.stage_key(9, 900, 'y')$$, 'SD429', 'rate_limited', 'and so many new ones a minute');
delete from user_limits where true;
update user_usage set minute_requests = 0 where true;
update dataset_keys set minute_start = date_trunc('minute', clock_timestamp()), minute_sessions = 30 where secret_hash = tests.hash('seven');
select throws_ok($$select open_key(tests.hash('seven'))$$, 'SD429', 'rate_limited', 'a key has so many sessions a minute');
update dataset_keys set minute_start = minute_start - interval '1 minute' where secret_hash = tests.hash('seven');
select lives_ok($$select open_key(tests.hash('seven'))$$, 'and then again');

-- expiry is there at once, whatever the clockwork does
update dataset_keys set expires_at = clock_timestamp(), remove_user_at = clock_timestamp() + interval '1 hour' where secret_hash = tests.hash('seven');
update dataset_members set expires_at = clock_timestamp() where user_id = tests.u(7);
select is(tests.state_of('seven'), 'expired', 'a key whose time is over has expired');
select throws_ok($$select open_key(tests.hash('seven'))$$, 'SD401', 'key_invalid', 'it has no session');
select is(tests.outcome('list_files(tests.u(7), tests.u(100))'), 'dataset_forbidden', 'an open one reads nothing');
select is(tests.outcome('get_file(tests.u(7), (select id from f))'), 'not_found', 'not one file');
select is(sediment.datasets_of(tests.u(7), 'reader'), '{}', 'and has no dataset');

-- the clockwork: ends what is over, gives up what nobody finished, hands users out until it is told that they are gone
update dataset_keys set remove_user_at = clock_timestamp();
create temp table c as select claim_ended_keys() as r;
select is(jsonb_array_length(r -> 'keys'), 4, 'all that have ended are handed out') from c;
select bag_eq($$select end_reason, count(*)::integer from dataset_keys group by 1$$, $$values ('revoked', 1), ('expired', 1), ('not_finished', 2)$$, 'each with why');
select is((select count(*) from dataset_members where key_id is not null), 0::bigint, 'none of them is a reader');
select is(jsonb_array_length(claim_ended_keys() -> 'keys'), 0, 'not twice at once');
select throws_ok($$select commit_key(null, id) from dataset_keys where end_reason = 'not_finished' and dataset_id = tests.u(900)$$, 'SD404', 'not_found', 'who comes too late makes no key');
update dataset_keys set remove_user_at = clock_timestamp() where remove_user_at is not null;
select is((claim_ended_keys() #> '{keys,0,attempt}'), '2', 'what was not told of is handed out again');
select ok((select bool_and(remove_user_at > clock_timestamp() + interval '100 seconds') from dataset_keys), 'later and later');
select is(finish_ended_key(id) -> 'finished', 'true', 'until its user is gone') from dataset_keys where secret_hash = tests.hash('seven');
select is(finish_ended_key(id) -> 'finished', 'false', 'which is told once') from dataset_keys where secret_hash = tests.hash('seven');
update dataset_keys set ended_at = clock_timestamp() - interval '31 days' where end_reason in ('expired', 'revoked');
select claim_ended_keys();
select is((select array_agg(end_reason order by end_reason) from dataset_keys), array['not_finished', 'not_finished', 'revoked'], 'after 30 days one is forgotten whose user is gone, and no other');
delete from dataset_keys where true;

-- other ends
select tests.key(7, 1, 100, 'a'), tests.key(8, 9, 900, 'b'), tests.key(6, 9, 900, 'c'), tests.stage_key(1, 100, 'planned');
select is(accept_invitation(tests.u(3), invite_member(tests.u(1), tests.u(100), 'owner') ->> 'token') ->> 'role', 'owner', 'a handover');
select is(tests.outcome('list_files(tests.u(7), tests.u(100))'), 'dataset_forbidden', 'ends the keys of the dataset');
select is((select array_agg(distinct end_reason) from dataset_keys where dataset_id = tests.u(100)), array['handed_over'], 'planned ones too');
select is((select role from dataset_members where user_id = tests.u(2)), 'writer', 'members stay');
select ok((select bool_and((remove_user_at > clock_timestamp()) = (activated_at is null)) from dataset_keys where dataset_id = tests.u(100)), 'of a key that was being made Auth may have the user yet to come');
select is(list_keys(tests.u(3), tests.u(100)) #>> '{keys,0,end_reason}', 'handed_over', 'the new owner sees what there was');
select is(tests.outcome('list_files(tests.u(8), tests.u(900))'), 'ok', 'keys of others stay');
reset role;
create table tests.users (id uuid);
select sediment.watch_auth_users('tests.users');
insert into tests.users values (tests.u(6)), (tests.u(5));
delete from tests.users where true;
set local role service_role;
select is((select end_reason || coalesce(remove_user_at::text, '') from dataset_keys where user_id = tests.u(6)), 'user_deleted', 'a key whose user is deleted in Auth has ended');
select is((select array_agg(user_id) from deletions where kind = 'user'), array[tests.u(5)], 'and is no user''s deletion');
select is(tests.outcome('list_files(tests.u(6), tests.u(900))'), 'dataset_forbidden', 'its session reads nothing');

-- what row security and the store's policy show
select tests.key(4, 3, 100, 'reads');
reset role;
insert into storage.objects (bucket_id, name)
select 'sediment', x.name from (select object_key as name from battle_files union all values
  ('battle_data/' || tests.u(100) || '/port/0/strange.parquet'), ('incoming/' || tests.u(4) || '/x.parquet'), ('assets/' || tests.u(3) || '/a.png')) x;
create function tests.seen(p_operation text) returns text[] language plpgsql as $$
begin
  perform set_config('storage.operation', p_operation, true);
  return (select array_agg(o.name order by o.name) from storage.objects o where o.bucket_id = 'sediment');
end $$;
grant execute on all functions in schema tests to authenticated, anon;
grant select on f, calls to authenticated, anon;
set local role authenticated;
select tests.sign_in(4);
select is((select array_agg(id) from datasets), array[tests.u(100)], 'a key''s session reads its dataset by PostgREST');
select is((select array_agg(distinct dataset_id) from battle_files), array[tests.u(100)], 'and its files');
select is((select count(*) from uploads where dataset_id <> tests.u(100)), 0::bigint, 'nothing of another');
select throws_ok('select 1 from dataset_keys', '42501', null, 'nor any key');
select is(tests.seen(x.op), (select array_agg(object_key) from f), 'it reads the data file in the store: ' || x.op) from unnest(array['storage.object.get_authenticated', 'storage.object.list', 'object.list_v2', 'storage.s3.object.get', 'storage.s3.object.info', 'storage.s3.object.list', 'object.head_authenticated_info']) x(op);
select is(tests.seen(x.op), null, 'it has nothing of: ' || x.op) from unnest(array['storage.object.sign', 'storage.object.sign_many', 'storage.object.copy', 'storage.object.move', 'storage.object.delete', 'storage.s3.object.copy', '', 'x']) x(op);
select throws_ok($$insert into storage.objects (bucket_id, name) values ('sediment', 'x')$$, '42501', null, 'it writes nothing there');
select is(tests.seen('storage.object.delete'), null, 'and there is nothing that it could delete or change');
select tests.sign_in(3);
select is(tests.seen('storage.object.get_authenticated'), (select array_agg(object_key) from f), 'so does the owner');
select tests.sign_in(1);
select is(tests.seen('storage.object.get_authenticated'), null, 'and not who was it');
select tests.sign_in(null);
select is(tests.seen('storage.object.get_authenticated'), null, 'nor nobody');
set local role anon;
select is(tests.seen('storage.object.get_authenticated'), null, 'nor anon');
reset role;
update service_settings set storage_bucket = 'elsewhere' where id;
set local role authenticated;
select tests.sign_in(4);
select is(tests.seen('storage.object.get_authenticated'), null, 'where the objects are in another bucket this one is nobody''s');
reset role;
insert into storage.buckets (id, name, public) values ('elsewhere', 'elsewhere', false);
insert into storage.objects (bucket_id, name) select 'elsewhere', object_key from f;
set local role authenticated;
select is((select array_agg(name) from storage.objects), (select array_agg(object_key) from f), 'and that one is its readers''');
reset role;
update service_settings set storage_bucket = 'sediment' where id;
update dataset_members set expires_at = clock_timestamp() + interval '100 seconds' where user_id = tests.u(4);
select ok((list_files(tests.u(4), tests.u(100)) ->> 'signed_url_seconds')::integer between 90 and 100, 'URLs that a key is given end with it');
select is(list_files(tests.u(3), tests.u(100)) ->> 'signed_url_seconds', '3600', 'the owner''s live for as long as ever');
update dataset_members set expires_at = clock_timestamp() + interval '2 days' where user_id = tests.u(4);
select is(list_files(tests.u(4), tests.u(100)) ->> 'signed_url_seconds', '3600', 'as do those of a key that lives longer');
update dataset_members set expires_at = now() - interval '1 second' where user_id = tests.u(4);
set local role authenticated;
select tests.sign_in(4);
select is((select count(*) from datasets) + (select count(*) from battle_files), 0::bigint, 'a key that has expired reads nothing by PostgREST');
select is(tests.seen('storage.object.get_authenticated'), null, 'nor in the store');
reset role;
update dataset_members set expires_at = now() + interval '1 hour' where user_id = tests.u(4);
-- a slice of a body of several tables; what a merge has replaced; what was deleted
update battle_files set start_byte = 4 where dataset_id = tests.u(100);
set local role authenticated;
select is(tests.seen('storage.object.get_authenticated'), null, 'a part of an object opens no object');
reset role;
update battle_files set start_byte = 0, removed_version = 5 where dataset_id = tests.u(100);
update datasets set version = 9 where id = tests.u(100);
set local role authenticated;
select is(tests.seen('storage.object.get_authenticated'), (select array_agg(object_key) from f), 'what a kept version shows is read');
reset role;
update datasets set oldest_kept_version = 5 where id = tests.u(100);
set local role authenticated;
select is(tests.seen('storage.object.get_authenticated'), null, 'and nothing that none shows');
reset role;
update datasets set oldest_kept_version = 0 where id = tests.u(100);
set local role service_role;
select delete_data(tests.u(3), tests.u(100));
select is((select end_reason from dataset_keys where user_id = tests.u(4)), 'dataset_deleted', 'a deletion of the dataset ends its keys');
select throws_ok($$select stage_key(null, tests.u(100), '', tests.hash('late'), 3600)$$, 'SD410', 'dataset_deleted', 'and it has no new one, of the service either');
select is((select count(*) from dataset_members where key_id is not null and dataset_id = tests.u(100)), 0::bigint, 'which are no readers');
reset role;
set local role authenticated;
select tests.sign_in(3);
select is(tests.seen('storage.object.get_authenticated'), null, 'and of a deleted dataset nobody reads by the store');

select * from finish();
rollback;
