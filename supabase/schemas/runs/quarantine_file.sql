-- Sets one bad file of a claimed partition aside, with the reason: it stays listed and marked, and the rest
-- compacts. A file whose bytes are gone or changed (object_missing, object_changed) is only noted the first time and
-- left out of plans for second_look_seconds: what the store says now it may take back. Where many were noted within
-- breaker_window_seconds it is rather the store that is not the one it should be.
--   p_object_key: where the worker looked; a file that was healed meanwhile is elsewhere
-- Returns {file_id, state, changed, look_again_at|null}. Raises lease_lost, run_finished, inputs_changed, store_failed.
create or replace function public.quarantine_file(
  p_run uuid, p_token bigint, p_file bigint, p_code text, p_reason text, p_object_key text default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
  f public.battle_files;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_many constant integer := 10;
  v_changed boolean := false;
begin
  p := sediment.lock_lease(p_run, p_token);
  select * into f from public.battle_files x
  where x.id = p_file and x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
    and x.removed_version is null;
  if not found then
    perform sediment.fail('inputs_changed', 409, format('file %s is not visible in the partition', p_file));
  end if;
  if f.object_key <> p_object_key then
    perform sediment.fail('inputs_changed', 409, format('file %s is in another object than %s', p_file, p_object_key));
  end if;

  select * into strict s from public.service_settings;
  if f.state = 'active' and p_code in ('object_missing', 'object_changed')
    -- the check of the store may have noted it while this worker was at it, which may have looked at any time since its claim
    and (f.lost_since is null or f.lost_since not between v_now - interval '1 day'
      and p.claimed_at - make_interval(secs => s.second_look_seconds))
  then
    if f.lost_since is null or f.lost_since < v_now - interval '1 day' then
      if (select count(*) from (select 1 from public.battle_files x where x.removed_version is null
          and x.lost_since > v_now - make_interval(secs => s.breaker_window_seconds) limit v_many) y) = v_many
      then
        perform sediment.fail('store_failed', 503, format('%s, after %s others: %s', p_code, v_many, left(p_reason, 500)));
      end if;
      update public.battle_files x set lost_since = v_now where x.id = f.id returning * into strict f;
      v_changed := true;
    end if;
  elsif f.state = 'active' then
    if p_code in ('object_missing', 'object_changed') then
      perform sediment.set_aside_lost(f.id, p_code, p_reason);
    else
      update public.battle_files x
      set state = 'quarantined', quarantine_code = left(p_code, 100), quarantine_reason = left(p_reason, 2000),
        quarantined_at = v_now
      where x.id = f.id;
    end if;
    select * into strict f from public.battle_files x where x.id = f.id;
    v_changed := true;
  end if;
  -- A file set aside is progress, as a committed output is, and happens once a file: a turn that met nothing but
  -- bad ones is no failed attempt (found by the simulation: three such turns dead-lettered the sound rest).
  update public.processing_metrics r
  set files_quarantined = r.files_quarantined + (v_changed and f.state = 'quarantined')::integer,
    attempts = case when v_changed then 0 else r.attempts end
  where r.id = p_run;
  return jsonb_build_object('file_id', p_file, 'state', f.state, 'changed', v_changed, 'look_again_at',
    case when f.state = 'active' then f.lost_since + make_interval(secs => s.second_look_seconds) end);
end $$;
