-- What is wrong now, or was: a row a kind of trouble, so that each is told of once when it begins and once when it has
-- ended, however often it is looked at. The names are few: the reasons of catalog_health, breaker, and what upkeep finds.
create table if not exists public.incidents (
  name text primary key check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  state text not null check (state in ('open', 'closed')),
  -- whether watch_health ends it, when it is no reason any more; others are ended by who began them
  watched boolean not null default false,
  opened_at timestamptz not null,
  closed_at timestamptz,
  summary text not null,
  details jsonb not null default '{}',
  -- looks in a row that have not found it
  unseen integer not null default 0
);

comment on table public.incidents is 'What is wrong now, or was last: a row a kind of trouble.';
