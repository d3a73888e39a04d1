-- The oldest period of a table that keep_periods leaves: of dates with data, the p_keep-th newest; null while there are
-- not so many. A tag after tomorrow (somebody's clock is wrong) is not counted: it must not push others out.
create or replace function sediment.last_kept_period(p_dataset uuid, p_table text, p_keep integer, p_now timestamptz)
returns date
language plpgsql
stable
set search_path = ''
as $$
declare
  v_marks constant boolean := sediment.has_marks(p_dataset);
begin
  return (
    select sediment.date_of_tag(p.period_tag) from public.partitions p
    where p.dataset_id = p_dataset and p."table" = p_table
      and sediment.date_of_tag(p.period_tag) <= (p_now at time zone 'UTC')::date + 1
      and exists (select 1 from public.battle_files f
        where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
          and f.removed_version is null and not (v_marks and sediment.is_marked(f, 9223372036854775807)))
    order by 1 desc offset p_keep - 1 limit 1);
end $$;
