-- What a stage writes beside its object, where it has to: the dataset, made for its first upload; what the user has
-- used of a limit; the Idempotency-Key. Raises dataset_forbidden, rate_limited, quota_exceeded, upload_conflict.
create or replace function sediment.admit_upload(p sediment.stage_call)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if not exists (select 1 from public.datasets d where d.id = p.dataset_id) then
    perform sediment.check_dataset_quota(p.user_id);
    insert into public.datasets (id, user_id) values (p.dataset_id, p.user_id) on conflict (id) do nothing;
  end if;
  -- a racer may have been first: look again
  if exists (select 1 from public.datasets d where d.id = p.dataset_id and d.user_id <> p.user_id) then
    perform sediment.fail('dataset_forbidden', 403, format('dataset %s belongs to another user', p.dataset_id));
  end if;
  perform sediment.spend_upload(p.user_id, p.size);
  perform sediment.keep_idempotency_key(p.user_id, p.idempotency_key,
    concat_ws('/', p.dataset_id, p."table", p.period_tag, p.content_hash, p.offsets_digest));
end $$;
