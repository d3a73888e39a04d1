-- The clockwork. Everything here only brings forward what is in the tables: a job that is missed costs time.
select cron.schedule('sediment_tick', '30 seconds', 'select public.tick()');
select cron.schedule('sediment_sweep', '* * * * *', 'select public.expire_leases(), public.sweep()');
select cron.schedule('sediment_scheduled', '0 2 * * *', 'select public.trigger_scheduled()');
select cron.schedule('sediment_vacuum', '0 * * * *', 'select sediment.ping_functions(''/compactor/vacuum'')');
-- Wakes the handler only while there is something to alert of.
select cron.schedule('sediment_dead_letters', '* * * * *', $$
  select sediment.ping_functions('/dead-letter')
  where exists (select 1 from pgmq.q_compaction_dlq m where m.vt <= clock_timestamp())
    or exists (select 1 from public.alerts a where a.state = 'pending' and a.next_attempt_at <= clock_timestamp())
$$);
