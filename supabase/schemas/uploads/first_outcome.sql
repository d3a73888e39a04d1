-- What becomes of a commit whose identity another one acknowledged, or itself before: the first answer, where the
-- offsets are the same. The object that it would have made is given up. Without an acknowledgement the stage was.
-- A statement of its own after all waiting, so that it sees whoever was waited for.
create or replace function sediment.first_outcome(p sediment.commit_call)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_first public.uploads;
begin
  select * into v_first from public.uploads u
  where u.dataset_id = p.dataset_id and u."table" = p."table" and u.period_tag = p.period_tag
    and u.content_hash = p.content_hash;
  if not found then
    return sediment.failure('stage_expired', 410, format('stage %s was given up', p.stage));
  end if;
  -- the dataset was nobody's when it was planned, and became another user's; or the user may not write any more
  if not sediment.role_suffices(sediment.dataset_role(p.user_id, p.dataset_id), 'writer') then
    return sediment.failure('dataset_forbidden', 403,
      format('dataset %s is not the user''s to write to', p.dataset_id));
  end if;
  if exists (select 1 from public.datasets d where d.id = p.dataset_id
      and d.deletion_version > sediment.upload_version(v_first))
    and sediment.upload_deleted_at(v_first) is not null
  then
    perform sediment.discard_object(x.object_key, 'a deleted upload')
    from public.objects x where x.stage_id = p.stage and x.state = 'staged';
    return sediment.failure('upload_deleted', 410,
      format('this body was uploaded, and deleted on %s', sediment.upload_deleted_at(v_first)),
      'again=1, to have it back');
  end if;
  if v_first.offsets_digest <> p.offsets_digest then
    return sediment.failure('upload_conflict', 422,
      format('this body was acknowledged on %s with other offsets', v_first.created_at),
      'the offsets of the first upload');
  end if;
  -- Bytes that came again and are missed: they go behind the rows, when all else of the transaction is done. What was
  -- known when it was staged was not put.
  if p.etag is not null and sediment.lost_files(v_first.id) > 0
    and exists (select 1 from public.objects x where x.object_key = p.object_key and x.state = 'staged')
  then
    return '{"heal": true}'::jsonb;
  end if;
  perform sediment.discard_object(x.object_key, 'a duplicate upload')
  from public.objects x where x.stage_id = p.stage and x.state = 'staged';
  return jsonb_build_object('answer', sediment.upload_answer(v_first) || jsonb_build_object('duplicate', true));
end $$;
