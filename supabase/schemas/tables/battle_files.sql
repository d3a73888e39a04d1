-- One row a schema, not a copy in each of ten million files. Files of several users share it, so its key covers all that
-- it holds: a hash of its text, which this database works out (sediment.schema_digest). The fingerprint of a file
-- leaves out what does not decide whether files can be merged, field ids and inner names; it groups files and is no key.
create table if not exists public.file_schemas (
  -- rows of before have a fingerprint here, or more digits, which no text has as its digest: nobody writes to them any more
  digest text primary key,
  schema jsonb not null,
  created_at timestamptz not null default now(),
  -- which of them may be merged without a union (shared/parquet/format/schema_fingerprint.ts); null in rows of before
  fingerprint text
);

-- The data files. Visible at version v when added_version <= v < coalesce(removed_version, ∞).
create table if not exists public.battle_files (
  id bigint primary key default sediment.next_row_id(),
  dataset_id uuid not null,
  "table" text not null,
  period_tag text not null,
  -- where it came from: the ordinal-th slice of an upload, or the ordinal-th output of a run
  upload_id uuid,
  run_id uuid,
  ordinal integer not null,
  object_key text not null references public.objects (object_key),
  start_byte bigint not null,
  byte_length bigint not null,
  -- null: its object's
  etag text,
  level integer not null,
  seq_min bigint not null,
  seq_max bigint not null,
  state text not null default 'active',
  quarantine_code text,
  quarantine_reason text,
  quarantined_at timestamptz,
  row_count bigint not null,
  row_group_count integer not null,
  uncompressed_bytes bigint not null,
  -- what the planner goes by (shared/parquet/merge_facts.ts); nothing else depends on them, and both may be unknown
  value_count bigint,
  merge_facts jsonb,
  -- which files may be merged with it without a union; null: its schema's (sediment.fingerprint_of)
  schema_fingerprint text,
  stats jsonb,
  added_version bigint not null,
  removed_version bigint,
  uploaded_by uuid not null,
  uploaded_at timestamptz not null,
  -- the first 16 hex digits of the SHA-256 of its own bytes; null: not known (files of before, and outputs of which the
  -- store copied parts: their objects' ETag stands for them)
  checksum text,
  -- when a merge first found its bytes gone or changed; a second look decides
  lost_since timestamptz,
  -- null in rows of before: their schema, as far as it is known, is under their fingerprint. No reference: schemas are never
  -- deleted, and each upload would lock the row of its own, which many have in common
  schema_digest text,
  -- why the planner writes it anew whatever its size: {"reason": text, "schema": what to write it in, or null}
  rewrite jsonb,
  -- when the youngest of its rows was uploaded; null: at uploaded_at, which of an output is the time of its merge
  youngest_at timestamptz,
  -- what a merge found that set it apart from others, sound as it is: {"kind": "schema" (its schema or keys are not what the
  -- catalog has of it) | "values" (one does not fit a wider type) | "memory" (there is none for it, even alone), "reason":
  -- text, "planner": the version that plans go by it in}
  apart jsonb,
  -- of an output: how many files it replaced; null: not known
  input_count integer,
  -- of an output whose bytes are lost: when it may next be remade from the files that it replaced (sediment.plan_remake);
  -- null: not
  remake_at timestamptz,
  remake_tries integer not null default 0,
  -- of an output: where in its bytes stands which of its rows came from which upload (shared/parquet/write/row_origins.ts);
  -- null: nowhere
  provenance_start bigint,
  provenance_length integer,
  -- of an output: of which uploads it may hold rows, by their seq; null: of all from seq_min to seq_max
  seqs int8multirange,
  -- of an output of a table of the lake (lake_tables): 1 where it is an object of its own whose last two columns are the
  -- lake's, under the names there, and whose footer has no field ids at any depth; 0 where it can't have them, since a
  -- column of its own has one of the names (in any case), or it has as many as a file may. Null for all else
  lake_version smallint,
  foreign key (dataset_id, "table", period_tag) references public.partitions (dataset_id, "table", period_tag),
  -- One constraint, and a short one, since every statement that writes reads it anew from the catalog: 8 KB took 55 µs. What
  -- the planner alone goes by is checked as it comes (sediment.plan_commits) or made by the functions that write it.
  constraint battle_files_facts check (start_byte >= 0 and byte_length > 0
    and state in ('active', 'quarantined') and row_count >= 0 and row_group_count >= 0 and uncompressed_bytes >= 0
    and checksum ~ '^[0-9a-f]{16}$' and num_nulls(upload_id, run_id) = 1 and (upload_id is null) = (level > 0)
    and seq_min <= seq_max and removed_version > added_version)
);

create unique index if not exists battle_files_source
  on public.battle_files ((coalesce(upload_id, run_id)), ordinal);
create index if not exists battle_files_visible
  on public.battle_files (dataset_id, "table", period_tag, seq_min) where removed_version is null;
create index if not exists battle_files_removed
  on public.battle_files (dataset_id, removed_version) where removed_version is not null;
-- What a list of an older version has of them, in its order.
create index if not exists battle_files_removed_order
  on public.battle_files (dataset_id, "table", period_tag, seq_min) where removed_version is not null;
-- by hash: keys have a hundred characters, and are asked for as a whole
create index if not exists battle_files_key on public.battle_files using hash (object_key);
create index if not exists battle_files_lost
  on public.battle_files (lost_since) where lost_since is not null and removed_version is null;
create index if not exists battle_files_quarantined
  on public.battle_files (dataset_id) where state = 'quarantined' and removed_version is null;
create index if not exists battle_files_rewrite
  on public.battle_files (dataset_id, "table", period_tag) where rewrite is not null and removed_version is null;
create index if not exists battle_files_remake
  on public.battle_files (dataset_id, "table", period_tag) where remake_at is not null and removed_version is null;
-- what a table's approval finds
create index if not exists battle_files_lake on public.battle_files ("table", id)
  where lake_version is not null and removed_version is null;
