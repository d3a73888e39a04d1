-- how long signed URLs live, and that their objects outlive them
begin;
\ir helpers/fixtures.sql
select plan(7);
set local role service_role;
select tests.upload(1, 100, 'a');
select is(list_files(tests.u(1), tests.u(100)) -> 'signed_url_seconds', '3600', 'the manifest says how long its URLs may live');
select is(sediment.signed_url_life(), interval '1 hour', 'which is how long what is replaced stays');
update service_settings set signed_url_seconds = 60;
select ok(sediment.signed_url_life() > interval '59 min', 'when it is shortened, the URLs of before live as long as they were given');
select is(list_files(tests.u(1), tests.u(100)) -> 'signed_url_seconds', '60', 'and new ones are shorter at once');
update service_settings set signed_url_seconds = 7200;
select is(sediment.signed_url_life(), interval '2 hours', 'a longer one counts at once');

update datasets set version = 5, oldest_kept_version = 3, vacuumable_version = 0, ending_version = 3, oldest_kept_at = clock_timestamp() - interval '3 hours';
update service_settings set signed_url_until = clock_timestamp() + interval '1 min';
select sediment.advance_versions(d) from datasets d where d.id = tests.u(100);
select is((select vacuumable_version from datasets where id = tests.u(100)), 0::bigint, 'vacuum waits for the longest URL that was handed out');
update service_settings set signed_url_until = clock_timestamp() - interval '1 s';
select sediment.advance_versions(d) from datasets d where d.id = tests.u(100);
select is((select vacuumable_version from datasets where id = tests.u(100)), 3::bigint, 'and no longer');
select * from finish();
rollback;
