-- What is wrong in the store, as far as a second look has confirmed it, with the data files that it concerns.
create or replace view public.store_differences with (security_invoker = true) as
  select s.object_key, s.kind, s.detail, s.found_at as since, s.looked_at, o.kind as object_kind,
    coalesce(f.dataset_id, o.dataset_id) as dataset_id, coalesce(f."table", o."table") as "table",
    coalesce(f.period_tag, o.period_tag) as period_tag, f.id as file_id, f.level, f.row_count
  from public.store_findings s
  left join public.objects o on o.object_key = s.object_key
  left join public.battle_files f on f.object_key = s.object_key and f.removed_version is null
  where s.confirmed_at is not null;
