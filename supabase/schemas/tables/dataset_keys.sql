-- Read-only keys of a dataset. A key is a user of Auth of its own, who is a reader of the dataset (dataset_members) and of
-- nothing else: row security and the store's policies know it by that. The secret is told once and kept as its SHA-256.
-- The row is there before the user and longer than the user, so that no user of a key is ever one that no row names.
create table if not exists public.dataset_keys (
  id uuid primary key default gen_random_uuid(),
  dataset_id uuid not null references public.datasets (id),
  -- what its owner knows it by
  label text not null default '' check (length(label) <= 200),
  secret_hash text not null unique check (secret_hash ~ '^[0-9a-f]{64}$'),
  -- chosen here, before Auth has the user
  user_id uuid not null unique default gen_random_uuid(),
  -- null: the service
  created_by uuid,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  -- since when it opens the dataset; null: its user was not made yet
  activated_at timestamptz,
  -- since when it opens nothing any more, whatever is left of it
  ended_at timestamptz,
  end_reason text check (end_reason in ('revoked', 'expired', 'handed_over', 'dataset_deleted', 'not_finished', 'user_deleted')),
  -- of the newest session, and how many there were in that minute
  last_used_at timestamptz,
  minute_start timestamptz not null default '-infinity',
  minute_sessions integer not null default 0,
  -- when its user in Auth is to be deleted; null: there is none any more
  remove_user_at timestamptz,
  remove_attempts integer not null default 0,
  check ((ended_at is null) = (end_reason is null)),
  -- what has not ended has a time at which it does
  check (ended_at is not null or remove_user_at is not null)
);

comment on table public.dataset_keys is 'Read-only keys of datasets, each a user of Auth of its own.';

create index if not exists dataset_keys_dataset on public.dataset_keys (dataset_id, created_at);
-- what the clockwork ends and removes
create index if not exists dataset_keys_removal on public.dataset_keys (remove_user_at) where remove_user_at is not null;
