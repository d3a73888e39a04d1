-- The first half of a vacuum, for one dataset whose row the caller has locked: moves the versions that are kept.
--   oldest_kept_version follows the version that was current retention ago: it and all later ones stay readable.
--   vacuumable_version follows oldest_kept_version once every URL signed before that is dead: in steps, each to what was the
--   oldest when it began. Purges that come meanwhile are in the next one.
-- Retention is the longest among the dataset's tables: a version shows all of them together.
-- Returns {dataset_id, oldest_kept_version, vacuumable_version, retention_seconds}, or null when nothing moved.
create or replace function sediment.advance_versions(d public.datasets)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_retention integer;
  v_oldest bigint;
  v_vacuumable bigint := d.vacuumable_version;
  v_begins boolean;
begin
  select * into strict s from public.service_settings;
  if d.oldest_kept_at + make_interval(secs => s.signed_url_seconds) <= v_now and s.signed_url_until <= v_now then
    v_vacuumable := greatest(d.vacuumable_version, least(d.ending_version, d.oldest_kept_version));
  end if;

  select greatest(
    coalesce(max(t.retention_seconds) filter (where t."table" = '*'), s.retention_seconds),
    max(t.retention_seconds) filter (where t."table" <> '*'))
  into strict v_retention from public.table_settings t where t.dataset_id = d.id;
  select v.version into v_oldest from public.dataset_versions v
  where v.dataset_id = d.id and v.committed_at <= v_now - make_interval(secs => v_retention)
  order by v.committed_at desc limit 1;
  -- retention goes on only after the last end's URLs are dead
  if v_oldest is null or v_oldest <= d.oldest_kept_version or v_vacuumable < d.oldest_kept_version then
    v_oldest := d.oldest_kept_version;
  end if;

  v_begins := v_oldest > v_vacuumable and d.ending_version <= v_vacuumable;
  update public.datasets x
  set vacuumed_at = v_now, vacuumable_version = v_vacuumable, oldest_kept_version = v_oldest,
    ending_version = case when v_begins then v_oldest else x.ending_version end,
    oldest_kept_at = case when v_begins then v_now else x.oldest_kept_at end
  where x.id = d.id;
  delete from public.dataset_versions v
  where v.dataset_id = d.id and v.version = any (array(
    select x.version from public.dataset_versions x
    where x.dataset_id = d.id and x.version < v_oldest order by x.version limit 10000));
  if v_oldest = d.oldest_kept_version and v_vacuumable = d.vacuumable_version then
    return null;
  end if;
  return jsonb_build_object('dataset_id', d.id, 'oldest_kept_version', v_oldest,
    'vacuumable_version', v_vacuumable, 'retention_seconds', v_retention);
end $$;
