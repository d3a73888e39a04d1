-- Puts new partitions and schemas on a user's account, of which each minute takes off as many as may come in it; as much as
-- an hour takes off may come at once, which a year of daily periods of a dozen tables is within, and what is more than that by itself, once nothing is owed. Waits for the user's
-- other commits that bring some. Raises rate_limited.
create or replace function sediment.spend_growth(p_user uuid, p_partitions integer, p_schemas integer)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_burst constant double precision := 60; -- minutes
  v_now timestamptz;
  v_limits record;
  v_minutes double precision;
  v_kind record;
  g public.user_growth;
begin
  select coalesce(l.partitions_per_minute, s.partitions_per_minute) as partitions,
    coalesce(l.schemas_per_minute, s.schemas_per_minute) as schemas
  into strict v_limits
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  insert into public.user_growth (user_id, at) values (p_user, clock_timestamp()) on conflict (user_id) do nothing;
  select * into strict g from public.user_growth x where x.user_id = p_user for no key update;
  v_now := clock_timestamp();
  v_minutes := greatest(extract(epoch from v_now - g.at) / 60, 0);
  g.partitions := greatest(g.partitions - v_minutes * coalesce(v_limits.partitions, 0), 0);
  g.schemas := greatest(g.schemas - v_minutes * coalesce(v_limits.schemas, 0), 0);
  for v_kind in
    select k.name, k.rate, k.more, k.owed + k.more - greatest(k.rate * v_burst, k.more) as over
    from (values ('partitions', v_limits.partitions, p_partitions, g.partitions),
      ('schemas', v_limits.schemas, p_schemas, g.schemas)) as k(name, rate, more, owed)
    where k.rate is not null and k.more > 0
  loop
    -- raising takes back what was counted, and with it all that the upload would bring
    if v_kind.over > 0 then
      perform sediment.fail('rate_limited', 429,
        format('%1$s_per_minute: over %2$s new %1$s a minute', v_kind.name, v_kind.rate),
        format('retry after %s s', ceil(v_kind.over / v_kind.rate * 60)));
    end if;
  end loop;
  update public.user_growth x
  set at = v_now,
    partitions = case when v_limits.partitions is null then 0 else g.partitions + p_partitions end,
    schemas = case when v_limits.schemas is null then 0 else g.schemas + p_schemas end
  where x.user_id = p_user;
end $$;
