-- What became of one call of many: an error, as a caller of that call alone would get it from sediment.fail.
create or replace function sediment.failure(p_code text, p_status integer, p_detail text, p_hint text default '')
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_build_object('error', jsonb_build_object('code', 'SD' || p_status, 'message', p_code,
    'details', p_detail, 'hint', coalesce(p_hint, '')));
end $$;
