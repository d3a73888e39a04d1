-- Raises an error of shared/errors.ts: SQLSTATE SD + HTTP status, message = the code. `perform` it.
create or replace function sediment.fail(p_code text, p_status integer, p_detail text, p_hint text default '')
returns void
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'SD' || p_status, message = p_code, detail = p_detail, hint = coalesce(p_hint, '');
end $$;
