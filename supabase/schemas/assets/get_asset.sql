-- One asset: {key, relative_path, file_name, size, content_hash, etag, object_key, uploaded_at, missed (the store has lost or
-- changed its bytes), signed_url_seconds}. Raises not_found.
create or replace function public.get_asset(p_user uuid, p_key text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  a public.assets;
begin
  perform sediment.refuse_deleted_user(p_user);
  select * into a from public.assets x where x.user_id = p_user and x.key = p_key;
  if not found then
    perform sediment.fail('not_found', 404, 'there is no asset of that key');
  end if;
  return jsonb_build_object('key', a.key, 'relative_path', a.relative_path, 'file_name', a.file_name,
    'size', a.size, 'content_hash', a.content_hash, 'etag', a.etag, 'object_key', a.object_key,
    'uploaded_at', a.updated_at, 'missed', sediment.is_missed(a.object_key),
    'signed_url_seconds', (select s.signed_url_seconds from public.service_settings s));
end $$;
