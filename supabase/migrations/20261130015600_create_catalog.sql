-- The catalog as it was first released: every file of supabase/schemas but the extensions, in the order of
-- config.toml's schema_paths.
set local lock_timeout = '5s';

-- schemas/schema_sediment.sql
-- Helpers live in a schema of their own, which PostgREST does not expose: schema public holds the tables, the
-- views and the functions that are the API, and nothing else.
create schema if not exists sediment;

revoke all on schema sediment from public;
grant usage on schema sediment to service_role;

-- schemas/tables/service_settings.sql
-- One row: every number that a deployment may want to change. Limits that are null are not enforced.
create table if not exists public.service_settings (
  id boolean primary key default true check (id),

  -- merging; the defaults of table_settings
  target_file_bytes bigint not null default 33554432 check (target_file_bytes > 0),
  target_row_group_bytes bigint not null default 8388608 check (target_row_group_bytes > 0),
  healthy_row_group_bytes bigint not null default 2097152 check (healthy_row_group_bytes > 0),
  target_page_bytes bigint not null default 1048576 check (target_page_bytes > 0),
  min_inputs integer not null default 4 check (min_inputs >= 1),
  max_age_seconds integer not null default 3600 check (max_age_seconds >= 0),
  codec text not null default 'zstd' check (codec in ('snappy', 'zstd')),

  -- runs and the queue
  realtime_delay_seconds integer not null default 3 check (realtime_delay_seconds >= 0),
  lease_seconds integer not null default 300 check (lease_seconds > 0),
  -- hard limit of a run, counted while workers hold its partition, over all of its claims
  max_run_seconds integer not null default 3600 check (max_run_seconds > 0),
  max_attempts integer not null default 3 check (max_attempts > 0),
  backoff_base_seconds integer not null default 5 check (backoff_base_seconds > 0),
  backoff_cap_seconds integer not null default 300 check (backoff_cap_seconds > 0),
  -- a run that found nothing to do is not asked again sooner than this
  idle_recheck_seconds integer not null default 300 check (idle_recheck_seconds > 0),
  max_workers integer not null default 4 check (max_workers between 0 and 64),
  max_datasets_per_run integer not null default 50 check (max_datasets_per_run > 0),
  schedule_concurrency integer not null default 5 check (schedule_concurrency > 0),
  schedule_delay_ms integer not null default 1000 check (schedule_delay_ms >= 0),

  -- what is kept, and for how long
  retention_seconds integer not null default 604800 check (retention_seconds >= 0),
  -- how often vacuum looks at one dataset
  vacuum_interval_seconds integer not null default 600 check (vacuum_interval_seconds >= 0),
  -- longest life of a signed download URL: objects outlive the last reader that may hold one
  signed_url_seconds integer not null default 3600 check (signed_url_seconds >= 0),
  -- longest time after which bytes can still be PUT to a planned key (hosted upload URLs: 2 hours)
  max_put_seconds integer not null default 7200 check (max_put_seconds >= 0),

  -- how long pgmq's archive keeps messages that are done
  archive_seconds integer not null default 2592000 check (archive_seconds >= 0),
  -- how long ended runs with their commits, closed dead letters, alerts and the keys of deleted objects are kept;
  -- the ledger of uploads is kept for ever
  history_seconds integer not null default 7776000 check (history_seconds >= 3600),

  -- limits of a user without a row in user_limits
  uploads_per_minute integer check (uploads_per_minute > 0),
  upload_bytes_per_day bigint check (upload_bytes_per_day > 0),
  stored_bytes_max bigint check (stored_bytes_max > 0),
  datasets_max integer check (datasets_max > 0),
  asset_bytes_max bigint not null default 26214400 check (asset_bytes_max > 0),
  asset_extensions text[] not null default array[
    'avif', 'csv', 'gif', 'jpeg', 'jpg', 'json', 'md', 'mp3', 'mp4', 'ogg', 'pdf', 'png', 'svg', 'toml', 'txt',
    'wav', 'webm', 'webp', 'yaml', 'yml', 'zip'
  ],

  -- alerts: [{"kind": "slack"|"pagerduty"|"plain", "url": "https://…", "routing_key": "…"}]
  alert_window_seconds integer not null default 3600 check (alert_window_seconds > 0),
  alert_max_attempts integer not null default 8 check (alert_max_attempts > 0),
  alert_webhooks jsonb not null default '[]' check (jsonb_typeof(alert_webhooks) = 'array'),
  alert_private_addresses boolean not null default false,

  updated_at timestamptz not null default now()
);

comment on table public.service_settings is 'One row of settings of this deployment.';

insert into public.service_settings (id) values (true) on conflict (id) do nothing;

-- schemas/tables/datasets.sql
-- One installation's data. The row's lock orders the commits of a dataset: it is taken after the partitions'
-- locks, for the version counter alone, and held until the commit.
create table if not exists public.datasets (
  id uuid primary key,
  user_id uuid not null,
  name text not null default '',
  version bigint not null default 0 check (version >= 0),
  version_committed_at timestamptz not null default clock_timestamp(),
  -- versions below this one answer 410; it moves when retention has passed
  oldest_kept_version bigint not null default 0,
  oldest_kept_at timestamptz not null default clock_timestamp(),
  -- files removed at or before this version can be deleted: no URL signed for an older version is still alive
  vacuumable_version bigint not null default 0,
  vacuumed_at timestamptz not null default '-infinity',
  last_compacted_at timestamptz,
  file_count bigint not null default 0,
  file_size_bytes bigint not null default 0,
  file_etag text,
  row_count bigint not null default 0,
  uncompressed_bytes bigint not null default 0,
  compression_ratio double precision,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (vacuumable_version <= oldest_kept_version and oldest_kept_version <= version)
) with (fillfactor = 50);

create index if not exists datasets_user_id on public.datasets (user_id, id);

create index if not exists datasets_vacuumed_at on public.datasets (vacuumed_at);

-- When each version came to be; committed_at never runs backwards within a dataset.
create table if not exists public.dataset_versions (
  dataset_id uuid not null references public.datasets (id),
  version bigint not null,
  committed_at timestamptz not null,
  primary key (dataset_id, version)
);

create index if not exists dataset_versions_committed_at
  on public.dataset_versions (dataset_id, committed_at);

-- schemas/tables/partitions.sql
-- The unit that is compacted, and the one row that every change of it locks first. Never deleted: the fencing
-- token and the upload order must not start again.
create table if not exists public.partitions (
  dataset_id uuid not null references public.datasets (id),
  "table" text not null check ("table" ~ '^[A-Za-z0-9_-]{1,64}$'),
  period_tag text not null check (period_tag ~ '^[A-Za-z0-9_-]{1,64}$'),

  -- debt: what the planner would act on, as far as is known without reading the files
  debt_files bigint not null default 0 check (debt_files >= 0),
  debt_bytes bigint not null default 0 check (debt_bytes >= 0),
  debt_oldest timestamptz,

  -- demand: raised by every upload and request; done_seq is the demand that the last finished run had seen
  demand_seq bigint not null default 0,
  done_seq bigint not null default 0,
  forced_seq bigint not null default 0,
  -- upload order of data files (battle_files.seq_min, seq_max)
  last_seq bigint not null default 0,

  -- the one live message, and the run it stands for; ready_at mirrors the message's vt
  queue text check (queue in ('manual', 'realtime', 'scheduled')),
  msg_id bigint,
  run_id uuid,
  ready_at timestamptz,
  -- demand that came while a worker held the lease waits under this run's id
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

  primary key (dataset_id, "table", period_tag),
  check ((queue is null) = (msg_id is null) and (msg_id is null) = (run_id is null)
    and (msg_id is null) = (ready_at is null)),
  check (lease_expires_at is null or msg_id is not null),
  check ((lease_expires_at is null) = (claimed_demand_seq is null)),
  check (next_run_id is null or msg_id is not null)
) with (fillfactor = 50);

-- Partial on columns that an upload which joins a live message does not touch, so that its update stays
-- heap-only.
create index if not exists partitions_due on public.partitions (due_at)
  where due_at is not null and msg_id is null;
-- What the tick looks at. Every update of ready_at changes the message or the lease with it, which are indexed too.
create index if not exists partitions_ready on public.partitions (ready_at)
  where msg_id is not null;
create index if not exists partitions_leases on public.partitions (lease_expires_at)
  where lease_expires_at is not null;
create index if not exists partitions_debt on public.partitions (debt_oldest)
  where debt_oldest is not null;
create index if not exists partitions_dead on public.partitions (dead_since)
  where dead_since is not null;
create index if not exists partitions_message on public.partitions (queue, msg_id)
  where msg_id is not null;

