-- Makes incidents of the reasons of catalog_health, each minute and when somebody meets one of which nothing is told yet;
-- and, where p_close, ends those that are none any more at two such looks in a row, so that what comes and goes is one.
-- The breaker tells of itself. Where the database takes no writes nothing can be noted. Returns {opened, closed: names}.
create or replace function public.watch_health(p_close boolean default true)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_health jsonb := public.catalog_health();
  v_reasons text[] := array(select jsonb_array_elements_text(v_health -> 'reasons'));
  v_opened text[] := '{}'::text[];
  v_closed text[] := '{}'::text[];
  v_name text;
begin
  if current_setting('transaction_read_only') = 'on' then
    return jsonb_build_object('opened', v_opened, 'closed', v_closed);
  end if;
  foreach v_name in array array_remove(v_reasons, 'breaker_open') loop
    if sediment.open_incident(v_name, format('Sediment is stuck: %s (%s)', sediment.health_text(v_name), v_name),
        p_watched => true)
    then
      v_opened := v_opened || v_name;
    end if;
  end loop;
  for v_name in
    select i.name from public.incidents i
    where p_close and i.watched and i.state = 'open' and i.name <> all (v_reasons) order by i.name for no key update
  loop
    update public.incidents i set unseen = i.unseen + 1 where i.name = v_name and i.unseen = 0;
    if not found then
      perform sediment.close_incident(v_name);
      v_closed := v_closed || v_name;
    end if;
  end loop;
  return jsonb_build_object('opened', v_opened, 'closed', v_closed);
end $$;
