-- Closes open dead letters without another run: of messages that name nothing to run, and of what its owner lets be. The
-- partition stays as it is until something new comes or somebody asks for it. p_user null is the service; a user reaches
-- those of datasets that are theirs to write to, and another letter looks as if it were not there.
-- Returns {dropped: [id], skipped: [{id, reason}]}; reason is not_found or resolved. Raises invalid_request.
create or replace function public.drop_dead_letters(p_user uuid, p_ids bigint[])
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_datasets constant uuid[] := sediment.datasets_of(p_user, 'writer');
  v_dropped bigint[];
  v_skipped jsonb;
begin
  if coalesce(cardinality(p_ids), 0) not between 1 and 1000 then
    perform sediment.fail('invalid_request', 400, 'no ids, or over 1000');
  end if;
  -- partitions first, as whoever else resolves letters has them
  perform 1 from public.partitions p
  where (p.dataset_id, p."table", p.period_tag) in (
    select l.dataset_id, l."table", l.period_tag from public.dead_letters l where l.id = any (p_ids)
      and (p_user is null or l.dataset_id = any (v_datasets)))
  order by p.dataset_id, p."table", p.period_tag
  for no key update;
  with gone as (
    update public.dead_letters l
    set resolved_at = clock_timestamp(), resolution = 'dropped'
    where l.id = any (p_ids) and l.resolved_at is null and (p_user is null or l.dataset_id = any (v_datasets))
    returning l.id
  )
  select coalesce(array_agg(g.id order by g.id), '{}') into strict v_dropped from gone g;
  v_skipped := (
    select coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'reason', case
      when l.id is null or (p_user is not null and (l.dataset_id = any (v_datasets)) is not true) then 'not_found'
      else 'resolved' end) order by i.id), '[]')
    from unnest(p_ids) as i(id)
    left join public.dead_letters l on l.id = i.id
    where i.id <> all (v_dropped));
  perform sediment.spend_request(p_user);
  return jsonb_build_object('dropped', to_jsonb(v_dropped), 'skipped', v_skipped);
end $$;
