-- change_settings
begin;
\ir helpers/fixtures.sql
select plan(24);
delete from public.settings_history where true;
create function tests.refused(p_answer jsonb) returns text language sql immutable as $$
  select (p_answer #>> '{refused,field}') || ': ' || (p_answer #>> '{refused,why}') || ' [' || (p_answer #>> '{refused,expected}') || ']'
$$;
grant execute on all functions in schema tests to service_role;
set local role service_role;
select tests.upload(1, 100, 'a');

-- of the deployment
select is(change_settings('service_settings', '{"max_workers": 7, "codec": "snappy"}', p_by => 'key default'), '{"changed": ["codec", "max_workers"], "refused": null}', 'values are set');
select is((select array[max_workers::text, codec] from service_settings), array['7', 'snappy'], 'as they were said');
select is((select array_agg(column_name || ' ' || subject order by column_name) from settings_history), array['codec key default', 'max_workers key default'], 'and who did it is written down');
select is(change_settings('service_settings', '{}', '{max_workers,codec}') -> 'changed', '["codec", "max_workers"]', 'what is reset');
select is((select array[max_workers::text, codec] from service_settings), array['4', 'zstd'], 'takes its default');
select is(tests.refused(change_settings('service_settings', '{"min_inputs": 8, "max_workers": 65}')), 'max_workers: it is out of bounds [max_workers >= 0 AND max_workers <= 64]', 'a value out of bounds is named with them');
select is((select min_inputs from service_settings), 4, 'and none of the others is set');
select is(tests.refused(change_settings('service_settings', '{"max_workers": "many"}')), 'max_workers: invalid input syntax for type integer: "many" [integer]', 'a value of another type too');
select is(tests.refused(change_settings('service_settings', '{"max_workers": 99999999999}')), 'max_workers: value "99999999999" is out of range for type integer [integer]', 'and one that is too large for it');
select is(tests.refused(change_settings('service_settings', '{"max_workers": null}')), 'max_workers: there must be a value [max_workers >= 0 AND max_workers <= 64]', 'none where there must be one');
select is(change_settings('service_settings', '{"datasets_max": null}') -> 'changed', '["datasets_max"]', 'where none is a value it is taken');
select is(tests.refused(change_settings('service_settings', '{"max_wokers": 1}')), 'max_wokers: service_settings has no setting of that name []', 'a name that there is not is refused');
select is(tests.refused(change_settings('service_settings', '{"planner_version": 1}')), 'planner_version: service_settings has no setting of that name []', 'and what the catalog keeps for itself');
select is(change_settings('service_settings', '{"id = true; drop table x": 1}') #>> '{refused,field}', 'id = true; drop table x', 'no name is anything but a name');
select is(change_settings('service_settings', '{"alert_webhooks": [{"kind": "slak"}]}') #>> '{refused,field}', 'alert_webhooks', 'combinations are checked as in SQL');
select is(change_settings('service_settings', '{"alert_webhooks": [{"kind": "slak"}]}') #>> '{refused,why}', 'entry 1 of alert_webhooks has the kind slak; expected slack, pagerduty or plain', 'in the same words');

-- of a table, and of a user
select is(change_settings('table_settings', '{"sort_keys": ["id desc"], "min_inputs": 2}', p_dataset => tests.u(100), p_table => 'port') -> 'changed', '["min_inputs", "sort_keys"]', 'a table gets its own');
select is((select array[sort_keys::text, min_inputs::text] from table_settings where "table" = 'port'), array['{"id desc"}', '2'], 'in a row that was not there');
select is(change_settings('table_settings', '{"dedupe_keys": [""]}', p_dataset => tests.u(100), p_table => 'port') #>> '{refused,field}', 'dedupe_keys', 'an empty key is refused at its field');
select is(change_settings('table_settings', '{}', '{sort_keys,min_inputs}', tests.u(100), 'port') -> 'changed', '["min_inputs", "sort_keys"]', 'both go back to those of the deployment');
select is((select count(*) from table_settings), 0::bigint, 'and the row, which says nothing any more, goes');
select is(change_settings('user_limits', '{"datasets_max": 3}', p_of_user => tests.u(1)) -> 'changed', '["datasets_max"]', 'a user gets limits');
select throws_ok($$select change_settings('table_settings', '{"min_inputs": 2}', p_dataset => tests.u(999), p_table => 'port')$$, 'SD404', 'not_found', 'a dataset that is not there has none');
select throws_ok($$select change_settings('table_settings', '{"min_inputs": 2}')$$, 'SD400', 'invalid_request', 'nor is it anybody''s');
select * from finish();
rollback;
