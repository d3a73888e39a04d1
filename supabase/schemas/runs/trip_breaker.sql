-- Counts a run that failed because of the store or the catalog; the second partition in a row opens the breaker. One
-- partition alone does not, because it may hold an object that nobody can read, and must not stop the others. A caller that
-- finds the row locked goes on without it: somebody else tells the same. Call this last, since the caller may hold a
-- partition's lock and have touched its queue.
create or replace function sediment.trip_breaker(
  p_partition text, p_part text, p_code text, p_message text
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  b public.circuit_breaker;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
begin
  select * into b from public.circuit_breaker x for no key update skip locked;
  if not found or b.state = 'open' then
    return;
  end if;
  select * into strict s from public.service_settings;
  if b.suspect is null or b.suspect = p_partition or b.part is distinct from p_part
    or b.suspect_at < v_now - make_interval(secs => s.breaker_window_seconds)
  then
    update public.circuit_breaker x
    set suspect = p_partition, suspect_at = v_now, part = p_part, error_code = p_code,
      error_message = left(p_message, 2000)
    where x.id;
    return;
  end if;
  update public.circuit_breaker x
  set state = 'open', opened_at = v_now, part = p_part, error_code = p_code, error_message = left(p_message, 2000),
    suspect = null, suspect_at = null, probes_passed = 0, probes_failed = 0, probe_until = null,
    probe_at = v_now + make_interval(secs => s.breaker_probe_seconds)
  where x.id;
  perform sediment.open_incident('breaker', format('Sediment stopped compaction: %s (%s) at two partitions, now %s',
    p_code, p_part, left(p_message, 500)), jsonb_build_object('message', left(p_message, 2000), 'part', p_part));
end $$;
