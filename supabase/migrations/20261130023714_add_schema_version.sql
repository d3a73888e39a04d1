-- schema_version(): functions that are newer than the schema say so, and wait for it.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION public.schema_version()
 RETURNS jsonb
 LANGUAGE sql
 STABLE PARALLEL SAFE
 SET search_path TO ''
AS $function$
  select to_jsonb(1)
$function$;

revoke all on function "public"."schema_version"() from public, anon, authenticated, service_role;

REVOKE ALL ON FUNCTION "public"."schema_version"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."schema_version"() TO "service_role";
