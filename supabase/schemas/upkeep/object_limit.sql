-- The largest object that the store takes, bytes, as far as the database knows, and the largest asset that any user may have.
-- Whoever asks knows which store it is.
--   p_bucket: the bucket, where the objects are in this project's Storage; null: they are elsewhere
-- Definer, since the bucket is Storage's. Returns {max_object_bytes|null, max_asset_bytes}.
create or replace function public.object_limit(p_bucket text default null)
returns jsonb
language plpgsql
stable security definer
set search_path = ''
as $$
declare
  v_of_bucket bigint;
begin
  -- dynamically: a database need not have a Storage
  if p_bucket is not null and to_regclass('storage.buckets') is not null then
    execute 'select b.file_size_limit from storage.buckets b where b.id = $1' into v_of_bucket using p_bucket;
  end if;
  return (select jsonb_build_object('max_object_bytes', least(s.max_object_bytes, v_of_bucket), 'max_asset_bytes',
      greatest(s.asset_bytes_max, (select max(l.asset_bytes_max) from public.user_limits l)))
    from public.service_settings s where s.id);
end $$;
