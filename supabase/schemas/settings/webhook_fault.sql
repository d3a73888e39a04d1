-- What is wrong with one entry of alert_webhooks, in words; null when nothing is. The same rules as webhookSchema of
-- shared/alerts/webhook.ts, told to whoever writes the setting and not to whom the alert would have reached.
create or replace function sediment.webhook_fault(p_webhook jsonb)
returns text
language sql
immutable
set search_path = ''
as $$
  select case
    when jsonb_typeof(p_webhook) is distinct from 'object' then 'is no object'
    when coalesce(p_webhook ->> 'kind', '') not in ('slack', 'pagerduty', 'plain')
      then format('has the kind %s; expected slack, pagerduty or plain', coalesce(p_webhook ->> 'kind', 'null'))
    when p_webhook ->> 'kind' = 'pagerduty' and coalesce(p_webhook ->> 'routing_key', '') = ''
      then 'lacks routing_key, the integration''s key'
    when p_webhook ->> 'kind' = 'pagerduty' and not p_webhook ? 'url' then null
    when jsonb_typeof(p_webhook -> 'url') is distinct from 'string'
      or p_webhook ->> 'url' !~* '^https?://[^/?#[:space:]]+([/?#][^[:space:]]*)?$'
      then 'has no http or https URL'
  end;
$$;
