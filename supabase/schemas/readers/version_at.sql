-- The version that was current at a time, for readers that ask by time. Returns {dataset_id, version,
-- committed_at}. Raises version_gone, version_unknown (before the dataset's first commit), not_found,
-- dataset_forbidden.
create or replace function public.version_at(p_user uuid, p_dataset uuid, p_time timestamptz)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  d public.datasets;
  v public.dataset_versions;
begin
  d := sediment.require_dataset(p_user, p_dataset);
  select * into v from public.dataset_versions x
  where x.dataset_id = d.id and x.committed_at <= p_time order by x.committed_at desc limit 1;
  if not found or v.version < d.oldest_kept_version then
    if d.oldest_kept_version > 0 then
      perform sediment.fail('version_gone', 410, format('the version of %s is no longer kept', p_time),
        format('version %s or later', d.oldest_kept_version));
    end if;
    perform sediment.fail('version_unknown', 404, format('dataset %s had no commit before %s', d.id, p_time));
  end if;
  return jsonb_build_object('dataset_id', d.id, 'version', v.version, 'committed_at', v.committed_at);
end $$;
