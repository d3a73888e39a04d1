-- Deletes the rows of one upload, as long as its slices lie in files of their own: gone with the version that the receipt
-- names. Rows that a merge has taken into an output can't be told from its other rows: then it is provenance_unknown, and
-- nothing is deleted; a period, table or dataset still can be. Asked again it gives the first receipt.
--   p_user: null for the service itself, else the owner
--   p_purge: as of delete_data
-- Returns the receipt (sediment.deletion_receipt). Raises not_found, upload_deleted, provenance_unknown.
create or replace function public.delete_upload(p_user uuid, p_upload uuid, p_purge boolean default false)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  x public.deletions;
  u public.uploads;
  d public.datasets;
  v_files record;
  v_version bigint;
begin
  select * into x from public.deletions y where y.upload_id = p_upload;
  if found and (p_user is null or sediment.dataset_role(p_user, x.dataset_id) = 'owner') then
    return sediment.deletion_receipt(x);
  end if;
  select * into u from public.uploads y where y.id = p_upload;
  if not found or p_user is not null and sediment.dataset_role(p_user, u.dataset_id) is distinct from 'owner' then
    perform sediment.fail('not_found', 404, format('there is no upload %s', p_upload));
  end if;

  -- partitions by key, then the dataset: from here on no merge takes the files, and no other deletion marks them
  perform 1 from public.partitions p
  where p.dataset_id = u.dataset_id and (p."table", p.period_tag) in (
    select f ->> 'table', f ->> 'period_tag' from jsonb_array_elements(u.answer -> 'files') f)
  order by p."table", p.period_tag
  for no key update;
  select * into strict d from public.datasets y where y.id = u.dataset_id for no key update;
  if d.deletion_version > (u.answer ->> 'version')::bigint and sediment.upload_deleted_at(u) is not null then
    perform sediment.fail('upload_deleted', 410,
      format('upload %s was deleted on %s', u.id, sediment.upload_deleted_at(u)));
  end if;
  select count(*) as files, coalesce(sum(f.row_count), 0)::bigint as rows, coalesce(sum(f.byte_length), 0)::bigint as bytes,
    coalesce(sum(f.uncompressed_bytes), 0)::bigint as uncompressed,
    array_agg(f.id) as ids
  into strict v_files
  from public.battle_files f
  where coalesce(f.upload_id, f.run_id) = u.id and f.removed_version is null and not sediment.is_marked(f, d.version);
  if v_files.files < (
    select count(*) from jsonb_array_elements(u.answer -> 'files') f
    where not exists (
      select 1 from public.deletions y where y.dataset_id = u.dataset_id
        and y.version > (u.answer ->> 'version')::bigint and y.upload_id is null
        and (y."table" is null or y."table" = f ->> 'table')
        and (y.period_tag is null or y.period_tag = f ->> 'period_tag')))
  then
    perform sediment.fail('provenance_unknown', 422,
      format('rows of upload %s were merged with those of others, and can''t be told from them', u.id),
      'its period, its table or its dataset');
  end if;

  v_version := ((sediment.next_versions(array[row(u.dataset_id, -v_files.files, -v_files.bytes, -v_files.rows,
    -v_files.uncompressed, null)::sediment.dataset_change]))[1]).version;
  update public.battle_files f set removed_version = v_version where f.id = any (v_files.ids);
  insert into public.deletions (kind, user_id, requested_by, dataset_id, upload_id, version, purge, state, files, rows,
    bytes, removed_at)
  values ('upload', d.user_id, p_user, d.id, u.id, v_version, coalesce(p_purge, false), 'removed', v_files.files,
    v_files.rows, v_files.bytes, clock_timestamp())
  returning * into strict x;
  update public.datasets y
  set deletion_version = v_version, retired_bytes = y.retired_bytes + v_files.bytes,
    oldest_kept_version = case when x.purge then v_version else y.oldest_kept_version end,
    oldest_kept_at = case when x.purge then clock_timestamp() else y.oldest_kept_at end
  where y.id = d.id;
  return sediment.deletion_receipt(x);
end $$;
