-- What the clockwork does each minute of what is to be deleted: a step by itself, so that it goes on where no function can be
-- reached; and while there is more a worker is woken, which goes on at once until all of it is done. Returns as
-- advance_deletions.
create or replace function sediment.step_deletions(p_limit integer default 10000)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '60s'
as $$
declare
  v_step constant jsonb := public.advance_deletions(p_limit);
begin
  if (v_step ->> 'more')::boolean then
    perform public.wake_vacuum();
  end if;
  return v_step;
end $$;
