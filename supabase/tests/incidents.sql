-- open_incident, close_incident, watch_health, raise_test_alert, claim_alerts of one
begin;
\ir helpers/fixtures.sql
select plan(28);
create function tests.told() returns text language sql as $$
  select string_agg(a.class, ' ' order by a.id) from public.alerts a $$;
grant execute on all functions in schema tests to service_role;
set local role service_role;

select is(sediment.open_incident('store_check', 'two files are lost', '{"files": 2}'), true, 'an incident is opened');
select is(sediment.open_incident('store_check', 'three files are lost', '{"files": 3}'), false, 'once');
select is(tests.told(), 'store_check_opened', 'and told of once');
select is((select summary from incidents where name = 'store_check'), 'three files are lost', 'it knows the latest');
select is(sediment.close_incident('store_check'), true, 'it is closed');
select is(sediment.close_incident('store_check'), false, 'once');
select is(tests.told(), 'store_check_opened store_check_closed', 'and told of once');
select is(sediment.open_incident('store_check', 'again'), true, 'what comes back is opened anew');
select sediment.close_incident('store_check', 'healed');
select is((select count(distinct payload ->> 'opened_at') from alerts), 2::bigint, 'as another incident');
select is((select payload ->> 'summary' from alerts order by id desc limit 1), 'healed', 'in the words of who closes it');

-- the end is not told before the beginning
update alerts set state = 'sent' where id < (select id from alerts order by id desc limit 1 offset 1);
select is((select string_agg(a ->> 'class', ' ') from jsonb_array_elements(claim_alerts() -> 'alerts') a), 'store_check_opened', 'the beginning is handed out alone');
select is(finish_alert((select id from alerts where state = 'pending' order by id limit 1), true) ->> 'state', 'sent', 'when it has arrived');
select is((select string_agg(a ->> 'class', ' ') from jsonb_array_elements(claim_alerts() -> 'alerts') a), 'store_check_closed', 'the end follows');
update alerts set state = 'sent';

-- health
reset role;
delete from net._http_response;
set local role service_role;
select is(watch_health(), '{"opened": [], "closed": []}', 'while all is well nothing is told');
reset role;
insert into pings (id, path) values (-1, '/compactor'), (-2, '/dead-letter');
insert into net._http_response (id, status_code, content, created) values
  (-1, 503, '{"code": "schema_outdated"}', clock_timestamp()), (-2, 200, '{}', clock_timestamp());
set local role service_role;
select is(catalog_health() -> 'reasons', '["pings_refused", "schema_outdated"]', 'a function that refuses is found, whatever another one answers');
select is(watch_health() -> 'opened', '["pings_refused", "schema_outdated"]', 'and becomes incidents');
select is(watch_health(), '{"opened": [], "closed": []}', 'once');
select is(catalog_health() -> 'open_incidents', '["pings_refused", "schema_outdated"]', 'that health knows of');
select is((select payload ->> 'summary' from alerts where class = 'schema_outdated_opened'), 'Sediment is stuck: the schema is older than the functions: supabase db push (schema_outdated)', 'in words');
reset role;
delete from net._http_response where id = -1;
set local role service_role;
select is(watch_health(), '{"opened": [], "closed": []}', 'what is gone at one look may come again');
select is(watch_health(false), '{"opened": [], "closed": []}', 'a look from outside ends nothing');
select is(watch_health() -> 'closed', '["pings_refused", "schema_outdated"]', 'at the second it is over');
select is(tests.told(), 'store_check_opened store_check_closed store_check_opened store_check_closed '
  || 'pings_refused_opened schema_outdated_opened pings_refused_closed schema_outdated_closed', 'each was told of twice');

-- the breaker tells of itself
update circuit_breaker set state = 'open', part = 'store_read', error_message = '503', opened_at = now(), probe_at = now();
select is(watch_health() -> 'opened', '[]', 'that the breaker is open is not told again');
update circuit_breaker set state = 'closed';

-- a full disk
set local default_transaction_read_only = on;
select ok(catalog_health() -> 'reasons' ? 'read_only', 'sessions that may not write by default are seen where this one may');
set local default_transaction_read_only = off;

-- what could not be told while it lasted
update clockwork set beat_at = clock_timestamp() - interval '10 minutes';
select sediment.beat_clockwork(), sediment.beat_clockwork();
select is((select count(*) from alerts where class = 'clockwork_gap'), 1::bigint, 'a gap of the clockwork is told afterwards');

-- a test
create temp table t as select raise_test_alert()::bigint as id;
select is((select jsonb_agg(a ->> 'class') from t, jsonb_array_elements(claim_alerts(p_alert => t.id) -> 'alerts') a), '["test"]', 'one alert is handed out alone');
select is(finish_alert(id, false, 'no') ->> 'state', 'failed', 'and tried once') from t;
select * from finish();
