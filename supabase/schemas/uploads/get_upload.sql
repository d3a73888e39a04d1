-- A stage, for the completion of a direct upload: {stage_id, state, dataset_id, table, period_tag, object_key,
-- incoming_key|null, size, content_hash, offsets_digest, details, expires_at|null, answer|null}; answer is the first
-- one of this upload's identity, where it was acknowledged and has lost none of its bytes.
-- Raises stage_expired, forbidden, dataset_forbidden.
create or replace function public.get_upload(p_stage uuid, p_user uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  o public.objects;
begin
  select * into o from public.objects x where x.stage_id = p_stage and x.kind = 'fragment';
  if not found then
    perform sediment.fail('stage_expired', 410, format('there is no stage %s', p_stage));
  end if;
  if o.user_id is distinct from p_user then
    perform sediment.fail('forbidden', 403, format('stage %s belongs to another user', p_stage));
  end if;
  if exists (select 1 from public.datasets d where d.id = o.dataset_id) then
    perform sediment.require_role(p_user, o.dataset_id, 'writer');
  end if;
  return jsonb_build_object('stage_id', p_stage, 'state', o.state, 'dataset_id', o.dataset_id,
    'table', o."table", 'period_tag', o.period_tag, 'object_key', o.object_key,
    'incoming_key', (select x.object_key from public.objects x where x.stage_id = p_stage and x.kind = 'incoming'),
    'size', o.size, 'content_hash', o.content_hash, 'offsets_digest', o.offsets_digest, 'details', o.details,
    'expires_at', o.expires_at, 'answer', (
      select sediment.upload_answer(u) || jsonb_build_object('duplicate', true) from public.uploads u
      where u.dataset_id = o.dataset_id and u."table" = o."table" and u.period_tag = o.period_tag
        and u.content_hash = o.content_hash and u.offsets_digest = o.offsets_digest
        and sediment.lost_files(u.id) = 0
        and not exists (select 1 from public.datasets d where d.id = u.dataset_id
          and d.deletion_version > sediment.upload_version(u) and sediment.upload_deleted_at(u) is not null)));
end $$;
