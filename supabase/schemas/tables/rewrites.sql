-- Tables whose files are written anew by the settings of the moment, a part of them each minute (sediment.advance_rewrites).
-- A row a table, of the last time that somebody asked.
create table if not exists public.rewrites (
  dataset_id uuid not null references public.datasets (id),
  "table" text not null,
  -- this period alone; null: all
  period_tag text,
  asked_at timestamptz not null,
  -- what is there by then is written anew; null while runs are at the table that may go by the settings of before
  made_before timestamptz,
  -- how far the walk is: the last file that was looked at, by period and upload order
  after_period_tag text not null default '',
  after_seq bigint not null default -1,
  -- marked so far
  files bigint not null default 0,
  bytes bigint not null default 0,
  -- when all were marked, or somebody stopped it; those that are marked are written anew all the same
  ended_at timestamptz,
  -- when it last had a turn; null: not yet
  looked_at timestamptz,
  primary key (dataset_id, "table")
);

create index if not exists rewrites_open on public.rewrites (asked_at) where ended_at is null;
