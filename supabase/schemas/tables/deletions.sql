-- What somebody asked to be deleted, and the receipt of it: kept for ever, since it tells which acknowledged rows are
-- gone on purpose. A row is written with the version from which its scope is gone (the mark, which readers and commits
-- heed at once); the files are taken out slice by slice afterwards.
create table if not exists public.deletions (
  id uuid primary key default gen_random_uuid(),
  kind text not null check (kind in ('user', 'dataset', 'table', 'period', 'upload')),
  -- whose data it is, and who asked (null: the service)
  user_id uuid not null,
  requested_by uuid,
  dataset_id uuid references public.datasets (id),
  -- null: all of them
  "table" text,
  period_tag text,
  -- the one upload of which all rows go
  upload_id uuid,
  -- of a dataset that goes with its user
  parent_id uuid references public.deletions (id),
  -- rows that were added before this version of the dataset are in no version from it on
  version bigint,
  -- bytes go at once, and with them older versions
  purge boolean not null default false,
  --   pending: of an upload: outputs that hold its rows are to be written anew without them; version is the one in which
  --     it was asked for, and becomes that of the last rewrite
  --   marked: readers and commits heed it; files are being taken out
  --   removed: no row of the scope is left to be taken out; with purge the store is being emptied
  --   purging: of a purge: no data file that held its rows is left in the catalog; objects that others share with it are
  --     being split
  --   purged: the same, and the last objects are on their way out
  state text not null default 'marked' check (state in ('pending', 'marked', 'removed', 'purging', 'purged')),
  -- the partition, then the upload, after which the next slice goes on
  after_table text not null default '',
  after_period_tag text not null default '',
  after_hash text not null default '',
  files bigint not null default 0,
  rows bigint not null default 0,
  bytes bigint not null default 0,
  assets bigint not null default 0,
  requested_at timestamptz not null default clock_timestamp(),
  removed_at timestamptz,
  purged_at timestamptz,
  -- the ledger holds no upload any more of which all rows are gone
  forgotten_at timestamptz,
  -- the dataset's version when the last file was taken out: until then its totals still counted some
  removed_through bigint,
  check ((kind = 'user') = (dataset_id is null) and (kind = 'user') = (version is null)),
  check ((kind = 'upload') = (upload_id is not null)),
  check ((kind = 'period') = (period_tag is not null)),
  check (kind not in ('user', 'dataset', 'upload') or "table" is null),
  check (kind <> 'table' or "table" is not null),
  -- when the clockwork or a request last went on with it: users take turns
  advanced_at timestamptz not null default '-infinity',
  -- when its walk through the ledger began, which does the same for all that were removed before
  walk_began_at timestamptz
);

comment on table public.deletions is 'What was deleted when, by whom: the receipts.';

create index if not exists deletions_dataset on public.deletions (dataset_id, version);
create unique index if not exists deletions_upload on public.deletions (upload_id) where upload_id is not null;
create index if not exists deletions_parent on public.deletions (parent_id) where parent_id is not null;
create index if not exists deletions_marked on public.deletions (dataset_id) where state = 'marked';
-- what the clockwork goes on with
create index if not exists deletions_open on public.deletions (requested_at) where forgotten_at is null;
-- whose turn it is
create index if not exists deletions_turns on public.deletions (user_id, advanced_at);
-- a user who was deleted: refused everywhere, for good
create unique index if not exists deletions_users on public.deletions (user_id) where kind = 'user';

-- The slices of uploads that were deleted by themselves, kept for ever: whatever is made of files that held their rows
-- leaves these out, also what is made anew of files that were replaced long ago.
create table if not exists public.deleted_slices (
  dataset_id uuid not null,
  "table" text not null,
  period_tag text not null,
  -- the upload's place in the partition's upload order
  seq bigint not null,
  deletion_id uuid not null references public.deletions (id),
  -- as it was acknowledged
  rows bigint not null,
  -- from which on no file has rows of it; null: pending, an output that may have some is visible
  version bigint,
  primary key (dataset_id, "table", period_tag, seq)
);

create index if not exists deleted_slices_pending on public.deleted_slices (dataset_id, "table", period_tag)
  where version is null;
create index if not exists deleted_slices_deletion on public.deleted_slices (deletion_id);

-- What is left in place of an upload whose rows were all deleted: a keyed hash of its identity, which refuses nothing,
-- and how many rows of which partitions are missing from older versions for it.
create table if not exists public.forgotten_uploads (
  id uuid primary key,
  dataset_id uuid not null,
  digest text not null,
  version bigint not null,
  slices jsonb not null,
  forgotten_at timestamptz not null default clock_timestamp()
);

create index if not exists forgotten_uploads_dataset on public.forgotten_uploads (dataset_id);

-- One row: the key of those hashes, made when it is first needed and told to nobody.
create table if not exists public.identity_key (
  id boolean primary key default true check (id),
  key text not null
);
