-- The version that a reader asked for (the newest when p_version is null), if it can still be read, or yet.
-- Raises version_gone, version_unknown.
create or replace function sediment.readable_version(p_dataset public.datasets, p_version bigint)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  v_version bigint := coalesce(p_version, p_dataset.version);
begin
  if v_version < p_dataset.oldest_kept_version then
    perform sediment.fail('version_gone', 410, format('version %s is no longer kept', v_version),
      format('%s or later', p_dataset.oldest_kept_version));
  end if;
  if v_version > p_dataset.version then
    perform sediment.fail('version_unknown', 404, format('there is no version %s', v_version),
      format('at most %s', p_dataset.version));
  end if;
  return v_version;
end $$;
