-- call_quietly for the functions that work for longer where a user asks for much. PostgREST takes the time from the head of
-- the function that it calls, which is this one: what the head of the other says comes too late there.
--   p_function: one whose head has a time, of those that call_quietly calls; p_args: its arguments by name
-- Returns and raises as call_quietly does.
create or replace function public.call_long_quietly(p_function text, p_args jsonb)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '30s'
as $$
begin
  if not exists (
    select 1 from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.proname = p_function
      and exists (select 1 from unnest(p.proconfig) as c(setting) where c.setting like 'statement_timeout=%')
  ) then
    perform sediment.fail('invalid_request', 400, format('%s is not called so', left(p_function, 80)));
  end if;
  return public.call_quietly(p_function, p_args);
end $$;
