-- Refuses settings that could not work, where they are written: what a column's own check can't say. A worker would
-- meet them hours later, and each run with it. Raises invalid_config, which names column and expectation.
create or replace function sediment.check_settings()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  r constant jsonb := to_jsonb(new);
  v_fault text;
  v_key text;
begin
  if tg_table_name = 'service_settings' then
    select format('entry %s of alert_webhooks %s', w.place, sediment.webhook_fault(w.webhook)) into v_fault
    from jsonb_array_elements(r -> 'alert_webhooks') with ordinality w (webhook, place)
    where sediment.webhook_fault(w.webhook) is not null order by w.place limit 1;
    if v_fault is not null then
      perform sediment.fail('invalid_config', 400, v_fault,
        '[{"kind": "slack" | "pagerduty" | "plain", "url": "https://…", "routing_key": "…"}]');
    end if;
  end if;
  if tg_table_name = 'table_settings' then
    for v_key in
      select k from jsonb_array_elements_text(coalesce(nullif(r -> 'sort_keys', 'null'), '[]')) k
      union all
      select k from jsonb_array_elements_text(coalesce(nullif(r -> 'dedupe_keys', 'null'), '[]')) k
    loop
      if coalesce(btrim(regexp_replace(v_key, '\s+(asc|desc)\s*$', '', 'i')), '') = '' then
        perform sediment.fail('invalid_config', 400, 'a sort or dedupe key is empty',
          'column names, each sort key with " desc" behind it when it falls');
      end if;
    end loop;
    if jsonb_array_length(coalesce(nullif(r -> 'sort_keys', 'null'), '[]'))
      + jsonb_array_length(coalesce(nullif(r -> 'dedupe_keys', 'null'), '[]')) > 16
    then
      perform sediment.fail('invalid_config', 400, 'there are more than 16 sort and dedupe keys',
        '16 at most, of both together');
    end if;
  end if;
  if tg_table_name in ('service_settings', 'user_limits') and exists (
    select from jsonb_array_elements_text(coalesce(nullif(r -> 'asset_extensions', 'null'), '[]')) e
    where e !~ '^[a-z0-9]{1,16}$')
  then
    perform sediment.fail('invalid_config', 400, 'an entry of asset_extensions is no extension',
      'lower-case letters and digits, without a dot');
  end if;
  return new;
end $$;

create or replace trigger check_settings before insert or update on public.service_settings
  for each row execute function sediment.check_settings();
create or replace trigger check_settings before insert or update on public.table_settings
  for each row execute function sediment.check_settings();
create or replace trigger check_settings before insert or update on public.user_limits
  for each row execute function sediment.check_settings();
