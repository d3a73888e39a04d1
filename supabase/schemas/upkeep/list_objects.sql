-- The objects that the catalog names, in key order, for comparing with the store: {objects: [{object_key, kind,
-- state, size, etag}], next_cursor}. p_state: only these; a call looks at 20 keys for each that it may give, so that such a
-- page may be short, or empty, before the last. Raises invalid_cursor.
create or replace function public.list_objects(
  p_state text default null, p_limit integer default 1000, p_cursor text default null
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_after text := coalesce(sediment.decode_cursor(p_cursor) ->> 'after', '');
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  v_objects jsonb;
  v_seen bigint;
  v_last text;
begin
  with seen as (
    select x.object_key, x.kind, x.state, x.size, x.etag from public.objects x
    where x.object_key > v_after order by x.object_key limit v_limit * case when p_state is null then 1 else 20 end
  ), page as (
    select * from seen s where p_state is null or s.state = p_state order by s.object_key limit v_limit
  )
  select coalesce(jsonb_agg(jsonb_build_object('object_key', o.object_key, 'kind', o.kind, 'state', o.state,
      'size', o.size, 'etag', o.etag) order by o.object_key), '[]'),
    (select count(*) from seen), (select max(s.object_key) from seen s)
  into strict v_objects, v_seen, v_last
  from page o;
  return jsonb_build_object('objects', v_objects, 'next_cursor', case
    when jsonb_array_length(v_objects) = v_limit
      then sediment.encode_cursor(jsonb_build_object('after', v_objects -> -1 ->> 'object_key'))
    when v_seen = v_limit * 20 then sediment.encode_cursor(jsonb_build_object('after', v_last)) end);
end $$;
