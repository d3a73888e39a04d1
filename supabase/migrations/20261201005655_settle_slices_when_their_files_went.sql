-- A deleted upload is gone with the version that took the last of its files out, whichever deletion looks last.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION sediment.settle_slices(p_dataset uuid, p_table text, p_period_tag text, p_version bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_ids uuid[];
  x public.deletions;
begin
  with gone as (
    update public.deleted_slices s
    set version = greatest(p_version, (
      select max(f.removed_version) from public.battle_files f
      where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
        and sediment.seqs_of(f) @> s.seq))
    where s.dataset_id = p_dataset and s."table" = p_table and s.period_tag = p_period_tag and s.version is null
      and not exists (
        select 1 from public.battle_files f
        where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
          and f.removed_version is null and sediment.seqs_of(f) @> s.seq)
    returning s.deletion_id
  )
  select array_agg(distinct g.deletion_id) into v_ids from gone g;
  for x in
    update public.deletions d
    set state = 'removed', removed_at = v_now,
      version = (select max(s.version) from public.deleted_slices s where s.deletion_id = d.id)
    where d.id = any (v_ids) and d.state = 'pending'
      and not exists (select 1 from public.deleted_slices s where s.deletion_id = d.id and s.version is null)
    returning d.*
  loop
    update public.datasets d set deletion_version = greatest(d.deletion_version, x.version) where d.id = p_dataset;
    if x.purge then
      perform sediment.end_versions(p_dataset, x.version);
    end if;
  end loop;
end $function$;
