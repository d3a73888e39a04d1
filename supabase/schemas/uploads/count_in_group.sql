-- Counts a file in the group of schemas that is known to have its own (partitions.tier_groups), else at the end, where it may
-- be of any.
--   p_tier: its size tier, the first being 1
--   p_small: whether it is below the target size: else its age alone counts
--   p_parts: whether it parts what the other groups have from what they get later, as where the last writer wins. It has to
--   come alone: when one would act on what they have was told with the upload before
create or replace function sediment.count_in_group(
  p_groups jsonb, p_schema text, p_tier integer, p_small boolean, p_now timestamptz, p_parts boolean
)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_at integer;
  v_known boolean;
  v_files integer[];
  v_oldest timestamptz[];
begin
  select g.n - 1, g.value ? 'schemas' into strict v_at, v_known
  from jsonb_array_elements(p_groups) with ordinality as g(value, n)
  where g.value -> 'schemas' ? p_schema or not g.value ? 'schemas'
  order by g.n limit 1;
  v_files := sediment.tier_files_of(p_groups -> v_at);
  v_oldest := sediment.tier_oldest_of(p_groups -> v_at);
  if p_small then
    v_files := sediment.add_tiers(v_files, array_fill(1, array[1], array[p_tier]));
  end if;
  v_oldest := sediment.oldest_of_tiers(v_oldest, array_fill(p_now, array[1], array[p_tier]));
  if p_parts and v_known then
    p_groups := (select jsonb_agg(case when g.value ? 'schemas'
      then g.value || '{"files": [], "oldest": []}'::jsonb else g.value end order by g.n)
      from jsonb_array_elements(p_groups) with ordinality as g(value, n));
  end if;
  return jsonb_set(p_groups, array[v_at::text],
    (p_groups -> v_at) || jsonb_build_object('files', to_jsonb(v_files), 'oldest', to_jsonb(v_oldest)));
end $$;
