-- What was given up on. A row is resolved when it was redriven, a later run of the partition succeeded or somebody dropped it.
create table if not exists public.dead_letters (
  id bigint primary key default sediment.next_row_id(),
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
  resolution text check (resolution in ('redriven', 'succeeded', 'deleted', 'dropped')),
  redriven_run_id uuid,
  created_at timestamptz not null default clock_timestamp()
);

create index if not exists dead_letters_open on public.dead_letters (id) where resolved_at is null;
create index if not exists dead_letters_dataset on public.dead_letters (dataset_id, created_at desc, id desc);
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
