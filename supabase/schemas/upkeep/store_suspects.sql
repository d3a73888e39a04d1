-- Findings of the check of the store that are to be looked at again: what is gone or changed first, since there may be thousands
-- that nobody knows, and of these what nobody has looked at for longest. What a second look is to confirm, soon; what is to be
-- set aside, with the next window; the rest, for which nobody may be able to do anything, seldom: what has changed is read for it.
--   p_all: whatever was looked at before the last second_look_seconds
create or replace function sediment.store_suspects(p_all boolean, p_limit integer)
returns table (object_key text, kind text)
language sql
volatile
set search_path = ''
as $$
  select f.object_key, f.kind from public.store_findings f cross join public.service_settings s
  where f.looked_at <= clock_timestamp() - make_interval(secs => s.second_look_seconds)
    and (p_all or f.confirmed_at is null or f.looked_at <= clock_timestamp() - make_interval(secs => case
      when f.kind in ('lost', 'changed') and exists (select 1 from public.battle_files x
        where x.object_key = f.object_key and x.removed_version is null and x.state = 'active')
        then s.breaker_window_seconds
      when f.kind = 'changed' then s.store_check_interval_seconds
      else least(3600, s.store_check_interval_seconds) end))
  order by f.kind not in ('lost', 'changed'), f.looked_at limit p_limit
$$;