-- schemas/tables/objects.sql
-- Every object key ever planned: the one truth for garbage collection. A key is written here before any byte is
-- put, and its state only moves by compare-and-set: staged → stored → deleting → tombstone, or staged → deleting.
create table if not exists public.objects (
  object_key text primary key,
  kind text not null check (kind in ('fragment', 'incoming', 'compacted', 'asset')),
  state text not null default 'staged' check (state in ('staged', 'stored', 'deleting', 'tombstone')),
  size bigint check (size >= 0),
  etag text,
  -- what the uploader was told; the sweep goes by put_deadline
  expires_at timestamptz,
  -- until when bytes may still arrive at the key; a deletion before that is made again after it
  put_deadline timestamptz not null,
  -- of a deleting object or a tombstone: when the store is to be told (again); null: nothing left to do
  delete_after timestamptz,
  delete_reason text,

  -- who and where
  user_id uuid,
  dataset_id uuid,
  "table" text,
  period_tag text,

  -- of an upload: what was staged (an incoming object shares its upload's stage)
  stage_id uuid,
  content_hash text,
  offsets_digest text,
  asset_key text,
  -- what else the uploader said at the stage and needs again at the commit (table offsets, an asset's paths)
  details jsonb,
  -- of a compaction output
  run_id uuid,
  run_ordinal integer,
  token bigint,

  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
) with (fillfactor = 80);

create unique index if not exists objects_stage on public.objects (stage_id, kind) where stage_id is not null;
-- "is not null" (it always is) keeps this to the sweep, which compares put_deadline. Statements that have an object's
-- key and want it staged would be planned over all that is staged: on an empty table that costs the same as the key.
create index if not exists objects_staged on public.objects (put_deadline)
  where state = 'staged' and put_deadline is not null;
-- what prune_history forgets: nothing is left to do for these
create index if not exists objects_tombstones on public.objects (updated_at)
  where state = 'tombstone' and delete_after is null;
create index if not exists objects_delete on public.objects (delete_after) where delete_after is not null;

-- schemas/tables/uploads.sql
-- The ledger of what was acknowledged, never vacuumed: an upload's identity is (dataset, table, period_tag,
-- content_hash), and whoever sends it again gets the first answer, for ever.
create table if not exists public.uploads (
  id uuid primary key,
  -- no reference: the transaction that acknowledges locks a partition of it, whose reference holds it, and here each
  -- upload would be checked twice, since its row is written without its answer first
  dataset_id uuid not null,
  "table" text not null,
  period_tag text not null,
  content_hash text not null,
  offsets_digest text not null,
  user_id uuid not null,
  object_key text not null,
  size bigint not null,
  -- null only inside the transaction that acknowledges
  answer jsonb,
  created_at timestamptz not null default now(),
  unique (dataset_id, "table", period_tag, content_hash)
);

-- Idempotency-Key headers: a key names one upload of its user, and says so when it comes with another. The sweep
-- forgets them after a day; the ledger above never forgets.
create table if not exists public.idempotency_keys (
  user_id uuid not null,
  key text not null check (length(key) between 1 and 255),
  identity text not null,
  created_at timestamptz not null default now(),
  primary key (user_id, key)
);

create index if not exists idempotency_keys_created_at on public.idempotency_keys (created_at);

-- schemas/tables/battle_files.sql
-- One row a schema, not a copy in each of ten million files: the fingerprint covers what the tree says.
create table if not exists public.file_schemas (
  fingerprint text primary key,
  schema jsonb not null,
  created_at timestamptz not null default now()
);

-- The data files. Visible at version v when added_version <= v < coalesce(removed_version, ∞).
create table if not exists public.battle_files (
  id bigint generated always as identity primary key,
  dataset_id uuid not null,
  "table" text not null,
  period_tag text not null,
  -- where it came from: the ordinal-th slice of an upload, or the ordinal-th output of a run
  upload_id uuid,
  run_id uuid,
  ordinal integer not null,
  object_key text not null references public.objects (object_key),
  start_byte bigint not null check (start_byte >= 0),
  byte_length bigint not null check (byte_length > 0),
  etag text,
  level integer not null check (level >= 0),
  seq_min bigint not null,
  seq_max bigint not null,
  state text not null default 'active' check (state in ('active', 'quarantined')),
  quarantine_code text,
  quarantine_reason text,
  quarantined_at timestamptz,
  row_count bigint not null check (row_count >= 0),
  row_group_count integer not null check (row_group_count >= 0),
  uncompressed_bytes bigint not null check (uncompressed_bytes >= 0),
  -- what the planner goes by (shared/parquet/merge_facts.ts); nothing else depends on them, and both may be unknown
  value_count bigint check (value_count >= 0),
  merge_facts jsonb check (jsonb_typeof(merge_facts) = 'object'),
  schema_fingerprint text not null references public.file_schemas (fingerprint),
  stats jsonb,
  added_version bigint not null,
  removed_version bigint,
  uploaded_by uuid not null,
  uploaded_at timestamptz not null,
  foreign key (dataset_id, "table", period_tag) references public.partitions (dataset_id, "table", period_tag),
  check ((upload_id is null) <> (run_id is null)),
  check ((upload_id is null) = (level > 0)),
  check (seq_min <= seq_max),
  check (removed_version > added_version)
);

create unique index if not exists battle_files_source
  on public.battle_files ((coalesce(upload_id, run_id)), ordinal);
create index if not exists battle_files_visible
  on public.battle_files (dataset_id, "table", period_tag, seq_min) where removed_version is null;
create index if not exists battle_files_removed
  on public.battle_files (dataset_id, removed_version) where removed_version is not null;
create index if not exists battle_files_object on public.battle_files (object_key);
create index if not exists battle_files_quarantined
  on public.battle_files (dataset_id) where state = 'quarantined' and removed_version is null;

-- schemas/tables/processing_metrics.sql
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

-- schemas/tables/assets.sql
-- The current object of each asset key of a user. Replacing is one update of this row: readers see the old
-- object or the new one, and the old one is deleted only when no URL signed for it is alive.
create table if not exists public.assets (
  user_id uuid not null,
  key text not null check (length(key) between 1 and 1024),
  relative_path text not null,
  file_name text not null,
  object_key text not null references public.objects (object_key),
  size bigint not null check (size >= 0),
  content_hash text not null,
  etag text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (user_id, key)
);

create index if not exists assets_object on public.assets (object_key);

-- schemas/tables/bucket.sql
-- The private bucket. Its limit is the one of the hosted free plan; a limit set by hand is kept.
insert into storage.buckets (id, name, public, file_size_limit)
values ('sediment', 'sediment', false, 52428800)
on conflict (id) do nothing;

-- schemas/tables/dead_letters.sql
-- What was given up on. A row is resolved when it was redriven or a later run of the partition succeeded.
create table if not exists public.dead_letters (
  id bigint generated always as identity primary key,
  user_id uuid,
  dataset_id uuid,
  "table" text,
  period_tag text,
  run_id uuid,
  queue text not null,
  error_code text not null,
  error_message text,
  error_step text,
  attempts integer not null default 0,
  message jsonb,
  first_failed_at timestamptz not null,
  last_failed_at timestamptz not null,
  -- set by the drain of compaction_dlq, which raises the alert
  alerted_at timestamptz,
  resolved_at timestamptz,
  resolution text check (resolution in ('redriven', 'succeeded')),
  redriven_run_id uuid,
  created_at timestamptz not null default clock_timestamp()
);

create index if not exists dead_letters_open on public.dead_letters (id) where resolved_at is null;
create index if not exists dead_letters_created_at on public.dead_letters (created_at);
create index if not exists dead_letters_partition
  on public.dead_letters (dataset_id, "table", period_tag) where resolved_at is null;

-- One alert an error class and window; sent by the dead-letter function, with its own retry.
create table if not exists public.alerts (
  id bigint generated always as identity primary key,
  class text not null,
  window_start timestamptz not null,
  dead_letter_id bigint references public.dead_letters (id),
  -- how many dead letters of the class the window has seen
  occurrences integer not null default 1,
  payload jsonb not null,
  state text not null default 'pending' check (state in ('pending', 'sent', 'failed')),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default clock_timestamp(),
  last_error text,
  -- webhooks that took it, by webhookId: they do not get it again while another fails
  taken text[] not null default '{}',
  sent_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  unique (class, window_start)
);

create index if not exists alerts_created_at on public.alerts (created_at);
create index if not exists alerts_letter on public.alerts (dead_letter_id);
create index if not exists alerts_pending on public.alerts (next_attempt_at) where state = 'pending';

-- schemas/tables/limits.sql
-- Settings of one table of a dataset; table '*' holds those of the dataset's other tables. Null: the default of
-- service_settings.
create table if not exists public.table_settings (
  dataset_id uuid not null references public.datasets (id),
  "table" text not null check ("table" = '*' or "table" ~ '^[A-Za-z0-9_-]{1,64}$'),
  target_file_bytes bigint check (target_file_bytes > 0),
  target_row_group_bytes bigint check (target_row_group_bytes > 0),
  healthy_row_group_bytes bigint check (healthy_row_group_bytes > 0),
  target_page_bytes bigint check (target_page_bytes > 0),
  min_inputs integer check (min_inputs >= 1),
  max_age_seconds integer check (max_age_seconds >= 0),
  codec text check (codec in ('snappy', 'zstd')),
  sort_keys text[],
  -- last writer wins on these columns; such a table merges only files adjacent in upload order
  dedupe_keys text[],
  -- a version shows all tables of the dataset together: the longest retention among them counts for all
  retention_seconds integer check (retention_seconds >= 0),
  updated_at timestamptz not null default now(),
  primary key (dataset_id, "table")
);

-- Limits of one user. Null: the default of service_settings; where that is null too, no limit.
create table if not exists public.user_limits (
  user_id uuid primary key,
  uploads_per_minute integer check (uploads_per_minute > 0),
  upload_bytes_per_day bigint check (upload_bytes_per_day > 0),
  stored_bytes_max bigint check (stored_bytes_max > 0),
  datasets_max integer check (datasets_max > 0),
  asset_bytes_max bigint check (asset_bytes_max > 0),
  asset_extensions text[],
  updated_at timestamptz not null default now()
);

-- What a user with a rate limit has used of the current windows.
create table if not exists public.user_usage (
  user_id uuid primary key,
  minute_start timestamptz not null,
  minute_uploads integer not null,
  day_start timestamptz not null,
  day_bytes bigint not null
) with (fillfactor = 50);

-- schemas/queue/queues.sql
-- Three queues, since pgmq knows no priorities, and one for dead letters, which only alerts.
do $$
declare
  v_name text;
begin
  foreach v_name in array
    array['compaction_manual', 'compaction_realtime', 'compaction_scheduled', 'compaction_dlq']
  loop
    if not exists (select 1 from pgmq.meta m where m.queue_name = v_name) then
      perform pgmq.create(v_name::text);
    end if;
    -- Queues are not exposed through PostgREST; the tables are reached by our functions only.
    execute format('alter table pgmq.%I enable row level security', 'q_' || v_name);
    execute format('alter table pgmq.%I enable row level security', 'a_' || v_name);
  end loop;
end $$;

-- The weights 6:3:1 are dealt from a sequence: no lock, no randomness, and each tenth turn is a scheduled one's.
create sequence if not exists sediment.queue_turn;

-- The waiting messages of the three queues, by the columns that all pgmq versions have.
create or replace view sediment.queue_messages with (security_invoker = true) as
  select 'manual'::text as queue, m.msg_id, m.vt, m.enqueued_at, m.message from pgmq.q_compaction_manual m
  union all
  select 'realtime'::text, m.msg_id, m.vt, m.enqueued_at, m.message from pgmq.q_compaction_realtime m
  union all
  select 'scheduled'::text, m.msg_id, m.vt, m.enqueued_at, m.message from pgmq.q_compaction_scheduled m;

-- schemas/uploads/stage_call.sql
-- A call of stage_upload among those of a group: its arguments, and what was looked up for it.
do $$ begin
  create type sediment.stage_call as (
    -- its place among the calls, from 1
    n integer,
    user_id uuid,
    dataset_id uuid,
    "table" text,
    period_tag text,
    size bigint,
    content_hash text,
    offsets_digest text,
    kind text,
    ttl_seconds integer,
    max_put_seconds integer,
    details jsonb,
    idempotency_key text,
    -- of the upload that was acknowledged under this identity; null when there is none
    first_answer jsonb,
    -- the dataset is to be made, or a limit or an Idempotency-Key of the user to be kept
    needs_admission boolean,
    -- what became of it already: sediment.failure. Null while it holds
    outcome jsonb
  );
exception when duplicate_object then null;
end $$;

-- schemas/uploads/commit_types.sql
-- A call of commit_upload among those of a group: its arguments, and the stage that it commits.
do $$ begin
  create type sediment.commit_call as (
    -- its place among the calls, from 1
    n integer,
    stage uuid,
    user_id uuid,
    size bigint,
    -- of the object, where it is not the body itself
    object_size bigint,
    etag text,
    files jsonb,
    dataset_id uuid,
    "table" text,
    period_tag text,
    content_hash text,
    offsets_digest text,
    object_key text,
    -- nothing is to be written: the identity is in the ledger already, or the stage is not staged any more
    known boolean,
    -- stored bytes of its user are limited
    limited boolean,
    -- what became of it already: {error}, {busy: true}, or {answer} where another was first. Null while it holds
    outcome jsonb
  );
exception when duplicate_object then null;
end $$;

-- A data file that such a call brings, with what it has of the call.
do $$ begin
  create type sediment.commit_file as (
    n integer,
    dataset_id uuid,
    stage uuid,
    user_id uuid,
    object_key text,
    etag text,
    ordinal integer,
    "table" text,
    period_tag text,
    start_byte bigint,
    byte_length bigint,
    row_count bigint,
    row_group_count integer,
    uncompressed_bytes bigint,
    value_count bigint,
    merge_facts jsonb,
    schema_fingerprint text,
    schema jsonb,
    stats jsonb
  );
exception when duplicate_object then null;
end $$;

-- What they bring to a partition, whose demand they raise, and the run that will see it.
do $$ begin
  create type sediment.partition_change as (
    dataset_id uuid,
    "table" text,
    period_tag text,
    -- its files are those from here to there, from 1, of the list that is sorted by partition
    first_file integer,
    last_file integer,
    bytes bigint,
    -- the calls that they are of
    calls integer[],
    run_id uuid
  );
exception when duplicate_object then null;
end $$;

-- schemas/runs/next_versions.sql
-- What a commit changes in a dataset's totals.
do $$ begin
  create type sediment.dataset_change as (
    dataset_id uuid,
    files bigint,
    bytes bigint,
    rows bigint,
    uncompressed bigint,
    -- '' or the output's, of a compaction; null for an upload
    compacted_etag text
  );
exception when duplicate_object then null;
end $$;

-- Moves the version counters and the totals of datasets, one change each, and takes the dataset rows' locks, in
-- order, which order the commits of a dataset: call it after the partitions' locks and before the queue. Where the
-- clock went backwards committed_at goes on by a microsecond. Returns the versions that came to be.
create or replace function sediment.next_versions(
  p_changes sediment.dataset_change[], out versions public.dataset_versions[]
)
language plpgsql
set search_path = ''
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
begin
  -- Not in the update's own statement: of three that meet there, one that got the lock would wait for the next in the
  -- queue, on the way from the version of the row that it saw to the one that it locked. One row needs no order.
  if cardinality(p_changes) > 1 then
    perform 1 from unnest(p_changes) as c join public.datasets d on d.id = any (array[c.dataset_id])
    order by c.dataset_id
    for no key update of d;
  end if;
  with moved as (
    update public.datasets d
    set version = d.version + 1,
      version_committed_at = greatest(clock_timestamp(), d.version_committed_at + interval '1 microsecond'),
      file_count = d.file_count + c.files,
      file_size_bytes = d.file_size_bytes + c.bytes,
      row_count = d.row_count + c.rows,
      uncompressed_bytes = d.uncompressed_bytes + c.uncompressed,
      compression_ratio = round((d.uncompressed_bytes + c.uncompressed)::numeric
        / nullif(d.file_size_bytes + c.bytes, 0), 3),
      file_etag = coalesce(c.compacted_etag, d.file_etag),
      last_compacted_at = case when c.compacted_etag is null then d.last_compacted_at else clock_timestamp() end,
      updated_at = clock_timestamp()
    from unnest(p_changes) as c
    where d.id = any (array[c.dataset_id])
    returning d.id, d.version, d.version_committed_at
  ), kept as (
    insert into public.dataset_versions (dataset_id, version, committed_at)
    select m.id, m.version, m.version_committed_at from moved m
    returning *
  )
  select array_agg(row(k.dataset_id, k.version, k.committed_at)::public.dataset_versions)
  into strict versions
  from kept k;
end $$;

-- schemas/errors/answer_of.sql
-- The answer of a call that was made as the only one of its group, or its error, raised.
create or replace function sediment.answer_of(p_outcomes jsonb[])
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_error constant jsonb := p_outcomes[1] -> 'error';
begin
  if v_error is not null then
    raise exception using errcode = v_error ->> 'code', message = v_error ->> 'message',
      detail = v_error ->> 'details', hint = v_error ->> 'hint';
  end if;
  return p_outcomes[1] -> 'answer';
end $$;

-- schemas/errors/fail.sql
-- Raises an error of shared/errors.ts: SQLSTATE SD + HTTP status, message = the code. `perform` it.
create or replace function sediment.fail(p_code text, p_status integer, p_detail text, p_hint text default '')
returns void
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'SD' || p_status, message = p_code, detail = p_detail, hint = coalesce(p_hint, '');
end $$;

-- schemas/errors/failure.sql
-- What became of one call of many: an error, as a caller of that call alone would get it from sediment.fail.
create or replace function sediment.failure(p_code text, p_status integer, p_detail text, p_hint text default '')
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_build_object('error', jsonb_build_object('code', 'SD' || p_status, 'message', p_code,
    'details', p_detail, 'hint', coalesce(p_hint, '')));
end $$;

-- schemas/errors/name_failure.sql
-- Tables and period tags become path segments of object keys: nothing but these characters may pass. Null for a
-- name that may.
create or replace function sediment.name_failure(p_field text, p_name text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when p_name is null or p_name !~ '^[A-Za-z0-9_-]{1,64}$' then
    sediment.failure('invalid_name', 400,
      format('%s is %s', p_field, coalesce(quote_literal(left(p_name, 80)), 'null')), '^[A-Za-z0-9_-]{1,64}$')
  end;
end $$;

-- schemas/queue/parse_message.sql
-- Reads a queue message of whatever origin: {datasetId, triggeredAt, priority, metricId, table?, periodTag?}.
-- problem is null when it is of that shape.
create or replace function sediment.parse_message(
  p_message jsonb, out problem text, out dataset_id uuid, out "table" text, out period_tag text,
  out run_id uuid, out priority text
)
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_uuid constant text := '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$';
  v_name constant text := '^[A-Za-z0-9_-]{1,64}$';
begin
  problem := case
    when p_message is null or jsonb_typeof(p_message) <> 'object' then 'the message is not an object'
    -- as text: pg_column_size tells what is left of it after compression
    when octet_length(p_message::text) > 16384 then 'the message is over 16 KiB'
    when coalesce(p_message ->> 'datasetId', '') !~ v_uuid then 'datasetId is not a uuid'
    when coalesce(p_message ->> 'metricId', '') !~ v_uuid then 'metricId is not a uuid'
    when sediment.priority_rank(p_message ->> 'priority') is null
      then 'priority is not one of realtime, manual, scheduled'
    when coalesce(p_message ->> 'triggeredAt', '') !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d' then
      'triggeredAt is not an ISO 8601 time'
    when (p_message ->> 'table' is null) <> (p_message ->> 'periodTag' is null)
      then 'table and periodTag come together or not at all'
    when p_message ->> 'table' !~ v_name then 'table is not a name'
    when p_message ->> 'periodTag' !~ v_name then 'periodTag is not a name'
  end;
  if problem is null then
    dataset_id := p_message ->> 'datasetId';
    run_id := p_message ->> 'metricId';
    priority := p_message ->> 'priority';
    "table" := p_message ->> 'table';
    period_tag := p_message ->> 'periodTag';
  end if;
end $$;

-- schemas/queue/priority_rank.sql
-- Which of two priorities wins. An unknown word ranks null, so that comparing it is never true.
create or replace function sediment.priority_rank(p_priority text)
returns integer
language sql
immutable parallel safe
set search_path = ''
as $$
  select case p_priority when 'manual' then 3 when 'realtime' then 2 when 'scheduled' then 1 end
$$;

-- schemas/queue/queue_archive.sql
-- Takes a message off its queue for good; it stays readable in pgmq's archive.
create or replace function sediment.queue_archive(p_queue text, p_msg_id bigint)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform archived.done
  from pgmq.archive(('compaction_' || p_queue)::text, p_msg_id::bigint) as archived(done);
end $$;

-- schemas/queue/queue_hide.sql
-- Hides a message until a time, or a part of a second longer. Never by 0: pgmq would show it to a second reader
-- within this transaction's own moment. pgmq 1.4 counts from the transaction's start, later versions from the
-- clock: where it fell short, the second call makes up for it. Only columns that all versions have are named.
create or replace function sediment.queue_hide(p_queue text, p_msg_id bigint, p_until timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_seconds integer := greatest(1, ceil(extract(epoch from p_until - clock_timestamp())))::integer;
  v_vt timestamptz;
begin
  select m.vt into v_vt
  from pgmq.set_vt(('compaction_' || p_queue)::text, p_msg_id::bigint, v_seconds::integer) as m;
  if v_vt < p_until then
    perform m.msg_id
    from pgmq.set_vt(('compaction_' || p_queue)::text, p_msg_id::bigint,
      (v_seconds + ceil(extract(epoch from p_until - v_vt)))::integer) as m;
  end if;
end $$;

-- schemas/queue/queue_ready.sql
-- The messages of one queue that are due, oldest first, without taking or hiding them: one scan of the vt
-- index. Claiming looks here first and locks the partition before it touches the message, as everybody does;
-- pgmq.read would lock the message first. p_except: those that this call has looked at already.
create or replace function sediment.queue_ready(p_queue text, p_limit integer, p_except bigint[] default '{}')
returns table (msg_id bigint, message jsonb)
language plpgsql
set search_path = ''
as $$
begin
  return query execute format(
    'select m.msg_id, m.message from pgmq.%I m
     where m.vt <= $3 and m.msg_id <> all ($1) order by m.vt limit $2',
    'q_compaction_' || p_queue)
  -- a parameter, since the planner makes no index condition of the volatile clock_timestamp()
  using p_except, p_limit, clock_timestamp();
end $$;

-- schemas/queue/queue_send.sql
-- Sends the message of a run; every producer's message has this shape. Returns its msg_id.
create or replace function sediment.queue_send(
  p_queue text, p_run uuid, p_dataset uuid, p_table text, p_period_tag text, p_delay_seconds integer
)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_message jsonb := jsonb_build_object(
    'datasetId', p_dataset,
    'triggeredAt', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'priority', p_queue,
    'metricId', p_run);
  v_id bigint;
begin
  if p_table is not null then
    v_message := v_message || jsonb_build_object('table', p_table, 'periodTag', p_period_tag);
  end if;
  select sent.id into strict v_id
  from pgmq.send(('compaction_' || p_queue)::text, v_message::jsonb, greatest(p_delay_seconds, 0)::integer)
    as sent(id);
  return v_id;
end $$;

-- schemas/queue/queue_status.sql
-- Depth and age of the queues, for operators; it counts every message, so the clockwork does not use it.
create or replace view public.queue_status with (security_invoker = true) as
  select q.name as queue, count(m.msg_id) as messages,
    count(m.msg_id) filter (where m.vt <= clock_timestamp()) as due,
    min(m.vt) filter (where m.vt <= clock_timestamp()) as oldest_due_at, max(m.enqueued_at) as newest_at
  from (values ('manual'), ('realtime'), ('scheduled')) as q(name)
  left join sediment.queue_messages m on m.queue = q.name
  group by q.name;

-- schemas/queue/queue_take.sql
-- Locks a message that no partition knows, if nobody else has it. Never waits, so it may be called by a
-- transaction that holds anything.
create or replace function sediment.queue_take(p_queue text, p_msg_id bigint)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_one integer;
begin
  execute format('select 1 from pgmq.%I m where m.msg_id = $1 for update skip locked', 'q_compaction_' || p_queue)
  into v_one using p_msg_id;
  return v_one is not null;
end $$;

-- schemas/queue/reject_message.sql
-- A message that nobody can work on goes to the dead letters at once. The caller has taken it.
create or replace function sediment.reject_message(p_queue text, p_msg_id bigint, p_message jsonb, p_problem text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_letter bigint;
begin
  insert into public.dead_letters (queue, error_code, error_message, message, first_failed_at, last_failed_at)
  values (p_queue, 'invalid_message', p_problem,
    case when octet_length(p_message::text) <= 16384 then p_message
      else jsonb_build_object('truncated', left(p_message::text, 2000)) end,
    clock_timestamp(), clock_timestamp())
  returning id into strict v_letter;
  perform sediment.queue_archive(p_queue, p_msg_id);
  perform sent.id from pgmq.send('compaction_dlq'::text,
    jsonb_build_object('deadLetterId', v_letter, 'errorCode', 'invalid_message')::jsonb, 0::integer) as sent(id);
end $$;

-- schemas/uploads/abandon_upload.sql
-- Gives a stage up before its time, when the bytes turned out bad. Nothing happens to one that was committed or
-- is gone already. Returns {abandoned}.
create or replace function public.abandon_upload(p_stage uuid, p_user uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_count integer;
begin
  if exists (select 1 from public.objects o where o.stage_id = p_stage and o.user_id is distinct from p_user) then
    perform sediment.fail('forbidden', 403, format('stage %s belongs to another user', p_stage));
  end if;
  select count(*) into strict v_count from (
    select sediment.discard_object(o.object_key, 'abandoned by the uploader') as done
    from public.objects o where o.stage_id = p_stage and o.state = 'staged' order by o.object_key
  ) d where d.done;
  return jsonb_build_object('abandoned', v_count > 0);
end $$;

-- schemas/uploads/admit_upload.sql
-- What a stage writes beside its object, where it has to: the dataset, made for its first upload; what the user has
-- used of a limit; the Idempotency-Key. Raises dataset_forbidden, rate_limited, quota_exceeded, upload_conflict.
create or replace function sediment.admit_upload(p sediment.stage_call)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if not exists (select 1 from public.datasets d where d.id = p.dataset_id) then
    perform sediment.check_dataset_quota(p.user_id);
    insert into public.datasets (id, user_id) values (p.dataset_id, p.user_id) on conflict (id) do nothing;
  end if;
  -- a racer may have been first: look again
  if exists (select 1 from public.datasets d where d.id = p.dataset_id and d.user_id <> p.user_id) then
    perform sediment.fail('dataset_forbidden', 403, format('dataset %s belongs to another user', p.dataset_id));
  end if;
  perform sediment.spend_upload(p.user_id, p.size);
  perform sediment.keep_idempotency_key(p.user_id, p.idempotency_key,
    concat_ws('/', p.dataset_id, p."table", p.period_tag, p.content_hash, p.offsets_digest));
end $$;

-- schemas/uploads/check_dataset_quota.sql
-- Refuses one dataset more than the user may have, also to those that come at the same time.
create or replace function sediment.check_dataset_quota(p_user uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_max integer;
begin
  select coalesce(l.datasets_max, s.datasets_max) into v_max
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  if v_max is null then
    return;
  end if;
  perform sediment.lock_quota(p_user);
  if (select count(*) from public.datasets d where d.user_id = p_user) >= v_max then
    perform sediment.fail('quota_exceeded', 429, format('the user has %s datasets', v_max),
      format('at most %s datasets', v_max));
  end if;
end $$;

-- schemas/uploads/check_stored.sql
-- Refuses bytes that would pass what the user may store. At a stage it is a look (so many stages may be planned
-- at once); at a commit, where the bytes begin to count, p_final waits for the user's other commits and is exact.
-- Without a limit nothing is locked. Call it before the locks of partitions and datasets.
create or replace function sediment.check_stored(p_user uuid, p_bytes bigint, p_final boolean)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_max bigint;
begin
  select coalesce(l.stored_bytes_max, s.stored_bytes_max) into strict v_max
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  if v_max is null then
    return;
  end if;
  if p_final then
    perform sediment.lock_quota(p_user);
  end if;
  -- a statement after the lock: it sees what those that were waited for have stored
  if p_bytes + (
    select coalesce(sum(d.file_size_bytes), 0) from public.datasets d where d.user_id = p_user
  ) + (
    select coalesce(sum(a.size), 0) from public.assets a where a.user_id = p_user
  ) > v_max then
    perform sediment.fail('quota_exceeded', 429,
      format('%s more bytes would pass the %s that may be stored', p_bytes, v_max),
      format('at most %s stored bytes', v_max));
  end if;
end $$;

-- schemas/uploads/commit_upload.sql
-- Acknowledges an upload: ledger, data files, object staged → stored, version, debt and demand of the
-- partitions, run rows and queue messages, in one transaction. Called again with the same bytes it gives the
-- first answer with duplicate: true; so it does to whoever lost the race for the same identity.
--   p_files: [{ordinal, table, period_tag, start_byte, byte_length, row_count, row_group_count,
--              uncompressed_bytes, value_count|null, merge_facts|null, schema_fingerprint, schema, stats}]
--   p_object_size: length of the object where it is not the body itself (Avro is stored as Parquet)
-- Returns {key, size, uploaded_at, metricId, duplicate, dataset_id, version, files: [{id, table, period_tag,
-- ordinal, row_count}], runs: [{table, period_tag, metricId}]}.
-- Raises stage_expired, forbidden, hash_mismatch, size_mismatch, upload_conflict, quota_exceeded, invalid_request.
create or replace function public.commit_upload(
  p_stage uuid, p_user uuid, p_size bigint, p_etag text, p_content_hash text, p_files jsonb,
  p_object_size bigint default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  return sediment.answer_of(sediment.commit_uploads(jsonb_build_array(jsonb_build_object(
    'p_stage', p_stage, 'p_user', p_user, 'p_size', p_size, 'p_etag', p_etag, 'p_content_hash', p_content_hash,
    'p_files', p_files, 'p_object_size', p_object_size))));
end $$;

-- schemas/uploads/commit_uploads.sql
-- commit_upload for many at once: each call is as it would be alone, and has its answer or its error; uploads of one
-- dataset share a version. p_calls: [{p_stage, p_user, …}]. Returns, in that order, {answer}, {error: {code,
-- message, details, hint}} or {busy: true} (not done: another call of the group commits the same upload).
--
-- A handful of statements for all calls, planned as those of sediment.stage_uploads are.
--
-- Locks are taken in the order that all transactions keep: stages, ledger, quotas, schemas, partitions, datasets,
-- queue; each kind sorted.
create or replace function sediment.commit_uploads(p_calls jsonb)
returns jsonb[]
language plpgsql
set search_path = ''
set enable_seqscan = off
set enable_indexonlyscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_calls sediment.commit_call[] := sediment.lock_commit_calls(p_calls);
  v_call sediment.commit_call;
  v_read record;
  v_files sediment.commit_file[];
  v_entered uuid[];
  v_limited boolean;
  v_going sediment.commit_call[];
  v_answers jsonb := '{}';
begin
  v_read := sediment.read_commit_files(v_calls);
  v_files := v_read.files;
  if v_read.wrong is not null then
    for v_call in select c.* from unnest(v_calls) as c where v_read.wrong ? c.n::text loop
      v_calls[v_call.n].outcome := sediment.failure('invalid_request', 400, v_read.wrong ->> v_call.n::text);
    end loop;
  end if;

  -- Whoever inserts the identity first acknowledges it; a racer waits here and then reads what was answered.
  with entered as (
    insert into public.uploads (id, dataset_id, "table", period_tag, content_hash, offsets_digest, user_id,
      object_key, size)
    select c.stage, c.dataset_id, c."table", c.period_tag, c.content_hash, c.offsets_digest, c.user_id,
      c.object_key, c.size
    from unnest(v_calls) as c
    where c.outcome is null and not c.known
    order by c.dataset_id, c."table", c.period_tag, c.content_hash
    on conflict (dataset_id, "table", period_tag, content_hash) do nothing
    returning id
  )
  select coalesce(array_agg(e.id), '{}'), (select bool_or(c.limited) from unnest(v_calls) as c)
  into strict v_entered, v_limited
  from entered e;

  if cardinality(v_entered) = cardinality(v_calls) and not v_limited then
    -- as mostly: nothing is known, refused or limited
    v_going := v_calls;
  else
    -- By user, then as they came: two groups that wait for users' quotas must not wait for each other.
    for v_call in
      select c.* from unnest(v_calls) as c
      where c.outcome is null and (c.limited or c.stage <> all (v_entered)) order by c.user_id, c.n
    loop
      v_calls[v_call.n].outcome := case when v_call.stage = any (v_entered)
        then sediment.quota_outcome(v_call, v_calls) else sediment.first_outcome(v_call) end;
    end loop;
    select array_agg(c) into v_going from unnest(v_calls) as c where c.outcome is null;
    select array_agg(f order by f.dataset_id, f."table", f.period_tag, f.n, f.ordinal) into v_files
    from unnest(v_files) as f where f.n in (select c.n from unnest(v_going) as c);
  end if;

  if v_going is not null then
    v_answers := sediment.write_commits(v_going, v_files);
  end if;

  return (
    select array_agg(coalesce(c.outcome, jsonb_build_object('answer', v_answers -> c.n::text)) order by c.n)
    from unnest(v_calls) as c);
end $$;

-- schemas/uploads/first_outcome.sql
-- What becomes of a commit whose identity another one acknowledged, or itself before: the first answer, where the
-- offsets are the same. The object that it would have made is given up. Without an acknowledgement the stage was.
-- A statement of its own after all waiting, so that it sees whoever was waited for.
create or replace function sediment.first_outcome(p sediment.commit_call)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_first public.uploads;
begin
  select * into v_first from public.uploads u
  where u.dataset_id = p.dataset_id and u."table" = p."table" and u.period_tag = p.period_tag
    and u.content_hash = p.content_hash;
  if not found then
    return sediment.failure('stage_expired', 410, format('stage %s was given up', p.stage));
  end if;
  if v_first.offsets_digest <> p.offsets_digest then
    return sediment.failure('upload_conflict', 422,
      format('this body was acknowledged on %s with other offsets', v_first.created_at),
      'the offsets of the first upload');
  end if;
  perform sediment.discard_object(x.object_key, 'a duplicate upload')
  from public.objects x where x.stage_id = p.stage and x.state = 'staged';
  return jsonb_build_object('answer', v_first.answer || jsonb_build_object('duplicate', true));
end $$;

-- schemas/uploads/get_upload.sql
-- A stage, for the completion of a direct upload: {stage_id, state, dataset_id, table, period_tag, object_key,
-- incoming_key|null, size, content_hash, offsets_digest, details, expires_at|null, answer|null}; answer is the first
-- one of this upload's identity, where it was acknowledged.
-- Raises stage_expired, forbidden.
create or replace function public.get_upload(p_stage uuid, p_user uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  o public.objects;
begin
  select * into o from public.objects x where x.stage_id = p_stage and x.kind = 'fragment';
  if not found then
    perform sediment.fail('stage_expired', 410, format('there is no stage %s', p_stage));
  end if;
  if o.user_id is distinct from p_user then
    perform sediment.fail('forbidden', 403, format('stage %s belongs to another user', p_stage));
  end if;
  return jsonb_build_object('stage_id', p_stage, 'state', o.state, 'dataset_id', o.dataset_id,
    'table', o."table", 'period_tag', o.period_tag, 'object_key', o.object_key,
    'incoming_key', (select x.object_key from public.objects x where x.stage_id = p_stage and x.kind = 'incoming'),
    'size', o.size, 'content_hash', o.content_hash, 'offsets_digest', o.offsets_digest, 'details', o.details,
    'expires_at', o.expires_at, 'answer', (
      select u.answer || jsonb_build_object('duplicate', true) from public.uploads u
      where u.dataset_id = o.dataset_id and u."table" = o."table" and u.period_tag = o.period_tag
        and u.content_hash = o.content_hash and u.offsets_digest = o.offsets_digest));
end $$;

-- schemas/uploads/group_upload_calls.sql
-- Group commit: calls of stage_upload and commit_upload that came at the same time, in one transaction and in
-- statements that they share. Each is as it would be alone: it has its answer or its error (sediment.stage_uploads,
-- sediment.commit_uploads). Commits go first, so that a stage of the same body knows their answer.
--   p_stages, p_commits: [{…}], the functions' arguments by name; at most 100 together
-- Returns {stages: [{answer} | {error: {code, message, details, hint}}], commits: [… | {busy: true}]}, in that order.
-- Raises what is no call's own error, with nothing done; then, and where one is busy, the caller sends each alone.
--
-- A group waits 100 ms for one lock and no longer: others' data should not wait for what one of its calls waits for.
create or replace function public.group_upload_calls(p_stages jsonb, p_commits jsonb)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '100ms'
as $$
declare
  v_commits jsonb[] := '{}';
  v_stages jsonb[] := '{}';
begin
  if (jsonb_typeof(p_stages) = 'array' and jsonb_typeof(p_commits) = 'array') is not true
    or jsonb_array_length(p_stages) + jsonb_array_length(p_commits) > 100
  then
    perform sediment.fail('invalid_request', 400, 'p_stages and p_commits are not arrays of at most 100 calls');
  end if;
  if jsonb_array_length(p_commits) > 0 then
    v_commits := sediment.commit_uploads(p_commits);
  end if;
  if jsonb_array_length(p_stages) > 0 then
    v_stages := sediment.stage_uploads(p_stages);
  end if;
  return jsonb_build_object('stages', to_jsonb(v_stages), 'commits', to_jsonb(v_commits));
end $$;

-- schemas/uploads/keep_idempotency_key.sql
-- Binds a user's Idempotency-Key to one upload. Null keys are not kept.
create or replace function sediment.keep_idempotency_key(p_user uuid, p_key text, p_identity text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_key is null then
    return;
  end if;
  if length(p_key) not between 1 and 255 then
    perform sediment.fail('invalid_request', 400, 'the Idempotency-Key is empty or over 255 characters');
  end if;
  insert into public.idempotency_keys (user_id, key, identity) values (p_user, p_key, p_identity)
  on conflict (user_id, key) do nothing;
  if not exists (select 1 from public.idempotency_keys k
    where k.user_id = p_user and k.key = p_key and k.identity = p_identity)
  then
    perform sediment.fail('upload_conflict', 422, 'this Idempotency-Key was used for another upload',
      'a key of its own for each upload');
  end if;
end $$;

-- schemas/uploads/keep_schemas.sql
-- Keeps the schemas of data files, each once. Call it before the partitions' locks: two writers of one new
-- fingerprint wait for each other here, and must hold nothing that the other may want. Sorted, for the same
-- reason; what is known already takes no lock.
create or replace function sediment.keep_schemas(p_fingerprints text[], p_schemas jsonb[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.file_schemas (fingerprint, schema)
  select distinct on (f.fingerprint) f.fingerprint, f.schema
  from unnest(p_fingerprints, p_schemas) as f(fingerprint, schema)
  order by f.fingerprint
  on conflict (fingerprint) do nothing;
end $$;

-- schemas/uploads/lock_commit_calls.sql
-- The calls of commit_upload as they came, each with its stage, whose object is locked from here on, in order.
-- p_calls: [{p_stage, p_user, …}], the arguments of commit_upload by name. Of calls that commit one stage
-- or one identity the first goes on and the others are busy: they are made again when its answer is there.
-- Who waited for a lock sees the object as it is now, but not what the ledger got meanwhile: it is looked up again
-- before anything is refused for its sake (sediment.first_outcome).
create or replace function sediment.lock_commit_calls(p_calls jsonb)
returns sediment.commit_call[]
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
begin
  return (
    with calls as materialized (
      select c.n::integer as n, a.*
      from jsonb_array_elements(p_calls) with ordinality as c(value, n)
      cross join lateral jsonb_to_record(c.value) as a(p_stage uuid, p_user uuid, p_size bigint, p_etag text,
        p_content_hash text, p_files jsonb, p_object_size bigint)
    ), locked as materialized (
      select o as object, o.stage_id, o.user_id, o.dataset_id, o."table", o.period_tag, o.content_hash,
        o.offsets_digest, o.object_key, o.state, o.size
      from public.objects o
      where o.stage_id = any (array(select c.p_stage from calls c)) and o.stage_id is not null and o.kind = 'fragment'
      order by o.stage_id
      for update
    ), staged as (
      select c.*, o.dataset_id, o."table", o.period_tag, o.content_hash, o.offsets_digest, o.object_key, o.state,
        -- looked into where something differs: the call costs more than the comparison
        case when (o.user_id = c.p_user and o.content_hash = c.p_content_hash
          and (o.state <> 'staged' or o.size = c.p_size)) is not true
          then sediment.stage_failure(o.object, c.p_stage, c.p_user, c.p_content_hash, c.p_size) end as failure,
        row_number() over (partition by o.dataset_id, o."table", o.period_tag, o.content_hash order by c.n) > 1 as again
      from calls c left join locked o on o.stage_id = c.p_stage
    )
    select array_agg(row(s.n, s.p_stage, s.p_user, s.p_size, coalesce(s.p_object_size, s.p_size), s.p_etag, s.p_files,
      s.dataset_id, s."table", s.period_tag, s.content_hash, s.offsets_digest, s.object_key,
      u.id is not null or s.state <> 'staged', coalesce(m.stored_bytes_max, d.stored_bytes_max) is not null,
      case when s.failure is not null then s.failure when s.again then '{"busy": true}'::jsonb end
      )::sediment.commit_call order by s.n)
    from staged s
    join public.service_settings d on d.id
    left join public.user_limits m on m.user_id = any (array[s.p_user])
    left join public.uploads u on u.dataset_id = any (array[s.dataset_id]) and u."table" = s."table"
      and u.period_tag = s.period_tag and u.content_hash = s.content_hash);
end $$;

-- schemas/uploads/lock_quota.sql
-- One at a time of those that count what a user has and then add to it; held to the end of the transaction.
create or replace function sediment.lock_quota(p_user uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('sediment quota ' || p_user, 0));
end $$;

-- schemas/uploads/quota_outcome.sql
-- The error of a commit whose bytes pass what its user may store, counted with those of the user's calls before it;
-- its identity leaves the ledger again. Null for one that fits.
create or replace function sediment.quota_outcome(p sediment.commit_call, p_calls sediment.commit_call[])
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_detail text;
  v_hint text;
begin
  perform sediment.check_stored(p.user_id, (
    select sum(c.object_size)::bigint from unnest(p_calls) as c
    where c.user_id = p.user_id and c.n <= p.n and c.outcome is null), true);
  return null;
exception when others then
  -- a lock not had is the group's error
  if sqlstate not like 'SD%' then
    raise;
  end if;
  delete from public.uploads u where u.id = p.stage;
  get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
  return sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
end $$;

-- schemas/uploads/read_commit_files.sql
-- The data files of calls that hold and are not known yet, sorted by partition, then call and ordinal, and what is
-- wrong with them: {n: detail}, null for nothing. The function that inspected the bytes has checked more; this is what
-- the catalog itself relies on.
-- Materialized before anything is sorted: else each row to be sorted carries the list that it is from.
create or replace function sediment.read_commit_files(
  p_calls sediment.commit_call[], out files sediment.commit_file[], out wrong jsonb
)
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
begin
  with read as materialized (
    select c.n, c.dataset_id, f.ordinal, f."table", f.period_tag,
      row(c.n, c.dataset_id, c.stage, c.user_id, c.object_key, c.etag, f.ordinal, f."table", f.period_tag,
        f.start_byte, f.byte_length, f.row_count, f.row_group_count, f.uncompressed_bytes, f.value_count,
        f.merge_facts, f.schema_fingerprint, f.schema, f.stats)::sediment.commit_file as file,
      case
        when t.list is null then 'p_files is not an array of 1 to 10000 data files'
        when (f.ordinal >= 0 and f."table" ~ '^[A-Za-z0-9_-]{1,64}$' and f.period_tag ~ '^[A-Za-z0-9_-]{1,64}$'
          and f.start_byte >= 0 and f.byte_length > 0 and f.byte_length <= c.object_size - f.start_byte
          and f.row_count >= 0 and f.row_group_count >= 0 and f.uncompressed_bytes >= 0
          and coalesce(f.value_count >= 0, true) and coalesce(jsonb_typeof(f.merge_facts) = 'object', true)
          and f.schema_fingerprint is not null and f.schema is not null) is not true
        then format('data file %s is not well formed: table %s, period_tag %s, start_byte %s, byte_length %s',
          f.ordinal, quote_nullable(left(f."table", 80)), quote_nullable(left(f.period_tag, 80)), f.start_byte,
          f.byte_length)
      end as detail
    from unnest(p_calls) as c
    cross join lateral (select case when jsonb_typeof(c.files) = 'array'
      then case when jsonb_array_length(c.files) between 1 and 10000 then c.files end end as list) t
    left join lateral jsonb_to_recordset(t.list) as f(ordinal integer, "table" text, period_tag text,
      start_byte bigint, byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint,
      value_count bigint, merge_facts jsonb, schema_fingerprint text, schema jsonb, stats jsonb) on true
    where c.outcome is null and not c.known
  )
  select array_agg(x.file order by x.dataset_id, x."table", x.period_tag, x.n, x.ordinal)
      filter (where x.ordinal is not null),
    -- of a call's the last one stays: the first data file that is wrong
    jsonb_object_agg(x.n, x.wrong order by x.n, x.ordinal desc nulls first) filter (where x.wrong is not null)
  into strict files, wrong
  from (
    select r.*, coalesce(r.detail, case when count(*) over (partition by r.n, r.ordinal) > 1
      then 'two data files have the same ordinal' end) as wrong
    from read r
  ) x;
end $$;

-- schemas/uploads/read_stage_calls.sql
-- The calls of stage_upload as they came, each checked and with what the catalog knows of its dataset, limits and
-- identity; nothing is written or locked. p_calls: [{p_user, p_dataset, …}], the arguments of stage_upload by name.
create or replace function sediment.read_stage_calls(p_calls jsonb)
returns sediment.stage_call[]
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
begin
  return (
    select array_agg(row(c.n, a.p_user, a.p_dataset, a.p_table, a.p_period_tag, a.p_size, a.p_content_hash,
      coalesce(a.p_offsets_digest, ''), coalesce(a.p_kind, 'fragment'), coalesce(a.p_ttl_seconds, 120),
      coalesce(a.p_max_put_seconds, 7200), a.p_details, a.p_idempotency_key, u.answer,
      d.id is null or a.p_idempotency_key is not null or num_nonnulls(
        coalesce(l.uploads_per_minute, s.uploads_per_minute),
        coalesce(l.upload_bytes_per_day, s.upload_bytes_per_day),
        coalesce(l.stored_bytes_max, s.stored_bytes_max)) > 0,
      case
        when a.p_user is null or a.p_dataset is null then
          sediment.failure('invalid_request', 400, 'p_user and p_dataset are needed')
        when (a.p_table ~ '^[A-Za-z0-9_-]{1,64}$') is not true then sediment.name_failure('table', a.p_table)
        when (a.p_period_tag ~ '^[A-Za-z0-9_-]{1,64}$') is not true then
          sediment.name_failure('period_tag', a.p_period_tag)
        when (a.p_size > 0) is not true then
          sediment.failure('invalid_request', 400, format('the size is %s', a.p_size), 'a positive integer')
        when (a.p_content_hash ~ '^[0-9a-f]{64}$') is not true then
          sediment.failure('invalid_request', 400, 'the content hash is not a SHA-256', '64 lower-case hex digits')
        when a.p_kind not in ('fragment', 'concatenated', 'direct_fragment', 'direct_concatenated') then
          sediment.failure('invalid_request', 400, format('p_kind is %s', a.p_kind))
        when a.p_ttl_seconds <= 0 or a.p_max_put_seconds < 0 then
          sediment.failure('invalid_request', 400, 'the times to live are not positive')
        when d.user_id <> a.p_user then
          sediment.failure('dataset_forbidden', 403, format('dataset %s belongs to another user', a.p_dataset))
        when u.offsets_digest <> coalesce(a.p_offsets_digest, '') then
          sediment.failure('upload_conflict', 422,
            format('this body was acknowledged on %s with other offsets', u.created_at),
            'the offsets of the first upload')
      end)::sediment.stage_call order by c.n)
    from jsonb_array_elements(p_calls) with ordinality as c(value, n)
    cross join lateral jsonb_to_record(c.value) as a(p_user uuid, p_dataset uuid, p_table text, p_period_tag text,
      p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text, p_ttl_seconds integer,
      p_max_put_seconds integer, p_details jsonb, p_idempotency_key text)
    join public.service_settings s on s.id
    left join public.user_limits l on l.user_id = any (array[a.p_user])
    left join public.datasets d on d.id = any (array[a.p_dataset])
    left join public.uploads u on u.dataset_id = any (array[a.p_dataset]) and u."table" = a.p_table
      and u.period_tag = a.p_period_tag and u.content_hash = a.p_content_hash);
end $$;

-- schemas/uploads/spend_upload.sql
-- Counts one upload against the user's limits. Without limits nothing is written: the row would be a lock that
-- all uploads of a user wait for. The windows are fixed ones, a minute and a UTC day; the hint names the
-- seconds until the next, for Retry-After.
create or replace function sediment.spend_upload(p_user uuid, p_bytes bigint)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_limits record;
  v_usage public.user_usage;
  v_now timestamptz := clock_timestamp();
  v_minute timestamptz := date_trunc('minute', v_now);
  v_day timestamptz := date_trunc('day', v_now, 'UTC');
begin
  perform sediment.check_stored(p_user, p_bytes, false);
  select coalesce(l.uploads_per_minute, s.uploads_per_minute) as per_minute,
    coalesce(l.upload_bytes_per_day, s.upload_bytes_per_day) as per_day
  into strict v_limits
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;

  if v_limits.per_minute is null and v_limits.per_day is null then
    return;
  end if;

  insert into public.user_usage as u (user_id, minute_start, minute_uploads, day_start, day_bytes)
  values (p_user, v_minute, 1, v_day, p_bytes)
  on conflict (user_id) do update
  set minute_start = v_minute,
    minute_uploads = case when u.minute_start = v_minute then u.minute_uploads else 0 end + 1,
    day_start = v_day,
    day_bytes = case when u.day_start = v_day then u.day_bytes else 0 end + p_bytes
  returning * into v_usage;

  -- raising takes the count back with the transaction: a refused upload is not spent
  if v_usage.minute_uploads > v_limits.per_minute then
    perform sediment.fail('rate_limited', 429, format('over %s uploads a minute', v_limits.per_minute),
      format('retry after %s s', ceil(extract(epoch from v_minute + interval '1 minute' - v_now))));
  end if;
  if v_usage.day_bytes > v_limits.per_day then
    perform sediment.fail('quota_exceeded', 429, format('over %s uploaded bytes a day', v_limits.per_day),
      format('retry after %s s', ceil(extract(epoch from v_day + interval '1 day' - v_now))));
  end if;
end $$;

-- schemas/uploads/stage_failure.sql
-- Why these bytes can't be committed to an object: they must be those of the user, hash and size that were planned.
-- The size of one that is stored may be another (Avro is stored as Parquet). Null when they can.
create or replace function sediment.stage_failure(
  o public.objects, p_stage uuid, p_user uuid, p_content_hash text, p_size bigint
)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when o.object_key is null then sediment.failure('stage_expired', 410, format('there is no stage %s', p_stage))
    when o.user_id is distinct from p_user then
      sediment.failure('forbidden', 403, format('stage %s belongs to another user', p_stage))
    when o.content_hash is distinct from p_content_hash then
      sediment.failure('hash_mismatch', 422, format('the body hashes to %s', p_content_hash), o.content_hash)
    when o.state = 'staged' and o.size is distinct from p_size then
      sediment.failure('size_mismatch', 422, format('the body has %s bytes', p_size), format('%s bytes', o.size))
  end;
end $$;

-- schemas/uploads/stage_upload.sql
-- Plans an upload: its object key is in `objects` before any byte is sent. Creates the dataset, owned by
-- p_user, when there is none of that id. The same identity (dataset, table, period_tag, content_hash) with
-- other offsets is upload_conflict; with the same ones duplicate is true and answer is the first upload's, and
-- a stage is planned all the same, since the client may send the bytes again.
--   p_kind: 'fragment' (one table), 'concatenated' (slices, .bin); prefixed 'direct_' when the client PUTs to
--           the store itself: then incoming_key is the key it may write, and object_key where a checked copy goes
--   p_ttl_seconds: life of the upload token; p_max_put_seconds: how long after that bytes can still arrive
--   p_details: kept for get_upload (the table offsets of a direct upload, say)
--   p_idempotency_key: names this upload; the same key with another one is upload_conflict
-- Returns {stage_id, object_key, incoming_key|null, expires_at, duplicate, answer|null}.
-- Raises invalid_name, invalid_request, dataset_forbidden, upload_conflict, rate_limited, quota_exceeded.
create or replace function public.stage_upload(
  p_user uuid, p_dataset uuid, p_table text, p_period_tag text, p_size bigint, p_content_hash text,
  p_offsets_digest text, p_kind text default 'fragment', p_ttl_seconds integer default 120,
  p_max_put_seconds integer default 7200, p_details jsonb default null, p_idempotency_key text default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  return sediment.answer_of(sediment.stage_uploads(jsonb_build_array(jsonb_build_object(
    'p_user', p_user, 'p_dataset', p_dataset, 'p_table', p_table, 'p_period_tag', p_period_tag, 'p_size', p_size,
    'p_content_hash', p_content_hash, 'p_offsets_digest', p_offsets_digest, 'p_kind', p_kind,
    'p_ttl_seconds', p_ttl_seconds, 'p_max_put_seconds', p_max_put_seconds, 'p_details', p_details,
    'p_idempotency_key', p_idempotency_key))));
end $$;

-- schemas/uploads/stage_uploads.sql
-- stage_upload for many at once: each call is as it would be alone, and has its answer or its error.
-- p_calls: [{p_user, p_dataset, …}]. Returns, in that order, {answer} or {error: {code, message, details, hint}}.
--
-- A handful of statements for all calls, since a statement costs more than the row that it writes. Pooled connections
-- keep plans that were made while the tables were small, so nothing but an index may find a row: without hash and merge
-- joins, and joined as "= any (array[…])", which is looked up like "=" but keeps the planner from reading an index
-- from end to end, since that would bring no order to join by. supabase/tests/upload_plans.sql holds them to it.
create or replace function sediment.stage_uploads(p_calls jsonb)
returns jsonb[]
language plpgsql
set search_path = ''
set enable_seqscan = off
set enable_indexonlyscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_calls sediment.stage_call[] := sediment.read_stage_calls(p_calls);
  v_call sediment.stage_call;
  v_now timestamptz := clock_timestamp();
  v_detail text;
  v_hint text;
  v_out jsonb[];
begin
  -- By what they lock, then as they came: two groups with calls of the same users must not wait for each other.
  for v_call in
    select c.* from unnest(v_calls) as c where c.needs_admission and c.outcome is null
    order by c.user_id, c.dataset_id, c.idempotency_key, c.n
  loop
    begin
      perform sediment.admit_upload(v_call);
    exception when others then
      -- the errors of sediment.fail are this call's own; any other, and a lock not had, is the group's
      if sqlstate not like 'SD%' then
        raise;
      end if;
      get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
      v_calls[v_call.n].outcome := sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
    end;
  end loop;

  with planned as materialized (
    select c.*, t.stage_id, t.suffix, v_now + make_interval(secs => c.ttl_seconds) as expires_at,
      v_now + make_interval(secs => c.ttl_seconds + c.max_put_seconds) as put_deadline,
      format('battle_data/%s/%s/%s/%s%s', c.dataset_id, c."table", c.period_tag, t.stage_id, t.suffix) as object_key,
      case when c.kind like 'direct%' then format('incoming/%s/%s%s', c.user_id, t.stage_id, t.suffix) end
        as incoming_key
    from unnest(v_calls) as c
    cross join lateral (select gen_random_uuid() as stage_id,
      case when c.kind like '%concatenated' then '.bin' else '.parquet' end as suffix) t
  ), fragments as (
    insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, "table",
      period_tag, stage_id, content_hash, offsets_digest, details)
    select p.object_key, 'fragment', p.size, p.expires_at, p.put_deadline, p.user_id, p.dataset_id, p."table",
      p.period_tag, p.stage_id, p.content_hash, p.offsets_digest, p.details
    from planned p where p.outcome is null
  ), incoming as (
    insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, stage_id)
    select p.incoming_key, 'incoming', p.size, p.expires_at, p.put_deadline, p.user_id, p.dataset_id, p.stage_id
    from planned p where p.outcome is null and p.incoming_key is not null
  )
  select array_agg(coalesce(p.outcome, jsonb_build_object('answer', jsonb_build_object(
    'stage_id', p.stage_id, 'object_key', p.object_key, 'incoming_key', p.incoming_key,
    'expires_at', p.expires_at, 'duplicate', p.first_answer is not null,
    'answer', p.first_answer || jsonb_build_object('duplicate', true)))) order by p.n)
  into strict v_out
  from planned p;
  return v_out;
end $$;

-- schemas/uploads/write_commits.sql
-- Writes what calls of commit_upload bring, once their identities are in the ledger: schemas, data files, objects
-- staged → stored, versions, debt and demand of the partitions, run rows and queue messages; and the ledger's answers.
-- The uploads of one dataset that are committed together appear in one version. p_files is as
-- sediment.read_commit_files sorts it. Returns {n: answer}.
create or replace function sediment.write_commits(p_calls sediment.commit_call[], p_files sediment.commit_file[])
returns jsonb
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_parts sediment.partition_change[];
  v_seqs bigint[]; -- of each file, in the order of p_files
  v_changes sediment.dataset_change[];
  v_new_schemas boolean;
  v_new_parts boolean;
  v_delay integer;
  v_versions public.dataset_versions[];
  v_answers jsonb;
begin
  -- What is known already is asked for once: schemas and partitions are never deleted.
  with parts as materialized (
    select f.dataset_id, f."table", f.period_tag, min(f.ordinality)::integer as first_file,
      max(f.ordinality)::integer as last_file, sum(f.byte_length)::bigint as bytes, sum(f.row_count) as rows,
      sum(f.uncompressed_bytes) as uncompressed, array_agg(distinct f.n) as calls,
      bool_or(k.fingerprint is null) as new_schemas
    from unnest(p_files) with ordinality as f
    left join public.file_schemas k on k.fingerprint = any (array[f.schema_fingerprint])
    group by f.dataset_id, f."table", f.period_tag
  )
  select array_agg(row(p.dataset_id, p."table", p.period_tag, p.first_file, p.last_file, p.bytes, p.calls,
      null)::sediment.partition_change order by p.first_file),
    bool_or(x.dataset_id is null), bool_or(p.new_schemas),
    (select array_agg(row(t.dataset_id, t.files, t.bytes, t.rows, t.uncompressed, null)::sediment.dataset_change)
      from (
        select d.dataset_id, sum(d.last_file - d.first_file + 1) as files, sum(d.bytes) as bytes, sum(d.rows) as rows,
          sum(d.uncompressed) as uncompressed
        from parts d group by d.dataset_id
      ) t),
    (select s.realtime_delay_seconds from public.service_settings s where s.id)
  into strict v_parts, v_new_parts, v_new_schemas, v_changes, v_delay
  from parts p
  left join public.partitions x
    on x.dataset_id = any (array[p.dataset_id]) and x."table" = p."table" and x.period_tag = p.period_tag;

  if v_new_schemas then
    perform sediment.keep_schemas(array_agg(f.schema_fingerprint), array_agg(f.schema)) from unnest(p_files) as f;
  end if;

  -- Partitions, sorted by key: made when absent, then locked; more than one in a statement before their update,
  -- as sediment.next_versions locks datasets.
  if v_new_parts then
    insert into public.partitions (dataset_id, "table", period_tag)
    select f.dataset_id, f."table", f.period_tag from unnest(v_parts) as f
    -- an insert would wait for whoever updates the row that is there
    where not exists (select 1 from public.partitions x
      where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag)
    order by 1, 2, 3
    on conflict (dataset_id, "table", period_tag) do nothing;
  end if;
  if cardinality(v_parts) > 1 then
    perform 1 from unnest(v_parts) as f
    join public.partitions x
      on x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
    order by f.dataset_id, f."table", f.period_tag
    for no key update of x;
  end if;
  with raised as (
    update public.partitions x
    set debt_files = x.debt_files + f.last_file - f.first_file + 1, debt_bytes = x.debt_bytes + f.bytes,
      debt_oldest = coalesce(x.debt_oldest, v_now), demand_seq = x.demand_seq + cardinality(f.calls),
      last_seq = x.last_seq + f.last_file - f.first_file + 1
    from unnest(v_parts) as f
    where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
    returning f.first_file, f.last_file, x.last_seq,
      row(f.dataset_id, f."table", f.period_tag, f.first_file, f.last_file, f.bytes, f.calls,
        -- wake_partition would find a message that waits, of this priority or a higher one, and early enough
        case when x.lease_expires_at is null and x.ready_at <= v_now + make_interval(secs => v_delay)
          and x.queue in ('realtime', 'manual') then x.run_id end)::sediment.partition_change as part
  )
  select array_agg(r.part order by r.first_file),
    (select array_agg(s.last_seq - s.last_file + g.nth order by g.nth)
      from raised s cross join lateral generate_series(s.first_file, s.last_file) as g(nth))
  into strict v_parts, v_seqs
  from raised r;

  v_versions := sediment.next_versions(v_changes);

  update public.objects x
  set state = 'stored', size = c.object_size, etag = c.etag, expires_at = null, updated_at = v_now
  from unnest(p_calls) as c
  where x.object_key = any (array[c.object_key]) and x.state = 'staged';
  perform sediment.discard_object(x.object_key, 'the checked copy is stored')
  from public.objects x
  where x.stage_id = any (array(select c.stage from unnest(p_calls) as c)) and x.stage_id is not null
    and x.kind = 'incoming';

  for i in 1 .. cardinality(v_parts) loop
    if v_parts[i].run_id is null then
      v_parts[i].run_id := sediment.wake_partition(v_parts[i].dataset_id, v_parts[i]."table", v_parts[i].period_tag,
        'realtime', 'upload', v_delay);
    end if;
  end loop;

  with inserted as (
    insert into public.battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte,
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at)
    select f.dataset_id, f."table", f.period_tag, f.stage, f.ordinal, f.object_key, f.start_byte,
      f.byte_length, f.etag, 0, v_seqs[f.ordinality], v_seqs[f.ordinality], f.row_count, f.row_group_count,
      f.uncompressed_bytes, f.value_count, f.merge_facts, f.schema_fingerprint, f.stats,
      (select v.version from unnest(v_versions) as v where v.dataset_id = f.dataset_id), f.user_id, v_now
    from unnest(p_files) with ordinality as f
    returning id, upload_id, "table", period_tag, ordinal, row_count
  ), answered as (
    update public.uploads u
    set answer = jsonb_build_object('key', c.object_key, 'size', c.size, 'uploaded_at', v_now, 'metricId', r.main,
      'duplicate', false, 'dataset_id', c.dataset_id, 'version', v.version, 'files', i.files, 'runs', r.runs)
    from unnest(p_calls) as c
    join unnest(v_versions) as v on v.dataset_id = c.dataset_id
    cross join lateral (
      select jsonb_agg(jsonb_build_object('id', i.id, 'table', i."table", 'period_tag', i.period_tag,
        'ordinal', i.ordinal, 'row_count', i.row_count) order by i.ordinal) as files
      from inserted i where i.upload_id = c.stage
    ) i
    cross join lateral (
      select jsonb_agg(jsonb_build_object('table', p."table", 'period_tag', p.period_tag, 'metricId', p.run_id)
          order by p.first_file) as runs,
        -- the run of the partition that the upload named, else that of its first
        (array_agg(p.run_id order by (p."table" = c."table" and p.period_tag = c.period_tag) desc, p.first_file))[1]
          as main
      from unnest(v_parts) as p where c.n = any (p.calls)
    ) r
    where u.id = any (array[c.stage])
    returning c.n, u.answer
  )
  select jsonb_object_agg(a.n, a.answer) into strict v_answers from answered a;
  return v_answers;
end $$;

-- schemas/runs/add_work.sql
-- Adds the time of a claim that ends now to its run's work; a lease that ran out counts until its end. Returns the
-- sum, in seconds. The caller holds the partition's lock.
create or replace function sediment.add_work(p public.partitions)
returns double precision
language plpgsql
set search_path = ''
as $$
declare
  v_sum double precision;
begin
  update public.processing_metrics r
  set worked_seconds = r.worked_seconds + coalesce(greatest(0, extract(epoch from
    least(clock_timestamp(), p.lease_expires_at) - p.claimed_at)), 0)
  where r.id = p.run_id
  returning r.worked_seconds into strict v_sum;
  return v_sum;
end $$;

-- schemas/runs/adopt_run.sql
-- Sends the message of a run that was waiting behind another, and makes it the partition's live one. The caller
-- holds the partition's lock, and the partition has no message.
create or replace function sediment.adopt_run(
  p_dataset uuid, p_table text, p_period_tag text, p_run uuid, p_priority text
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_delay integer := 0;
  v_ready timestamptz;
begin
  if p_priority = 'realtime' then
    select s.realtime_delay_seconds into strict v_delay from public.service_settings s;
  end if;
  -- before the send: a message never shows before its partition says that it is ready
  v_ready := clock_timestamp() + make_interval(secs => v_delay);
  update public.partitions x
  set run_id = p_run, queue = p_priority, due_at = null, dead_since = null, next_run_id = null,
    ready_at = v_ready,
    msg_id = sediment.queue_send(p_priority, p_run, p_dataset, p_table, p_period_tag, v_delay)
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
end $$;

-- schemas/runs/bury_run.sql
-- Ends the live run of a partition in the dead letters: the row, the alert message, the run's status, the
-- message archived and the lease freed, together. The caller holds the partition's lock. Debt stays, but
-- nothing sends for it until new demand, a request or a redrive comes: a poisoned partition must not loop.
create or replace function sediment.bury_run(
  p_dataset uuid, p_table text, p_period_tag text, p_code text, p_message text, p_step text
)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
  v_letter bigint;
  v_now timestamptz := clock_timestamp();
  v_next text;
begin
  select * into strict p from public.partitions x
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;

  insert into public.dead_letters (user_id, dataset_id, "table", period_tag, run_id, queue, error_code,
    error_message, error_step, attempts, message, first_failed_at, last_failed_at)
  select r.user_id, p_dataset, p_table, p_period_tag, r.id, p.queue, p_code, left(p_message, 2000), p_step,
    r.attempts, (select m.message from sediment.queue_messages m where m.queue = p.queue and m.msg_id = p.msg_id),
    coalesce(r.first_failed_at, v_now), v_now
  from public.processing_metrics r where r.id = p.run_id
  returning id into strict v_letter;

  update public.processing_metrics r
  set status = case when p_code in ('run_timeout', 'lease_expired') then 'timeout' else 'dlq_failure' end,
    error_code = p_code, error_message = left(p_message, 2000), error_step = coalesce(p_step, r.step),
    first_failed_at = coalesce(r.first_failed_at, v_now), last_failed_at = v_now, completed_at = v_now
  where r.id = p.run_id;

  perform sediment.queue_archive(p.queue, p.msg_id);
  perform sent.id from pgmq.send('compaction_dlq'::text,
    jsonb_build_object('deadLetterId', v_letter, 'errorCode', p_code, 'datasetId', p_dataset)::jsonb, 0::integer)
    as sent(id);

  update public.partitions x
  set queue = null, msg_id = null, run_id = null, ready_at = null, next_run_id = null, due_at = null,
    token = x.token + 1, lease_expires_at = null, lease_worker = null, claimed_at = null,
    claimed_demand_seq = null, claimed_debt_files = null, claimed_debt_bytes = null,
    last_decision = 'gave up: ' || p_code, dead_since = v_now
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;

  -- Demand that came while the run was at work gets attempts of its own.
  if p.next_run_id is not null then
    select r.priority into strict v_next from public.processing_metrics r where r.id = p.next_run_id;
    perform sediment.adopt_run(p_dataset, p_table, p_period_tag, p.next_run_id, v_next);
  end if;
  return v_letter;
end $$;

-- schemas/runs/check_token.sql
-- The second half of the fence: the caller must hold the newest token. An expired lease that nobody took over
-- is still good: the token decides, the time only permits others to take it.
create or replace function sediment.check_token(p public.partitions, p_run uuid, p_token bigint)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p.run_id is distinct from p_run
    and exists (select 1 from public.processing_metrics r where r.id = p_run and r.completed_at is not null)
  then
    perform sediment.fail('run_finished', 409, format('run %s has ended', p_run));
  end if;
  if p.run_id is distinct from p_run or p.lease_expires_at is null or p.token is distinct from p_token then
    perform sediment.fail('lease_lost', 409,
      format('run %s came with token %s, the partition is at %s', p_run, p_token, p.token));
  end if;
end $$;

-- schemas/runs/claim_compaction.sql
-- Leases one due partition to a worker: reads and leases one message in one transaction. The queue that is
-- looked at first is dealt 6:3:1, so that none starves; an empty one passes its turn on. Attempts are counted
-- here, not by read_ct: a message that a dying worker never started on is not a failure.
-- Returns {claimed: false, reason: 'empty'|'busy'|'fanned_out'}, where fanned_out means that a request for a
-- whole dataset was spread and asking again makes sense; or {claimed: true, run_id, dataset_id, table,
-- period_tag, user_id, priority, token, lease_expires_at, lease_seconds (from the claim on: a worker counts them by
-- its own clock, which need not be the database's), attempt, demand_seq, forced, outputs_committed,
-- settings, steps, files: [{id, object_key, start_byte, byte_length, level, seq_min, seq_max, row_count,
-- row_group_count, uncompressed_bytes, value_count|null, merge_facts|null, schema_fingerprint, state, etag,
-- uploaded_at}], schemas: {fingerprint: schema}, more, cursor}: the oldest 2,000 files in upload order; list_fragments gives those after the cursor.
-- outputs_committed is the ordinal (p_n) of the run's next commit.
create or replace function public.claim_compaction(p_worker text, p_lease_seconds integer default 300)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_turns constant text[] :=
    '{manual,realtime,manual,manual,realtime,manual,scheduled,realtime,manual,manual}';
  v_first text := v_turns[1 + nextval('sediment.queue_turn') % 10];
  v_queue text;
  v_candidate record;
  v_seen integer;
  v_any boolean := false;
  v_tried bigint[];
  v_claim jsonb;
begin
  if p_worker is null or length(p_worker) not between 1 and 200 then
    perform sediment.fail('invalid_request', 400, 'p_worker is empty or over 200 characters');
  end if;
  if p_lease_seconds is null or p_lease_seconds not between 1 and 3600 then
    perform sediment.fail('invalid_request', 400, format('p_lease_seconds is %s', p_lease_seconds), '1 to 3600');
  end if;

  foreach v_queue in array array[v_first] || array_remove('{manual,realtime,scheduled}'::text[], v_first) loop
    v_tried := '{}';
    -- in batches of ten; each with a new look at the queue, since others claim at the same time
    for v_round in 1 .. 10 loop
      v_seen := 0;
      for v_candidate in select r.msg_id, r.message from sediment.queue_ready(v_queue, 10, v_tried) r loop
        v_seen := v_seen + 1;
        v_tried := v_tried || v_candidate.msg_id;
        -- spreading waits for partitions, so it is done only while nothing is locked
        if not v_any and sediment.fan_out_message(v_queue, v_candidate.msg_id, v_candidate.message) then
          return jsonb_build_object('claimed', false, 'reason', 'fanned_out');
        end if;
        v_any := true;
        v_claim := sediment.claim_message(v_queue, v_candidate.msg_id, v_candidate.message, p_worker,
          p_lease_seconds);
        if v_claim is not null then
          return v_claim;
        end if;
      end loop;
      exit when v_seen < 10;
    end loop;
  end loop;
  return jsonb_build_object('claimed', false, 'reason', case when v_any then 'busy' else 'empty' end);
end $$;

-- schemas/runs/claim_message.sql
-- Tries to lease the partition of one message that was seen due. Null: not this one, look at the next. Locks
-- are only ever tried (skip locked) on this path: a claim waits for nobody while it holds something.
create or replace function sediment.claim_message(
  p_queue text, p_msg_id bigint, p_message jsonb, p_worker text, p_lease_seconds integer
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_msg record;
  p public.partitions;
  v_run public.processing_metrics;
  v_settings jsonb;
  v_now timestamptz;
  v_until timestamptz;
begin
  select * into v_msg from sediment.parse_message(p_message);
  if v_msg.problem is not null then
    if sediment.queue_take(p_queue, p_msg_id) then
      perform sediment.reject_message(p_queue, p_msg_id, p_message, v_msg.problem);
    end if;
    return null;
  end if;
  if v_msg."table" is null then
    return null; -- a fan-out: claim_compaction handles it before anything is locked
  end if;

  select * into p from public.partitions x
  where x.dataset_id = v_msg.dataset_id and x."table" = v_msg."table" and x.period_tag = v_msg.period_tag
  for no key update skip locked;
  if not found then
    if not exists (select 1 from public.partitions x where x.dataset_id = v_msg.dataset_id
        and x."table" = v_msg."table" and x.period_tag = v_msg.period_tag)
      and sediment.queue_take(p_queue, p_msg_id)
    then
      perform sediment.reject_message(p_queue, p_msg_id, p_message, 'there is no such partition');
    end if;
    return null;
  end if;

  -- Not the partition's live message: either it was archived since we looked, or somebody sent it by hand;
  -- then it counts as a request and joins.
  if p.msg_id is distinct from p_msg_id or p.queue is distinct from p_queue then
    if sediment.queue_take(p_queue, p_msg_id) then
      perform sediment.queue_archive(p_queue, p_msg_id);
      update public.partitions x set demand_seq = x.demand_seq + 1
      where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
      perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, v_msg.priority, 'message', 0);
    end if;
    return null;
  end if;

  v_now := clock_timestamp();
  if p.lease_expires_at > v_now then
    perform sediment.queue_hide(p_queue, p_msg_id, p.lease_expires_at);
    return null;
  end if;
  if p.lease_expires_at is not null then
    perform sediment.retry_run(p.dataset_id, p."table", p.period_tag, 'lease_expired',
      format('worker %s did not renew its lease', p.lease_worker), null, false);
    return null;
  end if;
  if p.ready_at > v_now then
    perform sediment.queue_hide(p_queue, p_msg_id, p.ready_at); -- it failed since we looked, and waits
    return null;
  end if;

  v_settings := sediment.settings_of(p.dataset_id, p."table");
  select v_now + make_interval(secs => least(p_lease_seconds,
    greatest((v_settings ->> 'max_run_seconds')::integer - r.worked_seconds, 1)))
  into strict v_until from public.processing_metrics r where r.id = p.run_id;
  update public.partitions x
  set token = x.token + 1, lease_worker = p_worker, claimed_at = v_now, lease_expires_at = v_until,
    ready_at = v_until, claimed_demand_seq = x.demand_seq, claimed_debt_files = x.debt_files,
    claimed_debt_bytes = x.debt_bytes
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
  returning * into strict p;
  perform sediment.queue_hide(p_queue, p_msg_id, p.lease_expires_at);
  update public.processing_metrics r
  set status = 'running', step = 'validate-dataset', attempts = r.attempts + 1, worker = p_worker, started_at = coalesce(r.started_at, v_now)
  where r.id = p.run_id
  returning * into strict v_run;

  return jsonb_build_object(
    'claimed', true, 'run_id', p.run_id, 'dataset_id', p.dataset_id, 'table', p."table",
    'period_tag', p.period_tag, 'user_id', v_run.user_id, 'priority', v_run.priority, 'token', p.token,
    'lease_expires_at', p.lease_expires_at,
    'lease_seconds', extract(epoch from p.lease_expires_at - v_now), 'attempt', v_run.attempts, 'demand_seq', p.demand_seq,
    'forced', p.forced_seq > p.done_seq, 'outputs_committed', v_run.commits, 'settings', v_settings,
    'steps', v_run.steps)
    || sediment.list_inputs(p.dataset_id, p."table", p.period_tag, -1, 2000);
end $$;

-- schemas/runs/close_run.sql
-- The last commit of a run: frees the lease, archives the message, takes over the planner's view of the debt,
-- and makes sure that nothing which came meanwhile is lost. The caller holds the partition's lock. p_result:
-- {decision, debt: {files, bytes, oldest}, next_due_at, steps_ms, output}. Returns whether the partition has a
-- live message again.
create or replace function sediment.close_run(p public.partitions, p_progress boolean, p_result jsonb)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_moved boolean := p.demand_seq > p.claimed_demand_seq;
  v_files bigint := greatest(coalesce((p_result #>> '{debt,files}')::bigint, 0), 0);
  v_bytes bigint := greatest(coalesce((p_result #>> '{debt,bytes}')::bigint, 0), 0);
  v_oldest timestamptz;
  v_due timestamptz := (p_result ->> 'next_due_at')::timestamptz;
  v_idle interval;
  v_next uuid := p.next_run_id;
  v_priority text := 'realtime';
begin
  select make_interval(secs => s.idle_recheck_seconds) into strict v_idle from public.service_settings s;
  update public.processing_metrics r
  set status = 'success', completed_at = v_now, step = null, error_code = null, error_message = null,
    error_step = null, output = p_result -> 'output'
  where r.id = p.run_id;
  perform sediment.queue_archive(p.queue, p.msg_id);
  update public.dead_letters l set resolved_at = v_now, resolution = 'succeeded'
  where l.dataset_id = p.dataset_id and l."table" = p."table" and l.period_tag = p.period_tag
    and l.resolved_at is null;

  -- Debt is what the planner said, and what was uploaded since the claim.
  v_oldest := case when v_files > 0 then coalesce((p_result #>> '{debt,oldest}')::timestamptz, p.claimed_at) end;
  if v_moved and p.debt_files > p.claimed_debt_files then
    v_oldest := least(coalesce(v_oldest, p.claimed_at), p.claimed_at);
  end if;
  v_files := v_files + p.debt_files - p.claimed_debt_files;
  v_bytes := v_bytes + p.debt_bytes - p.claimed_debt_bytes;
  -- A run that changed nothing is not repeated at once, whatever it says: nothing loops for ever.
  if v_due is null and v_files > 0 then
    v_due := v_now;
  end if;
  if not p_progress then
    v_due := greatest(v_due, v_now + v_idle);
  end if;

  update public.partitions x
  set queue = null, msg_id = null, run_id = null, next_run_id = null, ready_at = null,
    lease_expires_at = null, lease_worker = null, claimed_at = null, claimed_demand_seq = null,
    claimed_debt_files = null, claimed_debt_bytes = null, done_seq = p.claimed_demand_seq,
    debt_files = v_files, debt_bytes = v_bytes, debt_oldest = v_oldest, due_at = v_due, dead_since = null,
    last_decision = p_result ->> 'decision', last_considered_at = v_now
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;

  if not v_moved then
    -- whoever waited behind this run was seen by it all the same (it was claimed again since)
    update public.processing_metrics r
    set status = 'success', completed_at = v_now, decision = 'joined run ' || p.run_id,
      output = jsonb_build_object('joined', p.run_id)
    where r.id = v_next;
  elsif v_next is null then
    v_next := sediment.open_run(p.dataset_id, p."table", p.period_tag, v_priority, 'follow_up');
    perform sediment.adopt_run(p.dataset_id, p."table", p.period_tag, v_next, v_priority);
    return true;
  else
    select r.priority into strict v_priority from public.processing_metrics r where r.id = v_next;
    perform sediment.adopt_run(p.dataset_id, p."table", p.period_tag, v_next, v_priority);
    return true;
  end if;

  if p_progress and v_due <= v_now then
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'realtime', 'follow_up', 0);
    return true;
  end if;
  return false;
end $$;

-- schemas/runs/commit_compaction.sql
-- Commits the n-th step of a run's work. First looks whether (run, n) is committed already and gives that
-- answer; then checks the token; then replaces the inputs by the output, demanding that each input is still
-- visible. The message is archived and the lease freed only with p_last.
--   p_n: ordinal of the commit, claim's outputs_committed and on, one by one
--   p_inputs: ids of the files that the output replaces; empty with p_output null: nothing was done
--   p_output: {object_key, size, etag, row_count, row_group_count, uncompressed_bytes, value_count|null,
--              merge_facts|null, schema_fingerprint, schema, stats}; null also when the inputs hold no row at all
--   p_result: {decision, debt: {files, bytes, oldest}, next_due_at, steps_ms, output, progress, more}. With p_last and
--              more: true the run is not over: its turn is, and the next worker goes on with it at once; only
--              when less than a lease is left of its max_run_seconds does it end, as a success, and a follow-up goes on.
-- Returns {version|null, file_id|null, run_status, requeued, replayed, commits, lease_expires_at|null,
-- lease_seconds|null}.
-- Raises lease_lost, run_finished, run_not_found, inputs_changed, inputs_not_adjacent, merge_rows_differ,
-- object_missing, invalid_request.
create or replace function public.commit_compaction(
  p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_last boolean, p_result jsonb
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
  r public.processing_metrics;
  v_result jsonb := coalesce(p_result, '{}');
  v_inputs bigint[] := coalesce(p_inputs, '{}');
  v_more boolean := coalesce((p_result ->> 'more')::boolean, false);
  v_replaced jsonb := '{}';
  v_now timestamptz;
  v_lease timestamptz;
  v_overtime boolean := false;
  v_requeued boolean := false;
  v_status text;
  v_answer jsonb;
begin
  if p_n is null or p_n < 0 or p_last is null or (p_output is not null and jsonb_typeof(p_output) <> 'object')
    or (p_output is not null and cardinality(v_inputs) = 0)
    or (p_output is null and not p_last and cardinality(v_inputs) = 0)
  then
    perform sediment.fail('invalid_request', 400, 'the commit is empty or not well formed');
  end if;
  if p_output is not null then
    perform sediment.keep_schemas(array[p_output ->> 'schema_fingerprint'], array[p_output -> 'schema']);
  end if;

  p := sediment.lock_run_partition(p_run);
  select c.answer into v_answer from public.run_commits c where c.run_id = p_run and c.ordinal = p_n;
  if found then
    return v_answer || jsonb_build_object('replayed', true);
  end if;
  perform sediment.check_token(p, p_run, p_token);
  select * into strict r from public.processing_metrics x where x.id = p_run;
  if p_n <> r.commits then
    perform sediment.fail('invalid_request', 400, format('the next commit of run %s is %s, not %s',
      p_run, r.commits, p_n));
  end if;

  if cardinality(v_inputs) > 0 then
    v_replaced := sediment.replace_files(p, p_run, p_n, p_token, v_inputs, p_output);
  end if;
  update public.processing_metrics x
  set commits = x.commits + 1, decision = coalesce(v_result ->> 'decision', x.decision),
    steps_ms = x.steps_ms || coalesce(v_result -> 'steps_ms', '{}'),
    progress = coalesce(nullif(v_result -> 'progress', 'null'), x.progress),
    steps = case when p_last and not v_more then '{}' else x.steps end
  where x.id = p_run
  returning * into strict r;

  v_now := clock_timestamp();
  if p_last and v_more and (cardinality(v_inputs) > 0 or r.attempts = 0) then
    -- The run has had its time (what is left is less than a lease) and committed something in it: it ends well, and
    -- another goes on with the rest.
    select sediment.add_work(p) + least(s.lease_seconds, s.max_run_seconds / 2) >= s.max_run_seconds
    into strict v_overtime from public.service_settings s;
  end if;
  if not p_last then
    v_lease := sediment.extend_lease(p, null);
  elsif v_more and cardinality(v_inputs) = 0 and r.attempts > 0 then
    -- The turn ended and nothing was committed since the claim: that is a failed attempt, or it never ends.
    perform sediment.retry_run(p.dataset_id, p."table", p.period_tag, 'run_timeout',
      'the turn ended before anything could be committed', r.step, false);
    v_requeued := true;
  elsif v_overtime then
    v_requeued := sediment.close_run(p, true, v_result || jsonb_build_object('next_due_at', v_now));
    -- what was forced stays so for the run that goes on
    update public.partitions x set done_seq = p.done_seq
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  elsif v_more then
    update public.processing_metrics x set status = 'queued' where x.id = p_run;
    perform sediment.queue_hide(p.queue, p.msg_id, v_now + interval '1 second');
    update public.partitions x
    set lease_expires_at = null, lease_worker = null, claimed_at = null, claimed_demand_seq = null,
      claimed_debt_files = null, claimed_debt_bytes = null, ready_at = v_now,
      last_decision = coalesce(v_result ->> 'decision', x.last_decision), last_considered_at = v_now
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    perform sediment.raise_waiting(p, 0);
    v_requeued := true;
  else
    v_requeued := sediment.close_run(p, r.files_before > 0, v_result);
  end if;

  select x.status into strict v_status from public.processing_metrics x where x.id = p_run;
  v_answer := jsonb_build_object('version', v_replaced -> 'version', 'file_id', v_replaced -> 'file_id',
    'run_status', v_status, 'requeued', v_requeued, 'replayed', false, 'commits', r.commits,
    'lease_expires_at', v_lease, 'lease_seconds',
    case when v_lease is not null then greatest(0, extract(epoch from v_lease - clock_timestamp())) end);
  insert into public.run_commits (run_id, ordinal, token, file_id, object_key, answer)
  values (p_run, p_n, p_token, (v_replaced ->> 'file_id')::bigint, p_output ->> 'object_key', v_answer);
  return v_answer;
end $$;

-- schemas/runs/extend_lease.sql
-- Moves the end of a lease that the caller holds, and the message's vt with it; never past the run's
-- max_run_seconds: a worker that hangs must not keep a partition by renewing. Null: the default length.
create or replace function sediment.extend_lease(p public.partitions, p_seconds integer)
returns timestamptz
language plpgsql
set search_path = ''
as $$
declare
  v_settings public.service_settings;
  v_end timestamptz;
  v_until timestamptz;
begin
  select * into strict v_settings from public.service_settings;
  select p.claimed_at + make_interval(secs => v_settings.max_run_seconds - r.worked_seconds) into strict v_end
  from public.processing_metrics r where r.id = p.run_id;
  v_until := least(clock_timestamp() + make_interval(secs => coalesce(p_seconds, v_settings.lease_seconds)), v_end);
  if p_seconds is null then
    v_until := greatest(v_until, p.lease_expires_at);
  elsif v_until <= clock_timestamp() then
    perform sediment.fail('run_timeout', 504,
      format('the run was to end at %s', v_end),
      format('at most %s seconds of work', v_settings.max_run_seconds));
  end if;
  update public.partitions x set lease_expires_at = v_until, ready_at = v_until
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  perform sediment.queue_hide(p.queue, p.msg_id, v_until);
  return v_until;
end $$;

-- schemas/runs/fail_compaction.sql
-- Ends an attempt that failed: back to the queue with exponential back-off and full jitter, or to the dead
-- letters when the attempts are used up or the error is permanent. The lease is freed either way.
-- Returns {status: 'retry'|'dead', retry_at|null, dead_letter_id|null}. Raises lease_lost, run_finished.
create or replace function public.fail_compaction(
  p_run uuid, p_token bigint, p_code text, p_message text, p_step text, p_permanent boolean
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
begin
  p := sediment.lock_lease(p_run, p_token);
  return sediment.retry_run(p.dataset_id, p."table", p.period_tag, coalesce(left(p_code, 100), 'internal'),
    p_message, p_step, coalesce(p_permanent, false));
end $$;

-- schemas/runs/fan_out.sql
-- One slice of a request for many partitions of a dataset: those in debt, after the run's cursor, in key order.
-- The caller has locked the run's row and holds no partition. Returns the partitions asked; the run's cursor is
-- null when none is left.
create or replace function sediment.fan_out(p_run uuid, p_limit integer)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  r public.processing_metrics;
  v_key record;
  v_delay integer := 0;
  v_child uuid;
  v_asked jsonb := '[]';
begin
  select * into strict r from public.processing_metrics x where x.id = p_run;
  if r.priority = 'realtime' then
    select s.realtime_delay_seconds into strict v_delay from public.service_settings s;
  end if;

  for v_key in
    select x."table", x.period_tag, x.demand_seq from public.partitions x
    where x.dataset_id = r.dataset_id
      and (x."table", x.period_tag) > (r.fan_out_cursor ->> 'after_table', r.fan_out_cursor ->> 'after_period_tag')
      and (r.fan_out_cursor ->> 'table' is null or x."table" = r.fan_out_cursor ->> 'table')
      and (x.debt_oldest is not null or x.due_at is not null or x.msg_id is not null)
    order by x."table", x.period_tag
    limit p_limit
    for no key update
  loop
    update public.partitions x
    set demand_seq = x.demand_seq + 1,
      forced_seq = case when r.fan_out_forced then x.demand_seq + 1 else x.forced_seq end
    where x.dataset_id = r.dataset_id and x."table" = v_key."table" and x.period_tag = v_key.period_tag;
    v_asked := v_asked || jsonb_build_object('table', v_key."table", 'period_tag', v_key.period_tag);
  end loop;

  -- the queue comes last: all locks are held by now
  select coalesce(jsonb_agg(a || jsonb_build_object('metricId', sediment.wake_partition(
    r.dataset_id, a ->> 'table', a ->> 'period_tag', r.priority, 'request', v_delay))), '[]')
  into v_asked from jsonb_array_elements(v_asked) a;
  insert into public.run_children (parent_id, child_id)
  select p_run, (a ->> 'metricId')::uuid from jsonb_array_elements(v_asked) a
  on conflict do nothing;

  update public.processing_metrics x
  set status = 'running', started_at = coalesce(x.started_at, clock_timestamp()),
    fan_out_cursor = case when jsonb_array_length(v_asked) = p_limit then x.fan_out_cursor
      || jsonb_build_object('after_table', v_asked -> -1 -> 'table', 'after_period_tag', v_asked -> -1 -> 'period_tag')
    end
  where x.id = p_run;
  return v_asked;
end $$;

-- schemas/runs/fan_out_message.sql
-- Handles a message without a table: spreads one slice of its request and leaves the message for the next, or
-- archives it after the last. False: not such a message, or somebody else is at it. A message that another
-- system sent gets its run here, under the metricId that it names.
create or replace function sediment.fan_out_message(p_queue text, p_msg_id bigint, p_message jsonb)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_msg record;
  r public.processing_metrics;
begin
  select * into v_msg from sediment.parse_message(p_message);
  if v_msg.problem is not null or v_msg."table" is not null or not sediment.queue_take(p_queue, p_msg_id) then
    return false;
  end if;

  insert into public.processing_metrics (id, user_id, dataset_id, operation, trigger, priority, fan_out_cursor)
  select v_msg.run_id, d.user_id, d.id, 'fan_out', 'message', v_msg.priority,
    '{"after_table": "", "after_period_tag": ""}'
  from public.datasets d where d.id = v_msg.dataset_id
  on conflict (id) do nothing;

  select * into r from public.processing_metrics x where x.id = v_msg.run_id for no key update;
  if not found or r.dataset_id <> v_msg.dataset_id or r.operation <> 'fan_out' then
    perform sediment.reject_message(p_queue, p_msg_id, p_message,
      'there is no such dataset, or metricId is another run');
    return true;
  end if;

  if r.fan_out_cursor is not null then
    perform sediment.fan_out(r.id, 100);
  end if;
  if exists (select 1 from public.processing_metrics x where x.id = r.id and x.fan_out_cursor is not null) then
    perform sediment.queue_hide(p_queue, p_msg_id, clock_timestamp() + interval '1 second');
  else
    perform sediment.queue_archive(p_queue, p_msg_id);
  end if;
  return true;
end $$;

-- schemas/runs/keep_live_run.sql
-- A run that has not ended can't be deleted: its partition's message stands for it, and every claim that met the
-- message, and every expiry of leases, would fail. Who tidies up by hand is told so; ended runs may go.
create or replace function sediment.keep_live_run()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if old.completed_at is null then
    perform sediment.fail('invalid_request', 400, format('run %s has not ended', old.id), 'ended runs only');
  end if;
  return old;
end $$;

drop trigger if exists keep_live_run on public.processing_metrics;
create trigger keep_live_run before delete on public.processing_metrics
  for each row execute function sediment.keep_live_run();

-- schemas/runs/list_fragments.sql
-- More of a claimed partition's files than claim_compaction gave: {files, schemas, more, cursor}, after its cursor.
create or replace function public.list_fragments(
  p_run uuid, p_token bigint, p_cursor text, p_limit integer default 2000
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
begin
  if coalesce(p_cursor, '0') !~ '^\d{1,18}$' then
    perform sediment.fail('invalid_cursor', 400, 'the cursor is not one that claim_compaction gave');
  end if;
  p := sediment.lock_lease(p_run, p_token);
  return sediment.list_inputs(p.dataset_id, p."table", p.period_tag, coalesce(p_cursor::bigint, -1),
    least(greatest(p_limit, 1), 2000));
end $$;

-- schemas/runs/list_inputs.sql
-- The visible data files of a partition in upload order, at most p_limit, after a cursor (a seq_min). Bad ones
-- are in the list and marked: they are barriers for tables that dedupe. The schemas of the others come along
-- by fingerprint, in upload order as far as 100 and 1 MiB (as stored) go; files of schemas beyond are merged
-- with their like only.
create or replace function sediment.list_inputs(
  p_dataset uuid, p_table text, p_period_tag text, p_after bigint, p_limit integer
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (with page as (
    select f.* from public.battle_files f
    where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
      and f.removed_version is null and f.seq_min > p_after
    order by f.seq_min
    limit p_limit + 1
  ), kept as (
    select * from page order by seq_min limit p_limit
  )
  select jsonb_build_object(
    'files', coalesce((select jsonb_agg(jsonb_build_object(
      'id', k.id, 'object_key', k.object_key, 'start_byte', k.start_byte, 'byte_length', k.byte_length,
      'level', k.level, 'seq_min', k.seq_min, 'seq_max', k.seq_max, 'row_count', k.row_count,
      'row_group_count', k.row_group_count, 'uncompressed_bytes', k.uncompressed_bytes,
      'value_count', k.value_count, 'merge_facts', k.merge_facts, 'schema_fingerprint', k.schema_fingerprint,
      'state', k.state, 'etag', k.etag, 'uploaded_at', k.uploaded_at) order by k.seq_min) from kept k), '[]'),
    'schemas', coalesce((select jsonb_object_agg(s.fingerprint, s.schema) from (
      select x.fingerprint, x.schema, row_number() over w as place, sum(pg_column_size(x.schema)) over w as bytes
      from (
        select k.schema_fingerprint, min(k.seq_min) as seq_min from kept k
        where k.state = 'active' group by k.schema_fingerprint
      ) d
      join public.file_schemas x on x.fingerprint = d.schema_fingerprint
      window w as (order by d.seq_min, x.fingerprint)
    ) s where s.place <= 100 and s.bytes <= 1048576), '{}'),
    'more', (select count(*) > p_limit from page),
    'cursor', case when (select count(*) > p_limit from page) then (select max(k.seq_min)::text from kept k) end));
end $$;

-- schemas/runs/lock_lease.sql
-- The whole fence, for the functions that have no replay to look up in between.
create or replace function sediment.lock_lease(p_run uuid, p_token bigint)
returns public.partitions
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
begin
  p := sediment.lock_run_partition(p_run);
  perform sediment.check_token(p, p_run, p_token);
  return p;
end $$;

-- schemas/runs/lock_run_partition.sql
-- The first half of the fence: locks the partition of a run, in a statement of its own and before anything
-- else is read.
create or replace function sediment.lock_run_partition(p_run uuid)
returns public.partitions
language plpgsql
set search_path = ''
as $$
declare
  v_key record;
  p public.partitions;
begin
  -- a run never changes its partition, so reading the key first is no read of what the lock guards
  select r.dataset_id, r."table", r.period_tag into v_key
  from public.processing_metrics r where r.id = p_run and r.operation = 'compaction';
  if not found then
    perform sediment.fail('run_not_found', 404, format('there is no run %s', p_run));
  end if;

  select * into strict p from public.partitions x
  where x.dataset_id = v_key.dataset_id and x."table" = v_key."table" and x.period_tag = v_key.period_tag
  for no key update;
  return p;
end $$;

-- schemas/runs/open_run.sql
-- A new queued run of one partition.
create or replace function sediment.open_run(
  p_dataset uuid, p_table text, p_period_tag text, p_priority text, p_trigger text
)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_run uuid;
begin
  insert into public.processing_metrics
    (user_id, dataset_id, "table", period_tag, operation, trigger, priority)
  select d.user_id, d.id, p_table, p_period_tag, 'compaction', p_trigger, p_priority
  from public.datasets d where d.id = p_dataset
  returning id into strict v_run;
  return v_run;
end $$;

-- schemas/runs/quarantine_file.sql
-- Sets one bad file of a claimed partition aside, with the reason: it stays listed and marked, and the rest
-- compacts. Returns {file_id, state, changed}. Raises lease_lost, run_finished, inputs_changed.
create or replace function public.quarantine_file(
  p_run uuid, p_token bigint, p_file bigint, p_code text, p_reason text
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
  v_changed boolean;
begin
  p := sediment.lock_lease(p_run, p_token);
  update public.battle_files f
  set state = 'quarantined', quarantine_code = left(p_code, 100), quarantine_reason = left(p_reason, 2000),
    quarantined_at = clock_timestamp()
  where f.id = p_file and f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
    and f.removed_version is null and f.state = 'active';
  v_changed := found;
  if not v_changed and not exists (
    select 1 from public.battle_files f where f.id = p_file and f.dataset_id = p.dataset_id
      and f."table" = p."table" and f.period_tag = p.period_tag and f.removed_version is null)
  then
    perform sediment.fail('inputs_changed', 409, format('file %s is not visible in the partition', p_file));
  end if;
  -- A file set aside is progress, as a committed output is, and happens once a file: a turn that met nothing but
  -- bad ones is no failed attempt (found by the simulation: three such turns buried the sound rest).
  update public.processing_metrics r
  set files_quarantined = r.files_quarantined + v_changed::integer,
    attempts = case when v_changed then 0 else r.attempts end
  where r.id = p_run;
  return jsonb_build_object('file_id', p_file, 'state', 'quarantined', 'changed', v_changed);
end $$;

-- schemas/runs/raise_waiting.sql
-- A run that goes back to the queue takes over the higher priority of the demand that waits behind it: that waits
-- for this one. The caller holds the partition's lock and has freed the lease.
create or replace function sediment.raise_waiting(p public.partitions, p_delay_seconds integer)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_priority text;
begin
  select r.priority into v_priority from public.processing_metrics r where r.id = p.next_run_id;
  if sediment.priority_rank(v_priority) > sediment.priority_rank(p.queue) then
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, v_priority, 'follow_up', p_delay_seconds);
  end if;
end $$;

-- schemas/runs/record_step.sql
-- Keeps what a step of a run found, so that a redelivery goes on from there, and shows where the run is. A null
-- result only names the step that has begun; p_progress null leaves the progress as it is. Returns {step}.
create or replace function public.record_step(
  p_run uuid, p_token bigint, p_step text, p_result jsonb default null, p_progress jsonb default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  if p_step is null or p_step !~ '^[a-z][a-z0-9-]{0,63}$' then
    perform sediment.fail('invalid_request', 400, format('the step is %s', quote_nullable(left(p_step, 80))));
  end if;
  perform sediment.lock_lease(p_run, p_token);
  update public.processing_metrics r
  set step = p_step, progress = coalesce(p_progress, r.progress),
    steps = case when p_result is null then r.steps else r.steps || jsonb_build_object(p_step, p_result) end
  where r.id = p_run;
  return jsonb_build_object('step', p_step);
end $$;

-- schemas/runs/renew_lease.sql
-- Extends the lease and the message's vt. Returns {lease_expires_at, lease_seconds}. Raises lease_lost, run_finished,
-- run_timeout (the run's hard limit is reached).
create or replace function public.renew_lease(p_run uuid, p_token bigint, p_seconds integer default 300)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_until timestamptz;
begin
  if p_seconds is null or p_seconds not between 1 and 3600 then
    perform sediment.fail('invalid_request', 400, format('p_seconds is %s', p_seconds), '1 to 3600');
  end if;
  v_until := sediment.extend_lease(sediment.lock_lease(p_run, p_token), p_seconds);
  return jsonb_build_object('lease_expires_at', v_until,
    'lease_seconds', greatest(0, extract(epoch from v_until - clock_timestamp())));
end $$;

-- schemas/runs/replace_files.sql
-- The heart of a compaction's commit: the inputs leave, the output comes, at one new version. The caller holds
-- the partition's lock and has checked the token. Returns {version, file_id} and what was replaced.
create or replace function sediment.replace_files(
  p public.partitions, p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_in record;
  v_out record;
  v_dedupe boolean;
  v_version public.dataset_versions;
  v_removed bigint;
  v_now timestamptz := clock_timestamp();
  v_file bigint;
begin
  select count(*) as files, coalesce(sum(f.byte_length), 0)::bigint as bytes,
    coalesce(sum(f.row_count), 0)::bigint as rows, coalesce(sum(f.row_group_count), 0)::bigint as row_groups,
    coalesce(sum(f.uncompressed_bytes), 0)::bigint as uncompressed, max(f.level) as level,
    min(f.seq_min) as seq_min, max(f.seq_max) as seq_max
  into strict v_in
  from public.battle_files f
  where f.id = any (p_inputs) and f.removed_version is null and f.state = 'active'
    and f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag;
  if v_in.files <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs are visible and sound', v_in.files, cardinality(p_inputs)));
  end if;

  select * into v_out from jsonb_to_record(p_output) as t(object_key text, size bigint, etag text,
    row_count bigint, row_group_count integer, uncompressed_bytes bigint, value_count bigint,
    merge_facts jsonb, schema_fingerprint text, stats jsonb);
  v_dedupe := jsonb_array_length(sediment.settings_of(p.dataset_id, p."table") -> 'dedupe_keys') > 0;
  if (case when v_dedupe then coalesce(v_out.row_count, 0) <= v_in.rows and (v_out.row_count > 0 or v_in.rows = 0)
      else coalesce(v_out.row_count, 0) = v_in.rows end) is not true
  then
    perform sediment.fail('merge_rows_differ', 500,
      format('the inputs hold %s rows, the output %s', v_in.rows, coalesce(v_out.row_count, 0)));
  end if;
  -- Last writer wins only holds when nothing that was written in between stays outside.
  if v_dedupe and exists (
    select 1 from public.battle_files f
    where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
      and f.removed_version is null and f.id <> all (p_inputs)
      and f.seq_min <= v_in.seq_max and f.seq_max >= v_in.seq_min)
  then
    perform sediment.fail('inputs_not_adjacent', 409,
      format('a file between upload %s and %s is not among the inputs', v_in.seq_min, v_in.seq_max));
  end if;

  v_version := (sediment.next_versions(array[row(p.dataset_id,
    case when p_output is null then 0 else 1 end - v_in.files, coalesce(v_out.size, 0) - v_in.bytes,
    coalesce(v_out.row_count, 0) - v_in.rows, coalesce(v_out.uncompressed_bytes, 0) - v_in.uncompressed,
    coalesce(v_out.etag, ''))::sediment.dataset_change]))[1];

  update public.battle_files f set removed_version = v_version.version
  where f.id = any (p_inputs) and f.removed_version is null;
  get diagnostics v_removed = row_count;
  if v_removed <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs were still visible', v_removed, cardinality(p_inputs)));
  end if;

  if p_output is not null then
    update public.objects o
    set state = 'stored', size = v_out.size, etag = v_out.etag, expires_at = null, updated_at = v_now
    where o.object_key = v_out.object_key and o.state = 'staged'
      and o.run_id = p_run and o.run_ordinal = p_n and o.token = p_token;
    if not found then
      -- the sweep was here: this worker slept through its lease and the time for its PUT, though nobody took over
      if exists (select 1 from public.objects o where o.object_key = v_out.object_key
        and o.run_id = p_run and o.run_ordinal = p_n and o.token = p_token)
      then
        perform sediment.fail('lease_lost', 409, format('%s was given up', v_out.object_key));
      end if;
      perform sediment.fail('object_missing', 500,
        format('%s is not the staged output %s of this run and token', v_out.object_key, p_n));
    end if;
    insert into public.battle_files (dataset_id, "table", period_tag, run_id, ordinal, object_key, start_byte,
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at)
    select p.dataset_id, p."table", p.period_tag, p_run, p_n, v_out.object_key, 0, v_out.size, v_out.etag,
      v_in.level + 1, v_in.seq_min, v_in.seq_max, v_out.row_count, v_out.row_group_count,
      v_out.uncompressed_bytes, v_out.value_count, v_out.merge_facts, v_out.schema_fingerprint, v_out.stats,
      v_version.version, r.user_id, v_now
    from public.processing_metrics r where r.id = p_run
    returning id into strict v_file;
  end if;

  update public.processing_metrics r
  set attempts = 0, -- a committed output is progress: the next failure is a first one again
    files_before = r.files_before + v_in.files, files_after = r.files_after + (v_file is not null)::integer,
    row_groups_before = r.row_groups_before + v_in.row_groups,
    row_groups_after = r.row_groups_after + coalesce(v_out.row_group_count, 0),
    rows_before = r.rows_before + v_in.rows, rows_after = r.rows_after + coalesce(v_out.row_count, 0),
    bytes_before = r.bytes_before + v_in.bytes, bytes_after = r.bytes_after + coalesce(v_out.size, 0)
  where r.id = p_run;
  return jsonb_build_object('version', v_version.version, 'file_id', v_file);
end $$;

-- schemas/runs/request_compaction.sql
-- Asks for compaction: of one partition (table and period_tag), or of all that are in debt in a dataset or in
-- one of its tables, the first 100 here and the rest by a message. A manual request forces: the planner goes
-- below min_inputs. Joins a live message; a higher priority moves it.
--   p_user: null for the service itself, else the owner
-- Returns {instanceId, dataset_id, partitions, requested: [{table, period_tag, metricId}], cursor}: instanceId
-- is the run to ask for; cursor is null when all partitions were asked.
-- Raises not_found, dataset_forbidden, invalid_request.
create or replace function public.request_compaction(
  p_user uuid, p_dataset uuid, p_table text default null, p_period_tag text default null,
  p_priority text default 'manual'
)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '30s'
as $$
declare
  d public.datasets;
  r public.processing_metrics;
  v_run uuid;
  v_delay integer := 0;
  v_requested jsonb;
begin
  if sediment.priority_rank(p_priority) is null then
    perform sediment.fail('invalid_request', 400, format('the priority is %s', quote_nullable(left(p_priority, 40))),
      'manual, realtime or scheduled');
  end if;
  if p_table is null and p_period_tag is not null then
    perform sediment.fail('invalid_request', 400, 'a period_tag needs its table');
  end if;
  d := sediment.own_dataset(p_user, p_dataset);

  if p_period_tag is not null then
    perform 1 from public.partitions x
    where x.dataset_id = d.id and x."table" = p_table and x.period_tag = p_period_tag for no key update;
    if not found then
      perform sediment.fail('not_found', 404,
        format('dataset %s has no partition %s/%s', d.id, p_table, p_period_tag));
    end if;
    if p_priority = 'realtime' then
      select s.realtime_delay_seconds into strict v_delay from public.service_settings s;
    end if;
    update public.partitions x
    set demand_seq = x.demand_seq + 1,
      forced_seq = case when p_priority = 'manual' then x.demand_seq + 1 else x.forced_seq end
    where x.dataset_id = d.id and x."table" = p_table and x.period_tag = p_period_tag;
    v_run := sediment.wake_partition(d.id, p_table, p_period_tag, p_priority, 'request', v_delay);
    return jsonb_build_object('instanceId', v_run, 'dataset_id', d.id, 'partitions', 1, 'cursor', null,
      'requested', jsonb_build_array(
        jsonb_build_object('table', p_table, 'period_tag', p_period_tag, 'metricId', v_run)));
  end if;

  insert into public.processing_metrics
    (user_id, dataset_id, operation, trigger, priority, fan_out_forced, fan_out_cursor)
  values (d.user_id, d.id, 'fan_out', 'request', p_priority, p_priority = 'manual',
    jsonb_build_object('after_table', '', 'after_period_tag', '', 'table', p_table))
  returning id into strict v_run;
  v_requested := sediment.fan_out(v_run, 100);
  select * into strict r from public.processing_metrics x where x.id = v_run;
  if r.fan_out_cursor is not null then
    perform sediment.queue_send(p_priority, v_run, d.id, null, null, 0);
  elsif v_requested = '[]' then
    update public.processing_metrics x
    set status = 'success', completed_at = clock_timestamp(), decision = 'nothing is in debt'
    where x.id = v_run;
  end if;
  return jsonb_build_object('instanceId', v_run, 'dataset_id', d.id,
    'partitions', jsonb_array_length(v_requested), 'requested', v_requested,
    'cursor', r.fan_out_cursor ->> 'after_table');
end $$;

-- schemas/runs/retry_run.sql
-- After a failed attempt of the live run: back to the queue with exponential back-off and full jitter, or to
-- the dead letters when the attempts are used up, the error is permanent, or the run has had its max_run_seconds
-- (whatever it committed meanwhile: what is claimed over and over must end). The caller holds the partition's
-- lock, and the partition its lease. Returns {status: 'retry'|'dead', retry_at, dead_letter_id}.
create or replace function sediment.retry_run(
  p_dataset uuid, p_table text, p_period_tag text, p_code text, p_message text, p_step text, p_permanent boolean
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
  v_run public.processing_metrics;
  v_settings public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_retry_at timestamptz;
begin
  select * into strict p from public.partitions x
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
  select * into strict v_run from public.processing_metrics r where r.id = p.run_id;
  select * into strict v_settings from public.service_settings;

  v_run.worked_seconds := sediment.add_work(p);
  if v_run.worked_seconds >= v_settings.max_run_seconds and not p_permanent
    and v_run.attempts < v_settings.max_attempts
  then
    return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
      sediment.bury_run(p_dataset, p_table, p_period_tag, 'run_timeout',
        format('the run worked for %s of %s seconds; its last failure was %s: %s', round(v_run.worked_seconds::numeric),
          v_settings.max_run_seconds, p_code, p_message), p_step));
  end if;
  if p_permanent or v_run.attempts >= v_settings.max_attempts then
    return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
      sediment.bury_run(p_dataset, p_table, p_period_tag, p_code, p_message, p_step));
  end if;

  -- Full jitter: anywhere between a second and the doubled base, so that what failed together does not come
  -- back together.
  v_retry_at := v_now + make_interval(secs => greatest(1, random() * least(
    v_settings.backoff_cap_seconds,
    v_settings.backoff_base_seconds * power(2, least(greatest(v_run.attempts, 1), 20) - 1))));

  update public.processing_metrics r
  set status = 'queued', error_code = p_code, error_message = left(p_message, 2000), error_step = p_step,
    first_failed_at = coalesce(r.first_failed_at, v_now), last_failed_at = v_now
  where r.id = p.run_id;
  update public.partitions x
  set token = x.token + 1, lease_expires_at = null, lease_worker = null, claimed_at = null,
    claimed_demand_seq = null, claimed_debt_files = null, claimed_debt_bytes = null, ready_at = v_retry_at
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
  perform sediment.queue_hide(p.queue, p.msg_id, v_retry_at);

  perform sediment.raise_waiting(p, ceil(extract(epoch from v_retry_at - v_now))::integer);
  return jsonb_build_object('status', 'retry', 'retry_at', v_retry_at, 'dead_letter_id', null);
end $$;

-- schemas/runs/run_status.sql
-- Where a run is. A run of another user is not_found: an id tells nothing. status is one of queued, running,
-- success, error; a fan-out's follows from the runs that it asked for.
-- Returns {instanceId, dataset_id, table, period_tag, operation, trigger, priority, status, state, step,
-- progress, decision, attempts, commits, output, error: {code, message, step}|null, children|null, queued_at,
-- started_at, completed_at, next_attempt_at}. Raises not_found → run_not_found.
create or replace function public.run_status(p_user uuid, p_run uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  r public.processing_metrics;
  v_children record;
  v_status text;
  v_step text;
begin
  select * into r from public.processing_metrics x where x.id = p_run;
  if not found or (p_user is not null and r.user_id <> p_user) then
    perform sediment.fail('run_not_found', 404, format('there is no run %s', p_run));
  end if;

  v_status := case r.status when 'queued' then 'queued' when 'running' then 'running'
    when 'success' then 'success' else 'error' end;
  v_step := r.step;
  if r.operation = 'fan_out' then
    select count(*) as total, count(c.completed_at) as done,
      count(*) filter (where c.status in ('failure', 'dlq_failure', 'timeout')) as failed
    into strict v_children
    from public.run_children k join public.processing_metrics c on c.id = k.child_id where k.parent_id = r.id;
    v_status := case
      when r.completed_at is not null and v_children.total = 0 then v_status -- the history of its runs is gone
      when r.fan_out_cursor is not null and v_children.total = 0 then 'queued'
      when r.fan_out_cursor is not null or v_children.done < v_children.total then 'running'
      when v_children.failed > 0 then 'error'
      else 'success' end;
  end if;

  return jsonb_build_object('instanceId', r.id, 'dataset_id', r.dataset_id, 'table', r."table",
    'period_tag', r.period_tag, 'operation', r.operation, 'trigger', r.trigger, 'priority', r.priority,
    'status', v_status, 'state', r.status, 'step', v_step, 'progress', r.progress,
    -- the plan of the attempt at work, before its first commit too
    'decision', coalesce(case when r.status = 'running' then r.steps #>> '{merge,decision}' end, r.decision),
    'attempts', r.attempts, 'commits', r.commits,
    'output', case when r.operation = 'compaction' and (r.completed_at is not null or r.commits > 0) then
      coalesce(r.output, '{}') || jsonb_build_object('files_before', r.files_before, 'files_after', r.files_after,
        'row_groups_before', r.row_groups_before, 'row_groups_after', r.row_groups_after,
        'rows_before', r.rows_before, 'rows_after', r.rows_after, 'bytes_before', r.bytes_before,
        'bytes_after', r.bytes_after, 'files_quarantined', r.files_quarantined) end,
    'error', case when r.error_code is not null and r.status <> 'success' then
      jsonb_build_object('code', r.error_code, 'message', r.error_message, 'step', r.error_step) end,
    'children', case when r.operation = 'fan_out' then to_jsonb(v_children) end,
    'queued_at', r.queued_at, 'started_at', r.started_at, 'completed_at', r.completed_at,
    'next_attempt_at', (select p.ready_at from public.partitions p
      where r.status = 'queued' and p.dataset_id = r.dataset_id and p."table" = r."table"
        and p.period_tag = r.period_tag and p.run_id = r.id));
end $$;

-- schemas/runs/settings_of.sql
-- The settings that hold for one table, as claim_compaction hands them to the planner and the merge: the
-- table's own row, else the dataset's '*', else the service's.
create or replace function sediment.settings_of(p_dataset uuid, p_table text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (select jsonb_build_object(
    'target_file_bytes', coalesce(t.target_file_bytes, d.target_file_bytes, s.target_file_bytes),
    'target_row_group_bytes',
      coalesce(t.target_row_group_bytes, d.target_row_group_bytes, s.target_row_group_bytes),
    'healthy_row_group_bytes',
      coalesce(t.healthy_row_group_bytes, d.healthy_row_group_bytes, s.healthy_row_group_bytes),
    'target_page_bytes', coalesce(t.target_page_bytes, d.target_page_bytes, s.target_page_bytes),
    'min_inputs', coalesce(t.min_inputs, d.min_inputs, s.min_inputs),
    'max_age_seconds', coalesce(t.max_age_seconds, d.max_age_seconds, s.max_age_seconds),
    'codec', coalesce(t.codec, d.codec, s.codec),
    'sort_keys', to_jsonb(coalesce(t.sort_keys, d.sort_keys, '{}')),
    'dedupe_keys', to_jsonb(coalesce(t.dedupe_keys, d.dedupe_keys, '{}')),
    'retention_seconds', coalesce(t.retention_seconds, d.retention_seconds, s.retention_seconds),
    'lease_seconds', s.lease_seconds,
    'max_run_seconds', s.max_run_seconds,
    'max_attempts', s.max_attempts)
  from public.service_settings s
  left join public.table_settings t on t.dataset_id = p_dataset and t."table" = p_table
  left join public.table_settings d on d.dataset_id = p_dataset and d."table" = '*');
end $$;

-- schemas/runs/stage_output.sql
-- Plans the object of a run's n-th output. The key holds run and token: an older worker can't overwrite what a
-- newer one writes. Asked again it gives the same key; after the commit it says so and gives that answer.
-- Returns {object_key, expires_at, committed, answer|null}. Raises lease_lost, run_finished, run_not_found.
create or replace function public.stage_output(p_run uuid, p_n integer, p_token bigint, p_expected_bytes bigint)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
  v_done public.run_commits;
  v_key text;
  v_state text;
  v_settings public.service_settings;
  v_deadline timestamptz;
begin
  if p_n is null or p_n < 0 then
    perform sediment.fail('invalid_request', 400, format('p_n is %s', p_n));
  end if;
  if p_expected_bytes is null or p_expected_bytes < 0 then
    perform sediment.fail('invalid_request', 400, format('p_expected_bytes is %s', p_expected_bytes));
  end if;
  p := sediment.lock_run_partition(p_run);
  select * into v_done from public.run_commits c where c.run_id = p_run and c.ordinal = p_n;
  if found then
    return jsonb_build_object('object_key', v_done.object_key, 'expires_at', null, 'committed', true,
      'answer', v_done.answer || jsonb_build_object('replayed', true));
  end if;
  perform sediment.check_token(p, p_run, p_token);

  -- No lease lives longer than max_run_seconds after its claim; a PUT may be under way when it ends.
  select * into strict v_settings from public.service_settings;
  v_deadline := p.claimed_at + make_interval(secs => v_settings.max_run_seconds + v_settings.max_put_seconds);
  v_key := format('battle_compacted/%s/%s/%s/%s-%s-%s.parquet', p.dataset_id, p."table", p.period_tag, p_run,
    p_token, p_n);
  insert into public.objects (object_key, kind, size, expires_at, put_deadline, dataset_id, "table", period_tag,
    run_id, run_ordinal, token)
  values (v_key, 'compacted', p_expected_bytes, v_deadline, v_deadline, p.dataset_id, p."table", p.period_tag,
    p_run, p_n, p_token)
  on conflict (object_key) do nothing;

  select o.state into strict v_state from public.objects o where o.object_key = v_key;
  if v_state <> 'staged' then
    perform sediment.fail('lease_lost', 409, format('%s was given up', v_key));
  end if;
  return jsonb_build_object('object_key', v_key, 'expires_at', v_deadline, 'committed', false, 'answer', null);
end $$;

-- schemas/runs/trigger_scheduled.sql
-- 02:00 UTC: asks for compaction of the datasets whose debt is oldest. At most p_max_datasets datasets and
-- p_max_partitions partitions a call; each p_concurrency datasets become due p_delay_ms after the ones before,
-- so that a night's work does not start at once. Dead partitions wait for a redrive or new uploads.
-- Null arguments: the service's settings. Never waits for a lock. Returns {datasets: [id], partitions, more}.
create or replace function public.trigger_scheduled(
  p_max_datasets integer default null, p_concurrency integer default null, p_delay_ms integer default null,
  p_max_partitions integer default 2000
)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '60s'
as $$
declare
  s public.service_settings;
  v_datasets uuid[];
  v_key record;
  v_count integer := 0;
begin
  select * into strict s from public.service_settings;
  p_max_datasets := least(coalesce(p_max_datasets, s.max_datasets_per_run), s.max_datasets_per_run);
  p_concurrency := greatest(coalesce(p_concurrency, s.schedule_concurrency), 1);
  p_delay_ms := greatest(coalesce(p_delay_ms, s.schedule_delay_ms), 0);

  select coalesce(array_agg(x.dataset_id order by x.oldest), '{}') into strict v_datasets
  from (
    select p.dataset_id, min(p.debt_oldest) as oldest from public.partitions p
    where p.debt_oldest is not null and p.msg_id is null and p.dead_since is null
    group by p.dataset_id order by 2 limit greatest(p_max_datasets, 0)
  ) x;

  for v_key in
    select p.dataset_id, p."table", p.period_tag, p.msg_id from public.partitions p
    where p.dataset_id = any (v_datasets) and p.debt_oldest is not null and p.msg_id is null
      and p.dead_since is null
    order by p.dataset_id, p."table", p.period_tag limit p_max_partitions
    for no key update skip locked
  loop
    perform sediment.wake_partition(v_key.dataset_id, v_key."table", v_key.period_tag, 'scheduled', 'schedule',
      ((array_position(v_datasets, v_key.dataset_id) - 1) / p_concurrency) * p_delay_ms / 1000);
    v_count := v_count + 1;
  end loop;
  return jsonb_build_object('datasets', to_jsonb(v_datasets), 'partitions', v_count,
    'more', v_count = p_max_partitions);
end $$;

-- schemas/runs/wake_partition.sql
-- Gives a partition its live message, or joins the one that it has: a partition has at most one. Returns the
-- run that will see everything that was committed before this call. The caller holds the partition's lock (and
-- has taken the dataset's, if it needs it: the queue comes last).
--   no message      → a new run and its message, after the delay (bursts coalesce behind it)
--   leased          → the running worker may have read its files already: the demand waits under next_run_id
--   waiting         → join; a higher priority moves the message, an earlier readiness brings it forward
create or replace function sediment.wake_partition(
  p_dataset uuid, p_table text, p_period_tag text, p_priority text, p_trigger text, p_delay_seconds integer
)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
  v_run uuid;
  v_ready timestamptz := clock_timestamp() + make_interval(secs => p_delay_seconds);
  v_raise boolean;
begin
  select * into strict p from public.partitions x
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;

  if p.msg_id is null then
    v_run := sediment.open_run(p_dataset, p_table, p_period_tag, p_priority, p_trigger);
    update public.partitions x
    set run_id = v_run, queue = p_priority, ready_at = v_ready, due_at = null, dead_since = null,
      msg_id = sediment.queue_send(p_priority, v_run, p_dataset, p_table, p_period_tag, p_delay_seconds)
    where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
    return v_run;
  end if;

  if p.lease_expires_at is not null then
    if p.next_run_id is null then
      v_run := sediment.open_run(p_dataset, p_table, p_period_tag, p_priority, p_trigger);
      update public.partitions x set next_run_id = v_run
      where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
      return v_run;
    end if;
    update public.processing_metrics r set priority = p_priority
    where r.id = p.next_run_id
      and sediment.priority_rank(r.priority) < sediment.priority_rank(p_priority);
    return p.next_run_id;
  end if;

  -- A run that waits for its retry keeps its back-off, except for a person who asks by hand.
  if v_ready < p.ready_at and p_priority <> 'manual'
    and exists (select 1 from public.processing_metrics r where r.id = p.run_id and r.error_code is not null)
  then
    v_ready := p.ready_at;
  end if;
  v_ready := least(v_ready, p.ready_at);
  v_raise := sediment.priority_rank(p_priority) > sediment.priority_rank(p.queue);

  if v_raise then
    perform sediment.queue_archive(p.queue, p.msg_id);
    update public.processing_metrics r set priority = p_priority where r.id = p.run_id;
    update public.partitions x
    set queue = p_priority, ready_at = v_ready,
      msg_id = sediment.queue_send(p_priority, p.run_id, p_dataset, p_table, p_period_tag,
        ceil(greatest(0, extract(epoch from v_ready - clock_timestamp())))::integer)
    where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
  elsif v_ready < p.ready_at then
    perform sediment.queue_hide(p.queue, p.msg_id, v_ready);
    update public.partitions x set ready_at = v_ready
    where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
  end if;
  return p.run_id;
end $$;

-- schemas/readers/dataset_status.sql
-- A dataset as its owner thinks of it; whether compaction is needed or under way follows from the partitions.
create or replace view public.dataset_status with (security_invoker = true) as
  select d.id, d.user_id, d.name, d.version, d.oldest_kept_version, d.file_count, d.file_size_bytes, d.file_etag,
    d.row_count, d.compression_ratio, d.last_compacted_at,
    coalesce(p.needed, false) as compaction_needed, coalesce(p.in_progress, false) as compaction_in_progress,
    coalesce(p.debt_files, 0)::bigint as debt_files, coalesce(p.debt_bytes, 0)::bigint as debt_bytes,
    p.debt_oldest, coalesce(p.dead, 0)::bigint as dead_partitions, d.created_at, d.updated_at
  from public.datasets d
  left join lateral (
    select bool_or(x.debt_oldest is not null) as needed,
      bool_or(x.lease_expires_at > clock_timestamp()) as in_progress,
      sum(x.debt_files) as debt_files, sum(x.debt_bytes) as debt_bytes, min(x.debt_oldest) as debt_oldest,
      count(x.dead_since) as dead
    from public.partitions x where x.dataset_id = d.id
  ) p on true;

-- schemas/readers/decode_cursor.sql
-- Reads a cursor that encode_cursor made; whatever else comes is invalid_cursor, not an error of the database.
create or replace function sediment.decode_cursor(p_cursor text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_cursor jsonb;
begin
  if p_cursor is null then
    return null;
  end if;
  begin
    if length(p_cursor) <= 8192 then
      v_cursor := convert_from(decode(rpad(translate(p_cursor, '-_', '+/'), (length(p_cursor) + 3) / 4 * 4, '='),
        'base64'), 'UTF8')::jsonb;
    end if;
  exception when others then
    v_cursor := null;
  end;
  if v_cursor is null or jsonb_typeof(v_cursor) <> 'object' then
    perform sediment.fail('invalid_cursor', 400, 'the cursor is not one that this service gave',
      'a next_cursor as it was given');
  end if;
  return v_cursor;
end $$;

-- schemas/readers/encode_cursor.sql
-- Cursors are opaque to clients: base64url of a JSON object, since a client may well paste one into a query string,
-- where + is a space.
create or replace function sediment.encode_cursor(p_cursor jsonb)
returns text
language sql
immutable
set search_path = ''
as $$
  select translate(encode(convert_to(p_cursor::text, 'UTF8'), 'base64'), E'+/=\n', '-_')
$$;

-- schemas/readers/get_file.sql
-- One data file, for serving its bytes: {id, dataset_id, user_id, object_key, start_byte, byte_length, size,
-- object_size, table, period_tag, level, state, quarantine_code, quarantine_reason, row_count, row_group_count,
-- uncompressed_bytes, schema_fingerprint, schema, stats, etag, uploaded_at, added_version, removed_version}.
-- Raises not_found (also for the files of others), version_gone (no kept version shows it any more).
create or replace function public.get_file(p_user uuid, p_file bigint)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  f public.battle_files;
  d public.datasets;
begin
  select * into f from public.battle_files x where x.id = p_file;
  -- File ids are consecutive: that one is another's must not be told from that there is none.
  if not found or (p_user is not null and not exists (
    select 1 from public.datasets x where x.id = f.dataset_id and x.user_id = p_user))
  then
    perform sediment.fail('not_found', 404, format('there is no data file %s', p_file));
  end if;
  d := sediment.own_dataset(p_user, f.dataset_id);
  if f.removed_version <= d.oldest_kept_version then
    perform sediment.fail('version_gone', 410, format('data file %s left at version %s', f.id, f.removed_version),
      format('version %s or later', d.oldest_kept_version));
  end if;
  return jsonb_build_object('id', f.id, 'dataset_id', f.dataset_id, 'user_id', d.user_id,
    'object_key', f.object_key, 'start_byte', f.start_byte, 'byte_length', f.byte_length, 'size', f.byte_length,
    'object_size', (select o.size from public.objects o where o.object_key = f.object_key),
    'table', f."table", 'period_tag', f.period_tag, 'level', f.level, 'state', f.state,
    'quarantine_code', f.quarantine_code, 'quarantine_reason', f.quarantine_reason,
    'row_count', f.row_count, 'row_group_count', f.row_group_count,
    'uncompressed_bytes', f.uncompressed_bytes, 'schema_fingerprint', f.schema_fingerprint,
    'schema', (select s.schema from public.file_schemas s where s.fingerprint = f.schema_fingerprint),
    'stats', f.stats, 'etag', f.etag, 'uploaded_at', f.uploaded_at, 'added_version', f.added_version,
    'removed_version', f.removed_version);
end $$;

-- schemas/readers/list_files.sql
-- The data files of a dataset as of one version (the newest when p_version is null), ordered by table,
-- period_tag and upload order. A cursor pins its version: later pages show the same version, or version_gone
-- once that is no longer kept. p_from and p_to bound the period_tag, both included.
-- Returns {dataset_id, version, committed_at, files: [{id, object_key, start_byte, byte_length, table,
-- period_tag, size, level, state, quarantine_code, quarantine_reason, row_count, row_group_count,
-- uncompressed_bytes, schema_fingerprint, stats, etag, seq_min, seq_max, uploaded_at, added_version}],
-- next_cursor}. size is byte_length: a slice's own length, not its object's.
-- Raises not_found, dataset_forbidden, version_gone, version_unknown, invalid_cursor.
create or replace function public.list_files(
  p_user uuid, p_dataset uuid, p_table text default null, p_period_tag text default null,
  p_from text default null, p_to text default null, p_version bigint default null, p_limit integer default 1000,
  p_cursor text default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  d public.datasets;
  v_cursor jsonb := sediment.decode_cursor(p_cursor);
  v_version bigint;
  v_committed timestamptz;
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  v_files jsonb;
  v_more boolean;
begin
  if v_cursor is not null and (v_cursor - array['v', 't', 'p', 's', 'd'] <> '{}'
    or v_cursor ->> 'd' is distinct from p_dataset::text
    or coalesce(v_cursor ->> 'v', '') !~ '^\d{1,18}$' or coalesce(v_cursor ->> 's', '') !~ '^\d{1,18}$'
    or v_cursor ->> 't' is null or v_cursor ->> 'p' is null)
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  d := sediment.own_dataset(p_user, p_dataset);
  v_version := coalesce((v_cursor ->> 'v')::bigint, p_version, d.version);
  if v_version < d.oldest_kept_version then
    perform sediment.fail('version_gone', 410, format('version %s is no longer kept', v_version),
      format('%s or later', d.oldest_kept_version));
  end if;
  if v_version > d.version then
    perform sediment.fail('version_unknown', 404, format('there is no version %s', v_version),
      format('at most %s', d.version));
  end if;
  select v.committed_at into v_committed from public.dataset_versions v
  where v.dataset_id = d.id and v.version = v_version;

  -- What is visible now comes in index order; what was removed since is as much as compaction did meanwhile.
  with page as (
    (select f.* from public.battle_files f
      where f.dataset_id = d.id and f.removed_version is null and f.added_version <= v_version
        and (p_table is null or f."table" = p_table) and (p_period_tag is null or f.period_tag = p_period_tag)
        and (p_from is null or f.period_tag >= p_from) and (p_to is null or f.period_tag <= p_to)
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
    union all
    (select f.* from public.battle_files f
      where f.dataset_id = d.id and f.removed_version > v_version and f.added_version <= v_version
        and (p_table is null or f."table" = p_table) and (p_period_tag is null or f.period_tag = p_period_tag)
        and (p_from is null or f.period_tag >= p_from) and (p_to is null or f.period_tag <= p_to)
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
    order by "table", period_tag, seq_min limit v_limit + 1
  ), kept as (
    select * from page order by "table", period_tag, seq_min limit v_limit
  )
  select coalesce(jsonb_agg(jsonb_build_object(
      'id', k.id, 'object_key', k.object_key, 'start_byte', k.start_byte, 'byte_length', k.byte_length,
      'table', k."table", 'period_tag', k.period_tag, 'size', k.byte_length, 'level', k.level, 'state', k.state,
      'quarantine_code', k.quarantine_code, 'quarantine_reason', k.quarantine_reason,
      'row_count', k.row_count, 'row_group_count', k.row_group_count,
      'uncompressed_bytes', k.uncompressed_bytes, 'schema_fingerprint', k.schema_fingerprint,
      'stats', k.stats, 'etag', k.etag, 'seq_min', k.seq_min, 'seq_max', k.seq_max,
      'uploaded_at', k.uploaded_at, 'added_version', k.added_version)
      order by k."table", k.period_tag, k.seq_min), '[]'),
    (select count(*) > v_limit from page)
  into strict v_files, v_more from kept k;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    'files', v_files, 'next_cursor', case when v_more then sediment.encode_cursor(jsonb_build_object(
      'd', d.id, 'v', v_version, 't', v_files -> -1 -> 'table', 'p', v_files -> -1 -> 'period_tag',
      's', v_files -> -1 -> 'seq_min')) end);
end $$;

-- schemas/readers/own_dataset.sql
-- The owner check of every reading function: p_user null is the service itself. Another's dataset is 403 and
-- the answer tells nothing of it.
create or replace function sediment.own_dataset(p_user uuid, p_dataset uuid)
returns public.datasets
language plpgsql
stable
set search_path = ''
as $$
declare
  v_dataset public.datasets;
begin
  select * into v_dataset from public.datasets d where d.id = p_dataset;
  if not found then
    perform sediment.fail('not_found', 404, format('there is no dataset %s', p_dataset));
  end if;
  if p_user is not null and v_dataset.user_id <> p_user then
    perform sediment.fail('dataset_forbidden', 403, format('dataset %s belongs to another user', p_dataset));
  end if;
  return v_dataset;
end $$;

-- schemas/readers/version_at.sql
-- The version that was current at a time, for readers that ask by time. Returns {dataset_id, version,
-- committed_at}. Raises version_gone, version_unknown (before the dataset's first commit), not_found,
-- dataset_forbidden.
create or replace function public.version_at(p_user uuid, p_dataset uuid, p_time timestamptz)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  d public.datasets;
  v public.dataset_versions;
begin
  d := sediment.own_dataset(p_user, p_dataset);
  select * into v from public.dataset_versions x
  where x.dataset_id = d.id and x.committed_at <= p_time order by x.committed_at desc limit 1;
  if not found or v.version < d.oldest_kept_version then
    if d.oldest_kept_version > 0 then
      perform sediment.fail('version_gone', 410, format('the version of %s is no longer kept', p_time),
        format('version %s or later', d.oldest_kept_version));
    end if;
    perform sediment.fail('version_unknown', 404, format('dataset %s had no commit before %s', d.id, p_time));
  end if;
  return jsonb_build_object('dataset_id', d.id, 'version', v.version, 'committed_at', v.committed_at);
end $$;

-- schemas/assets/check_asset.sql
-- Refuses asset keys that leave their folder or hide in it, extensions that are not listed, and sizes over the
-- user's limit.
create or replace function sediment.check_asset(
  p_user uuid, p_key text, p_relative_path text, p_file_name text, p_size bigint
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_limits record;
  v_path text;
  v_extension text;
begin
  foreach v_path in array array[p_key, p_relative_path, p_file_name] loop
    if v_path is null or length(v_path) not between 1 and 1024
      or v_path ~ '(^|/)\.{0,2}(/|$)' -- '', '.' and '..' as a segment: also a leading or doubled slash
      or v_path ~ '[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\\]'
      or v_path is not nfc normalized
    then
      perform sediment.fail('invalid_name', 400,
        'a key, path or file name is empty, leaves its folder or hides characters',
        'segments other than . and .., no control or direction characters, NFC');
    end if;
  end loop;
  if p_file_name ~ '/' then
    perform sediment.fail('invalid_name', 400, 'the file name holds a slash');
  end if;

  select coalesce(l.asset_bytes_max, s.asset_bytes_max) as bytes,
    coalesce(l.asset_extensions, s.asset_extensions) as extensions
  into strict v_limits
  from public.service_settings s left join public.user_limits l on l.user_id = p_user;
  foreach v_path in array array[p_key, p_file_name] loop
    v_extension := lower(substring(v_path from '\.([A-Za-z0-9]{1,16})$'));
    if v_extension is null or v_extension <> all (v_limits.extensions) then
      perform sediment.fail('invalid_name', 400,
        format('the extension %s is not allowed', coalesce(v_extension, 'is missing or')),
        array_to_string(v_limits.extensions, ', '));
    end if;
  end loop;
  if p_size > v_limits.bytes then
    perform sediment.fail('body_too_large', 413, format('the asset has %s bytes', p_size),
      format('at most %s bytes', v_limits.bytes));
  end if;
end $$;

-- schemas/assets/commit_asset.sql
-- Makes a staged object the asset's current one, in one update that readers see whole; the old object is deleted
-- when no URL signed for it can be alive. Asked again it gives the same answer with duplicate: true.
-- Returns {key, relative_path, file_name, size, content_hash, etag, object_key, uploaded_at, replaced, duplicate}.
-- Raises stage_expired, forbidden, hash_mismatch, size_mismatch, quota_exceeded.
create or replace function public.commit_asset(
  p_stage uuid, p_user uuid, p_size bigint, p_etag text, p_content_hash text
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  o public.objects;
  v_old public.assets;
  v_now timestamptz := clock_timestamp();
  v_duplicate boolean;
  v_keep interval;
  v_failure jsonb;
  v_answer jsonb;
begin
  select * into o from public.objects x where x.stage_id = p_stage and x.kind = 'asset' for update;
  v_failure := sediment.stage_failure(o, p_stage, p_user, p_content_hash, p_size);
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  v_answer := jsonb_build_object('key', o.asset_key, 'relative_path', o.details ->> 'relative_path',
    'file_name', o.details ->> 'file_name', 'size', o.size, 'content_hash', o.content_hash, 'etag', p_etag,
    'object_key', o.object_key, 'uploaded_at', v_now, 'replaced', false, 'duplicate', false);
  if o.state <> 'staged' then
    if o.details -> 'answer' is null then
      perform sediment.fail('stage_expired', 410, format('stage %s was given up', p_stage));
    end if;
    return o.details -> 'answer' || jsonb_build_object('duplicate', true);
  end if;

  perform sediment.check_stored(p_user, p_size - coalesce(
    (select a.size from public.assets a where a.user_id = p_user and a.key = o.asset_key), 0), true);
  insert into public.assets (user_id, key, relative_path, file_name, object_key, size, content_hash, etag, updated_at)
  values (p_user, o.asset_key, o.details ->> 'relative_path', o.details ->> 'file_name', o.object_key, p_size,
    p_content_hash, p_etag, v_now)
  on conflict (user_id, key) do nothing;
  if not found then
    select * into strict v_old from public.assets a where a.user_id = p_user and a.key = o.asset_key for update;
    v_duplicate := v_old.content_hash = p_content_hash;
    if v_duplicate then
      perform sediment.discard_object(o.object_key, 'a duplicate asset');
      v_answer := v_answer || jsonb_build_object('object_key', v_old.object_key, 'etag', v_old.etag,
        'uploaded_at', v_old.updated_at, 'duplicate', true);
    else
      update public.assets a
      set relative_path = o.details ->> 'relative_path', file_name = o.details ->> 'file_name',
        object_key = o.object_key, size = p_size, content_hash = p_content_hash, etag = p_etag, updated_at = v_now
      where a.user_id = p_user and a.key = o.asset_key;
      select make_interval(secs => s.signed_url_seconds) into strict v_keep from public.service_settings s;
      perform sediment.retire_object(v_old.object_key, 'replaced asset', v_keep);
      v_answer := v_answer || jsonb_build_object('replaced', true);
    end if;
  end if;

  update public.objects x
  set state = case when x.state = 'staged' then 'stored' else x.state end, etag = p_etag, expires_at = null,
    updated_at = v_now, details = x.details || jsonb_build_object('answer', v_answer)
  where x.object_key = o.object_key;
  return v_answer;
end $$;

-- schemas/assets/get_asset.sql
-- One asset: {key, relative_path, file_name, size, content_hash, etag, object_key, uploaded_at}. Raises not_found.
create or replace function public.get_asset(p_user uuid, p_key text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  a public.assets;
begin
  select * into a from public.assets x where x.user_id = p_user and x.key = p_key;
  if not found then
    perform sediment.fail('not_found', 404, 'there is no asset of that key');
  end if;
  return jsonb_build_object('key', a.key, 'relative_path', a.relative_path, 'file_name', a.file_name,
    'size', a.size, 'content_hash', a.content_hash, 'etag', a.etag, 'object_key', a.object_key,
    'uploaded_at', a.updated_at);
end $$;

-- schemas/assets/list_assets.sql
-- A user's assets in key order: {assets: [{key, relative_path, file_name, size, content_hash, etag, uploaded_at}],
-- next_cursor}. p_prefix: keys that begin with it. Raises invalid_cursor.
create or replace function public.list_assets(
  p_user uuid, p_prefix text default null, p_limit integer default 1000, p_cursor text default null
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_after text := sediment.decode_cursor(p_cursor) ->> 'after';
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  v_assets jsonb;
begin
  select coalesce(jsonb_agg(jsonb_build_object('key', a.key, 'relative_path', a.relative_path,
    'file_name', a.file_name, 'size', a.size, 'content_hash', a.content_hash, 'etag', a.etag,
    'uploaded_at', a.updated_at) order by a.key), '[]')
  into strict v_assets
  from (
    select * from public.assets x
    where x.user_id = p_user and (v_after is null or x.key > v_after)
      and (p_prefix is null or starts_with(x.key, p_prefix))
    order by x.key limit v_limit + 1
  ) a;
  if jsonb_array_length(v_assets) <= v_limit then
    return jsonb_build_object('assets', v_assets, 'next_cursor', null);
  end if;
  v_assets := v_assets - v_limit;
  return jsonb_build_object('assets', v_assets,
    'next_cursor', sediment.encode_cursor(jsonb_build_object('after', v_assets -> -1 ->> 'key')));
end $$;

-- schemas/assets/stage_asset.sql
-- Plans the object of an asset: a new one each time, so that replacing is atomic for readers.
-- Returns {stage_id, object_key, expires_at, replaces: boolean}. Raises already_stored (the key holds these very
-- bytes), invalid_name, body_too_large, invalid_request, rate_limited, quota_exceeded.
create or replace function public.stage_asset(
  p_user uuid, p_key text, p_relative_path text, p_file_name text, p_size bigint, p_content_hash text,
  p_ttl_seconds integer default 120, p_max_put_seconds integer default 7200
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_current public.assets;
  v_stage uuid := gen_random_uuid();
  v_now timestamptz := clock_timestamp();
  v_expires timestamptz := v_now + make_interval(secs => p_ttl_seconds);
  v_key text;
begin
  if p_user is null or p_size is null or p_size < 0 or p_content_hash is null
    or p_content_hash !~ '^[0-9a-f]{64}$' or p_ttl_seconds <= 0 or p_max_put_seconds < 0
  then
    perform sediment.fail('invalid_request', 400, 'user, size or content hash is missing or not well formed');
  end if;
  perform sediment.check_asset(p_user, p_key, p_relative_path, p_file_name, p_size);

  select * into v_current from public.assets a where a.user_id = p_user and a.key = p_key;
  if v_current.content_hash = p_content_hash then
    perform sediment.fail('already_stored', 409, format('%s holds these bytes since %s', p_key, v_current.updated_at));
  end if;
  perform sediment.spend_upload(p_user, p_size);

  v_key := format('assets/%s/%s.%s', p_user, v_stage, lower(substring(p_file_name from '\.([A-Za-z0-9]+)$')));
  insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, stage_id, content_hash,
    asset_key, details)
  values (v_key, 'asset', p_size, v_expires, v_expires + make_interval(secs => p_max_put_seconds), p_user, v_stage,
    p_content_hash, p_key, jsonb_build_object('relative_path', p_relative_path, 'file_name', p_file_name));
  return jsonb_build_object('stage_id', v_stage, 'object_key', v_key, 'expires_at', v_expires,
    'replaces', v_current.key is not null);
end $$;

-- schemas/dead_letters/claim_alerts.sql
-- Hands out alerts that are due to be sent, for a while: who does not say how it went leaves them to the next.
-- Returns {alerts: [{id, class, window_start, occurrences, payload, attempt, taken}], webhooks, private_addresses}.
create or replace function public.claim_alerts(p_limit integer default 5, p_lease_seconds integer default 60)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_alerts jsonb;
begin
  select * into strict s from public.service_settings;
  with due as (
    select a.id from public.alerts a
    where a.state = 'pending' and a.next_attempt_at <= v_now
    order by a.next_attempt_at limit least(greatest(coalesce(p_limit, 5), 1), 100)
    for update skip locked
  ), taken as (
    update public.alerts a
    set attempts = a.attempts + 1,
      next_attempt_at = clock_timestamp() + make_interval(secs => greatest(p_lease_seconds, 1))
    from due d where a.id = d.id
    returning a.id, a.class, a.window_start, a.occurrences, a.payload, a.attempts as attempt, a.taken
  )
  select coalesce(jsonb_agg(to_jsonb(t) order by t.id), '[]') into strict v_alerts from taken t;
  return jsonb_build_object('alerts', v_alerts, 'webhooks', s.alert_webhooks,
    'private_addresses', s.alert_private_addresses);
end $$;

-- schemas/dead_letters/dead_letter_summary.sql
-- Open dead letters by error class.
create or replace view public.dead_letter_summary with (security_invoker = true) as
  select l.error_code, count(*) as open, count(distinct l.dataset_id) as datasets,
    min(l.first_failed_at) as first_failed_at, max(l.last_failed_at) as last_failed_at
  from public.dead_letters l where l.resolved_at is null
  group by l.error_code;

-- schemas/dead_letters/drain_dead_letters.sql
-- Takes messages off compaction_dlq: the dead letters are written already, this only raises the alerts, one an
-- error class and window. Every message that is read is archived, whatever it holds: a broken one must not come
-- back for ever. Returns {drained, alerts: number of new ones, more}.
create or replace function public.drain_dead_letters(p_limit integer default 5)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 5), 1), 100);
  v_ids bigint[];
  v_letters bigint[];
  v_window integer;
  v_start timestamptz;
  v_new integer;
begin
  select coalesce(array_agg(m.msg_id), '{}'),
    coalesce(array_agg((m.message ->> 'deadLetterId')::bigint)
      filter (where m.message ->> 'deadLetterId' ~ '^\d{1,18}$'), '{}')
  into strict v_ids, v_letters
  from pgmq.read('compaction_dlq'::text, 60::integer, v_limit::integer) as m;

  select s.alert_window_seconds into strict v_window from public.service_settings s;
  v_start := to_timestamp(floor(extract(epoch from clock_timestamp()) / v_window) * v_window);

  -- by class, in order: two drains that meet on the same classes take the rows in the same order
  with classes as (
    select l.error_code as class, count(*)::integer as occurrences, max(l.id) as letter
    from public.dead_letters l where l.id = any (v_letters) and l.alerted_at is null
    group by l.error_code
  ), raised as (
    insert into public.alerts as a (class, window_start, dead_letter_id, occurrences, payload)
    select c.class, v_start, c.letter, c.occurrences, jsonb_build_object('class', c.class,
      'message', l.error_message, 'step', l.error_step, 'dataset_id', l.dataset_id, 'table', l."table",
      'period_tag', l.period_tag, 'run_id', l.run_id, 'attempts', l.attempts, 'at', l.last_failed_at)
    from classes c join public.dead_letters l on l.id = c.letter
    order by c.class
    on conflict (class, window_start) do update set occurrences = a.occurrences + excluded.occurrences
    returning (xmax = 0) as is_new
  )
  select count(*) filter (where r.is_new) into strict v_new from raised r;
  update public.dead_letters l set alerted_at = clock_timestamp()
  where l.id = any (v_letters) and l.alerted_at is null;

  perform archived.id from pgmq.archive('compaction_dlq'::text, v_ids::bigint[]) as archived(id);
  return jsonb_build_object('drained', cardinality(v_ids), 'alerts', v_new, 'more', cardinality(v_ids) = v_limit);
end $$;

-- schemas/dead_letters/finish_alert.sql
-- Says how sending an alert went: sent, or to be tried again with growing delays until its attempts are used up.
-- p_taken: the webhooks that took it this time, whether or not all did.
-- Returns {state}. Raises not_found.
create or replace function public.finish_alert(
  p_alert bigint, p_sent boolean, p_error text default null, p_taken text[] default '{}'
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  s public.service_settings;
  v_state text;
begin
  select * into strict s from public.service_settings;
  update public.alerts a
  set state = case when p_sent then 'sent' when a.attempts >= s.alert_max_attempts then 'failed' else 'pending' end,
    sent_at = case when p_sent then clock_timestamp() end,
    taken = a.taken || coalesce(p_taken, '{}'),
    last_error = case when p_sent then null else left(p_error, 1000) end,
    next_attempt_at = clock_timestamp() + make_interval(secs => least(3600, 15 * power(2, least(a.attempts, 10)))
      * (0.5 + random() / 2))
  where a.id = p_alert and a.state = 'pending'
  returning a.state into v_state;
  if not found then
    select a.state into v_state from public.alerts a where a.id = p_alert;
    if not found then
      perform sediment.fail('not_found', 404, format('there is no alert %s', p_alert));
    end if;
  end if;
  return jsonb_build_object('state', v_state);
end $$;

-- schemas/dead_letters/list_dead_letters.sql
-- Open dead letters, newest first: {open (counted up to 1000), letters: [{id, dataset_id, table, period_tag,
-- run_id, error_code, error_message, error_step, attempts, first_failed_at, last_failed_at}], next_cursor}.
-- p_user null is the service. Raises invalid_cursor.
create or replace function public.list_dead_letters(
  p_user uuid, p_dataset uuid default null, p_limit integer default 100, p_cursor text default null
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 1000);
  v_before text := sediment.decode_cursor(p_cursor) ->> 'before';
  v_open integer;
  v_letters jsonb;
  v_next text;
begin
  if v_before !~ '^\d{1,18}$' then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  select count(*) into strict v_open from (
    select 1 from public.dead_letters l
    where l.resolved_at is null and (p_user is null or l.user_id = p_user)
      and (p_dataset is null or l.dataset_id = p_dataset) limit 1000
  ) x;
  select coalesce(jsonb_agg(jsonb_build_object('id', l.id, 'dataset_id', l.dataset_id, 'table', l."table",
    'period_tag', l.period_tag, 'run_id', l.run_id, 'error_code', l.error_code, 'error_message', l.error_message,
    'error_step', l.error_step, 'attempts', l.attempts, 'first_failed_at', l.first_failed_at,
    'last_failed_at', l.last_failed_at) order by l.id desc), '[]')
  into strict v_letters
  from (
    select * from public.dead_letters x
    where x.resolved_at is null and (p_user is null or x.user_id = p_user)
      and (p_dataset is null or x.dataset_id = p_dataset) and (v_before is null or x.id < v_before::bigint)
    order by x.id desc limit v_limit + 1
  ) l;
  if jsonb_array_length(v_letters) > v_limit then
    v_letters := v_letters - v_limit;
    v_next := sediment.encode_cursor(jsonb_build_object('before', v_letters -> -1 ->> 'id'));
  end if;
  return jsonb_build_object('open', v_open, 'letters', v_letters, 'next_cursor', v_next);
end $$;

-- schemas/dead_letters/quarantined_files.sql
-- Files that could not be merged, and why; they stay listed until somebody retries or replaces them.
create or replace view public.quarantined_files with (security_invoker = true) as
  select f.id, f.dataset_id, f."table", f.period_tag, f.quarantine_code, f.quarantine_reason, f.quarantined_at,
    f.object_key, f.start_byte, f.byte_length, f.row_count, f.uploaded_at
  from public.battle_files f
  where f.state = 'quarantined' and f.removed_version is null;

-- schemas/dead_letters/redrive_dead_letters.sql
-- Gives dead partitions another run, by hand: those of the given letters, or of all open ones that fit a filter
-- {dataset_id, table, error_code, before}. p_user null is the service; a user reaches only his own, and another's
-- letter looks as if it were not there. Bounded; with a filter, call again while more.
-- Returns {redriven: [{id, run_id, dataset_id, table, period_tag}], skipped: [{id, reason}], more}; reason is
-- not_found, resolved or no_partition (a message that could not be read names nothing to run).
create or replace function public.redrive_dead_letters(
  p_user uuid, p_ids bigint[] default null, p_filter jsonb default null, p_limit integer default 100
)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '30s'
as $$
declare
  -- ids are meant as they stand: the limit is for filters
  v_limit integer := least(greatest(coalesce(p_limit, 100), cardinality(p_ids), 1), 1000);
  v_filter jsonb := coalesce(p_filter, '{}');
  v_ids bigint[];
  v_key record;
  v_run uuid;
  v_redriven jsonb := '[]';
  v_done jsonb;
  v_skipped jsonb;
begin
  if cardinality(p_ids) > 1000 or jsonb_typeof(v_filter) <> 'object'
    or v_filter - array['dataset_id', 'table', 'error_code', 'before'] <> '{}'
  then
    perform sediment.fail('invalid_request', 400, 'over 1000 ids, or a filter with other fields',
      'dataset_id, table, error_code, before');
  end if;

  select coalesce(array_agg(x.id), '{}') into strict v_ids
  from (
    select l.id from public.dead_letters l
    where l.resolved_at is null and l.dataset_id is not null and l."table" is not null
      and (p_user is null or l.user_id = p_user)
      and (p_ids is null or l.id = any (p_ids))
      and (v_filter ->> 'dataset_id' is null or l.dataset_id = (v_filter ->> 'dataset_id')::uuid)
      and (v_filter ->> 'table' is null or l."table" = v_filter ->> 'table')
      and (v_filter ->> 'error_code' is null or l.error_code = v_filter ->> 'error_code')
      and (v_filter ->> 'before' is null or l.last_failed_at < (v_filter ->> 'before')::timestamptz)
    order by l.id limit v_limit
  ) x;

  -- all partitions first, sorted; the queue after them
  perform 1 from public.partitions p
  where (p.dataset_id, p."table", p.period_tag) in (
    select l.dataset_id, l."table", l.period_tag from public.dead_letters l where l.id = any (v_ids))
  order by p.dataset_id, p."table", p.period_tag
  for no key update;

  for v_key in
    select distinct l.dataset_id, l."table", l.period_tag from public.dead_letters l
    where l.id = any (v_ids) and l.resolved_at is null order by 1, 2, 3
  loop
    update public.partitions p
    set demand_seq = p.demand_seq + 1, forced_seq = p.demand_seq + 1
    where p.dataset_id = v_key.dataset_id and p."table" = v_key."table" and p.period_tag = v_key.period_tag;
    v_run := sediment.wake_partition(v_key.dataset_id, v_key."table", v_key.period_tag, 'manual', 'redrive', 0);
    with done as (
      update public.dead_letters l
      set resolved_at = clock_timestamp(), resolution = 'redriven', redriven_run_id = v_run
      where l.id = any (v_ids) and l.resolved_at is null and l.dataset_id = v_key.dataset_id
        and l."table" = v_key."table" and l.period_tag = v_key.period_tag
      returning l.id
    )
    select coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'run_id', v_run, 'dataset_id', v_key.dataset_id,
      'table', v_key."table", 'period_tag', v_key.period_tag) order by d.id), '[]') into strict v_done from done d;
    v_redriven := v_redriven || v_done;
  end loop;

  select coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'reason', case
      when l.id is null or (p_user is not null and l.user_id is distinct from p_user) then 'not_found'
      when l.resolved_at is not null then 'resolved' else 'no_partition' end) order by i.id), '[]')
  into strict v_skipped
  from unnest(p_ids) as i(id)
  left join public.dead_letters l on l.id = i.id
  where not exists (select 1 from jsonb_array_elements(v_redriven) r where (r ->> 'id')::bigint = i.id);
  return jsonb_build_object('redriven', v_redriven, 'skipped', v_skipped, 'more', cardinality(v_ids) = v_limit);
end $$;

-- schemas/dead_letters/retry_quarantined.sql
-- Gives quarantined files another chance, by hand, and asks for compaction of their partitions: the given ones, or
-- all of a dataset, at most 1000. Returns {dataset_id, files: [id], requested: [{table, period_tag, metricId}]}.
-- Raises not_found, dataset_forbidden.
create or replace function public.retry_quarantined(p_user uuid, p_dataset uuid, p_files bigint[] default null)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '30s'
as $$
declare
  d public.datasets;
  v_ids bigint[];
  v_files jsonb;
  v_requested jsonb;
begin
  d := sediment.own_dataset(p_user, p_dataset);
  select coalesce(array_agg(x.id), '{}') into strict v_ids from (
    select f.id from public.battle_files f
    where f.dataset_id = d.id and f.state = 'quarantined' and f.removed_version is null
      and (p_files is null or f.id = any (p_files)) order by f.id limit 1000
  ) x;
  perform 1 from public.partitions p
  where p.dataset_id = d.id and (p."table", p.period_tag) in (
    select f."table", f.period_tag from public.battle_files f where f.id = any (v_ids))
  order by p."table", p.period_tag
  for no key update;

  with revived as (
    update public.battle_files f
    set state = 'active', quarantine_code = null, quarantine_reason = null, quarantined_at = null
    where f.id = any (v_ids) and f.state = 'quarantined' and f.removed_version is null
    returning f.id, f."table", f.period_tag, f.byte_length
  ), debts as (
    update public.partitions p
    set debt_files = p.debt_files + r.files, debt_bytes = p.debt_bytes + r.bytes,
      debt_oldest = coalesce(p.debt_oldest, clock_timestamp()), demand_seq = p.demand_seq + 1,
      forced_seq = p.demand_seq + 1
    from (select v."table", v.period_tag, count(*) as files, sum(v.byte_length)::bigint as bytes
      from revived v group by 1, 2) r
    where p.dataset_id = d.id and p."table" = r."table" and p.period_tag = r.period_tag
    returning p."table", p.period_tag
  )
  select (select coalesce(jsonb_agg(r.id order by r.id), '[]') from revived r),
    (select coalesce(jsonb_agg(jsonb_build_object('table', b."table", 'period_tag', b.period_tag)
      order by b."table", b.period_tag), '[]') from debts b)
  into strict v_files, v_requested;

  select coalesce(jsonb_agg(q || jsonb_build_object('metricId', sediment.wake_partition(d.id, q ->> 'table',
    q ->> 'period_tag', 'manual', 'request', 0))), '[]')
  into strict v_requested from jsonb_array_elements(v_requested) q;
  return jsonb_build_object('dataset_id', d.id, 'files', v_files, 'requested', v_requested);
end $$;

-- schemas/upkeep/advance_versions.sql
-- The first half of a vacuum, for one dataset whose row the caller has locked: moves the versions that are kept.
--   oldest_kept_version follows the version that was current retention ago: it and all later ones stay readable.
--   vacuumable_version follows oldest_kept_version once every URL signed before that is dead.
-- Retention is the longest among the dataset's tables: a version shows all of them together.
-- Returns {dataset_id, oldest_kept_version, vacuumable_version, retention_seconds}, or null when nothing moved.
create or replace function sediment.advance_versions(d public.datasets)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_retention integer;
  v_oldest bigint;
  v_vacuumable bigint := d.vacuumable_version;
begin
  select * into strict s from public.service_settings;
  if d.oldest_kept_at + make_interval(secs => s.signed_url_seconds) <= v_now then
    v_vacuumable := d.oldest_kept_version;
  end if;

  select greatest(
    coalesce(max(t.retention_seconds) filter (where t."table" = '*'), s.retention_seconds),
    max(t.retention_seconds) filter (where t."table" <> '*'))
  into strict v_retention from public.table_settings t where t.dataset_id = d.id;
  select v.version into v_oldest from public.dataset_versions v
  where v.dataset_id = d.id and v.committed_at <= v_now - make_interval(secs => v_retention)
  order by v.committed_at desc limit 1;
  -- a second step only after the first one's URLs are dead: oldest_kept_at is the time of one step
  if v_oldest is null or v_oldest <= d.oldest_kept_version or v_vacuumable < d.oldest_kept_version then
    v_oldest := d.oldest_kept_version;
  end if;

  update public.datasets x
  set vacuumed_at = v_now, vacuumable_version = v_vacuumable, oldest_kept_version = v_oldest,
    oldest_kept_at = case when v_oldest > d.oldest_kept_version then v_now else x.oldest_kept_at end
  where x.id = d.id;
  delete from public.dataset_versions v
  where v.dataset_id = d.id and v.version = any (array(
    select x.version from public.dataset_versions x
    where x.dataset_id = d.id and x.version < v_oldest order by x.version limit 10000));
  if v_oldest = d.oldest_kept_version and v_vacuumable = d.vacuumable_version then
    return null;
  end if;
  return jsonb_build_object('dataset_id', d.id, 'oldest_kept_version', v_oldest,
    'vacuumable_version', v_vacuumable, 'retention_seconds', v_retention);
end $$;

-- schemas/upkeep/catalog_health.sql
-- Whether the catalog works, cheaply: bounded looks, no counting of everything. ok is false when the clockwork is not
-- at work: a lease that ended two minutes ago was not taken back, or debt that is due for five has no message.
-- Returns {ok, queues: {name: {due, oldest_due_at}}, leases, overdue_leases, overdue_debt, dead_letters, oldest_debt,
-- postgres, pgmq}; counts stop at 100.
create or replace function public.catalog_health()
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_queues jsonb := '{}';
  v_queue text;
  v_leases integer;
  v_debt integer;
begin
  foreach v_queue in array '{manual,realtime,scheduled}'::text[] loop
    v_queues := v_queues || jsonb_build_object(v_queue, jsonb_build_object(
      'due', (select count(*) from sediment.queue_ready(v_queue, 100)),
      'oldest_due_at', (select min(m.vt) from sediment.queue_messages m
        where m.queue = v_queue and m.vt <= v_now)));
  end loop;
  select count(*) into strict v_leases from (
    select 1 from public.partitions p where p.lease_expires_at < v_now - interval '2 minutes' limit 100) x;
  select count(*) into strict v_debt from (
    select 1 from public.partitions p
    where p.due_at < v_now - interval '5 minutes' and p.msg_id is null limit 100) x;
  return jsonb_build_object('ok', v_leases + v_debt = 0, 'queues', v_queues,
    'leases', (select count(*) from public.partitions p where p.lease_expires_at > v_now),
    'overdue_leases', v_leases, 'overdue_debt', v_debt,
    'dead_letters', (select count(*) from (
      select 1 from public.dead_letters l where l.resolved_at is null limit 100) x),
    'oldest_debt', (select min(p.debt_oldest) from public.partitions p where p.debt_oldest is not null),
    'postgres', current_setting('server_version'),
    'pgmq', (select e.extversion from pg_catalog.pg_extension e where e.extname = 'pgmq'));
end $$;

-- schemas/upkeep/commit_vacuum.sql
-- The store has deleted these keys (or never had them): deleting → tombstone. Where a PUT to the key could still
-- arrive, the tombstone is deleted again after its deadline. Keys in any other state are left alone and counted.
-- Returns {tombstones, ignored}.
create or replace function public.commit_vacuum(p_keys text[])
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_count integer;
begin
  if cardinality(p_keys) > 5000 then
    perform sediment.fail('invalid_request', 400, 'over 5000 keys');
  end if;
  with rows as (
    select o.object_key from public.objects o
    where o.object_key = any (p_keys) and o.state in ('deleting', 'tombstone')
    order by o.object_key for update
  )
  update public.objects o
  set state = 'tombstone', updated_at = clock_timestamp(),
    delete_after = case when o.put_deadline > clock_timestamp() then o.put_deadline + interval '1 minute' end
  from rows r where o.object_key = r.object_key;
  get diagnostics v_count = row_count;
  return jsonb_build_object('tombstones', v_count, 'ignored', coalesce(cardinality(p_keys), 0) - v_count);
end $$;

-- schemas/upkeep/discard_object.sql
-- A planned object that will not be committed: to be deleted now, and again once no PUT to its key can arrive
-- any more. Compare-and-set: an object that is stored, or already on its way out, is left as it is.
create or replace function sediment.discard_object(p_object_key text, p_reason text)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  update public.objects o
  set state = 'deleting', delete_after = clock_timestamp(), delete_reason = p_reason,
    expires_at = null, updated_at = clock_timestamp()
  where o.object_key = p_object_key and o.state = 'staged';
  return found;
end $$;

-- schemas/upkeep/expire_leases.sql
-- Takes back the leases of workers that went silent: the token rises, the run waits for its next attempt or is
-- buried. Bounded; what somebody else holds is being taken care of. Returns {expired, dead, more}.
create or replace function public.expire_leases(p_limit integer default 200)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '30s'
as $$
declare
  p public.partitions;
  v_expired integer := 0;
  v_dead integer := 0;
  v_now timestamptz := clock_timestamp();
begin
  for p in
    select * from public.partitions x where x.lease_expires_at <= v_now
    order by x.lease_expires_at limit p_limit
    for no key update skip locked
  loop
    v_expired := v_expired + 1;
    if sediment.retry_run(p.dataset_id, p."table", p.period_tag, 'lease_expired',
      format('worker %s did not renew its lease', p.lease_worker), null, false) ->> 'status' = 'dead'
    then
      v_dead := v_dead + 1;
    end if;
  end loop;
  return jsonb_build_object('expired', v_expired, 'dead', v_dead, 'more', v_expired = p_limit);
end $$;

-- schemas/upkeep/find_objects.sql
-- What the catalog knows of keys that the store listed: {objects: [{object_key, kind, state, size, etag}]}; a key
-- that is not among them is foreign. At most 5,000 keys.
create or replace function public.find_objects(p_keys text[])
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  if cardinality(p_keys) > 5000 then
    perform sediment.fail('invalid_request', 400, 'over 5000 keys');
  end if;
  return jsonb_build_object('objects', (
    select coalesce(jsonb_agg(jsonb_build_object('object_key', o.object_key, 'kind', o.kind, 'state', o.state,
      'size', o.size, 'etag', o.etag) order by o.object_key), '[]')
    from public.objects o where o.object_key = any (p_keys)));
end $$;

-- schemas/upkeep/list_objects.sql
-- The objects that the catalog names, in key order, for comparing with the store: {objects: [{object_key, kind,
-- state, size, etag}], next_cursor}. p_state: only these. Raises invalid_cursor.
create or replace function public.list_objects(
  p_state text default null, p_limit integer default 1000, p_cursor text default null
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_after text := sediment.decode_cursor(p_cursor) ->> 'after';
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  v_objects jsonb;
begin
  select coalesce(jsonb_agg(jsonb_build_object('object_key', o.object_key, 'kind', o.kind, 'state', o.state,
    'size', o.size, 'etag', o.etag) order by o.object_key), '[]')
  into strict v_objects
  from (
    select * from public.objects x
    where (v_after is null or x.object_key > v_after) and (p_state is null or x.state = p_state)
    order by x.object_key limit v_limit
  ) o;
  return jsonb_build_object('objects', v_objects, 'next_cursor',
    case when jsonb_array_length(v_objects) = v_limit then
      sediment.encode_cursor(jsonb_build_object('after', v_objects -> -1 ->> 'object_key')) end);
end $$;

-- schemas/upkeep/partition_status.sql
-- What each partition owes, what the planner last thought of it, and when it is looked at next.
create or replace view public.partition_status with (security_invoker = true) as
  select p.dataset_id, p."table", p.period_tag,
    case
      when p.lease_expires_at > clock_timestamp() then 'running'
      when p.lease_expires_at is not null then 'expired'
      when p.msg_id is not null and p.ready_at > clock_timestamp() then 'waiting'
      when p.msg_id is not null then 'queued'
      when p.dead_since is not null then 'dead'
      when p.due_at is not null then 'scheduled'
      else 'idle'
    end as state,
    p.debt_files, p.debt_bytes, p.debt_oldest, p.demand_seq - p.done_seq as unseen_demand, p.queue,
    p.run_id, p.next_run_id, coalesce(p.ready_at, p.due_at) as next_due_at, p.lease_worker, p.lease_expires_at,
    p.last_decision, p.last_considered_at, p.dead_since
  from public.partitions p;

-- schemas/upkeep/ping_functions.sql
-- POSTs an empty ping to a deployed function. Definer, since only the owner may read the Vault and send through
-- pg_net; it takes a path, never a URL. Null when the two secrets are not there yet. pg_net is
-- at most once: everything that a ping starts must also start without it, later.
create or replace function sediment.ping_functions(p_path text)
returns bigint
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_url text;
  v_key text;
begin
  if p_path !~ '^(/[a-z-]+)+$' then
    perform sediment.fail('invalid_request', 400, format('%s is not the path of a function', p_path));
  end if;
  select s.decrypted_secret into v_url from vault.decrypted_secrets s where s.name = 'sediment_functions_url';
  select s.decrypted_secret into v_key from vault.decrypted_secrets s where s.name = 'sediment_cron_key';
  if v_url is null or v_key is null then
    return null;
  end if;
  return net.http_post(
    url := rtrim(v_url, '/') || p_path,
    body := '{}'::jsonb,
    headers := jsonb_build_object('Content-Type', 'application/json', 'apikey', v_key),
    timeout_milliseconds := 5000);
end $$;

-- schemas/upkeep/plan_vacuum.sql
-- What the store should delete now, and why; commit_vacuum is told what was deleted. A dry run does all of it,
-- answers, and takes it back: what it lists is what a real run would do at this moment.
--   p_dataset: only this one's
-- Returns {dry_run, versions: [{dataset_id, oldest_kept_version, vacuumable_version, retention_seconds}],
-- files_dropped, delete: [{object_key, kind, state, size, reason}], more}. Call again while more (not in a dry run).
create or replace function public.plan_vacuum(
  p_limit integer default 500, p_dry_run boolean default false, p_dataset uuid default null
)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '60s'
as $$
declare
  v_plan jsonb;
begin
  begin
    v_plan := sediment.run_vacuum(least(greatest(coalesce(p_limit, 500), 1), 5000), p_dataset);
    if p_dry_run then
      raise exception using errcode = 'SDDRY';
    end if;
  exception when sqlstate 'SDDRY' then
    null; -- the block's changes are undone, the variable keeps the plan
  end;
  return v_plan || jsonb_build_object('dry_run', p_dry_run);
end $$;

-- schemas/upkeep/prune_history.sql
-- Forgets what is older than history_seconds and nobody asks for any more, a bounded part of each kind at a time:
-- ended runs with their commits and children, closed dead letters and those that nobody can redrive (messages that
-- could not be read), their alerts, and the keys of deleted objects to which no PUT can come. Kept for ever: the
-- ledger of uploads, so whoever sends an upload again gets the first answer still; its metricId is then a run that
-- is not found. A run that a dead letter still needs stays with it. Never waits for a lock.
-- Returns {runs, commits, dead_letters, alerts, objects, more}.
create or replace function public.prune_history(p_limit integer default 10000)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '60s'
as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 10000), 1), 50000);
  v_before timestamptz;
  v_runs uuid[];
  v_commits integer;
  v_letters integer;
  v_alerts integer;
  v_objects integer;
begin
  -- read once: the planner makes no index condition of the volatile clock_timestamp()
  select clock_timestamp() - make_interval(secs => s.history_seconds) into strict v_before
  from public.service_settings s;

  select coalesce(array_agg(x.id), '{}') into strict v_runs from (
    select r.id from public.processing_metrics r
    where r.queued_at < v_before and r.completed_at < v_before
      and (r.status not in ('dlq_failure', 'timeout') or not exists (
        select 1 from public.dead_letters l where l.dataset_id = r.dataset_id and l."table" = r."table"
          and l.period_tag = r.period_tag and l.resolved_at is null and l.run_id = r.id))
    order by r.queued_at limit v_limit for update of r skip locked
  ) x;
  delete from public.run_children k where k.parent_id = any (v_runs);
  delete from public.run_children k where k.child_id = any (v_runs);
  delete from public.run_commits c where c.run_id = any (v_runs);
  get diagnostics v_commits = row_count;
  delete from public.processing_metrics r where r.id = any (v_runs);

  delete from public.alerts a where a.id = any (array(
    select x.id from public.alerts x where x.created_at < v_before and x.state <> 'pending'
    order by x.created_at limit v_limit for update skip locked));
  get diagnostics v_alerts = row_count;
  delete from public.dead_letters l where l.id = any (array(
    select x.id from public.dead_letters x
    where x.created_at < v_before and (x.resolved_at < v_before or x."table" is null)
      and not exists (select 1 from public.alerts a where a.dead_letter_id = x.id)
      and not exists (select 1 from public.processing_metrics r where r.id = x.run_id)
    order by x.created_at limit v_limit for update skip locked));
  get diagnostics v_letters = row_count;

  delete from public.objects o where o.object_key = any (array(
    select x.object_key from public.objects x
    where x.state = 'tombstone' and x.delete_after is null and x.updated_at < v_before
    order by x.updated_at limit v_limit for update skip locked));
  get diagnostics v_objects = row_count;

  return jsonb_build_object('runs', cardinality(v_runs), 'commits', v_commits, 'dead_letters', v_letters,
    'alerts', v_alerts, 'objects', v_objects,
    'more', greatest(cardinality(v_runs), v_letters, v_alerts, v_objects) = v_limit);
end $$;

-- schemas/upkeep/retire_object.sql
-- A stored object that no row of the catalog shows any more: to be deleted after a while. Compare-and-set.
create or replace function sediment.retire_object(p_object_key text, p_reason text, p_after interval)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  update public.objects o
  set state = 'deleting', delete_after = clock_timestamp() + p_after, delete_reason = p_reason,
    updated_at = clock_timestamp()
  where o.object_key = p_object_key and o.state = 'stored';
  return found;
end $$;

-- schemas/upkeep/run_vacuum.sql
-- One bounded slice of a vacuum: moves the kept versions, drops the rows of files that none of them shows, gives up
-- the objects of which every slice is dropped, and hands out the keys that the store should delete now. A key that
-- is not reported deleted within ten minutes is handed out again. Never waits for a lock.
create or replace function sediment.run_vacuum(p_limit integer, p_dataset uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  -- their rows are locked until the slice ends: few at a time, or uploads wait
  v_datasets constant integer := least(p_limit, 50);
  v_interval interval;
  -- read once: the planner makes no index condition of the volatile clock_timestamp()
  v_now timestamptz := clock_timestamp();
  d public.datasets;
  v_seen integer := 0;
  v_step jsonb;
  v_versions jsonb := '[]';
  v_keys text[];
  v_dropped integer := 0;
  v_delete jsonb;
begin
  select make_interval(secs => s.vacuum_interval_seconds) into strict v_interval from public.service_settings s;

  for d in
    select * from public.datasets x
    where x.vacuumed_at <= v_now - v_interval and (p_dataset is null or x.id = p_dataset)
    order by x.vacuumed_at limit v_datasets
    for no key update skip locked
  loop
    v_seen := v_seen + 1;
    v_step := sediment.advance_versions(d);
    if v_step is not null then
      v_versions := v_versions || v_step;
    end if;
    select x.* into strict d from public.datasets x where x.id = d.id;

    with dropped as (
      delete from public.battle_files f
      where f.id = any (array(
        select x.id from public.battle_files x
        where x.dataset_id = d.id and x.removed_version <= d.vacuumable_version
        order by x.removed_version limit greatest(p_limit - v_dropped, 0)))
      returning f.object_key
    )
    select coalesce(array_agg(distinct x.object_key), '{}'), v_dropped + count(*)
    into strict v_keys, v_dropped from dropped x;
    perform sediment.retire_object(k.key, format('no version since %s shows it', d.oldest_kept_version), '0')
    from unnest(v_keys) as k(key)
    where not exists (select 1 from public.battle_files f where f.object_key = k.key);
    -- come back to this dataset at once when the slice ended inside it
    if v_dropped >= p_limit then
      update public.datasets x set vacuumed_at = '-infinity' where x.id = d.id;
      exit;
    end if;
  end loop;

  v_now := clock_timestamp();
  with due as (
    select o.object_key from public.objects o
    where o.delete_after <= v_now and o.state in ('deleting', 'tombstone')
      and (p_dataset is null or o.dataset_id = p_dataset)
    order by o.delete_after limit p_limit
    for update skip locked
  ), handed as (
    update public.objects o
    set delete_after = clock_timestamp() + interval '10 minutes', updated_at = clock_timestamp()
    from due x where o.object_key = x.object_key
    returning o.object_key, o.kind, o.state, o.size, o.delete_reason
  )
  select coalesce(jsonb_agg(jsonb_build_object('object_key', h.object_key, 'kind', h.kind, 'state', h.state,
    'size', h.size, 'reason', h.delete_reason) order by h.object_key), '[]')
  into strict v_delete from handed h;

  return jsonb_build_object('versions', v_versions, 'files_dropped', v_dropped, 'delete', v_delete,
    'more', v_seen >= v_datasets or v_dropped >= p_limit or jsonb_array_length(v_delete) >= p_limit);
end $$;

-- schemas/upkeep/schedule_jobs.sql
-- The clockwork. Everything here only brings forward what is in the tables: a job that is missed costs time.
select cron.schedule('sediment_tick', '30 seconds', 'select public.tick()');
-- Each a job of its own: one that fails must not take back what another did.
select cron.schedule('sediment_leases', '* * * * *', 'select public.expire_leases()');
select cron.schedule('sediment_sweep', '* * * * *', 'select public.sweep(2000)');
select cron.schedule('sediment_history', '*/5 * * * *', 'select public.prune_history()');
select cron.schedule('sediment_scheduled', '0 2 * * *', 'select public.trigger_scheduled()');
select cron.schedule('sediment_vacuum', '0 * * * *', 'select sediment.ping_functions(''/compactor/vacuum'')');
-- Wakes the handler only while there is something to alert of.
select cron.schedule('sediment_dead_letters', '* * * * *', $$
  select sediment.ping_functions('/dead-letter')
  where exists (select 1 from pgmq.q_compaction_dlq m where m.vt <= clock_timestamp())
    or exists (select 1 from public.alerts a where a.state = 'pending' and a.next_attempt_at <= clock_timestamp())
$$);
-- pg_cron keeps a row of every run of every job, for ever.
select cron.schedule('sediment_cron_log', '23 3 * * *', $$
  delete from cron.job_run_details d
  where d.end_time < now() - interval '7 days'
    and d.jobid in (select j.jobid from cron.job j where j.jobname like 'sediment\_%')
$$);

-- schemas/upkeep/sweep.sql
-- Each minute: what must not be forgotten.
--   debt that is due and has no live message gets one; a message that somebody purged is sent again; a worker is
--   woken for due messages that no partition knows, which the tick does not see;
--   staged objects to which no PUT can arrive any more are to be deleted; fan-outs whose runs have ended end;
--   old messages leave pgmq's archive.
-- Bounded, and never waits for a lock. Returns {sent, resent, stages_expired, fan_outs_closed, more}.
create or replace function public.sweep(p_limit integer default 500)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '30s'
as $$
declare
  p public.partitions;
  v_ready timestamptz;
  -- read once: the planner makes no index condition of the volatile clock_timestamp()
  v_now timestamptz := clock_timestamp();
  v_sent integer := 0;
  v_resent integer := 0;
  v_stages integer;
  v_closed integer;
  v_queue text;
  v_fan_out public.processing_metrics;
  v_archive integer;
begin
  select s.archive_seconds into strict v_archive from public.service_settings s;
  for p in
    select * from public.partitions x where x.due_at <= v_now and x.msg_id is null
    order by x.due_at limit p_limit
    for no key update skip locked
  loop
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'scheduled', 'sweep', 0);
    v_sent := v_sent + 1;
  end loop;

  -- A partition without lease whose message is gone (purge_queue, a restored backup) sends it again.
  for p in
    select * from public.partitions x
    where x.msg_id is not null and x.lease_expires_at is null and x.ready_at <= v_now
      and not exists (select 1 from sediment.queue_messages m where m.queue = x.queue and m.msg_id = x.msg_id)
    limit p_limit
    for no key update skip locked
  loop
    -- look again under the lock: the first look was at an older snapshot
    if p.msg_id is null or p.lease_expires_at is not null
      or exists (select 1 from sediment.queue_messages m where m.queue = p.queue and m.msg_id = p.msg_id)
    then
      continue;
    end if;
    v_ready := clock_timestamp();
    update public.partitions x
    set ready_at = v_ready,
      msg_id = sediment.queue_send(p.queue, p.run_id, p.dataset_id, p."table", p.period_tag, 0)
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    v_resent := v_resent + 1;
  end loop;

  -- The same of a request for a whole dataset that is not yet spread. Few: so many looks through the queues.
  for v_fan_out in
    select * from public.processing_metrics x
    where x.operation = 'fan_out' and x.completed_at is null and x.fan_out_cursor is not null
      and x.queued_at <= v_now - interval '1 minute'
      and not exists (select 1 from sediment.queue_messages m where m.message ->> 'metricId' = x.id::text)
    order by x.queued_at limit 10
    for no key update skip locked
  loop
    perform sediment.queue_send(v_fan_out.priority, v_fan_out.id, v_fan_out.dataset_id, null, null, 0);
    v_resent := v_resent + 1;
  end loop;

  if (select count(*) from public.partitions x where x.lease_expires_at > v_now)
    < (select s.max_workers from public.service_settings s)
  then
    foreach v_queue in array '{manual,realtime,scheduled}'::text[] loop
      exit when exists (
        select 1 from sediment.queue_ready(v_queue, 10) m
        where not exists (select 1 from public.partitions x where x.queue = v_queue and x.msg_id = m.msg_id))
        and sediment.ping_functions('/compactor') is not null;
    end loop;
  end if;

  with gone as (
    select o.object_key from public.objects o
    where o.state = 'staged' and o.put_deadline <= v_now
    order by o.put_deadline limit p_limit
    for update skip locked
  )
  update public.objects o
  set state = 'deleting', delete_after = clock_timestamp(), delete_reason = 'staged and never committed',
    expires_at = null, updated_at = clock_timestamp()
  from gone g where o.object_key = g.object_key and o.state = 'staged';
  get diagnostics v_stages = row_count;

  with done as (
    select r.id, exists (select 1 from public.run_children k join public.processing_metrics c on c.id = k.child_id
      where k.parent_id = r.id and c.status <> 'success') as failed
    from public.processing_metrics r
    where r.operation = 'fan_out' and r.completed_at is null and r.fan_out_cursor is null
      and not exists (select 1 from public.run_children k join public.processing_metrics c on c.id = k.child_id
        where k.parent_id = r.id and c.completed_at is null)
    order by r.queued_at limit p_limit
    for no key update of r skip locked
  )
  update public.processing_metrics r
  set status = case when d.failed then 'failure' else 'success' end, completed_at = clock_timestamp()
  from done d where r.id = d.id;
  get diagnostics v_closed = row_count;

  delete from public.idempotency_keys k
  where k.ctid = any (array(select x.ctid from public.idempotency_keys x
    where x.created_at < v_now - interval '1 day' limit p_limit for update skip locked));

  foreach v_queue in array '{manual,realtime,scheduled,dlq}'::text[] loop
    execute format('delete from pgmq.%1$I a where a.msg_id = any (array(select x.msg_id from pgmq.%1$I x
      where x.archived_at < $1 order by x.archived_at limit $2))', 'a_compaction_' || v_queue)
    using v_now - make_interval(secs => v_archive), p_limit;
  end loop;

  return jsonb_build_object('sent', v_sent, 'resent', v_resent, 'stages_expired', v_stages,
    'fan_outs_closed', v_closed, 'more', greatest(v_sent, v_resent, v_stages, v_closed) = p_limit);
end $$;

-- schemas/upkeep/tick.sql
-- Every 30 seconds: wakes min(due messages, max workers − live leases) compactors, by pings. Looks for no more
-- than ten, and where nothing is due that is one index scan: partitions know when their messages are due. Of
-- messages that no partition knows (the rest of a request for a whole dataset, or sent by hand) the sweep sees to it.
-- Returns {ready, leases, woken}.
create or replace function public.tick()
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_ready integer;
  v_now timestamptz := clock_timestamp();
  v_leases integer;
  v_wake integer;
  v_woken integer := 0;
begin
  select count(*) into strict v_ready from (
    select 1 from public.partitions p where p.msg_id is not null and p.ready_at <= v_now limit 10) x;
  if v_ready = 0 then
    return jsonb_build_object('ready', 0, 'leases', null, 'woken', 0);
  end if;

  select count(*) into strict v_leases from public.partitions p where p.lease_expires_at > v_now;
  select least(v_ready, s.max_workers - v_leases) into strict v_wake from public.service_settings s;
  for i in 1 .. v_wake loop
    exit when sediment.ping_functions('/compactor') is null;
    v_woken := v_woken + 1;
  end loop;
  return jsonb_build_object('ready', v_ready, 'leases', v_leases, 'woken', v_woken);
end $$;

-- schemas/access/enable_row_level_security.sql
-- Every table: its owner reads, the service does everything, nobody else sees a row. Policies read auth.uid()
-- once a statement (in a subquery), not once a row.
do $$
declare
  v_table text;
  v_all constant text[] := array['service_settings', 'datasets', 'dataset_versions', 'partitions', 'objects',
    'uploads', 'idempotency_keys', 'file_schemas', 'battle_files', 'processing_metrics', 'run_children',
    'run_commits', 'table_settings', 'user_limits', 'user_usage', 'dead_letters', 'alerts', 'assets'];
  -- rows that name their user
  v_by_user constant text[] := array['processing_metrics', 'uploads', 'user_limits', 'dead_letters', 'assets'];
  -- rows of a dataset: as readable as the dataset is
  v_by_dataset constant text[] :=
    array['dataset_versions', 'partitions', 'battle_files', 'table_settings'];
begin
  foreach v_table in array v_all loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('drop policy if exists service_all on public.%I', v_table);
    execute format('create policy service_all on public.%I to service_role using (true) with check (true)', v_table);
    execute format('drop policy if exists owner_reads on public.%I', v_table);
  end loop;

  create policy owner_reads on public.datasets for select to authenticated
    using (user_id = (select auth.uid()));
  foreach v_table in array v_by_user loop
    execute format('create policy owner_reads on public.%I for select to authenticated
      using (user_id = (select auth.uid()))', v_table);
  end loop;
  foreach v_table in array v_by_dataset loop
    execute format('create policy owner_reads on public.%I for select to authenticated using (dataset_id in
      (select d.id from public.datasets d where d.user_id = (select auth.uid())))', v_table);
  end loop;
end $$;

-- schemas/access/grant_privileges.sql
-- What RLS filters must be granted first: new projects grant nothing, older ones grant everything to anon and
-- authenticated. So both are said, table by table; a table that is in no list here is the owner's alone.
do $$
declare
  v_name text;
  v_signature text;
  v_readable constant text[] := array['datasets', 'dataset_versions', 'partitions', 'uploads', 'battle_files',
    'processing_metrics', 'table_settings', 'user_limits', 'dead_letters', 'assets'];
  v_internal constant text[] := array['service_settings', 'objects', 'idempotency_keys', 'file_schemas',
    'run_children', 'run_commits', 'user_usage', 'alerts'];
  v_views constant text[] := array['dataset_status', 'partition_status', 'quarantined_files',
    'dead_letter_summary'];
begin
  foreach v_name in array v_readable || v_internal loop
    execute format('revoke all on public.%I from public, anon, authenticated, service_role', v_name);
    execute format('grant select, insert, update, delete on public.%I to service_role', v_name);
  end loop;
  foreach v_name in array v_readable loop
    execute format('grant select on public.%I to authenticated', v_name);
  end loop;

  -- Views run as their reader: the tables' policies hold in them.
  foreach v_name in array v_views || array['queue_status'] loop
    execute format('revoke all on public.%I from public, anon, authenticated, service_role', v_name);
    execute format('grant select on public.%I to service_role', v_name);
  end loop;
  foreach v_name in array v_views loop
    execute format('grant select on public.%I to authenticated', v_name);
  end loop;

  -- The functions: for the service alone. By default PostgreSQL lets everybody execute a new function.
  for v_signature in
    select p.oid::regprocedure::text
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'sediment' or (n.nspname = 'public' and p.proname = any (array[
      'stage_upload', 'commit_upload', 'group_upload_calls', 'abandon_upload', 'request_compaction', 'claim_compaction',
      'list_fragments', 'stage_output', 'commit_compaction', 'renew_lease', 'record_step', 'quarantine_file',
      'fail_compaction', 'list_files', 'version_at', 'get_file', 'run_status', 'catalog_health', 'tick', 'sweep',
      'expire_leases', 'prune_history', 'trigger_scheduled', 'get_upload', 'stage_asset', 'commit_asset', 'list_assets',
      'get_asset', 'drain_dead_letters', 'claim_alerts', 'finish_alert', 'redrive_dead_letters',
      'list_dead_letters', 'retry_quarantined', 'plan_vacuum', 'commit_vacuum', 'list_objects', 'find_objects'
    ]))
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', v_signature);
    execute format('grant execute on function %s to service_role', v_signature);
  end loop;

  grant usage on sequence sediment.queue_turn to service_role;
  revoke all on sediment.queue_messages from public;
  grant select on sediment.queue_messages to service_role;

  -- pgmq: the functions run as their caller. The sequences, because hosted logical backups rebuild the queues'
  -- identity columns on plain ones.
  grant usage on schema pgmq to service_role;
  grant usage on all sequences in schema pgmq to service_role;
  foreach v_name in array
    array['compaction_manual', 'compaction_realtime', 'compaction_scheduled', 'compaction_dlq']
  loop
    execute format('revoke all on pgmq.%I, pgmq.%I from public, anon, authenticated', 'q_' || v_name, 'a_' || v_name);
    execute format('grant select, insert, update, delete on pgmq.%I, pgmq.%I to service_role',
      'q_' || v_name, 'a_' || v_name);
  end loop;
end $$;
