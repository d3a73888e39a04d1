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
  return jsonb_build_object('abandoned', v_count > 0);
end $$;
