-- When a plan would act on files that wait for more, if all of a partition were of one group of schemas, or in the first of
-- those that are told apart: at once where a size tier has min_inputs, or where an upload that is older than max_age_seconds has another of its tier or below; later
-- where one will be that old; never (null) while each upload is alone. As shared/compaction/plan/tiers.ts and choose_files.ts
-- choose; what can't be known here, such as schemas, makes it sooner and never later. In a table of the lake an upload of that
-- age is acted on alone, too.
--   p_files, p_oldest: tier_files and tier_oldest of the partition; of both the first is the smallest tier, and null where a
--   tier has none
--   p_lake: whether its table is in the lake
--   p_groups: tier_groups of the partition
create or replace function sediment.next_look(
  p_files integer[], p_oldest timestamptz[], p_min_inputs integer, p_max_age_seconds integer, p_now timestamptz,
  p_lake boolean default false, p_groups jsonb default null
)
returns timestamptz
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_files integer := 0;
  v_look timestamptz;
begin
  if p_files is null then
    return p_now;
  elsif p_groups is not null then
    -- what is not known may be of any of them
    return (
      select min(sediment.next_look(sediment.add_tiers(sediment.tier_files_of(g.value), o.files),
        sediment.oldest_of_tiers(sediment.tier_oldest_of(g.value), o.oldest), p_min_inputs, p_max_age_seconds, p_now, p_lake))
      from (select sediment.tier_files_of(p_groups -> -1) as files, sediment.tier_oldest_of(p_groups -> -1) as oldest) o
      cross join jsonb_array_elements(p_groups) as g(value)
      where g.value ? 'schemas');
  end if;
  for i in 1 .. coalesce(greatest(array_upper(p_files, 1), array_upper(p_oldest, 1)), 0) loop
    if p_files[i] >= greatest(p_min_inputs, 2) then
      return p_now;
    end if;
    v_files := v_files + coalesce(p_files[i], 0);
    if (v_files > 1 or p_lake) and p_oldest[i] is not null then
      v_look := least(v_look, p_oldest[i] + make_interval(secs => p_max_age_seconds));
    end if;
  end loop;
  return case when v_look < p_now then p_now else v_look end;
end $$;
