-- Gives a stage up before its time, when the bytes turned out bad. Nothing happens to one that was committed or
-- is gone already. Returns {abandoned}.
create or replace function public.abandon_upload(p_stage uuid, p_user uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_count integer;
begin
  if exists (select 1 from public.objects o where o.stage_id = p_stage and o.user_id is distinct from p_user) then
    perform sediment.fail('forbidden', 403, format('stage %s belongs to another user', p_stage));
  end if;
  select count(*) into strict v_count from (
    select sediment.discard_object(o.object_key, 'abandoned by the uploader') as done
    from public.objects o where o.stage_id = p_stage and o.state = 'staged' order by o.object_key
  ) d where d.done;
  if v_count > 0 then
    -- what it named was never stored: a better file may come under the same Idempotency-Key
    delete from public.idempotency_keys k
    using public.objects o
    where o.stage_id = p_stage and o.kind = 'fragment' and k.user_id = p_user
      and k.identity = concat_ws('/', o.dataset_id, o."table", o.period_tag, o.content_hash, o.offsets_digest)
      and not exists (select 1 from public.uploads u where u.dataset_id = o.dataset_id and u."table" = o."table"
        and u.period_tag = o.period_tag and u.content_hash = o.content_hash);
  end if;
  return jsonb_build_object('abandoned', v_count > 0);
end $$;
