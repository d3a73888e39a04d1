-- One row: where the check of the store has come to. It goes over the store's list of keys, and, in the order of the data
-- files' ids, over their bytes; both go on where they stopped, whoever does it (shared/compaction/upkeep/check_store.ts).
create table if not exists public.store_check (
  id boolean primary key default true check (id),
  -- only who was given the newest may say how far it came, until the lease ends
  token bigint not null default 0,
  leased_until timestamptz,
  -- the page of the store's list that is next, and up to which key (in the catalog's order) what is stored was compared
  list_cursor text,
  after_key text not null default '',
  -- slices in a row that nobody ended: a cursor that the store takes no more is given up
  tries integer not null default 0,
  pass_started_at timestamptz,
  pass_ended_at timestamptz,
  passes bigint not null default 0,
  -- the data file after which bytes are read next, and not before when
  read_after bigint not null default 0,
  read_at timestamptz not null default '-infinity',
  reads bigint not null default 0,
  -- when the newest slice was handed out: it looked at nothing before
  begun_at timestamptz
);

comment on table public.store_check is 'One row: where the check of the store has come to.';

insert into public.store_check (id) values (true) on conflict (id) do nothing;

-- What the check found that is not as the catalog says, until a later look finds it healed. A second look confirms it.
create table if not exists public.store_findings (
  object_key text primary key,
  -- lost: stored, says the catalog, and not there; changed: other bytes, another size or ETag; unknown: there, and in no
  -- book; undead: there though it was deleted
  kind text not null check (kind in ('lost', 'changed', 'unknown', 'undead')),
  detail text not null,
  found_at timestamptz not null default clock_timestamp(),
  looked_at timestamptz not null default clock_timestamp(),
  confirmed_at timestamptz
);

create index if not exists store_findings_looked on public.store_findings (looked_at);

comment on table public.store_findings is 'What the check of the store found that is not as the catalog says.';
