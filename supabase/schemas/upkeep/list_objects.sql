-- The objects that the catalog names, in key order, for comparing with the store: {objects: [{object_key, kind,
-- state, size, etag}], next_cursor}. p_state: only these. Raises invalid_cursor.
create or replace function public.list_objects(
  p_state text default null, p_limit integer default 1000, p_cursor text default null
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_after text := sediment.decode_cursor(p_cursor) ->> 'after';
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  v_objects jsonb;
begin
  select coalesce(jsonb_agg(jsonb_build_object('object_key', o.object_key, 'kind', o.kind, 'state', o.state,
    'size', o.size, 'etag', o.etag) order by o.object_key), '[]')
  into strict v_objects
  from (
    select * from public.objects x
    where (v_after is null or x.object_key > v_after) and (p_state is null or x.state = p_state)
    order by x.object_key limit v_limit
  ) o;
  return jsonb_build_object('objects', v_objects, 'next_cursor',
    case when jsonb_array_length(v_objects) = v_limit then
      sediment.encode_cursor(jsonb_build_object('after', v_objects -> -1 ->> 'object_key')) end);
end $$;
