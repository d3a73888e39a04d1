-- What an upload was answered first, and is answered whenever it comes again: what a client needs. files is empty: functions
-- of before look for it.
create or replace function sediment.upload_answer(u public.uploads)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  if u.answer is not null then
    return u.answer;
  end if;
  return jsonb_build_object('key', sediment.upload_key(u), 'size', u.size, 'uploaded_at', u.created_at, 'metricId', u.metric_id,
    'duplicate', false, 'dataset_id', u.dataset_id, 'version', u.version, 'files', '[]'::jsonb, 'runs', (
      select jsonb_agg(jsonb_build_object('table', p."table", 'period_tag', p.period_tag,
        'metricId', coalesce(u.run_ids[p.n], u.metric_id)) order by p.n)
      from (
        select d."table", d.period_tag,
          row_number() over (order by d."table" collate "C", d.period_tag collate "C") as n
        from (select distinct s."table", s.period_tag from sediment.upload_slices(u) as s) d
      ) p));
end $$;
