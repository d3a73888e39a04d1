-- Plans the object of a run's n-th output. The key holds run and token: an older worker can't overwrite what a
-- newer one writes. Asked again it gives the same key; after the commit it says so and gives that answer.
--   p_inputs: the data files that it will be made of, written down before they are read: if the worker dies of one of
--     them, it is among these
--   p_remakes: the lost output that it is to take the place of: this counts as a try, and the next one waits longer
-- Returns {object_key, expires_at, committed, answer|null}. Raises lease_lost, run_finished, run_not_found,
-- inputs_changed (that output is not to be remade any more).
create or replace function public.stage_output(p_run uuid, p_n integer, p_token bigint, p_expected_bytes bigint,
  p_inputs bigint[] default null, p_remakes bigint default null)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
  v_done public.run_commits;
  v_key text;
  v_state text;
  v_settings public.service_settings;
  v_deadline timestamptz;
begin
  if p_n is null or p_n < 0 then
    perform sediment.fail('invalid_request', 400, format('p_n is %s', p_n));
  end if;
  if p_expected_bytes is null or p_expected_bytes < 0 then
    perform sediment.fail('invalid_request', 400, format('p_expected_bytes is %s', p_expected_bytes));
  end if;
  p := sediment.lock_run_partition(p_run);
  select * into v_done from public.run_commits c where c.run_id = p_run and c.ordinal = p_n;
  if found then
    return jsonb_build_object('object_key', v_done.object_key, 'expires_at', null, 'committed', true,
      'answer', v_done.answer || jsonb_build_object('replayed', true));
  end if;
  perform sediment.check_token(p, p_run, p_token);

  update public.partitions x set staged_inputs = p_inputs
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;

  -- A try that fails, whatever of, is made again later, ten times at most: what it fails of costs the rest nothing.
  if p_remakes is not null then
    update public.battle_files f
    set remake_tries = f.remake_tries + 1,
      remake_at = case when f.remake_tries < 9 then clock_timestamp() + make_interval(secs => least(86400,
        (select s.idle_recheck_seconds from public.service_settings s) * power(2, f.remake_tries))) end
    where f.id = p_remakes and f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
      and f.removed_version is null and f.remake_at is not null;
    if not found then
      perform sediment.fail('inputs_changed', 409, format('output %s is not to be remade any more', p_remakes));
    end if;
  end if;

  -- No lease lives longer than max_run_seconds after its claim; a PUT may be under way when it ends.
  select * into strict v_settings from public.service_settings;
  v_deadline := p.claimed_at + make_interval(secs => v_settings.max_run_seconds + v_settings.max_put_seconds);
  v_key := format('battle_compacted/%s/%s/%s/%s-%s-%s.parquet', p.dataset_id, p."table", p.period_tag, p_run,
    p_token, p_n);
  insert into public.objects (object_key, kind, size, expires_at, put_deadline, dataset_id, "table", period_tag,
    run_id, run_ordinal, token)
  values (v_key, 'compacted', p_expected_bytes, v_deadline, v_deadline, p.dataset_id, p."table", p.period_tag,
    p_run, p_n, p_token)
  on conflict (object_key) do nothing;

  select o.state into strict v_state from public.objects o where o.object_key = v_key;
  if v_state <> 'staged' then
    perform sediment.fail('lease_lost', 409, format('%s was given up', v_key));
  end if;
  return jsonb_build_object('object_key', v_key, 'expires_at', v_deadline, 'committed', false, 'answer', null);
end $$;
