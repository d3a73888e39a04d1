-- Refuses one dataset more than the user may have. At a stage it is a look; at the commit that makes the dataset
-- p_final waits for the user's other ones and is exact. The user of a key may have none.
create or replace function sediment.check_dataset_quota(p_user uuid, p_final boolean)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_max integer;
begin
  perform sediment.refuse_key(p_user);
  select coalesce(l.datasets_max, s.datasets_max) into v_max
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  if p_final then
    -- without a limit, too: the deletion of the user looks for datasets under this lock
    perform sediment.lock_quota(p_user);
  end if;
  if v_max is null then
    return;
  end if;
  if (select count(*) from public.datasets d where d.user_id = p_user and d.deleted_at is null) >= v_max then
    perform sediment.fail('quota_exceeded', 429, format('datasets_max: the user has %s datasets', v_max),
      format('at most %s datasets', v_max));
  end if;
end $$;
