-- The check of the store: slices, findings, what follows from them.
begin;
\ir helpers/fixtures.sql
select plan(31);
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

select * from finish();
rollback;
