-- The check of the store: slices, findings, what follows from them.
begin;
\ir helpers/fixtures.sql
select plan(59);
truncate public.store_findings;
delete from public.store_check;
insert into public.store_check default values;

select tests.upload(1, 100, 'a' || i) from generate_series(1, 3) i;
update battle_files set checksum = '0123456789abcdef';
create temp table k as select array_agg(object_key order by object_key) as keys from objects where state = 'stored';

create temp table s1 as select begin_store_check() as s;
select is((select s ->> 'claimed' from s1), 'true', 'a slice is given');
select is((select s -> 'list' from s1), '{"after": "", "cursor": null}'::jsonb, 'of the list, from its beginning');
select is((select jsonb_array_length(s -> 'files') from s1), 3, 'and of the files');
select is(begin_store_check() ->> 'reason', 'busy', 'one at a time');

-- a page beside the catalog
create temp table p1 as select compare_objects(keys[1:1] || array['zz/foreign'], '', true) as p from k;
select is((select jsonb_array_length(p -> 'known') from p1), 1, 'what is known of the listed keys');
select is((select jsonb_array_length(p -> 'absent') from p1), 2, 'and what is stored and was not listed');
select is((select p ->> 'whole' from p1), 'true', 'all of it');
select is((select jsonb_array_length(compare_objects(array[]::text[], keys[1], true) -> 'absent') from k), 2, 'after what was compared before');
select is((select jsonb_array_length(compare_objects(keys[1:2], '', false) -> 'absent') from k), 0, 'up to the last key of the page');

-- findings: first look
create function tests.slice(p_s jsonb, p_found jsonb, p_sound text[] default '{}') returns jsonb language sql as $$
  select commit_store_check((p_s ->> 'token')::bigint, '{"cursor": "c1", "after": "k", "ended": false}',
    '{"after": 5, "ended": false, "bytes": 1048576}', p_found, p_sound)
$$;
select is((select tests.slice(s, jsonb_build_array(jsonb_build_object('object_key', keys[1], 'kind', 'lost', 'detail', 'gone'),
  jsonb_build_object('object_key', 'zz/foreign', 'kind', 'unknown', 'detail', '3 bytes'))) ->> 'open' from s1, k), '0', 'a first look confirms nothing');
select is((select count(*) from incidents where name = 'store_findings' and state = 'open'), 0::bigint, 'and alerts nobody');
select is((select lost_since from battle_files f, k where f.object_key = keys[1]), null, 'nor is a file missed');
select is((select row(list_cursor, after_key, read_after, passes)::text from store_check), row('c1'::text, 'k'::text, 5, 0)::text, 'where it came to is kept');
select ok((select read_at > clock_timestamp() + interval '10 min' from store_check), 'bytes that were read have to be waited for');
select throws_ok($$select tests.slice(s, '[]') from s1$$, 'SD409', 'lease_lost', 'a slice is ended once');

-- second look
update store_findings set found_at = found_at - interval '3 min', looked_at = looked_at - interval '3 min';
create temp table s2 as select begin_store_check() as s;
select is((select s -> 'list' ->> 'cursor' from s2), 'c1', 'the next slice goes on there');
select is((select s -> 'read' from s2), 'null'::jsonb, 'without bytes, which are not due');
select is((select jsonb_array_length(s -> 'suspects') from s2), 2, 'and looks again at what was found');
select is((select tests.slice(s, jsonb_build_array(jsonb_build_object('object_key', keys[1], 'kind', 'lost', 'detail', 'gone'),
  jsonb_build_object('object_key', 'zz/foreign', 'kind', 'unknown', 'detail', '3 bytes'))) ->> 'open' from s2, k), '2', 'a second look confirms');
select is((select array_agg(kind order by kind) from store_differences), array['lost', 'unknown'], 'the view tells both');
select is((select dataset_id from store_differences where kind = 'lost'), tests.u(100), 'with the dataset that it concerns');
select ok((select lost_since is not null from battle_files f, k where f.object_key = keys[1]), 'the file is missed, so that its upload heals it');
select is((select state from incidents where name = 'store_findings'), 'open', 'an incident is open');
select is((select count(*) from alerts where class = 'store_findings_opened'), 1::bigint, 'of which one alert tells');

