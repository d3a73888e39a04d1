-- One row: when the clockwork last ran, and when it last had stood still. A worker that could not reach the catalog looks
-- like one that died, so what ran out across a gap says nothing of it.
create table if not exists public.clockwork (
  id boolean primary key default true check (id),
  beat_at timestamptz not null default '-infinity',
  gap_ended_at timestamptz not null default '-infinity'
);

comment on table public.clockwork is 'One row: the heartbeat of the minutely jobs.';

insert into public.clockwork (id) values (true) on conflict (id) do nothing;
