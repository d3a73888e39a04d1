-- What the catalog knows of keys that the store listed: {objects: [{object_key, kind, state, size, etag}]}; a key
-- that is not among them is foreign. At most 5,000 keys.
create or replace function public.find_objects(p_keys text[])
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  if cardinality(p_keys) > 5000 then
    perform sediment.fail('invalid_request', 400, 'over 5000 keys');
  end if;
  return jsonb_build_object('objects', (
    select coalesce(jsonb_agg(jsonb_build_object('object_key', o.object_key, 'kind', o.kind, 'state', o.state,
      'size', o.size, 'etag', o.etag) order by o.object_key), '[]')
    from public.objects o where o.object_key = any (p_keys)));
end $$;
