-- Takes an upload out of the ledger of which all rows were deleted; what is left of it is a row of forgotten_uploads.
create or replace function sediment.forget_upload(u public.uploads)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  delete from public.uploads x where x.id = u.id;
  if not found then
    return false; -- another was first
  end if;
  insert into public.forgotten_uploads (id, dataset_id, digest, version, slices)
  values (u.id, u.dataset_id, sediment.identity_digest(u.dataset_id, u."table", u.period_tag, u.content_hash),
    sediment.upload_version(u), (
      select jsonb_agg(jsonb_build_object('table', s."table", 'period_tag', s.period_tag, 'row_count', s.row_count,
        'seq', s.seq) order by s.ordinal)
      from sediment.upload_slices(u) as s));
  return true;
end $$;