-- healed
update store_findings set looked_at = looked_at - interval '3 min';
select is(begin_store_check() ->> 'claimed', 'true', 'a third slice goes on with the list');
update store_check set leased_until = null;
select is((select count(*) from sediment.store_suspects(false, 50)), 0::bigint, 'what is confirmed is not looked at over and over');
select is((select count(*) from sediment.store_suspects(true, 50)), 2::bigint, 'but when a person asks');
update store_findings set looked_at = looked_at - interval '2 hours';
create temp table s3 as select begin_store_check() as s;
select is((select tests.slice(s, '[]', array[keys[1], 'zz/foreign']) ->> 'open' from s3, k), '0', 'what is as it should be again is cleared');
select is((select lost_since from battle_files f, k where f.object_key = keys[1]), null, 'and its file not missed any more');
select is((select count(*) from alerts where class = 'store_findings_closed'), 1::bigint, 'one alert says that it is over');

-- many at once are the store's
create temp table s4 as select begin_store_check(true, true) as s;
select is((select s -> 'list' ->> 'after' from s4), '', 'a check by hand begins anew');
insert into store_findings (object_key, kind, detail, found_at) select 'many/' || i, 'lost', 'gone', clock_timestamp() - interval '3 min' from generate_series(1, 12) i;
insert into objects (object_key, kind, state, put_deadline) select 'many/' || i, 'fragment', 'stored', clock_timestamp() from generate_series(1, 12) i;
insert into store_findings (object_key, kind, detail, found_at) select keys[2], 'lost', 'gone', clock_timestamp() - interval '3 min' from k;
select is((select tests.slice(s, jsonb_build_array(jsonb_build_object('object_key', keys[2], 'kind', 'lost', 'detail', 'gone'))) ->> 'open' from s4, k), '1', 'among many');
select is((select lost_since from battle_files f, k where f.object_key = keys[2]), null, 'no file is missed: the store is not the one it should be');
update circuit_breaker set state = 'open', part = 'store_read', opened_at = clock_timestamp(), probe_at = clock_timestamp();
select is(begin_store_check(true) ->> 'reason', 'breaker_open', 'while the breaker is open nothing is checked');

update circuit_breaker set state = 'closed', part = null, opened_at = null, probe_at = null;

-- what is confirmed and proven is set aside, an output remade
truncate store_findings;
delete from objects where object_key like 'many/%';
select tests.compact(tests.claim('w', 100));
create temp table out as select id, object_key from battle_files where level = 1;
update battle_files set checksum = '0123456789abcdef' from out where battle_files.id = out.id;
create function tests.look(p_found jsonb, p_probed boolean, p_sound text[] default '{}', p_intact bigint[] default '{}',
  p_etags jsonb default '{}') returns jsonb language plpgsql as $$
declare v jsonb;
begin
  update store_findings set found_at = found_at - interval '3 min', looked_at = looked_at - interval '3 min';
  v := begin_store_check(true);
  return commit_store_check((v ->> 'token')::bigint, null, null, p_found, p_sound, p_probed, p_intact, p_etags);
end $$;
create function tests.lost(p_files bigint[] default null) returns jsonb language sql as $$
  select jsonb_build_array(jsonb_build_object('object_key', object_key, 'kind', 'lost', 'detail', '90 bytes were stored',
    'files', to_jsonb(coalesce(p_files, array[id])))) from out
