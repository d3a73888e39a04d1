-- take_slot as its source is: it had changed after its migration was drafted.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION sediment.take_slot()
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_slot integer;
begin
  for v_slot in
    select s.slot from public.worker_slots s
    where s.slot <= (select greatest(x.max_workers, 1) from public.service_settings x)
      and not exists (select 1 from public.partitions p where p.lease_slot = s.slot and p.lease_expires_at is not null)
    order by s.slot
  loop
    perform 1 from public.worker_slots s where s.slot = v_slot for update skip locked;
    -- look again under the lock: whoever held it may have claimed
    if found and not exists (
      select 1 from public.partitions p where p.lease_slot = v_slot and p.lease_expires_at is not null)
    then
      return v_slot;
    end if;
  end loop;
  return null;
end $function$;
