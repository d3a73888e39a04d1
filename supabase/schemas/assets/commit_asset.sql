-- Makes a staged object the asset's current one, in one update that readers see whole; the old object is deleted
-- when no URL signed for it can be alive. Asked again it gives the same answer with duplicate: true. The same bytes again are
-- a duplicate, unless the store has lost those that there are: then these take their place.
-- Returns {key, relative_path, file_name, size, content_hash, etag, object_key, uploaded_at, replaced, duplicate, healed?}.
-- Raises stage_expired, forbidden, hash_mismatch, size_mismatch, quota_exceeded.
create or replace function public.commit_asset(
  p_stage uuid, p_user uuid, p_size bigint, p_etag text, p_content_hash text
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  o public.objects;
  v_old public.assets;
  v_now timestamptz := clock_timestamp();
  v_duplicate boolean;
  v_failure jsonb;
  v_answer jsonb;
begin
  select * into o from public.objects x where x.stage_id = p_stage and x.kind = 'asset' for update;
  v_failure := sediment.stage_failure(o, p_stage, p_user, p_content_hash, p_size);
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  v_answer := jsonb_build_object('key', o.asset_key, 'relative_path', o.details ->> 'relative_path',
    'file_name', o.details ->> 'file_name', 'size', o.size, 'content_hash', o.content_hash, 'etag', p_etag,
    'object_key', o.object_key, 'uploaded_at', v_now, 'replaced', false, 'duplicate', false);
  if o.state <> 'staged' then
    if o.details -> 'answer' is null then
      perform sediment.fail('stage_expired', 410, format('stage %s was given up', p_stage));
    end if;
    return o.details -> 'answer' || jsonb_build_object('duplicate', true);
  end if;

  -- one at a time with the deletion of the user
  perform sediment.lock_quota(p_user);
  perform sediment.refuse_deleted_user(p_user);
  perform sediment.check_stored(p_user, p_size - coalesce(
    (select a.size from public.assets a where a.user_id = p_user and a.key = o.asset_key), 0));
  insert into public.assets (user_id, key, relative_path, file_name, object_key, size, content_hash, etag, updated_at)
  values (p_user, o.asset_key, o.details ->> 'relative_path', o.details ->> 'file_name', o.object_key, p_size,
    p_content_hash, p_etag, v_now)
  on conflict (user_id, key) do nothing;
  if not found then
    select * into strict v_old from public.assets a where a.user_id = p_user and a.key = o.asset_key for update;
    v_duplicate := v_old.content_hash = p_content_hash and not sediment.is_missed(v_old.object_key);
    if v_duplicate then
      perform sediment.discard_object(o.object_key, 'a duplicate asset');
      v_answer := v_answer || jsonb_build_object('object_key', v_old.object_key, 'etag', v_old.etag,
        'uploaded_at', v_old.updated_at, 'duplicate', true);
    else
      update public.assets a
      set relative_path = o.details ->> 'relative_path', file_name = o.details ->> 'file_name',
        object_key = o.object_key, size = p_size, content_hash = p_content_hash, etag = p_etag, updated_at = v_now
      where a.user_id = p_user and a.key = o.asset_key;
      perform sediment.retire_object(v_old.object_key, 'replaced asset', sediment.signed_url_life());
      v_answer := v_answer || case when v_old.content_hash = p_content_hash then '{"healed": true}'::jsonb
        else '{"replaced": true}' end;
    end if;
  end if;
  insert into public.user_usage as u (user_id, minute_start, minute_uploads, day_start, day_bytes, asset_bytes)
  select p_user, v_now, 0, v_now, 0, g.bytes
  from (select case when v_duplicate then 0 else p_size - coalesce(v_old.size, 0) end as bytes) g
  where g.bytes <> 0
  on conflict (user_id) do update set asset_bytes = greatest(0, u.asset_bytes + excluded.asset_bytes);

  perform sediment.discard_object(x.object_key, 'the checked copy is stored') from public.objects x
  where x.stage_id = p_stage and x.kind = 'incoming' and x.state = 'staged';
  update public.objects x
  set state = case when x.state = 'staged' then 'stored' else x.state end, etag = p_etag, expires_at = null,
    updated_at = v_now, details = x.details || jsonb_build_object('answer', v_answer)
  where x.object_key = o.object_key;
  return v_answer;
end $$;
