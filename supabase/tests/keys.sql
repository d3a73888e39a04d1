-- Read-only keys: stage_key, commit_key, list_keys, revoke_key, open_key, claim_ended_keys, finish_ended_key.
begin;
\ir helpers/fixtures.sql
\ir helpers/keys.sql
select no_plan();
grant execute on all functions in schema tests to service_role;
set local role service_role;
select tests.upload(1, 100, 'a'), tests.upload(9, 900, 'z');
select accept_invitation(tests.u(2), invite_member(null, tests.u(100), 'writer') ->> 'token');
create temp table f as select id, object_key from battle_files where dataset_id = tests.u(100);

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

select tests.key(7, 1, 100, 'seven'), tests.stage_key(1, 100, 'planned');

-- the end of the first one, which its owner revokes
select is(revoke_key(tests.u(1), tests.u(100), (r ->> 'key_id')::uuid) -> 'revoked', 'true', 'the owner revokes it') from s;
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

select * from finish();
rollback;
