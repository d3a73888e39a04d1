-- Clears the suspects that a worker has survived: a commit took them, or (p_merged false) the run ended although they
-- could not be merged. The last one ends the narrowing. Where none was found guilty, they killed together, and the
-- partition's outputs are limited to half their size. One that was merged alone shows that workers do not die of just
-- anything. The caller holds the partition's lock.
create or replace function sediment.pass_trial(p public.partitions, p_passed bigint[], p_merged boolean)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_iso jsonb;
  v_suspects bigint[];
begin
  select x.isolation into strict v_iso from public.partitions x
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  if v_iso is null then
    return;
  end if;
  select coalesce(array_agg(x.id::bigint order by x.n), '{}') into strict v_suspects
  from jsonb_array_elements_text(v_iso -> 'suspects') with ordinality as x(id, n)
  where x.id::bigint <> all (p_passed);
  update public.partitions x
  set isolation = case when cardinality(v_suspects) > 0 then v_iso || jsonb_build_object('suspects',
      to_jsonb(v_suspects), 'sound', (v_iso ->> 'sound')::boolean or p_merged and cardinality(p_passed) = 1) end,
    output_cap_bytes = case when cardinality(v_suspects) = 0 and (v_iso ->> 'bytes')::bigint > 1
      then least(x.output_cap_bytes, (v_iso ->> 'bytes')::bigint / 2) else x.output_cap_bytes end
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
end $$;
