-- Locks a slot that no lease holds until the transaction ends, and returns it; null when all are taken. It never waits. A
-- lease that ran out holds its slot until it is taken back, because its worker may still be at work. With max_workers 0
-- the clockwork wakes nobody, and a worker that is called by hand has one slot.
create or replace function sediment.take_slot()
returns integer
language plpgsql
set search_path = ''
as $$
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
end $$;
