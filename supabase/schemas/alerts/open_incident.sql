-- Says that something is wrong: alerts once, as class <name>_opened, until close_incident has said that it is over. What is
-- open already takes over the summary and the details, and tells nobody again. Returns whether it was opened.
create or replace function sediment.open_incident(
  p_name text, p_summary text, p_details jsonb default '{}', p_watched boolean default false
)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  insert into public.incidents as i (name, state, watched, opened_at, summary, details)
  values (p_name, 'open', p_watched, v_now, left(p_summary, 1000), p_details)
  on conflict (name) do update
  set state = 'open', watched = excluded.watched, opened_at = excluded.opened_at, closed_at = null,
    summary = excluded.summary, details = excluded.details, unseen = 0
  where i.state = 'closed';
  if found then
    perform sediment.raise_alert(p_name || '_opened', left(p_summary, 1000),
      p_details || jsonb_build_object('incident', p_name, 'phase', 'opened', 'opened_at', v_now));
    return true;
  end if;
  update public.incidents i
  set summary = left(p_summary, 1000), details = p_details, unseen = 0
  where i.name = p_name and i.state = 'open'
    and (i.unseen > 0 or i.summary <> left(p_summary, 1000) or i.details <> p_details);
  return false;
end $$;
