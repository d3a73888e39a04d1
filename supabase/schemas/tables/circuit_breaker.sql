-- One row: whether claims are stopped since what all of them stand on fails (shared/compaction/SPEC.md). Opened by
-- failures of two partitions with no success between, closed by probes.
create table if not exists public.circuit_breaker (
  id boolean primary key default true check (id),
  state text not null default 'closed' check (state in ('closed', 'open')),
  -- what failed, and what a probe therefore tries
  part text check (part in ('store_read', 'store_write', 'catalog')),
  error_code text,
  error_message text,
  -- while closed: the partition that failed last; a second one opens
  suspect text,
  suspect_at timestamptz,
  opened_at timestamptz,
  closed_at timestamptz,
  -- while open: when the next probe may go, and until when one is under way (half open)
  probe_at timestamptz,
  probe_until timestamptz,
  probe_token bigint not null default 0,
  probe_key text,
  probes_passed integer not null default 0,
  probes_failed integer not null default 0,
  check (state = 'closed' or (opened_at is not null and part is not null and probe_at is not null))
);

comment on table public.circuit_breaker is 'One row: whether claims are stopped, and why.';

insert into public.circuit_breaker (id) values (true) on conflict (id) do nothing;
