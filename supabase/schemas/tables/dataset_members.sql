-- Who shares a dataset with its owner (datasets.user_id). Rights are looked up here and there, at each call: what else
-- bears a user's id (files, stages, runs, the ledger) tells who did something, and gives no right.
create table if not exists public.dataset_members (
  dataset_id uuid not null references public.datasets (id),
  user_id uuid not null,
  -- reader: manifests, signed URLs, runs; writer: also uploads and compaction
  role text not null check (role in ('writer', 'reader')),
  -- null: the service
  invited_by uuid,
  since timestamptz not null default clock_timestamp(),
  -- of a key's user: the key, and when the membership is none any more
  key_id uuid references public.dataset_keys (id),
  expires_at timestamptz,
  primary key (dataset_id, user_id),
  constraint dataset_members_key check ((key_id is null) = (expires_at is null) and (key_id is null or role = 'reader'))
);

-- what row security asks by
create index if not exists dataset_members_user on public.dataset_members (user_id, dataset_id);

-- An offer of a role, taken by whoever holds its token: role owner hands the dataset over. The token is told once and
-- kept as its SHA-256.
create table if not exists public.dataset_invitations (
  id uuid primary key default gen_random_uuid(),
  dataset_id uuid not null references public.datasets (id),
  role text not null check (role in ('owner', 'writer', 'reader')),
  token_hash text not null unique,
  -- the only user who may take it; null: whoever holds the token
  user_id uuid,
  -- of a handover: what the old owner becomes; null: nothing
  keep_role text check (keep_role in ('writer', 'reader')),
  invited_by uuid,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  accepted_at timestamptz,
  accepted_by uuid,
  revoked_at timestamptz,
  check ((accepted_at is null) = (accepted_by is null)),
  check (keep_role is null or role = 'owner')
);

create index if not exists dataset_invitations_dataset on public.dataset_invitations (dataset_id, created_at);
