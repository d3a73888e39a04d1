-- Every object key ever planned: the one truth for garbage collection. A key is written here before any byte is
-- put, and its state only moves by compare-and-set: staged → stored → deleting → tombstone, or staged → deleting.
create table if not exists public.objects (
  object_key text primary key,
  kind text not null,
  state text not null default 'staged',
  size bigint,
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
  updated_at timestamptz not null default now(),
  -- of an upload: the dataset's version at its stage; what was deleted since can't be committed any more
  staged_version bigint,
  -- it holds bytes of deleted slices beside others: when these are next to be copied to objects of their own, until the store
  -- has deleted it (stage_splits, commit_split); null: not
  split_at timestamptz,
  -- one constraint, since each is read anew from the catalog by every statement that writes
  constraint objects_facts check (kind in ('fragment', 'incoming', 'compacted', 'asset', 'probe', 'lake')
    and state in ('staged', 'stored', 'deleting', 'tombstone') and size >= 0)
-- each upload leaves a dead row here, whose place is to be taken before a fifth of the table is such
) with (fillfactor = 95, autovacuum_vacuum_scale_factor = 0.05);

create unique index if not exists objects_stage on public.objects (stage_id, kind) where stage_id is not null;
-- "is not null" (it always is) keeps this to the sweep, which compares put_deadline. Statements that have an object's
-- key and want it staged would be planned over all that is staged: on an empty table that costs the same as the key.
create index if not exists objects_staged on public.objects (put_deadline)
  where state = 'staged' and put_deadline is not null;
-- what prune_history forgets: nothing is left to do for these
create index if not exists objects_tombstones on public.objects (updated_at)
  where state = 'tombstone' and delete_after is null;
create index if not exists objects_delete on public.objects (delete_after) where delete_after is not null;
-- what a user has planned and not ended; "is not null" as above
create index if not exists objects_open on public.objects (user_id) where state = 'staged' and user_id is not null;
create index if not exists objects_split on public.objects (split_at) where split_at is not null;
