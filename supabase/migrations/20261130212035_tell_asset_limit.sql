-- Clients may know how large an asset may be before they copy one.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION public.object_limit(p_bucket text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
end $function$;
