-- advance_deletions, step_deletions: users take turns, and the clockwork goes on; forget_deleted walks once
begin;
delete from vault.secrets where name in ('sediment_functions_url', 'sediment_cron_key');
select vault.create_secret('http://127.0.0.1:9/functions/v1/', 'sediment_functions_url'), vault.create_secret('key', 'sediment_cron_key');
delete from net.http_request_queue;
\ir helpers/fixtures.sql
\ir helpers/deletions.sql
select plan(35);
create function tests.pings() returns text[] language sql security definer set search_path = '' as $$
  with gone as (delete from net.http_request_queue q returning q.url)
  select coalesce(array_agg(split_part(url, '/functions/v1', 2)), '{}') from gone
$$;
grant execute on function tests.pings() to service_role;
create function tests.walk() returns integer language plpgsql as $$
declare v integer := 0;
begin
  while (advance_deletions(2) ->> 'more')::boolean loop v := v + 1; end loop;
  return v;
end $$;
set local role service_role;

-- user 1 has ten tables of three files to delete, user 2 one
select tests.upload(1, 100, 'a' || t || i, 't' || t, '0') from generate_series(1, 10) t, generate_series(1, 3) i;
select tests.upload(2, 200, 'b', 'port', '0');
select delete_data(tests.u(1), tests.u(100), 't' || t) from generate_series(1, 10) t;
select delete_data(tests.u(2), tests.u(200), 'port');
create temp table turns (n integer, owner uuid);
do $$ begin
  for i in 1 .. 4 loop
    insert into turns select i, d.user_id from (select (advance_deletions(2) ->> 'advanced')::uuid as id) a join deletions d using (id);
  end loop;
end $$;
select is((select array_agg(owner = tests.u(2) order by n) filter (where n <= 2) from turns), '{f,t}', 'who has little to delete has their turn after one slice of who has much');
select is((select count(distinct x.id) from deletions x where x.user_id = tests.u(1) and x.advanced_at > '-infinity'), 3::bigint, 'of one user each deletion has its turn');
select is((step_deletions -> 'more')::text, 'true', 'a step of the clockwork says that there is more') from sediment.step_deletions();
select is(tests.pings(), '{/compactor/vacuum}', 'and wakes a worker, which goes on at once');
do $$ begin while (advance_deletions(10000) ->> 'more')::boolean loop null; end loop; end $$;
select tests.pings();
select is((step_deletions -> 'more')::text, 'false', 'when all is done it says so') from sediment.step_deletions();
select is(tests.pings(), '{}', 'and wakes nobody');
select is((select count(*) from deletions where state <> 'removed'), 0::bigint, 'all is done');

-- a wider deletion, and a narrower one that is carried out first
select tests.upload(5, 500, 'e' || i, 'port', '0') from generate_series(1, 5) i;
create temp table wide as select delete_data(null, tests.u(500), 'port') as r;
select advance_deletions(2);
create temp table narrow as select delete_data(null, tests.u(500), 'port', '0') as r;
select tests.slices(r) from narrow;
select is((select array_agg(distinct removed_version) from battle_files where dataset_id = tests.u(500)), '{6}', 'what two deletions cover goes with the first, whichever is carried out before the other');
select tests.slices(r) from wide;
select is(cardinality(tests.listed(500, 6)), 0, 'so that no version between them shows it');

-- more that wait for the store than a call looks at
insert into deletions (kind, user_id, dataset_id, "table", version, purge, state)
select 'table', tests.u(1), tests.u(100), 't' || t, 31 + t % 5, true, 'purging' from generate_series(1, 150) t;
update objects set split_at = clock_timestamp() + interval '1 hour' where object_key = (select min(object_key) from objects where dataset_id = tests.u(100));
update deletions set after_table = 'z' where state = 'purging';
select is(advance_deletions() ->> 'more', 'false', 'those that wait for the store turn nobody round');
select is((select count(*) from deletions where state = 'purging' and advanced_at = '-infinity'), 50::bigint, 'a hundred were looked at');
select advance_deletions();
select is((select count(*) from deletions where state = 'purging' and advanced_at = '-infinity'), 0::bigint, 'then the others');
update objects set split_at = null where dataset_id = tests.u(100);
do $$ begin while (advance_deletions() ->> 'more')::boolean loop null; end loop; end $$;
select is((select count(*) from deletions where state = 'purging'), 0::bigint, 'and all of them end');

-- the ledger: one walk for all that is due, and only what is
select tests.upload(3, 300, 'c' || i, case when i % 2 = 0 then 'port' else 'ship' end, '0') from generate_series(1, 6) i;
select tests.commit_stage(tests.stage(3, 300, 'both', 'port', '0', 200, 'd', 'concatenated'), 3, 'both',
  jsonb_build_array(tests.file('port', '0', 10), tests.file('ship', '0', 7, 100, 100, 1)), 200);
