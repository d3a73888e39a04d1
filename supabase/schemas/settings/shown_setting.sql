-- A setting's value as its history may show it: of webhooks the kinds and hosts, everything else as it is.
create or replace function sediment.shown_setting(p_column text, p_value jsonb)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select case when p_column <> 'alert_webhooks' or jsonb_typeof(p_value) <> 'array' then nullif(p_value, 'null')
    else (
      select coalesce(jsonb_agg(jsonb_build_object('kind', w ->> 'kind',
        'host', substring(w ->> 'url' from '^[a-zA-Z]+://(?:[^/?#@]*@)?([^/?#]+)'))), '[]')
      from jsonb_array_elements(p_value) w)
    end;
$$;
