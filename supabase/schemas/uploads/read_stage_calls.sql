-- The calls of stage_upload as they came, each checked and with what the catalog knows of its dataset and
-- identity; nothing is written or locked. p_calls: [{p_user, p_dataset, …}], the arguments of stage_upload by name.
-- respelled: sediment.respell_stages has to look at them, and they are read again then; admitted: one needs admission.
create or replace function sediment.read_stage_calls(
  p_calls jsonb, out calls sediment.stage_call[], out respelled boolean, out admitted boolean
)
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
begin
  select array_agg(row(c.n, a.p_user, a.p_dataset, a.p_table, a.p_period_tag, a.p_size, a.p_content_hash,
      coalesce(a.p_offsets_digest, ''), coalesce(a.p_kind, 'fragment'), coalesce(a.p_ttl_seconds, 120),
      coalesce(a.p_max_put_seconds, 7200), a.p_details, a.p_idempotency_key,
      case when u.id is not null and gone.at is null and sediment.lost_files(u.id) = 0 then sediment.upload_answer(u) end,
      d.id is null or gone.at is not null or a.p_idempotency_key is not null,
      -- mostly a call of the owner's is one like any other, of a body that is new
      case when (u.id is null and z.id is null and d.deleted_at is null and coalesce(d.user_id, a.p_user) = a.p_user
          and a.p_dataset is not null and a.p_size > 0 and a.p_table ~ '^[A-Za-z0-9_-]{1,64}$'
          and a.p_period_tag ~ '^[A-Za-z0-9_-]{1,64}$' and a.p_content_hash ~ '^[0-9a-f]{64}$'
          and coalesce(a.p_kind, 'fragment') in ('fragment', 'concatenated', 'direct_fragment', 'direct_concatenated')
          and a.p_ttl_seconds > 0 and coalesce(a.p_max_put_seconds, 0) >= 0
        ) is not true
        then sediment.stage_refusal(c.value, d.user_id, d.deleted_at, z.id is not null, gone.at, u.created_at,
          u.offsets_digest)
      end, coalesce(d.user_id, a.p_user))::sediment.stage_call order by c.n),
      coalesce(bool_or(d.has_aliases or a.p_own_dataset and d.user_id <> a.p_user), false),
      coalesce(bool_or(d.id is null or gone.at is not null or a.p_idempotency_key is not null), false)
    into strict calls, respelled, admitted
    from jsonb_array_elements(p_calls) with ordinality as c(value, n)
    cross join lateral jsonb_to_record(c.value) as a(p_user uuid, p_dataset uuid, p_table text, p_period_tag text,
      p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text, p_ttl_seconds integer,
      p_max_put_seconds integer, p_details jsonb, p_idempotency_key text, p_own_dataset boolean)
    left join public.datasets d on d.id = any (array[a.p_dataset])
    left join public.uploads u on u.dataset_id = any (array[a.p_dataset]) and u."table" = a.p_table
      and u.period_tag = a.p_period_tag and u.content_hash = a.p_content_hash
    left join public.deletions z on z.user_id = any (array[a.p_user]) and z.kind = 'user'
    cross join lateral (select case when d.deletion_version > coalesce(u.version, (u.answer ->> 'version')::bigint)
      then sediment.upload_deleted_at(u) end as at) gone;
end $$;
