-- The stage of an asset, for the completion of a direct upload: {stage_id, state, object_key, incoming_key|null, key, size,
-- content_hash, expires_at|null, answer|null}; answer is that of the commit, where it was made. Raises stage_expired,
-- forbidden.
create or replace function public.get_asset_upload(p_stage uuid, p_user uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  o public.objects;
begin
  select * into o from public.objects x where x.stage_id = p_stage and x.kind = 'asset';
  if not found then
    perform sediment.fail('stage_expired', 410, format('there is no stage %s', p_stage));
  end if;
  if o.user_id is distinct from p_user then
    perform sediment.fail('forbidden', 403, format('stage %s belongs to another user', p_stage));
  end if;
  if o.state <> 'staged' and o.details -> 'answer' is null then
    perform sediment.fail('stage_expired', 410, format('stage %s was given up', p_stage));
  end if;
  return jsonb_build_object('stage_id', p_stage, 'state', o.state, 'object_key', o.object_key,
    'incoming_key', (select x.object_key from public.objects x where x.stage_id = p_stage and x.kind = 'incoming'),
    'key', o.asset_key, 'size', o.size, 'content_hash', o.content_hash, 'expires_at', o.expires_at,
    'answer', o.details -> 'answer' || jsonb_build_object('duplicate', true));
end $$;
