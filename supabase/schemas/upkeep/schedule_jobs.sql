-- The clockwork. Everything here only brings forward what is in the tables: a job that is missed costs time.
select cron.schedule('sediment_tick', '30 seconds', 'select public.tick()');
-- Each a job of its own: one that fails must not take back what another did.
select cron.schedule('sediment_lake', '30 seconds', 'select sediment.publish_lake()');
-- It takes as much as publications end in a minute, and holds the lake's lock, which they want too, no longer than one of them.
select cron.schedule('sediment_lake_history', '* * * * *', 'select sediment.prune_lake(10000)');
select cron.schedule('sediment_lake_heads', '* * * * *', 'select sediment.prune_lake_heads(50)');
select cron.schedule('sediment_leases', '* * * * *', 'select public.expire_leases()');
select cron.schedule('sediment_sweep', '* * * * *', 'select public.sweep(2000)');
select cron.schedule('sediment_deletions', '* * * * *', 'select sediment.step_deletions()');
select cron.schedule('sediment_ages', '* * * * *', 'select public.end_aged()');
select cron.schedule('sediment_history', '* * * * *', 'select public.prune_history(10000, 20)');
select cron.schedule('sediment_rewrites', '* * * * *', 'select sediment.advance_rewrites()');
select cron.schedule('sediment_metrics', '* * * * *', 'select sediment.fold_metrics(), sediment.sample_metrics()');
select cron.schedule('sediment_health', '* * * * *', 'select public.watch_health(), sediment.watch_troubles()');
select cron.schedule('sediment_scheduled', '0 2 * * *', 'select public.trigger_scheduled()');
select cron.schedule('sediment_vacuum', '0 * * * *', 'select sediment.ping_functions(''/compactor/vacuum'')');
-- Hourly; and sooner where something that was found waits to be looked at again.
select cron.schedule('sediment_store_check', '7,17,27,37,47,57 * * * *', $$
  select sediment.ping_functions('/compactor/check')
  where extract(minute from clock_timestamp()) between 15 and 25
    or exists (select 1 from sediment.store_suspects(false, 1))
$$);
-- Wakes the handler only while there is something to alert of.
select cron.schedule('sediment_dead_letters', '* * * * *', $$
  select sediment.ping_functions('/dead-letter')
  where exists (select 1 from pgmq.q_compaction_dlq m where m.vt <= clock_timestamp())
    or exists (select 1 from public.alerts a where a.state = 'pending' and a.next_attempt_at <= clock_timestamp())
$$);
-- Users of keys that have ended are deleted in Auth, which only the functions can reach.
select cron.schedule('sediment_keys', '* * * * *', $$
  select sediment.ping_functions('/compactor/keys')
  where exists (select 1 from public.dataset_keys k where k.remove_user_at <= now())
$$);
-- pg_cron keeps a row of every run of every job, for ever.
select cron.schedule('sediment_cron_log', '23 3 * * *', $$
  delete from cron.job_run_details d
  where d.end_time < now() - interval '7 days'
    and d.jobid in (select j.jobid from cron.job j where j.jobname like 'sediment\_%')
$$);
