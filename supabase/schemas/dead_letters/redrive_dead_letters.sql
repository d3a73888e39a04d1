-- Gives dead partitions another run, by hand: those of the given letters, or of all open ones that fit a filter
-- {dataset_id, table, error_code, before}. p_user null is the service; a user reaches those of datasets that are theirs to
-- write to, and another letter looks as if it were not there. Bounded; with a filter, call again while more.
-- Returns {redriven: [{id, run_id, dataset_id, table, period_tag}], skipped: [{id, reason}], more}; reason is
-- not_found, resolved or no_partition (a message that could not be read names nothing to run).
create or replace function public.redrive_dead_letters(
  p_user uuid, p_ids bigint[] default null, p_filter jsonb default null, p_limit integer default 100
)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '30s'
as $$
declare
  -- ids are meant as they stand: the limit is for filters
  v_limit integer := least(greatest(coalesce(p_limit, 100), cardinality(p_ids), 1), 1000);
  v_filter jsonb := coalesce(p_filter, '{}');
  v_datasets constant uuid[] := sediment.datasets_of(p_user, 'writer');
  v_ids bigint[];
  v_key record;
  v_keys jsonb;
  v_runs jsonb := '[]'::jsonb;
  v_redriven jsonb;
  v_skipped jsonb;
begin
  if cardinality(p_ids) > 1000 or jsonb_typeof(v_filter) <> 'object'
    or v_filter - array['dataset_id', 'table', 'error_code', 'before'] <> '{}'
  then
    perform sediment.fail('invalid_request', 400, 'over 1000 ids, or a filter with other fields',
      'dataset_id, table, error_code, before');
  end if;
  perform sediment.refuse_request(p_user);

  select coalesce(array_agg(x.id), '{}') into strict v_ids
  from (
    select l.id from public.dead_letters l
    where l.resolved_at is null and l.dataset_id is not null and l."table" is not null
      and (p_user is null or l.dataset_id = any (v_datasets))
      and (p_ids is null or l.id = any (p_ids))
      and (v_filter ->> 'dataset_id' is null or l.dataset_id = (v_filter ->> 'dataset_id')::uuid)
      and (v_filter ->> 'table' is null or l."table" = sediment.table_of(l.dataset_id, v_filter ->> 'table'))
      and (v_filter ->> 'error_code' is null or l.error_code = v_filter ->> 'error_code')
      and (v_filter ->> 'before' is null or l.last_failed_at < (v_filter ->> 'before')::timestamptz)
    order by l.id limit v_limit
  ) x;

  -- all partitions first, sorted; the queue after them
  perform 1 from public.partitions p
  where (p.dataset_id, p."table", p.period_tag) in (
    select l.dataset_id, l."table", l.period_tag from public.dead_letters l where l.id = any (v_ids))
  order by p.dataset_id, p."table", p.period_tag
  for no key update;

  v_keys := (
    select jsonb_agg(distinct jsonb_build_object('dataset_id', l.dataset_id, 'table', l."table", 'period_tag', l.period_tag))
    from public.dead_letters l where l.id = any (v_ids) and l.resolved_at is null);
  update public.partitions p
  set demand_seq = p.demand_seq + 1, forced_seq = p.demand_seq + 1
  from jsonb_to_recordset(v_keys) as k(dataset_id uuid, "table" text, period_tag text)
  where p.dataset_id = k.dataset_id and p."table" = k."table" and p.period_tag = k.period_tag;
  for v_key in
    select k.* from jsonb_to_recordset(v_keys) as k(dataset_id uuid, "table" text, period_tag text)
    order by k.dataset_id, k."table" collate "C", k.period_tag collate "C"
  loop
    v_runs := v_runs || (to_jsonb(v_key) || jsonb_build_object('run_id', sediment.wake_partition(v_key.dataset_id,
      v_key."table", v_key.period_tag, 'manual', 'redrive', 0)));
  end loop;
  with done as (
    update public.dead_letters l
    set resolved_at = clock_timestamp(), resolution = 'redriven', redriven_run_id = r.run_id
    from jsonb_to_recordset(v_runs) as r(dataset_id uuid, "table" text, period_tag text, run_id uuid)
    where l.id = any (v_ids) and l.resolved_at is null and l.dataset_id = r.dataset_id
      and l."table" = r."table" and l.period_tag = r.period_tag
    returning l.id, r.run_id, l.dataset_id, l."table", l.period_tag
  )
  select coalesce(jsonb_agg(to_jsonb(d) order by d.dataset_id, d."table", d.period_tag, d.id), '[]')
  into strict v_redriven from done d;

  select coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'reason', case
      when l.id is null or (p_user is not null and (l.dataset_id = any (v_datasets)) is not true) then 'not_found'
      when l.resolved_at is not null then 'resolved' else 'no_partition' end) order by i.id), '[]')
  into strict v_skipped
  from unnest(p_ids) as i(id)
  left join public.dead_letters l on l.id = i.id
  where not exists (select 1 from jsonb_array_elements(v_redriven) r where (r ->> 'id')::bigint = i.id);
  perform sediment.spend_request(p_user, jsonb_array_length(v_redriven));
  return jsonb_build_object('redriven', v_redriven, 'skipped', v_skipped, 'more', cardinality(v_ids) = v_limit);
end $$;
