-- object_limit: the setting, and the bucket's own limit
begin;
\ir helpers/fixtures.sql
select plan(5);
set local role service_role;

select is(object_limit('sediment'), '{"max_object_bytes": 52428800}', 'the bucket says what it takes');
select is(object_limit(), '{"max_object_bytes": null}', 'of objects elsewhere nothing is known');
select is(object_limit('no such bucket'), '{"max_object_bytes": null}', 'nor of a bucket that is not there');
update service_settings set max_object_bytes = 1000;
select is(object_limit('sediment'), '{"max_object_bytes": 1000}', 'of both the smaller one holds');
select is(object_limit(), '{"max_object_bytes": 1000}', 'of objects elsewhere the setting');

select * from finish();
rollback;
