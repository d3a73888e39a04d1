-- Ends what is under way in a partition because its data was deleted: the live run and the one behind it end well, with
-- nothing left to do, the message is archived, the token rises, dead letters are closed. Where rows were uploaded since
-- the deletion they get a run of their own. The caller holds the locks of the partition and of the dataset.
create or replace function sediment.end_partition_run(p public.partitions)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_left record;
begin
  perform sediment.open_run(i.id, p.dataset_id, p."table", p.period_tag, 'realtime', 'upload')
  from unnest(array[p.run_id, p.next_run_id]) as i(id) where i.id is not null;
  update public.processing_metrics r
  set status = 'success', completed_at = v_now, step = null, error_code = null, error_message = null,
    error_step = null, decision = 'ended: what it was to compact was deleted'
  where r.id in (p.run_id, p.next_run_id);
  if p.msg_id is not null then
    perform sediment.queue_archive(p.queue, p.msg_id);
  end if;
  update public.dead_letters l set resolved_at = v_now, resolution = 'deleted'
  where l.dataset_id = p.dataset_id and l."table" = p."table" and l.period_tag = p.period_tag
    and l.resolved_at is null;

  select count(*) as files, coalesce(sum(f.byte_length), 0)::bigint as bytes, min(f.uploaded_at) as oldest
  into strict v_left from public.battle_files f
  where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
    and f.removed_version is null and f.state = 'active'
    and not (sediment.has_marks(p.dataset_id) and sediment.is_marked(f, 9223372036854775807));
  update public.partitions x
  set queue = null, msg_id = null, run_id = null, next_run_id = null, ready_at = null, token = x.token + 1,
    lease_expires_at = null, lease_worker = null, lease_slot = null, claimed_at = null, claimed_demand_seq = null,
    claimed_debt_files = null, claimed_debt_bytes = null, due_at = null, dead_since = null, dead_looks = 0,
    idle_runs = 0, staged_inputs = null, isolation = null, output_cap_bytes = null, plan_digest = null,
    tier_files = case when v_left.files = 0 then '{}'::integer[] end, tier_oldest = null, tier_groups = null,
    debt_files = v_left.files, debt_bytes = v_left.bytes, debt_oldest = v_left.oldest,
    demand_seq = x.demand_seq + (v_left.files > 0)::integer, done_seq = x.demand_seq,
    last_decision = 'ended: what it was to compact was deleted', last_considered_at = v_now
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  if v_left.files > 0 then
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'realtime', 'follow_up', 0);
  end if;
end $$;
