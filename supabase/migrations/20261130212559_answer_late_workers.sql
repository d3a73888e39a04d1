-- What is refused a worker that comes too late is an answer, no ERROR in the log. Schema 6. New partitions and schemas: an hour's
-- worth may come at once, and by default 100 and 10 a minute, unless an operator has set others.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."service_settings" ALTER COLUMN "partitions_per_minute" SET DEFAULT 100;

ALTER TABLE "public"."service_settings" ALTER COLUMN "schemas_per_minute" SET DEFAULT 10;

CREATE OR REPLACE FUNCTION public.call_quietly(p_function text, p_args jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_names text[];
  v_columns text;
  v_answer jsonb;
  v_outcome jsonb;
  v_detail text;
  v_hint text;
begin
  -- what most calls are, by statements that are kept; one that needs no place here is called as below
  if p_function in ('stage_upload', 'commit_upload', 'stage_output', 'commit_compaction', 'renew_lease', 'record_step') then
    begin
      if p_function in ('stage_upload', 'commit_upload') then
        v_outcome := (case p_function when 'stage_upload' then sediment.stage_uploads(jsonb_build_array(p_args))
          else sediment.commit_uploads(jsonb_build_array(p_args)) end)[1];
        if v_outcome ? 'error' then
          perform sediment.answer_of(array[v_outcome]); -- takes back what was done
        end if;
        return v_outcome;
      elsif p_function = 'stage_output' then
        select public.stage_output(a.p_run, a.p_n, a.p_token, a.p_expected_bytes, a.p_inputs, a.p_remakes)
        into strict v_answer
        from jsonb_to_record(p_args) as a(p_run uuid, p_n integer, p_token bigint, p_expected_bytes bigint,
          p_inputs bigint[], p_remakes bigint);
      elsif p_function = 'commit_compaction' then
        select public.commit_compaction(a.p_run, a.p_n, a.p_token, a.p_inputs, a.p_output, a.p_last, a.p_result,
          a.p_input_keys, a.p_remakes)
        into strict v_answer
        from jsonb_to_record(p_args) as a(p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb,
          p_last boolean, p_result jsonb, p_input_keys text[], p_remakes bigint);
      elsif p_function = 'renew_lease' then
        select case when p_args ? 'p_seconds' then public.renew_lease(a.p_run, a.p_token, a.p_seconds)
          else public.renew_lease(a.p_run, a.p_token) end
        into strict v_answer
        from jsonb_to_record(p_args) as a(p_run uuid, p_token bigint, p_seconds integer);
      else
        select public.record_step(a.p_run, a.p_token, a.p_step, a.p_result, a.p_progress)
        into strict v_answer
        from jsonb_to_record(p_args) as a(p_run uuid, p_token bigint, p_step text, p_result jsonb, p_progress jsonb);
      end if;
      return jsonb_build_object('answer', v_answer);
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
      and p_args ? x.name and (p.proargnames && array['p_user', 'p_token'] or p.proname = 'open_key')
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

CREATE OR REPLACE FUNCTION sediment.spend_growth(p_user uuid, p_partitions integer, p_schemas integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_burst constant double precision := 60; -- minutes
  v_now timestamptz;
  v_limits record;
  v_minutes double precision;
  v_kind record;
  g public.user_growth;
begin
  select coalesce(l.partitions_per_minute, s.partitions_per_minute) as partitions,
    coalesce(l.schemas_per_minute, s.schemas_per_minute) as schemas
  into strict v_limits
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  insert into public.user_growth (user_id, at) values (p_user, clock_timestamp()) on conflict (user_id) do nothing;
  select * into strict g from public.user_growth x where x.user_id = p_user for no key update;
  v_now := clock_timestamp();
  v_minutes := greatest(extract(epoch from v_now - g.at) / 60, 0);
  g.partitions := greatest(g.partitions - v_minutes * coalesce(v_limits.partitions, 0), 0);
  g.schemas := greatest(g.schemas - v_minutes * coalesce(v_limits.schemas, 0), 0);
  for v_kind in
    select k.name, k.rate, k.more, k.owed + k.more - greatest(k.rate * v_burst, k.more) as over
    from (values ('partitions', v_limits.partitions, p_partitions, g.partitions),
      ('schemas', v_limits.schemas, p_schemas, g.schemas)) as k(name, rate, more, owed)
    where k.rate is not null and k.more > 0
  loop
    -- raising takes back what was counted, and with it all that the upload would bring
    if v_kind.over > 0 then
      perform sediment.fail('rate_limited', 429,
        format('%1$s_per_minute: over %2$s new %1$s a minute', v_kind.name, v_kind.rate),
        format('retry after %s s', ceil(v_kind.over / v_kind.rate * 60)));
    end if;
  end loop;
  update public.user_growth x
  set at = v_now,
    partitions = case when v_limits.partitions is null then 0 else g.partitions + p_partitions end,
    schemas = case when v_limits.schemas is null then 0 else g.schemas + p_schemas end
  where x.user_id = p_user;
end $function$;

COMMENT ON COLUMN "public"."service_settings"."partitions_per_minute" IS 'New partitions a minute of a user without a limit of their own; what an hour may bring may come at once. Over it an upload that would begin one waits (rate_limited). Null: no limit. Unit: partitions. Default: 100.';

COMMENT ON COLUMN "public"."service_settings"."schemas_per_minute" IS 'Schemas a minute that no data file had before, of a user without a limit of their own; what an hour may bring may come at once. One counts once for each 64 KiB of its JSON begun. Over it an upload that brings one waits (rate_limited). Null: no limit. Unit: schemas. Default: 10.';

COMMENT ON COLUMN "public"."user_limits"."partitions_per_minute" IS 'New partitions a minute; what an hour may bring may come at once. Over it an upload that would begin one is refused with rate_limited. Null takes that of service_settings. Unit: partitions. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."schemas_per_minute" IS 'Schemas a minute that no data file had before; what an hour may bring may come at once. Over it an upload that brings one is refused with rate_limited. Null takes that of service_settings. Unit: schemas. Default: null.';

-- a default that changes is no operator's change, which settings_history would tell of
alter table public.service_settings disable trigger log_settings;
update public.service_settings set partitions_per_minute = 100 where partitions_per_minute = 600;
update public.service_settings set schemas_per_minute = 10 where schemas_per_minute = 100;
alter table public.service_settings enable trigger log_settings;
