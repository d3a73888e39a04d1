-- Puts the live run of a leased partition back into its queue until a time. The caller holds the partition's lock.
create or replace function sediment.requeue_run(p public.partitions, p_until timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update public.partitions x
  set token = x.token + 1, lease_expires_at = null, lease_worker = null, claimed_at = null,
    claimed_demand_seq = null, claimed_debt_files = null, claimed_debt_bytes = null, ready_at = p_until
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  perform sediment.queue_set_visibility(p.queue, p.msg_id, p_until);
  perform sediment.promote_waiting_run(p, ceil(extract(epoch from p_until - clock_timestamp()))::integer);
end $$;
