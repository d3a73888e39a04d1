-- The tables of a dataset that somebody asked to have written anew, the last asked first, at most 100.
--   p_user: null for the service itself, else a member
-- Returns {rewrites: [{dataset_id, table, period_tag|null, asked_at, ended_at|null, files, bytes, waiting, left_alone}]}.
-- Raises not_found, dataset_forbidden.
create or replace function public.list_rewrites(p_user uuid, p_dataset uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  d public.datasets := sediment.require_dataset(p_user, p_dataset);
begin
  return jsonb_build_object('rewrites', (
    select coalesce(jsonb_agg(sediment.rewrite_json(r) order by r.asked_at desc), '[]')
    from (select * from public.rewrites x where x.dataset_id = d.id order by x.asked_at desc limit 100) r));
end $$;
