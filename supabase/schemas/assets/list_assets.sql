-- A user's assets in key order: {assets: [{key, relative_path, file_name, size, content_hash, etag, uploaded_at}],
-- next_cursor}. p_prefix: keys that begin with it. Those whose bytes the store has lost are left out: a client sends what is not
-- there, which heals them. Raises invalid_cursor.
create or replace function public.list_assets(
  p_user uuid, p_prefix text default null, p_limit integer default 1000, p_cursor text default null
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_after text := sediment.decode_cursor(p_cursor) ->> 'after';
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  v_assets jsonb;
begin
  perform sediment.refuse_deleted_user(p_user);
  select coalesce(jsonb_agg(jsonb_build_object('key', a.key, 'relative_path', a.relative_path,
    'file_name', a.file_name, 'size', a.size, 'content_hash', a.content_hash, 'etag', a.etag,
    'uploaded_at', a.updated_at) order by a.key), '[]')
  into strict v_assets
  from (
    select * from public.assets x
    where x.user_id = p_user and (v_after is null or x.key > v_after)
      and (p_prefix is null or starts_with(x.key, p_prefix)) and not sediment.is_missed(x.object_key)
    order by x.key limit v_limit + 1
  ) a;
  if jsonb_array_length(v_assets) <= v_limit then
    return jsonb_build_object('assets', v_assets, 'next_cursor', null);
  end if;
  v_assets := v_assets - v_limit;
  return jsonb_build_object('assets', v_assets,
    'next_cursor', sediment.encode_cursor(jsonb_build_object('after', v_assets -> -1 ->> 'key')));
end $$;
