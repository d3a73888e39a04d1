-- Calls a function of the API so that a refusal is an answer, not an error: what a caller did wrong, or may not, does not
-- belong into the database's log, nor that a worker comes too late. What it has done by then is taken back.
--   p_function: its name, of those that users' requests lead to: they take p_user, or, open_key, a secret; and of those of
--   who holds a lease: they take p_token; p_args: its arguments by name
-- Returns {answer} or {error: {code, message, details, hint}}. Raises everything that sediment.fail has not.
create or replace function public.call_quietly(p_function text, p_args jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
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
end $$;
