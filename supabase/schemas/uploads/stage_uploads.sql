-- stage_upload for many at once: each call is as it would be alone, and has its answer or its error.
-- p_calls: [{p_user, p_dataset, …}]. Returns, in that order, {answer} or {error: {code, message, details, hint}}.
--
-- A handful of statements for all calls, since a statement costs more than the row that it writes. Pooled connections
-- keep plans that were made while the tables were small, so nothing but an index may find a row: without hash and merge
-- joins, and joined as "= any (array[…])", which is looked up like "=" but keeps the planner from reading an index
-- from end to end, since that would bring no order to join by. supabase/tests/upload_plans.sql holds them to it.
create or replace function sediment.stage_uploads(p_calls jsonb)
returns jsonb[]
language plpgsql
set search_path = ''
set enable_seqscan = off
set enable_indexonlyscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_read record;
  v_calls sediment.stage_call[];
  v_call sediment.stage_call;
  v_now timestamptz := clock_timestamp();
  v_detail text;
  v_hint text;
  v_out jsonb[];
  v_direct boolean;
  v_alone jsonb;
begin
  if jsonb_array_length(p_calls) = 1 then
    v_alone := sediment.stage_alone(p_calls -> 0);
    if v_alone is not null then
      return array[v_alone];
    end if;
  end if;
  v_read := sediment.read_stage_calls(p_calls);
  if v_read.respelled then
    v_read := sediment.read_stage_calls(sediment.respell_stages(p_calls));
  end if;
  v_calls := v_read.calls;
  if v_read.admitted then
    -- By what they lock, then as they came: two groups with calls of the same users must not wait for each other.
    for v_call in
      select c.* from unnest(v_calls) as c where c.needs_admission and c.outcome is null
      order by c.user_id, c.dataset_id, c.idempotency_key, c.n
    loop
      begin
        perform sediment.admit_upload(v_call);
      exception when others then
        -- the errors of sediment.fail are this call's own; any other, and a lock not had, is the group's
        if sqlstate not like 'SD%' then
          raise;
        end if;
        get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
        v_calls[v_call.n].outcome := sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
      end;
    end loop;
  end if;

  v_calls := sediment.spend_uploads(v_calls);

  with planned as materialized (
    select c.*, t.stage_id, t.suffix, v_now + make_interval(secs => c.ttl_seconds) as expires_at,
      v_now + make_interval(secs => c.ttl_seconds + c.max_put_seconds) as put_deadline,
      format('battle_data/%s/%s/%s/%s%s', c.dataset_id, c."table", c.period_tag, t.stage_id, t.suffix) as object_key,
      case when c.kind like 'direct%' then format('incoming/%s/%s%s', c.user_id, t.stage_id, t.suffix) end
        as incoming_key
    from unnest(v_calls) as c
    cross join lateral (select gen_random_uuid() as stage_id,
      case when c.kind like '%concatenated' then '.bin' else '.parquet' end as suffix) t
  ), fragments as (
    insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, "table",
      period_tag, stage_id, content_hash, offsets_digest, details, staged_version)
    select p.object_key, 'fragment', p.size, p.expires_at, p.put_deadline, p.user_id, p.dataset_id, p."table",
      p.period_tag, p.stage_id, p.content_hash, p.offsets_digest, p.details,
      (select d.version from public.datasets d where d.id = any (array[p.dataset_id]))
    from planned p where p.outcome is null
  )
  select array_agg(coalesce(p.outcome, jsonb_build_object('answer', jsonb_build_object(
    'stage_id', p.stage_id, 'dataset_id', p.dataset_id, 'object_key', p.object_key, 'incoming_key', p.incoming_key,
    'expires_at', p.expires_at, 'duplicate', p.first_answer is not null,
    'answer', p.first_answer || jsonb_build_object('duplicate', true)))) order by p.n),
    bool_or(p.incoming_key is not null)
  into strict v_out, v_direct
  from planned p;
  if v_direct then
    insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, stage_id)
    select o.answer ->> 'incoming_key', 'incoming', c.size, v_now + make_interval(secs => c.ttl_seconds),
      v_now + make_interval(secs => c.ttl_seconds + c.max_put_seconds), c.user_id, c.dataset_id,
      (o.answer ->> 'stage_id')::uuid
    from unnest(v_calls) as c
    cross join lateral (select v_out[c.n] -> 'answer' as answer) o
    where o.answer ->> 'incoming_key' is not null;
  end if;
  return v_out;
end $$;
