-- A page of the store's list beside the catalog: what it knows of those keys, and what it says is stored after p_after and
-- up to the last of them (up to the end of all where p_last) and was not in the page. In the catalog's order of keys, which
-- need not be the store's: what is absent may be in another page, so that the store is asked about each.
-- Returns {known: [{object_key, state, size, etag}], absent: [{object_key, size, etag}], after (up to where it was
-- compared), whole (whether that is all of the page's part)}. At most 1,000 keys.
create or replace function public.compare_objects(p_keys text[], p_after text, p_last boolean)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_to constant text := (select max(k) from unnest(p_keys) as k);
  v_rows constant integer := 5000;
  v_result jsonb;
begin
  if cardinality(p_keys) > 1000 then
    perform sediment.fail('invalid_request', 400, 'over 1000 keys');
  end if;
  with seen as (
    select o.object_key, o.state, o.size, o.etag from public.objects o
    where o.object_key > coalesce(p_after, '') and (p_last or o.object_key <= v_to)
    order by o.object_key limit v_rows
  ), absent as (
    select s.* from seen s where s.state = 'stored' and s.object_key <> all (p_keys) order by s.object_key limit 200
  ), reached as (
    select case when (select count(*) from absent) = 200 then (select max(a.object_key) from absent a)
        when (select count(*) from seen) = v_rows then (select max(s.object_key) from seen s) end as key
  )
  select jsonb_build_object(
    'known', (select coalesce(jsonb_agg(jsonb_build_object('object_key', o.object_key, 'state', o.state,
      'size', o.size, 'etag', o.etag)), '[]') from public.objects o where o.object_key = any (p_keys)),
    'absent', (select coalesce(jsonb_agg(jsonb_build_object('object_key', a.object_key, 'size', a.size,
      'etag', a.etag)), '[]') from absent a),
    'after', coalesce(r.key, greatest(v_to, p_after), ''), 'whole', r.key is null)
  into strict v_result from reached r;
  return v_result;
end $$;
