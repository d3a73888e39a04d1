-- commit_upload for many at once: each call is as it would be alone, and has its answer or its error; uploads of one
-- dataset share a version. p_calls: [{p_stage, p_user, …}]. Returns, in that order, {answer}, {error: {code,
-- message, details, hint}} or {busy: true} (not done: another call of the group commits the same upload).
--
-- A handful of statements for all calls, planned as those of sediment.stage_uploads are.
--
-- Locks are taken in the order that all transactions keep: stages, ledger, quotas, new datasets, schemas, partitions,
-- datasets, queue, what users have used; each kind sorted. Healing comes last and waits for
-- none.
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
  v_calls sediment.commit_call[] := sediment.respell_commits(sediment.lock_commit_calls(p_calls));
  v_call sediment.commit_call;
  v_read record;
  v_files sediment.commit_file[];
  v_entered uuid[];
  v_limited boolean;
  v_new record;
  v_new_schemas boolean := false;
  v_refused boolean := false;
  v_going sediment.commit_call[];
  v_answers jsonb := '{}'::jsonb;
begin
  v_read := sediment.read_commit_files(v_calls);
  v_files := v_read.files;
  if v_read.wrong is not null then
    -- the ledger held it when it was staged, so that no files came along, and then it was deleted
    perform sediment.refuse_deleted_stages(v_calls);
    for v_call in select c.* from unnest(v_calls) as c where v_read.wrong ? c.n::text loop
      v_calls[v_call.n].outcome := case when v_call.files = '[]' and exists (
          select 1 from public.objects o join public.datasets d on d.id = o.dataset_id
          where o.object_key = v_call.object_key and d.deletion_version > coalesce(o.staged_version, 0))
        then sediment.failure('stage_expired', 410, format('what stage %s was a duplicate of was deleted', v_call.stage))
        else sediment.failure('invalid_request', 400, v_read.wrong ->> v_call.n::text) end;
    end loop;
  end if;

  -- Whoever inserts the identity first acknowledges it; a racer waits here and then reads what was answered.
  with entered as (
    insert into public.uploads (id, dataset_id, "table", period_tag, content_hash, offsets_digest, user_id,
      object_key, size)
    select c.stage, c.dataset_id, c."table", c.period_tag, c.content_hash, c.offsets_digest, c.user_id,
      c.object_key, c.size
    from unnest(v_calls) as c
    where c.outcome is null and not c.known
    order by c.dataset_id, c."table", c.period_tag, c.content_hash
    on conflict (dataset_id, "table", period_tag, content_hash) do nothing
    returning id
  )
  select coalesce(array_agg(e.id), '{}') into strict v_entered from entered e;
  select coalesce(bool_or(sediment.is_near_quota(x.owner_id, x.bytes, x.max)), false) into strict v_limited
  from (
    select c.owner_id, sum(c.object_size)::bigint as bytes,
      coalesce(min(l.stored_bytes_max), min(s.stored_bytes_max)) as max
    from unnest(v_calls) as c
    join public.service_settings s on s.id
    left join public.user_limits l on l.user_id = any (array[c.owner_id])
    where c.outcome is null and not c.known
    group by c.owner_id
  ) x
  where x.max is not null;
  if v_limited then
    -- which of the owners it is, check_stored finds out
    select array_agg((c.n, c.stage, c.user_id, c.size, c.object_size, c.etag, c.files, c.dataset_id, c."table",
      c.period_tag, c.content_hash, c.offsets_digest, c.object_key, c.known, true, c.outcome, c.owner_id)::sediment.commit_call
      order by c.n)
    into strict v_calls from unnest(v_calls) as c;
  end if;

  if cardinality(v_entered) = cardinality(v_calls) and not v_limited then
    -- as mostly: nothing is known, refused or limited
    v_going := v_calls;
  else
    -- By owner, then as they came: two groups that wait for owners' quotas must not wait for each other.
    for v_call in
      select c.* from unnest(v_calls) as c
      where c.outcome is null and (c.limited or c.stage <> all (v_entered)) order by c.owner_id, c.n
    loop
      v_calls[v_call.n].outcome := case when v_call.stage = any (v_entered)
        then sediment.quota_outcome(v_call, v_calls) else sediment.first_outcome(v_call) end;
    end loop;
    select array_agg(c) into v_going from unnest(v_calls) as c where c.outcome is null;
    select array_agg(f order by f.dataset_id, f."table", f.period_tag, f.n, f.ordinal) into v_files
    from unnest(v_files) as f where f.n in (select c.n from unnest(v_going) as c);
  end if;

  -- What is new with them: datasets, made here, partitions and schemas. By owner, then as they came, as above. What is
  -- known already is asked for once: schemas and partitions are never deleted.
  for v_new in
    with x as materialized (
      select distinct f.n, f.user_id, f.dataset_id, f."table", f.period_tag, f.schema_digest from unnest(v_files) as f
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
    v_new_schemas := v_new_schemas or v_new.schemas is not null;
    v_calls[v_new.n].outcome := sediment.admit_commit(v_calls[v_new.n], v_new.partitions, v_new.tables,
      -- one for each 64 KiB of its text begun
      case when v_new.schemas is null then 0 else (
        select sum(ceil(octet_length(s.schema::text) / 65536.0))::integer
        from (
          select distinct on (f.schema_digest) f.schema from unnest(v_files) as f
          where f.n = v_new.n and f.schema_digest = any (v_new.schemas)
          order by f.schema_digest
        ) s) end);
    v_refused := v_refused or v_calls[v_new.n].outcome is not null;
  end loop;
  if v_refused then
    select array_agg(c) into v_going from unnest(v_calls) as c where c.outcome is null;
    select array_agg(f order by f.dataset_id, f."table", f.period_tag, f.n, f.ordinal) into v_files
    from unnest(v_files) as f where f.n in (select c.n from unnest(v_going) as c);
  end if;

  if v_going is not null then
    v_answers := sediment.write_commits(v_going, v_files, v_new_schemas);
  end if;

  for v_call in select c.* from unnest(v_calls) as c where c.outcome ? 'heal' order by c.n loop
    v_calls[v_call.n].outcome := (
      select sediment.heal_upload(v_call, u) from public.uploads u
      where u.dataset_id = v_call.dataset_id and u."table" = v_call."table" and u.period_tag = v_call.period_tag
        and u.content_hash = v_call.content_hash);
  end loop;

  return (
    select array_agg(coalesce(c.outcome, jsonb_build_object('answer', v_answers -> c.n::text)) order by c.n)
    from unnest(v_calls) as c);
end $$;
