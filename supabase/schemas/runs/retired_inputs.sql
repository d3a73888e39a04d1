-- The files that an output replaced, in upload order, while all of them are kept: what it can be remade from. Null where
-- one is gone, or where their rows are not those of the output any more.
create or replace function sediment.retired_inputs(f public.battle_files)
returns bigint[]
language plpgsql
stable
set search_path = ''
as $$
declare
  v record;
begin
  if f.level = 0 or f.removed_version is not null then
    return null;
  end if;
  -- a version is one commit: what left with it in the partition is what the output was made of
  select array_agg(i.id order by i.seq_min) as ids, count(*) as files, sum(i.row_count) as rows,
    min(i.seq_min) as seq_min, max(i.seq_max) as seq_max
  into strict v
  from public.battle_files i
  where i.dataset_id = f.dataset_id and i.removed_version = f.added_version
    and i."table" = f."table" and i.period_tag = f.period_tag;
  if v.files = 0 or v.files <> coalesce(f.input_count, v.files)
    or (v.seq_min, v.seq_max) is distinct from (f.seq_min, f.seq_max) or v.rows < f.row_count
    -- of outputs of before nobody counted the inputs: they are all there while vacuum has not come to the version
    or f.input_count is null and exists (select 1 from public.datasets d
      where d.id = f.dataset_id and d.vacuumable_version >= f.added_version)
  then
    return null;
  end if;
  return v.ids;
end $$;
