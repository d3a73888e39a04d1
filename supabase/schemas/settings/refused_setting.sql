-- What change_settings answers when it refuses a setting.
create or replace function sediment.refused_setting(p_field text, p_why text, p_expected text)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select jsonb_build_object('changed', '[]'::jsonb, 'refused',
    jsonb_build_object('field', p_field, 'why', p_why, 'expected', coalesce(p_expected, '')))
$$;
