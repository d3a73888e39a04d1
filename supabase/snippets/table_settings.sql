-- How one table is compacted and kept: '*' holds for a dataset's other tables; null is the service's default.
-- What is not named here stays as it is.
insert into public.table_settings (dataset_id, "table", min_inputs, retention_seconds)
values ('00000000-0000-4000-8000-000000000000', '*', 2, 3 * 86400)
on conflict (dataset_id, "table") do update
set min_inputs = excluded.min_inputs, retention_seconds = excluded.retention_seconds, updated_at = now();

-- What is allowed and hardly meant, until it is mended; and who changed what.
select * from public.setting_warnings;
select * from public.settings_history order by id desc limit 50;

-- The service's own: workers, delays, retention, limits, alert webhooks.
select * from public.service_settings;
