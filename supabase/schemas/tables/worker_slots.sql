-- max_workers as rows: a claim locks one that no live lease holds, so that two that meet can't both take the last.
create table if not exists public.worker_slots (
  slot integer primary key check (slot between 1 and 64)
);

comment on table public.worker_slots is 'A row for each worker that may hold a lease at a time.';

insert into public.worker_slots (slot) select generate_series(1, 64) on conflict (slot) do nothing;
