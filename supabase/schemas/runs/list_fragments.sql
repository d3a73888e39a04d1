-- More of a claimed partition's files than claim_compaction gave: {files, schemas, part, more, cursor}, after its cursor.
create or replace function public.list_fragments(
  p_run uuid, p_token bigint, p_cursor text, p_limit integer default 2000
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
begin
  if coalesce(p_cursor, '0') !~ '^\d{1,18}$' then
    perform sediment.fail('invalid_cursor', 400, 'the cursor is not one that claim_compaction gave');
  end if;
  p := sediment.lock_lease(p_run, p_token);
  return sediment.list_inputs(p.dataset_id, p."table", p.period_tag, coalesce(p_cursor::bigint, -1),
    least(greatest(p_limit, 1), 2000), null, sediment.partition_settings(p));
end $$;