create temp table p as select delete_data(null, tests.u(300), 'port', '0') as r;
create temp table o as select delete_upload(null, u.id) as r from uploads u where u.content_hash = tests.hash('c1');
create temp table s as select delete_data(null, tests.u(300), 'ship') as r;
select tests.slices(r) from p; select tests.slices(r) from s;
update deletions set requested_at = clock_timestamp() - interval '3 days' where id in (select (r ->> 'deletion_id')::uuid from p union all select (r ->> 'deletion_id')::uuid from o);
update datasets set oldest_kept_version = version where id = tests.u(300);
select is(tests.walk(), 5, 'seven uploads, two at a time, and one by itself');
select is((select array_agg(n order by n) from generate_series(1, 6) n where exists (select 1 from uploads u where u.content_hash = tests.hash('c' || n))), '{3,5}', 'what was deleted long enough ago leaves the ledger');
select is((select count(*) from uploads where content_hash = tests.hash('both')), 1::bigint, 'not what a younger deletion completes: a late retry of that may come still');
select ok((select split_at is not null from objects o, uploads u where u.content_hash = tests.hash('both') and o.object_key = sediment.upload_key(u)), 'the bytes of its older half go');
select throws_ok($$select tests.stage(3, 300, 'c3', 'ship', '0')$$, 'SD410', 'upload_deleted', 'which is refused');
select is((select count(*) from deletions x, s where x.id = (s.r ->> 'deletion_id')::uuid and x.forgotten_at is null), 1::bigint, 'the younger one waits for its time');
update deletions set requested_at = clock_timestamp() - interval '3 days' where dataset_id = tests.u(300);
select is(tests.walk(), 2, 'and has a walk of its own');
select is((select count(*) from uploads where dataset_id = tests.u(300)), 0::bigint, 'after which nothing is left');
select is((select count(*) from forgotten_uploads where dataset_id = tests.u(300)), 7::bigint, 'but keyed hashes');

-- many deletions of periods: one walk
select tests.upload(4, 400, 'd' || i, 'port', 'p' || i % 20) from generate_series(1, 60) i;
select delete_data(null, tests.u(400), p_period_tag => 'p' || i) from generate_series(0, 18) i;
do $$ begin while (advance_deletions(10000) ->> 'more')::boolean loop null; end loop; end $$;
update deletions set requested_at = clock_timestamp() - interval '3 days' where dataset_id = tests.u(400);
update datasets set oldest_kept_version = version where id = tests.u(400);
select is((advance_deletions(10000) ->> 'more')::boolean, true, 'nineteen deletions that are due');
select is((select count(*) from uploads where dataset_id = tests.u(400)), 3::bigint, 'are forgotten by one walk');
select is((select count(*) from deletions where dataset_id = tests.u(400) and forgotten_at is null), 0::bigint, 'which is all of theirs');
select is((select array_agg(distinct period_tag) from uploads where dataset_id = tests.u(400)), '{p19}', 'and what nobody deleted stays');

-- one that fails stands in nobody's way
reset role;
create function tests.refuse() returns trigger language plpgsql as $$ begin raise exception 'it will not go'; end $$;
create trigger refuse before update of removed_version on battle_files for each row
  when (new.dataset_id = '00000000-0000-4000-8000-000000000600') execute function tests.refuse();
grant execute on function tests.refuse() to service_role;
set local role service_role;
select tests.upload(u, u * 100, 'f' || u, 'port', '0') from generate_series(6, 7) u;
create temp table bad as select (delete_data(null, tests.u(600), 'port') ->> 'deletion_id')::uuid as id;
create temp table good as select (delete_data(null, tests.u(700), 'port') ->> 'deletion_id')::uuid as id;
update deletions set requested_at = requested_at - interval '1 min' where id = (select id from bad);
select is(advance_deletions(), (select jsonb_build_object('advanced', id, 'more', true) from good), 'behind one that fails the next has its turn');
select is((select state from deletions d, good g where d.id = g.id), 'removed', 'and is done');
select is((select advanced_at > '-infinity' from deletions d, bad b where d.id = b.id), true, 'the one that fails has had its turn');
select throws_ok($$select advance_deletions()$$, 'P0001', 'it will not go', 'when nothing else is to be done its error is told');
reset role;
drop trigger refuse on battle_files;
set local role service_role;
select is(advance_deletions() ->> 'advanced', (select id::text from bad), 'and it goes on when it can');
select is((select count(*) from deletions where state = 'marked'), 0::bigint, 'to its end');

-- an upload's purge waits for the lake to show what its files were written into
create temp table late as with made as (
  insert into deletions (kind, user_id, dataset_id, upload_id, version, purge, state, removed_at)
  values ('upload', tests.u(1), tests.u(100), gen_random_uuid(), 31, true, 'removed', clock_timestamp()) returning id) select id from made;
insert into lake_pending (dataset_id, version, change) values (tests.u(100), 31, 'added'), (tests.u(100), 32, 'added');
select is(advance_deletions(2000, id) ->> 'advanced', null, 'a purge that a publication is to come before waits') from late;
delete from lake_pending where version = 31;
select is(advance_deletions(2000, id) ->> 'advanced', id::text, 'and goes on after it, whatever came since') from late;
insert into lake_pending (dataset_id, version, change) values (tests.u(100), 31, 'added');
update deletions set state = 'removed', removed_at = clock_timestamp() - interval '2 hours' where id = (select id from late);
select is(advance_deletions(2000, id) ->> 'advanced', id::text, 'or where none comes for an hour') from late;

select * from finish();
rollback;
