-- What ended by its age: how many rows left which partition at which version, and by which rule. Kept for ever: it tells
-- that acknowledged rows are gone on purpose.
create table if not exists public.ended_rows (
  id bigint generated always as identity primary key,
  dataset_id uuid not null references public.datasets (id),
  "table" text not null,
  period_tag text not null,
  version bigint not null,
  rule text not null check (rule in ('keep_rows_seconds', 'keep_periods')),
  files bigint not null,
  rows bigint not null,
  bytes bigint not null,
  ended_at timestamptz not null default clock_timestamp()
);

create index if not exists ended_rows_dataset on public.ended_rows (dataset_id, version);

-- How far the clockwork has walked through a dataset of which something ends.
create table if not exists public.age_walks (
  dataset_id uuid primary key references public.datasets (id),
  after_table text not null default '',
  after_period_tag text not null default '',
  walked_at timestamptz not null default '-infinity'
);
