-- Says that what open_incident told of is over: alerts once, as class <name>_closed. Returns whether it was open.
create or replace function sediment.close_incident(p_name text, p_summary text default null)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  i public.incidents;
begin
  update public.incidents x
  set state = 'closed', closed_at = v_now, unseen = 0
  where x.name = p_name and x.state = 'open'
  returning * into i;
  if not found then
    return false;
  end if;
  perform sediment.raise_alert(p_name || '_closed', coalesce(p_summary, format('Sediment is over %s after %s', p_name,
      date_trunc('second', v_now - i.opened_at))),
    i.details || jsonb_build_object('incident', p_name, 'phase', 'closed', 'opened_at', i.opened_at));
  return true;
end $$;
