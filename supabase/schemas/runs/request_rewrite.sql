-- Asks for the files of a table, or of one period of it, to be written anew by the settings of the moment: they were written
-- by others. Over time, rewrite_bytes_per_hour at most, by runs like any other. Asked again it begins anew; p_stop ends it,
-- and what is marked by then is still written.
--   p_user: null for the service itself, else the owner or a writer
-- Returns as list_rewrites says of one. Raises not_found, dataset_forbidden, rate_limited.
create or replace function public.request_rewrite(
  p_user uuid, p_dataset uuid, p_table text, p_period_tag text default null, p_stop boolean default false
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  d public.datasets := sediment.require_dataset(p_user, p_dataset, 'writer');
  v_table text := sediment.table_of(d.id, p_table);
  x public.rewrites;
begin
  if not exists (select 1 from public.partitions p
    where p.dataset_id = d.id and p."table" = v_table and (p_period_tag is null or p.period_tag = p_period_tag))
  then
    perform sediment.fail('not_found', 404, format('dataset %s has no files of %s', d.id,
      concat_ws('/', p_table, p_period_tag)));
  end if;
  if p_stop then
    update public.rewrites r set ended_at = v_now
    where r.dataset_id = d.id and r."table" = v_table and r.ended_at is null;
  else
    insert into public.rewrites as r (dataset_id, "table", period_tag, asked_at)
    values (d.id, v_table, p_period_tag, v_now)
    on conflict (dataset_id, "table") do update
    set period_tag = excluded.period_tag, asked_at = v_now, made_before = null, after_period_tag = '', after_seq = -1,
      files = 0, bytes = 0, ended_at = null;
  end if;
  perform sediment.spend_request(p_user);
  select * into x from public.rewrites r where r.dataset_id = d.id and r."table" = v_table;
  if not found then
    perform sediment.fail('not_found', 404, format('nobody has asked for table %s to be written anew', p_table));
  end if;
  return sediment.rewrite_json(x);
end $$;
