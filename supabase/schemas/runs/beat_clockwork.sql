-- The heartbeat of the jobs that run each minute: who finds the last one too old notes that there was a gap until now.
create or replace function sediment.beat_clockwork()
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  update public.clockwork c
  set beat_at = v_now, gap_ended_at = case when c.beat_at < v_now - make_interval(secs =>
    (select s.clockwork_gap_seconds from public.service_settings s)) then v_now else c.gap_ended_at end
  where c.ctid = any (array(select x.ctid from public.clockwork x for no key update skip locked));
end $$;
