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
      case
        when a.p_user is null or a.p_dataset is null then
          sediment.failure('invalid_request', 400, 'p_user and p_dataset are needed')
        when (a.p_table ~ '^[A-Za-z0-9_-]{1,64}$') is not true then sediment.name_failure('table', a.p_table)
        when (a.p_period_tag ~ '^[A-Za-z0-9_-]{1,64}$') is not true then
          sediment.name_failure('period_tag', a.p_period_tag)
        when (a.p_size > 0) is not true then
          sediment.failure('invalid_request', 400, format('the size is %s', a.p_size), 'a positive integer')
        when (a.p_content_hash ~ '^[0-9a-f]{64}$') is not true then
          sediment.failure('invalid_request', 400, 'the content hash is not a SHA-256', '64 lower-case hex digits')
        when a.p_kind not in ('fragment', 'concatenated', 'direct_fragment', 'direct_concatenated') then
          sediment.failure('invalid_request', 400, format('p_kind is %s', a.p_kind))
        when a.p_ttl_seconds <= 0 or a.p_max_put_seconds < 0 then
          sediment.failure('invalid_request', 400, 'the times to live are not positive')
        when d.user_id <> a.p_user and m.role is null then
          sediment.failure('dataset_forbidden', 403, format('dataset %s belongs to another user', a.p_dataset))
        when d.user_id <> a.p_user and m.role <> 'writer' then
          sediment.failure('dataset_forbidden', 403, format('in dataset %s the user is a %s', a.p_dataset, m.role),
            'the role writer')
        when z.id is not null then
          sediment.failure('user_deleted', 410, format('user %s was deleted', a.p_user), 'another account')
        when d.deleted_at is not null then
          sediment.failure('dataset_deleted', 410, format('dataset %s was deleted on %s', a.p_dataset, d.deleted_at),
            'another dataset_id')
        when gone.at > clock_timestamp() - (select make_interval(secs => s.deleted_upload_seconds)
            from public.service_settings s where s.id)
          and coalesce(a.p_again, false) is false
        then
          sediment.failure('upload_deleted', 410, format('this body was uploaded, and deleted on %s', gone.at),
            'again=1, to have it back')
        when gone.at is null and u.offsets_digest <> coalesce(a.p_offsets_digest, '') then
          sediment.failure('upload_conflict', 422,
            format('this body was acknowledged on %s with other offsets', u.created_at),
            'the offsets of the first upload')
      end, coalesce(d.user_id, a.p_user))::sediment.stage_call order by c.n),
      coalesce(bool_or(d.has_aliases or a.p_own_dataset and d.user_id <> a.p_user and m.role is distinct from 'writer'),
        false),
      coalesce(bool_or(d.id is null or gone.at is not null or a.p_idempotency_key is not null), false)
    into strict calls, respelled, admitted
    from jsonb_array_elements(p_calls) with ordinality as c(value, n)
    cross join lateral jsonb_to_record(c.value) as a(p_user uuid, p_dataset uuid, p_table text, p_period_tag text,
      p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text, p_ttl_seconds integer,
      p_max_put_seconds integer, p_details jsonb, p_idempotency_key text, p_again boolean,
      p_own_dataset boolean)
    left join public.datasets d on d.id = any (array[a.p_dataset])
    left join public.dataset_members m on m.dataset_id = any (array[d.id]) and m.user_id = a.p_user
    left join public.uploads u on u.dataset_id = any (array[a.p_dataset]) and u."table" = a.p_table
      and u.period_tag = a.p_period_tag and u.content_hash = a.p_content_hash
    left join public.deletions z on z.user_id = any (array[a.p_user]) and z.kind = 'user'
    cross join lateral (select case when d.deletion_version > coalesce(u.version, (u.answer ->> 'version')::bigint)
      then sediment.upload_deleted_at(u) end as at) gone;
end $$;
