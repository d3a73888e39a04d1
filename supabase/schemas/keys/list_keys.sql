-- The keys of a dataset for its owner, those of the last 30 days that have ended among them; none that was not finished.
-- Returns {dataset_id, keys: [sediment.key_json], at most 1000 (stage_key)}.
-- Raises not_found, dataset_forbidden, dataset_deleted, user_deleted.
create or replace function public.list_keys(p_user uuid, p_dataset uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  d constant public.datasets := sediment.require_dataset(p_user, p_dataset, 'owner');
begin
  return jsonb_build_object('dataset_id', d.id, 'keys', (
    select coalesce(jsonb_agg(sediment.key_json(k) order by k.created_at, k.id), '[]')
    from public.dataset_keys k where k.dataset_id = d.id and k.activated_at is not null));
end $$;
