-- The calls of commit_upload as they came, each with its stage, whose object is locked from here on, in order; then their
-- identities, in order too: who has an identity's lock acknowledges it, and a racer waits here.
-- p_calls: [{p_stage, p_user, …}], the arguments of commit_upload by name. Of calls that commit one stage
-- or one identity the first goes on and the others are busy: they are made again when its answer is there.
-- Who waited for a lock sees the object as it is now, but not what the ledger got meanwhile: that is looked up by a
-- statement after this one (sediment.plan_commits).
--   aliased: tables of one of the datasets have other names; direct: one of the stages has an incoming object;
--   settled: of one it is known already what becomes of it
create or replace function sediment.lock_commit_calls(
  p_calls jsonb, out calls sediment.commit_call[], out aliased boolean, out direct boolean, out settled boolean
)
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
begin
  with given as materialized (
    select c.n::integer as n, a.*
    from jsonb_array_elements(p_calls) with ordinality as c(value, n)
    cross join lateral jsonb_to_record(c.value) as a(p_stage uuid, p_user uuid, p_size bigint, p_etag text,
      p_content_hash text, p_files jsonb, p_object_size bigint)
  ), locked as materialized (
    select o as object, o.stage_id, o.user_id, o.dataset_id, o."table", o.period_tag, o.content_hash,
      o.offsets_digest, o.object_key, o.state, o.size
    from public.objects o
    where o.stage_id = any (array(select c.p_stage from given c)) and o.stage_id is not null and o.kind = 'fragment'
    order by o.stage_id
    for update
  ), entered as materialized (
    select count(pg_catalog.pg_advisory_xact_lock(i.key)) as waited
    from (
      select distinct pg_catalog.hashtextextended(
        concat_ws('/', 'sediment upload', l.dataset_id, l."table", l.period_tag, l.content_hash), 0) as key
      from locked l where l.state = 'staged' order by 1
    ) i
  ), staged as (
    select c.*, o.dataset_id, o."table", o.period_tag, o.content_hash, o.offsets_digest, o.object_key, o.state,
      -- looked into where something differs: the call costs more than the comparison
      case when (o.user_id = c.p_user and o.content_hash = c.p_content_hash
        and (o.state <> 'staged' or o.size = c.p_size)) is not true
        then sediment.stage_failure(o.object, c.p_stage, c.p_user, c.p_content_hash, c.p_size) end as failure,
      row_number() over (partition by o.dataset_id, o."table", o.period_tag, o.content_hash order by c.n) > 1 as again,
      exists (select 1 from public.objects i
        where i.stage_id = any (array[c.p_stage]) and i.stage_id is not null and i.kind = 'incoming') as direct
    from given c left join locked o on o.stage_id = c.p_stage
    cross join entered
  )
  select array_agg(row(s.n, s.p_stage, s.p_user, s.p_size, coalesce(s.p_object_size, s.p_size), s.p_etag, s.p_files,
      s.dataset_id, s."table", s.period_tag, s.content_hash, s.offsets_digest, s.object_key,
      s.state <> 'staged', false,
      case when s.failure is not null then s.failure when s.again then '{"busy": true}'::jsonb end,
      coalesce(d.user_id, s.p_user))::sediment.commit_call order by s.n),
    coalesce(bool_or(d.has_aliases), false), coalesce(bool_or(s.direct), false),
    coalesce(bool_or(s.again or s.failure is not null), false)
  into strict calls, aliased, direct, settled
  from staged s
  left join public.datasets d on d.id = any (array[s.dataset_id]);
end $$;
