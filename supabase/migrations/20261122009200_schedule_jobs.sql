-- The clockwork. Everything here only brings forward what is in the tables: a job that is missed costs time.
select cron.schedule('sediment_tick', '30 seconds', 'select public.tick()');
select cron.schedule('sediment_sweep', '* * * * *', 'select public.expire_leases(), public.sweep()');
select cron.schedule('sediment_scheduled', '0 2 * * *', 'select public.trigger_scheduled()');
select cron.schedule('sediment_vacuum', '0 * * * *', 'select sediment.ping_functions(''/compactor/vacuum'')');
