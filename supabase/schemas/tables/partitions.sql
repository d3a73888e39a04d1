-- The unit that is compacted, and the one row that every change of it locks first. Never deleted: the fencing
-- token and the upload order must not start again.
create table if not exists public.partitions (
  dataset_id uuid not null references public.datasets (id),
  "table" text not null,
  period_tag text not null,

  -- debt: what the planner would act on, as far as is known without reading the files. Without debt_oldest nothing is to be
  -- done yet: files and bytes are what came since a plan was made
  debt_files bigint not null default 0,
  debt_bytes bigint not null default 0,
  debt_oldest timestamptz,

  -- demand: raised by every upload and request; done_seq is the demand that the last finished run had seen
  demand_seq bigint not null default 0,
  done_seq bigint not null default 0,
  forced_seq bigint not null default 0,
  -- upload order of data files (battle_files.seq_min, seq_max)
  last_seq bigint not null default 0,

  -- the one live message, and the run it stands for; ready_at mirrors the message's vt
  queue text,
  msg_id bigint,
  run_id uuid,
  ready_at timestamptz,
  -- the run that will see demand which no run has seen: it has a row where somebody asked for it while a worker held the
  -- lease; of uploads it is an id that is kept for them until a plan would act
  next_run_id uuid,

  -- lease: token only grows; whoever holds the newest one may commit
  token bigint not null default 0,
  lease_expires_at timestamptz,
  lease_worker text,
  claimed_at timestamptz,
  claimed_demand_seq bigint,
  claimed_debt_files bigint,
  claimed_debt_bytes bigint,

  -- when a partition without a live message should get one; null when it should not
  due_at timestamptz,
  last_decision text,
  last_considered_at timestamptz,
  -- set when a run ended in the dead letters; new demand or a redrive clears it
  dead_since timestamptz,
  created_at timestamptz not null default now(),
  -- looks at a dead partition that came to nothing, and runs in a row that found nothing to do: the next waits longer
  dead_looks integer not null default 0,
  idle_runs integer not null default 0,
  -- what the last run that saw all of it planned by (sediment.plan_digest)
  plan_digest text,
  -- of a leased one: which of the workers it is (worker_slots)
  lease_slot integer,
  -- the data files of the output at which a leased worker is (stage_output): what it dies of is among them
  staged_inputs bigint[],
  -- after workers died: which files are tried alone (sediment.narrow_claim): {suspects: [id], trial: how many of them,
  -- deaths: {id: of it alone}, sound: whether another one passed alone since, bytes: of all that the first died at}
  isolation jsonb,
  -- what target_file_bytes is at most: files that killed only together, and those of which the store refused an output for
  -- its size, are merged into smaller ones
  output_cap_bytes bigint,
  -- files that the last run left as they are, since taking them apart would cost more than a turn may: last_decision says why
  left_alone_files bigint not null default 0,
  -- small files by size tier (shared/compaction/plan/tiers.ts) that wait for more: in each as many as the group of
  -- schemas that has the most of them, as the last run left them, and all that came since; of a leased partition what came
  -- since the claim. Null: not known, and the next upload makes a run
  tier_files integer[],
  -- since when the oldest upload among them waits, tier by tier
  tier_oldest timestamptz[],
  -- the same by groups of schemas, where the last run left more than one: [{schemas: fingerprints that are known to meet,
  -- files, oldest}], and at the end, without schemas, what came since of others, which may belong to any. Null: all that
  -- waits may be of one group
  tier_groups jsonb,

  primary key (dataset_id, "table", period_tag),
  -- one constraint, and a short one, since every statement that writes reads it anew from the catalog: 4 KB took 30 µs. The
  -- names of a partition are those of its first data file, which were checked as it came (sediment.plan_commits)
  constraint partitions_facts check (debt_files >= 0 and debt_bytes >= 0
    and queue in ('manual', 'realtime', 'scheduled') and jsonb_typeof(isolation) = 'object' and output_cap_bytes > 0
    and left_alone_files >= 0 and num_nulls(queue, msg_id, run_id, ready_at) % 4 = 0
    and (lease_expires_at is null or msg_id is not null) and num_nulls(lease_expires_at, claimed_demand_seq) <> 1)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- Partial on columns that an upload which joins a live message does not touch, so that its update stays
-- heap-only.
create index if not exists partitions_due on public.partitions (due_at)
  where due_at is not null and msg_id is null;
-- What the tick looks at. Every update of ready_at changes the message or the lease with it, which are indexed too.
create index if not exists partitions_ready on public.partitions (ready_at)
  where msg_id is not null;
create index if not exists partitions_leases on public.partitions (lease_expires_at)
  where lease_expires_at is not null;
-- What the sweep looks at when plans have come to go by something else.
create index if not exists partitions_seen on public.partitions (last_considered_at)
  where msg_id is null and dead_since is null;
create index if not exists partitions_debt on public.partitions (debt_oldest)
  where debt_oldest is not null;
-- What the night takes, by the age of the debt: what is alive, and what is dead.
create index if not exists partitions_night on public.partitions (debt_oldest, dataset_id)
  where debt_oldest is not null and dead_since is null;
create index if not exists partitions_dead_debt on public.partitions (debt_oldest)
  where dead_since is not null;
-- The few of a dataset that anything is to be said of or done with, in the order in which they are asked.
create index if not exists partitions_active on public.partitions (dataset_id, "table", period_tag)
  where debt_oldest is not null or due_at is not null or msg_id is not null or dead_since is not null
    or next_run_id is not null;
-- What a dataset's owner is told of files that stay as they are.
create index if not exists partitions_left_alone on public.partitions (dataset_id)
  where left_alone_files > 0;
create index if not exists partitions_message on public.partitions (queue, msg_id)
  where msg_id is not null;
-- Whose run an id is that no run has a row for yet.
create index if not exists partitions_kept_run on public.partitions (coalesce(next_run_id, run_id))
  where coalesce(next_run_id, run_id) is not null;
