-- Open dead letters by error class.
create or replace view public.dead_letter_summary with (security_invoker = true) as
  select l.error_code, count(*) as open, count(distinct l.dataset_id) as datasets,
    min(l.first_failed_at) as first_failed_at, max(l.last_failed_at) as last_failed_at
  from public.dead_letters l where l.resolved_at is null
  group by l.error_code;
