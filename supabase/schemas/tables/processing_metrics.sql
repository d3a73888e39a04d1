-- One row a run; id = metricId of the queue message = instanceId of the status API. A run of the whole dataset
-- (fan_out) has no partition: it ends with the runs that it asked for (run_children).
create table if not exists public.processing_metrics (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  dataset_id uuid not null,
  "table" text,
  period_tag text,
  operation text not null check (operation in ('compaction', 'fan_out')),
  trigger text not null
    check (trigger in ('upload', 'request', 'message', 'sweep', 'schedule', 'redrive', 'follow_up')),
  priority text not null check (priority in ('manual', 'realtime', 'scheduled')),
  status text not null default 'queued'
    check (status in ('queued', 'running', 'success', 'failure', 'dlq_failure', 'timeout')),
  attempts integer not null default 0,
  -- seconds that workers held the partition for it, of the claims that have ended: see max_run_seconds
  worked_seconds double precision not null default 0,
  -- commits so far (outputs and the closing decision); the next commit's ordinal
  commits integer not null default 0,
  worker text,
  step text,
  steps jsonb not null default '{}',
  steps_ms jsonb not null default '{}',
  progress jsonb,
  decision text,
  output jsonb,
  error_code text,
  error_message text,
  error_step text,
  first_failed_at timestamptz,
  last_failed_at timestamptz,

  -- sums over the run's committed outputs
  files_before bigint not null default 0,
  files_after bigint not null default 0,
  row_groups_before bigint not null default 0,
  row_groups_after bigint not null default 0,
  rows_before bigint not null default 0,
  rows_after bigint not null default 0,
  bytes_before bigint not null default 0,
  bytes_after bigint not null default 0,
  files_quarantined integer not null default 0,

  -- a fan-out goes on after this key, slice by slice; null: all of its partitions were asked
  fan_out_cursor jsonb,
  fan_out_forced boolean not null default false,

  queued_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  completed_at timestamptz,
  -- attempts that were given back, since what they stood on had failed: the wait for the next grows with them
  given_back integer not null default 0,
  foreign key (dataset_id, "table", period_tag) references public.partitions (dataset_id, "table", period_tag),
  check (("table" is null) = (period_tag is null)),
  check ((operation = 'fan_out') = ("table" is null)),
  check ((completed_at is null) = (status in ('queued', 'running')))
) with (fillfactor = 70);

create index if not exists processing_metrics_dataset
  on public.processing_metrics (dataset_id, queued_at desc);

-- prune_history goes along it; on a column that no update touches, so that a run's updates stay heap-only
create index if not exists processing_metrics_queued_at on public.processing_metrics (queued_at);

-- The sweep closes fan-outs whose children have ended.
create index if not exists processing_metrics_fan_outs
  on public.processing_metrics (queued_at) where operation = 'fan_out' and completed_at is null;

create table if not exists public.run_children (
  parent_id uuid not null references public.processing_metrics (id),
  child_id uuid not null references public.processing_metrics (id),
  primary key (parent_id, child_id)
);

-- for the foreign key: prune_history deletes runs
create index if not exists run_children_child on public.run_children (child_id);

-- What each commit of a run answered, so that asking again gives the same answer.
create table if not exists public.run_commits (
  run_id uuid not null references public.processing_metrics (id),
  ordinal integer not null check (ordinal >= 0),
  token bigint not null,
  file_id bigint,
  object_key text,
  answer jsonb not null,
  committed_at timestamptz not null default clock_timestamp(),
  primary key (run_id, ordinal)
);