$$;
select is(tests.look(tests.lost(), true) ->> 'set_aside', '0', 'a first look sets nothing aside');
select is(tests.look(tests.lost(), false) ->> 'set_aside', '0', 'nor does a second one in a store where nothing can be read');
select is(tests.look(tests.lost('{}'), true) ->> 'set_aside', '0', 'nor one that has not looked at its bytes');
select is((select row(state, lost_since)::text from battle_files f, out where f.id = out.id), row('active'::text, null::timestamptz)::text, 'the output is as it was');
create temp table msgs as select tests.messages() as n;
select is(tests.look(tests.lost(), true) ->> 'set_aside', '1', 'else the file is set aside');
select is((select row(state, quarantine_code)::text from battle_files f, out where f.id = out.id), row('quarantined'::text, 'object_missing'::text)::text, 'as one that is missed');
select ok((select remake_at <= clock_timestamp() from battle_files f, out where f.id = out.id), 'and is to be remade');
select is(tests.messages(), (select n + 1 from msgs), 'by a run that is asked for');
select is((select (tests.claim('w2', 100) #>> '{remake,file}')::bigint), (select id from out), 'whose claim names it');
select is(tests.look(tests.lost(), true) ->> 'set_aside', '0', 'once');

-- found to be there after all
select is(tests.look('[]', null, array[object_key], '{}') ->> 'open', '1', 'an object that is there is a finding still') from out;
select is((select state from battle_files f, out where f.id = out.id), 'quarantined', 'while its file stays aside, since nobody has compared its bytes');
select is(tests.look('[]', null, array[object_key], array[id], jsonb_build_object(object_key, 'new')) ->> 'open', '0', 'bytes that were compared') from out;
select is((select row(f.state, f.quarantine_code, f.lost_since, f.remake_at, f.etag, o.etag)::text from battle_files f join objects o using (object_key), out where f.id = out.id),
  row('active'::text, null::text, null::timestamptz, null::timestamptz, 'new'::text, 'new'::text)::text, 'bring it back, under the ETag that it has now');

-- a merge's second look is a finding of the check
select sediment.set_aside_lost(id, 'object_changed', 'other bytes') from out;
select is((select row(kind, confirmed_at is not null)::text from store_findings n, out where n.object_key = out.object_key), row('changed'::text, true)::text, 'what a merge sets aside the check looks at');
select is((select count(*) from begin_store_check(true) s, jsonb_array_elements(s -> 'suspects') x where x ->> 'object_key' = (select object_key from out)), 0::bigint, 'after a while');
update store_check set leased_until = null;
update store_findings set looked_at = looked_at - interval '3 min';
select is((select jsonb_array_length(x -> 'files') from begin_store_check(true) s, jsonb_array_elements(s -> 'suspects') x), 1, 'with its file');
update store_check set leased_until = null;

-- an asset is compared by its hash
truncate store_findings;
insert into objects (object_key, kind, state, size, put_deadline) values ('assets/a', 'asset', 'stored', 10, now());
insert into assets (user_id, key, relative_path, file_name, object_key, size, content_hash) values (tests.u(1), 'a.png', 'a.png', 'a.png', 'assets/a', 10, tests.hash('a'));
insert into store_findings (object_key, kind, detail, looked_at) values ('assets/a', 'changed', 'ETag', now() - interval '3 min');
select is((select s #> '{suspects,0,files}' from begin_store_check() s), jsonb_build_array(jsonb_build_object('id', 0, 'object_key', 'assets/a',
  'start_byte', 0, 'byte_length', 10, 'checksum', left(tests.hash('a'), 16))), 'an asset is a file that is all of its object');
update store_check set leased_until = null;
select is(tests.look('[]', null, array['assets/a'], '{0}', '{"assets/a": "new"}') ->> 'open', '0', 'and no finding where only its ETag is another');

-- few at a time, and those that were asked for
truncate store_findings;
select tests.upload(1, 100, 'm' || i) from generate_series(1, 13) i;
update battle_files set checksum = '0123456789abcdef' where level = 0;
create temp table many as select array_agg(jsonb_build_object('object_key', object_key, 'kind', 'lost', 'detail', 'gone', 'files', jsonb_build_array(id)) order by id) as found
from battle_files where level = 0 and removed_version is null;
select is((select jsonb_array_length(begin_store_check(true) -> 'sound')), 3, 'three sound files come along');
update store_check set leased_until = null;
select is((select tests.look(to_jsonb(found), true) ->> 'set_aside' from many), '0', 'thirteen at once');
select is((select tests.look(to_jsonb(found), true) ->> 'set_aside' from many), '0', 'are the store''s');
update store_findings set found_at = found_at - interval '1 hour';
update battle_files set lost_since = lost_since - interval '1 hour' where lost_since is not null;
select is((select tests.look(to_jsonb(found), true) ->> 'set_aside' from many), '10', 'when none comes any more ten of them are set aside');
select is((select tests.look(to_jsonb(found), true) ->> 'set_aside' from many), '0', 'and no more');
update battle_files set lost_since = lost_since - interval '1 hour' where lost_since is not null;
select is((select tests.look(to_jsonb(found), true) ->> 'set_aside' from many), '3', 'within the window');

select * from finish();
rollback;
