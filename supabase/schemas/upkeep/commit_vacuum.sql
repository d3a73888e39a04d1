-- The store has deleted these keys (or never had them): deleting → tombstone. Where a PUT to the key could still
-- arrive, the tombstone is deleted again after its deadline. Keys in any other state are left alone and counted.
-- Returns {tombstones, ignored}.
create or replace function public.commit_vacuum(p_keys text[])
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_count integer;
begin
  if cardinality(p_keys) > 5000 then
    perform sediment.fail('invalid_request', 400, 'over 5000 keys');
  end if;
  with rows as (
    select o.object_key from public.objects o
    where o.object_key = any (p_keys) and o.state in ('deleting', 'tombstone')
    order by o.object_key for update
  )
  update public.objects o
  set state = 'tombstone', split_at = null, updated_at = clock_timestamp(),
    delete_after = case when o.put_deadline > clock_timestamp() then o.put_deadline + interval '1 minute' end
  from rows r where o.object_key = r.object_key;
  get diagnostics v_count = row_count;
  return jsonb_build_object('tombstones', v_count, 'ignored', coalesce(cardinality(p_keys), 0) - v_count);
end $$;
