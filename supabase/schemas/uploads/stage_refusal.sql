-- Why a call of stage_upload is refused, by what it asks and what the catalog knows of it; null where it is not. Looked into
-- where something is other than usual: each comparison costs more than a row that is read.
--   p_call: the call's arguments, by name; p_owner, p_deleted_at: the dataset's; p_gone: when the identity's upload, which
--   was acknowledged at p_known_at with p_known_digest, was deleted
create or replace function sediment.stage_refusal(
  p_call jsonb, p_owner uuid, p_deleted_at timestamptz, p_user_deleted boolean, p_gone timestamptz, p_known_at timestamptz,
  p_known_digest text
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  a record;
  v_role text;
begin
  select * into a from jsonb_to_record(p_call) as x(p_user uuid, p_dataset uuid, p_table text, p_period_tag text,
    p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text, p_ttl_seconds integer,
    p_max_put_seconds integer, p_again boolean);
  if p_owner <> a.p_user then
    select m.role into v_role from public.dataset_members m where m.dataset_id = a.p_dataset and m.user_id = a.p_user;
  end if;
  return case
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
    when p_owner <> a.p_user and v_role is null then
      sediment.failure('dataset_forbidden', 403, format('dataset %s belongs to another user', a.p_dataset))
    when p_owner <> a.p_user and v_role <> 'writer' then
      sediment.failure('dataset_forbidden', 403, format('in dataset %s the user is a %s', a.p_dataset, v_role),
        'the role writer')
    when p_user_deleted then
      sediment.failure('user_deleted', 410, format('user %s was deleted', a.p_user), 'another account')
    when p_deleted_at is not null then
      sediment.failure('dataset_deleted', 410, format('dataset %s was deleted on %s', a.p_dataset, p_deleted_at),
        'another dataset_id')
    when p_gone > clock_timestamp() - (select make_interval(secs => s.deleted_upload_seconds)
        from public.service_settings s where s.id)
      and coalesce(a.p_again, false) is false
    then
      sediment.failure('upload_deleted', 410, format('this body was uploaded, and deleted on %s', p_gone),
        'again=1, to have it back')
    when p_gone is null and p_known_digest <> coalesce(a.p_offsets_digest, '') then
      sediment.failure('upload_conflict', 422,
        format('this body was acknowledged on %s with other offsets', p_known_at),
        'the offsets of the first upload')
  end;
end $$;
