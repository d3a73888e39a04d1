-- What counters have counted. A row an event is inserted and never updated, so that no two transactions wait for each
-- other; fold_metrics adds them up once a minute, and what is read is both together.
create table if not exists public.metric_deltas (
  metric text collate "C" not null,
  label text collate "C" not null default '',
  events bigint not null default 1,
  amount double precision not null default 0
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

comment on table public.metric_deltas is 'What counters have counted since they were added up last.';

create table if not exists public.metric_totals (
  metric text collate "C" not null,
  label text collate "C" not null,
  events bigint not null,
  amount double precision not null,
  primary key (metric, label)
) with (fillfactor = 50);

comment on table public.metric_totals is 'The counters of GET /compaction/metrics; they only rise.';
