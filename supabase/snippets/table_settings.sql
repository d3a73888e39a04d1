-- How one table is compacted and kept: '*' holds for a dataset's other tables; null is the service's default.
insert into public.table_settings (dataset_id, "table", min_inputs, dedupe_keys, retention_seconds)
values ('00000000-0000-4000-8000-000000000000', '*', 2, null, 3 * 86400)
on conflict (dataset_id, "table") do update
set min_inputs = excluded.min_inputs, dedupe_keys = excluded.dedupe_keys, retention_seconds = excluded.retention_seconds,
  updated_at = now();

-- The service's own: workers, delays, retention, limits, alert webhooks.
select * from public.service_settings;
