-- commit_upload for many at once: each call is as it would be alone, and has its answer or its error; uploads of one
-- dataset share a version. p_calls: [{p_stage, p_user, …}]. Returns, in that order, {answer}, {error: {code,
-- message, details, hint}} or {busy: true} (not done: another call of the group commits the same upload).
--
-- A handful of statements for all calls, planned as those of sediment.stage_uploads are.
--
-- Locks are taken in the order that all transactions keep: stages, identities, quotas, new datasets, schemas, partitions,
-- datasets, queue, what users have used; each kind sorted. Healing comes last and waits for none.
create or replace function sediment.commit_uploads(p_calls jsonb)
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
  v_locked record;
  v_calls sediment.commit_call[];
  v_call sediment.commit_call;
  v_plan sediment.commit_plan;
  v_wrong jsonb;
  v_new record;
  v_going sediment.commit_call[];
  v_some boolean := false; -- not all of them go on
  v_refused boolean := false;
  v_answers jsonb[];
  v_nth integer := 0;
  v_out jsonb[];
  v_alone jsonb;
begin
  if jsonb_array_length(p_calls) = 1 then
    v_alone := sediment.commit_alone(p_calls -> 0);
    if v_alone is not null then
      return array[v_alone];
    end if;
  end if;
  v_locked := sediment.lock_commit_calls(p_calls);
  v_calls := v_locked.calls;
  if v_locked.aliased then
    v_calls := sediment.respell_commits(v_calls);
  end if;
  v_plan := sediment.plan_commits(v_calls);
  -- Mostly nothing is known, wrong or limited. By owner, then as they came: two groups that wait for owners' quotas must
  -- not wait for each other.
  if v_plan.wrong or v_plan.known is not null or v_plan.limited or v_locked.settled then
    v_some := true;
    if v_plan.wrong then
      -- the ledger held it when it was staged, so that no files came along, and then it was deleted
      perform sediment.refuse_deleted_stages(v_calls);
      v_wrong := sediment.wrong_files(v_calls, v_plan.known);
    end if;
    for v_call in select c.* from unnest(v_calls) as c where c.outcome is null order by c.owner_id, c.n loop
      v_calls[v_call.n].outcome := case
        when v_call.n = any (v_plan.known) then sediment.first_outcome(v_call)
        when v_wrong ? v_call.n::text then
          case when v_call.files = '[]' and exists (
              select 1 from public.objects o join public.datasets d on d.id = o.dataset_id
              where o.object_key = v_call.object_key and d.deletion_version > coalesce(o.staged_version, 0))
            then sediment.failure('stage_expired', 410,
              format('what stage %s was a duplicate of was deleted', v_call.stage))
            else sediment.failure('invalid_request', 400, v_wrong ->> v_call.n::text) end
        -- which of the owners it is, check_stored finds out
        when v_plan.limited then sediment.quota_outcome(v_call, v_calls)
      end;
    end loop;
    v_plan := sediment.plan_commits(v_calls);
  end if;

  -- What is new with them: datasets, made here, partitions and schemas. By owner, then as they came, as above. What is
  -- known already was asked for by the plan: schemas and partitions are never deleted.
  if v_plan.is_new then
    for v_new in
      with x as materialized (
        select distinct f.n, f.user_id, f.dataset_id, f."table", f.period_tag, f.schema_digest
        from unnest(v_plan.files) as f
      )
      select x.n, count(distinct (x."table", x.period_tag)) filter (where p.dataset_id is null)::integer as partitions,
        array_agg(distinct x."table") filter (where p.dataset_id is null) as tables,
        array_agg(distinct x.schema_digest) filter (where k.digest is null) as schemas
      from x
      left join public.datasets d on d.id = any (array[x.dataset_id])
      left join public.partitions p on p.dataset_id = any (array[x.dataset_id]) and p."table" = x."table"
        and p.period_tag = x.period_tag
      left join public.file_schemas k on k.digest = any (array[x.schema_digest])
      where d.id is null or d.user_id <> x.user_id or p.dataset_id is null or k.digest is null
      group by coalesce(d.user_id, x.user_id), x.n
      order by coalesce(d.user_id, x.user_id), x.n
    loop
      v_calls[v_new.n].outcome := sediment.admit_commit(v_calls[v_new.n], v_new.partitions, v_new.tables,
        -- one for each 64 KiB of its text begun
        case when v_new.schemas is null then 0 else (
          select sum(ceil(octet_length(s.schema::text) / 65536.0))::integer
          from (
            select distinct on (f.schema_digest) f.schema from unnest(v_plan.files) as f
            where f.n = v_new.n and f.schema_digest = any (v_new.schemas)
            order by f.schema_digest
          ) s) end);
      v_refused := v_refused or v_calls[v_new.n].outcome is not null;
    end loop;
    if v_refused then
      v_some := true;
      v_plan := sediment.plan_commits(v_calls);
    end if;
  end if;

  if not v_some then
    return sediment.write_commits(v_calls, v_plan, v_locked.direct);
  end if;
  select array_agg(c order by c.n) into v_going from unnest(v_calls) as c where c.outcome is null;
  if v_going is not null then
    v_answers := sediment.write_commits(v_going, v_plan, v_locked.direct);
  end if;
  for v_call in select c.* from unnest(v_calls) as c where c.outcome ? 'heal' order by c.n loop
    v_calls[v_call.n].outcome := (
      select sediment.heal_upload(v_call, u) from public.uploads u
      where u.dataset_id = v_call.dataset_id and u."table" = v_call."table" and u.period_tag = v_call.period_tag
        and u.content_hash = v_call.content_hash);
  end loop;
  -- those that were stored are counted where they are
  insert into public.metric_deltas (metric, label, events, amount)
  select 'uploads', x.outcome, count(*), sum(x.size)
  from (
    select c.size, case when c.outcome #>> '{answer,healed}' = 'true' then 'healed' else 'duplicate' end as outcome
    from unnest(v_calls) as c where c.outcome ? 'answer'
  ) x
  group by x.outcome;

  for i in 1 .. cardinality(v_calls) loop
    if v_calls[i].outcome is null then
      v_nth := v_nth + 1;
      v_out[i] := v_answers[v_nth];
    else
      v_out[i] := v_calls[i].outcome;
    end if;
  end loop;
  return v_out;
end $$;
