-- check_settings, log_settings, setting_warnings
begin;
\ir helpers/fixtures.sql
create function tests.file_of(p_columns text[]) returns jsonb language sql immutable as $$
  select tests.file('port', '2024-11-25', 10) || jsonb_build_object('schema', jsonb_build_object('name', 'root',
    'children', (select jsonb_agg(jsonb_build_object('name', c, 'type', 'INT32', 'repetition', 'optional'))
      from unnest(p_columns) c)))
$$;
grant execute on all functions in schema tests to service_role;
delete from public.settings_history where true;
select plan(29);
set local role service_role;

-- webhooks
prepare set_webhooks (jsonb) as update service_settings set alert_webhooks = $1 where id;
select lives_ok($$execute set_webhooks('[{"kind": "slack", "url": "https://hooks.slack.com/services/T0/secret"}]')$$, 'Slack by its URL');
select lives_ok($$execute set_webhooks('[{"kind": "pagerduty", "routing_key": "secret"}]')$$, 'PagerDuty by its key: the URL is known');
select lives_ok($$execute set_webhooks('[{"kind": "plain", "url": "http://10.0.0.1:8080/hook?a=b"}]')$$, 'and any by its URL');
select throws_ok($$execute set_webhooks('[{"kind": "slak", "url": "https://example.com"}]')$$, 'SD400', 'invalid_config', 'a kind that there is not is refused');
select throws_ok($$execute set_webhooks('[{"kind": "pagerduty"}]')$$, 'SD400', 'invalid_config', 'so is PagerDuty without its key');
select throws_ok($$execute set_webhooks('[{"kind": "plain", "url": "example.com/hook"}]')$$, 'SD400', 'invalid_config', 'an address that is no URL');
select throws_ok($$execute set_webhooks('[{"kind": "slack"}]')$$, 'SD400', 'invalid_config', 'one that is not there');
select throws_ok($$execute set_webhooks('["https://example.com"]')$$, 'SD400', 'invalid_config', 'an entry that is no object');
select is(sediment.webhook_fault('{"kind": "slak"}'), 'has the kind slak; expected slack, pagerduty or plain', 'with what was expected');

-- keys and extensions
select tests.upload(100, 100, 'a');
insert into table_settings (dataset_id, "table") values (tests.u(100), 'port');
prepare set_keys (text[], text[]) as
  update table_settings set sort_keys = $1, dedupe_keys = $2 where dataset_id = tests.u(100) and "table" = 'port';
select throws_ok($$execute set_keys('{" desc"}', null)$$, 'SD400', 'invalid_config', 'a sort key without a column is refused');
select throws_ok($$execute set_keys(null, '{""}')$$, 'SD400', 'invalid_config', 'so is an empty dedupe key');
select throws_ok($$execute set_keys('{a,b,c,d,e,f,g,h,i}', '{a,b,c,d,e,f,g,h}')$$, 'SD400', 'invalid_config', 'and more keys than a merge can hold');
select throws_ok($$insert into user_limits (user_id, asset_extensions) values (tests.u(1), '{".png"}')$$, 'SD400', 'invalid_config', 'an extension with a dot is refused');
select lives_ok($$insert into user_limits (user_id, asset_extensions) values (tests.u(1), '{png}')$$, 'one without is taken');

-- warnings
execute set_webhooks('[]');
select is((select array_agg(column_name order by column_name) from setting_warnings), '{alert_webhooks}', 'nobody is alerted: that stays visible');
update service_settings set healthy_row_group_bytes = target_row_group_bytes + 1, max_workers = 0 where id;
select is((select array_agg(column_name order by column_name) from setting_warnings), '{alert_webhooks,healthy_row_group_bytes,max_workers}', 'so are sizes that contradict each other');
update service_settings set healthy_row_group_bytes = default, max_workers = 64 where id;
execute set_webhooks('[{"kind": "plain", "url": "https://example.com"}]');
execute set_keys('{"id desc"}', '{id,ts}');
select is((select count(*) from setting_warnings), 0::bigint, 'a file without columns tells of none that is missing');
select tests.commit_stage(tests.stage(100, 100, 'b'), 100, 'b', jsonb_build_array(tests.file_of('{id,n}')));
select is((select array_agg(column_name || ': ' || warning) from setting_warnings), array['dedupe_keys: no file has the column ts: tables with it are not compacted'], 'a key that no file has is named, its neighbours are not');
select tests.commit_stage(tests.stage(100, 100, 'c'), 100, 'c', jsonb_build_array(tests.file_of('{id,ts}')));
select is((select count(*) from setting_warnings), 0::bigint, 'until a file comes that has it');

-- history
select is((select count(*) from settings_history where settings = 'user_limits'), 1::bigint, 'what is refused is not in the history, what is taken is');
select is((select new_value from settings_history where settings = 'user_limits'), '["png"]', 'with its value');
select is((select old_value from settings_history where column_name = 'max_workers' order by id limit 1), '64', 'a change has what was before');
select is((select role from settings_history order by id desc limit 1), session_user::text, 'who: the role of the session');
set local request.jwt.claims = '{"role": "service_role", "sub": "somebody"}';
update table_settings set min_inputs = 2, updated_at = now() where dataset_id = tests.u(100) and "table" = 'port';
select is((select array[settings, dataset_id::text, "table", column_name, new_value::text, role, subject] from settings_history order by id desc limit 1), array['table_settings', tests.u(100)::text, 'port', 'min_inputs', '2', 'service_role', 'somebody'], 'or whom the request names; one row a column that changed');
update table_settings set min_inputs = 2 where dataset_id = tests.u(100) and "table" = 'port';
select is((select count(*) from settings_history where column_name = 'min_inputs'), 1::bigint, 'what stays as it is, is no change');
update service_settings set planner_version = planner_version + 1 where id;
select is((select count(*) from settings_history where column_name = 'planner_version'), 0::bigint, 'nor is what the catalog keeps for itself');
delete from table_settings where dataset_id = tests.u(100) and "table" = 'port';
select is((select new_value from settings_history where column_name = 'min_inputs' order by id desc limit 1), null, 'a row that goes leaves its last values');
select is((select count(*) from settings_history where old_value::text || coalesce(new_value::text, '') ~ 'secret'), 0::bigint, 'no secret of a webhook is written down');
select is((select new_value from settings_history where column_name = 'alert_webhooks' order by id limit 1), '[{"host": "hooks.slack.com", "kind": "slack"}]', 'its kind and host are');
select * from finish();
rollback;
