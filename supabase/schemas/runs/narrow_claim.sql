-- After a death: the next attempt takes on less of what the last one was at, halves and then single files, under leases
-- of a minute. One that is alone when workers die goes to quarantine (worker_died) after two deaths, once another has
-- passed alone: else it may be the workers. Where there is no other in the partition, the next worker first merges a
-- file of another one (sediment.list_controls). Where none has passed nobody is accused: the run ends in the dead letters,
-- and is looked at again. Narrowing is no failed attempt and its time no work; it ends,
-- since each death halves what is tried or counts against one file. The caller holds the partition's lock, and the
-- partition a lease. Returns as retry_run does.
create or replace function sediment.narrow_claim(p public.partitions, p_told text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_iso jsonb := p.isolation;
  v_dead bigint[];
  v_alone bigint;
  v_deaths integer;
  v_suspects bigint[];
  v_other bigint;
  v_trial integer;
begin
  -- in upload order: halves of neighbours are neighbours, as tables that dedupe need it
  select coalesce(array_agg(f.id order by f.seq_min), '{}') into strict v_dead from public.battle_files f
  where f.id = any (p.staged_inputs) and f.removed_version is null and f.state = 'active';
  if v_iso is null then
    v_iso := jsonb_build_object('suspects', '[]'::jsonb, 'trial', 0, 'deaths', '{}'::jsonb, 'sound', false, 'bytes',
      (select coalesce(sum(f.byte_length), 0) from public.battle_files f where f.id = any (v_dead)));
  end if;
  -- one that was set aside meanwhile, for a footer that is broken, can pass no trial: no neighbour to wait for
  select v_dead || coalesce(array_agg(x.id::bigint order by x.n), '{}') into strict v_suspects
  from jsonb_array_elements_text(v_iso -> 'suspects') with ordinality as x(id, n)
  join public.battle_files f on f.id = x.id::bigint and f.removed_version is null and f.state = 'active'
  where x.id::bigint <> all (v_dead);

  if cardinality(v_dead) <> 1 then
    v_trial := greatest(1, (cardinality(v_dead) + 1) / 2);
  else
    v_alone := v_dead[1];
    v_deaths := coalesce((v_iso #>> array['deaths', v_alone::text])::integer, 0) + 1;
    v_iso := jsonb_set(v_iso, array['deaths', v_alone::text], to_jsonb(v_deaths));
    if v_deaths = 1 then
      v_iso := v_iso || '{"sound": false}'; -- another must pass between the two deaths
    end if;
    v_trial := 1;
    if v_deaths >= 2 and (v_iso ->> 'sound')::boolean then
      update public.battle_files f
      set state = 'quarantined', quarantine_code = 'worker_died', quarantined_at = clock_timestamp(),
        quarantine_reason = format('%s workers died of it alone (%s rows, %s bytes, %s before compression) while '
          'another file passed alone; the last: %s', v_deaths, f.row_count, f.byte_length, f.uncompressed_bytes, p_told)
      where f.id = v_alone;
      update public.processing_metrics r set files_quarantined = r.files_quarantined + 1 where r.id = p.run_id;
      v_suspects := array_remove(v_suspects, v_alone);
      v_iso := v_iso || '{"bytes": 0}'; -- the culprit is found: it was not that they were too many
      v_trial := greatest(1, cardinality(v_suspects));
    elsif not (v_iso ->> 'sound')::boolean then
      -- a neighbour first: of the suspects, else of the partition
      select x.id into v_other from (
        select s.id, 0 as far, s.n from unnest(v_suspects) with ordinality as s(id, n)
        where not v_iso -> 'deaths' ? s.id::text
        union all
        select f.id, 1, abs(f.seq_min - (select y.seq_min from public.battle_files y where y.id = v_alone))
        from public.battle_files f
        where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
          and f.removed_version is null and f.state = 'active' and f.id <> all (v_suspects)
      ) x order by x.far, x.n limit 1;
      if v_other is not null then
        v_suspects := v_other || array_remove(v_suspects, v_other);
      elsif v_deaths >= 2 then
        update public.partitions x set isolation = v_iso - 'passed_over' || jsonb_build_object('suspects', to_jsonb(v_suspects), 'trial', 1)
        where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
        return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
          sediment.dead_letter_run(p.dataset_id, p."table", p.period_tag, 'worker_died',
            format('%s workers died of file %s, and no other file has passed; the last: %s', v_deaths, v_alone,
              p_told), null));
      end if;
    end if;
  end if;

  update public.partitions x
  set isolation = case when cardinality(v_suspects) > 0
      then v_iso || jsonb_build_object('suspects', to_jsonb(v_suspects), 'trial', v_trial) end,
    last_decision = format('narrowing down what workers die of: %s of %s files next', v_trial, cardinality(v_suspects))
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  return sediment.narrow_again(p, p_told);
end $$;
