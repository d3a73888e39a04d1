-- What takes p_user is called quietly, whatever its name: a list of names was one to forget.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION public.call_long_quietly(p_function text, p_args jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
begin
  if not exists (
    select 1 from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.proname = p_function
      and exists (select 1 from unnest(p.proconfig) as c(setting) where c.setting like 'statement_timeout=%')
  ) then
    perform sediment.fail('invalid_request', 400, format('%s is not called so', left(p_function, 80)));
  end if;
  return public.call_quietly(p_function, p_args);
end $function$;

CREATE OR REPLACE FUNCTION public.call_quietly(p_function text, p_args jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_names text[];
  v_columns text;
  v_answer jsonb;
  v_detail text;
  v_hint text;
begin
  -- what most requests lead to, by statements that are kept
  if p_function in ('stage_upload', 'commit_upload') then
    begin
      return jsonb_build_object('answer', sediment.answer_of(case p_function
        when 'stage_upload' then sediment.stage_uploads(jsonb_build_array(p_args))
        else sediment.commit_uploads(jsonb_build_array(p_args)) end));
    exception when others then
      if sqlstate not like 'SD%' then
        raise;
      end if;
      get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
      return sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
    end;
  end if;
  -- the arguments that were given, with the types that the function has them in
  select array_agg(a.name order by a.n), string_agg(format('%I %s', a.name, a.type), ', ' order by a.n)
  into v_names, v_columns
  from (
    select x.n, x.name, format_type(p.proargtypes[x.n - 1], null) as type
    from pg_catalog.pg_proc p
    cross join lateral unnest(p.proargnames) with ordinality as x(name, n)
    where p.pronamespace = 'public'::regnamespace and p.proname = p_function and x.n <= p.pronargs
      and p_args ? x.name and (p.proargnames && array['p_user'] or p.proname = 'open_key')
  ) a;
  if v_names is null then
    perform sediment.fail('invalid_request', 400, format('%s is not called so', left(p_function, 80)));
  end if;
  begin
    execute format('select public.%I(%s) from jsonb_to_record($1) as a(%s)', p_function,
      (select string_agg(format('%I => a.%I', v.name, v.name), ', ') from unnest(v_names) as v(name)), v_columns)
    into strict v_answer using p_args;
    return jsonb_build_object('answer', v_answer);
  exception when others then
    if sqlstate not like 'SD%' then
      raise;
    end if;
    get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
    return sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
  end;
end $function$;
