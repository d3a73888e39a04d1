-- object_limit: the setting, and the bucket's own limit
begin;
\ir helpers/fixtures.sql
select plan(6);
set local role service_role;

select is(object_limit('sediment'), '{"max_asset_bytes": 26214400, "max_object_bytes": 52428800}', 'the bucket says what it takes');
select is(object_limit(), '{"max_asset_bytes": 26214400, "max_object_bytes": null}', 'of objects elsewhere nothing is known');
select is(object_limit('no such bucket'), '{"max_asset_bytes": 26214400, "max_object_bytes": null}', 'nor of a bucket that is not there');
update service_settings set max_object_bytes = 1000;
select is(object_limit('sediment'), '{"max_asset_bytes": 26214400, "max_object_bytes": 1000}', 'of both the smaller one holds');
select is(object_limit(), '{"max_asset_bytes": 26214400, "max_object_bytes": 1000}', 'of objects elsewhere the setting');

reset role;
insert into user_limits (user_id, asset_bytes_max) values (tests.u(1), 50000000), (tests.u(2), null), (tests.u(3), 1);
select is(object_limit() -> 'max_asset_bytes', '50000000', 'an asset may be as large as that of the user who may have the largest');

select * from finish();
rollback;
