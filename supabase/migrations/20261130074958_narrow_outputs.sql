--  An output that the store refuses for its size is planned at half of it, and costs no attempt.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION public.fail_compaction(p_run uuid, p_token bigint, p_code text, p_message text, p_step text, p_permanent boolean, p_class text DEFAULT NULL::text, p_part text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
begin
  p := sediment.lock_lease(p_run, p_token);
  if p_class = 'environment' then
    return sediment.return_run(p, coalesce(left(p_code, 100), 'internal'), p_message, p_step,
      case when p_part in ('store_read', 'store_write', 'catalog') then p_part end);
  end if;
  if p_code = 'body_too_large' and sediment.narrow_outputs(p) then
    return sediment.return_run(p, p_code, p_message, p_step, null);
  end if;
  return sediment.retry_run(p.dataset_id, p."table", p.period_tag, coalesce(left(p_code, 100), 'internal'),
    p_message, p_step, coalesce(p_permanent, false));
end $function$;

CREATE OR REPLACE FUNCTION sediment.narrow_outputs(p public.partitions)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_least constant bigint := 65536;
  v_target bigint := (sediment.partition_settings(p) ->> 'target_file_bytes')::bigint;
begin
  if v_target <= v_least then
    return false;
  end if;
  update public.partitions x set output_cap_bytes = greatest(v_target / 2, v_least)
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  return true;
end $function$;

revoke all on function "sediment"."narrow_outputs"(public.partitions) from public, anon, authenticated, service_role;

REVOKE ALL ON FUNCTION "sediment"."narrow_outputs"(public.partitions) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."narrow_outputs"(public.partitions) TO "service_role";
