-- A worker's lease ran out. What it died of may be among the files that it was at: then those are narrowed down
-- (sediment.narrow_claim), and neither attempts nor time are spent. It is no death when the clockwork had a gap or the
-- breaker was open meanwhile, since a worker that is cut off looks the same: then the attempt is given back. A worker
-- that had staged nothing yet is a failed attempt; but where it was to merge files of others first, it may have died of one of
-- them, since nobody else may ever have read it: then others come first. The caller holds the partition's lock. Returns as retry_run does.
create or replace function sediment.lose_worker(p public.partitions)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_told constant text := format('worker %s did not renew its lease', p.lease_worker);
begin
  if exists (select 1 from public.circuit_breaker b where b.state = 'open' or b.closed_at >= p.claimed_at)
    or exists (select 1 from public.clockwork c where c.gap_ended_at >= p.claimed_at)
  then
    return sediment.return_run(p, 'lease_expired', v_told || ', in an outage', null, null);
  end if;
  if cardinality(p.staged_inputs) > 0 then
    return sediment.narrow_claim(p, v_told);
  end if;
  if jsonb_array_length(p.isolation -> 'controls') > 0 then
    update public.partitions x
    set isolation = x.isolation || jsonb_build_object('controls', '[]'::jsonb,
      'passed_over', coalesce(x.isolation -> 'passed_over', '[]') || (x.isolation -> 'controls'))
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    return sediment.narrow_again(p, v_told);
  end if;
  return sediment.retry_run(p.dataset_id, p."table", p.period_tag, 'lease_expired', v_told, null, false);
end $$;
