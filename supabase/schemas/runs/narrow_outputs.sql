-- Lets the outputs of a partition come to half of what they came to, after the store has refused one for its size. The
-- caller holds the partition's lock. False where they are so small that this would help nobody.
create or replace function sediment.narrow_outputs(p public.partitions)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_least constant bigint := 65536;
  v_target bigint := (sediment.partition_settings(p) ->> 'target_file_bytes')::bigint;
begin
  if v_target <= v_least then
    return false;
  end if;
  update public.partitions x set output_cap_bytes = greatest(v_target / 2, v_least)
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  return true;
end $$;
