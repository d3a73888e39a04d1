-- What a stage asks beside its rates, where it has to: a dataset that is not there yet, which the commit will make (whoever
-- only plans neither keeps a dataset nor takes its id from anybody), and the Idempotency-Key. Raises quota_exceeded,
-- upload_conflict.
create or replace function sediment.admit_upload(p sediment.stage_call)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if not exists (select 1 from public.datasets d where d.id = p.dataset_id) then
    perform sediment.check_dataset_quota(p.user_id, false);
  end if;
  -- what was deleted and comes again is a new upload: its old answer leaves the ledger
  perform sediment.forget_upload(u)
  from public.datasets d join public.uploads u on u.dataset_id = d.id and u."table" = p."table"
    and u.period_tag = p.period_tag and u.content_hash = p.content_hash
  where d.id = p.dataset_id and d.deletion_version > sediment.upload_version(u)
    and sediment.upload_deleted_at(u) is not null;
  perform sediment.keep_idempotency_key(p.user_id, p.idempotency_key,
    concat_ws('/', p.dataset_id, p."table", p.period_tag, p.content_hash, p.offsets_digest));
end $$;
