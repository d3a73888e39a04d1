-- The ledger of what was acknowledged, never vacuumed: an upload's identity is (dataset, table, period_tag,
-- content_hash), and whoever sends it again gets the first answer, for ever.
create table if not exists public.uploads (
  id uuid primary key,
  -- no reference: the transaction that acknowledges locks a partition of it, whose reference holds it
  dataset_id uuid not null,
  "table" text not null,
  period_tag text not null,
  content_hash text not null,
  offsets_digest text not null,
  user_id uuid not null,
  -- the first, also after healing; of what begins with a dot the rest follows from the identity (sediment.upload_key)
  object_key text not null,
  size bigint not null,
  -- of rows of before, as it was given; the others' is made of what follows (sediment.upload_answer)
  answer jsonb,
  -- when it was acknowledged
  created_at timestamptz not null default now(),
  -- of rows of before that have no slices: of each slice, in the order of the body, its place in its partition's upload order;
  -- null: not known
  seqs bigint[],
  -- the dataset's, from which on its rows are there
  version bigint,
  -- the run that was to see them: of the partition that it names, else of its first
  metric_id uuid,
  -- of each slice, as seqs, and of rows of before as well
  tables text[],
  -- null: all are of the upload's own period
  period_tags text[],
  row_counts bigint[],
  -- the run of each partition, by table and period; null: there is one
  run_ids uuid[],
  -- the slices in the order of the body, each as "table rows seq", or "table/period rows seq" where its period is not the
  -- upload's; a comma between them (sediment.upload_slices). One text, since arrays of each took three times as much
  slices text,
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
