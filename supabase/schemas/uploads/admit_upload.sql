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
  perform sediment.keep_idempotency_key(p.user_id, p.idempotency_key,
    concat_ws('/', p.dataset_id, p."table", p.period_tag, p.content_hash, p.offsets_digest));
end $$;
