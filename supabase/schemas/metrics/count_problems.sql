-- The problems that an isolate has answered since it told last: {code: how often}. Returns {added}.
-- Raises invalid_request for what is no code or no count.
create or replace function public.count_problems(p_counts jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_added integer;
begin
  if jsonb_typeof(p_counts) is distinct from 'object' or (select count(*) from jsonb_each(p_counts)) > 200
    or exists (select 1 from jsonb_each_text(p_counts) c
      where c.key !~ '^[a-z][a-z0-9_]{0,62}$' or c.value !~ '^[1-9][0-9]{0,8}$')
  then
    perform sediment.fail('invalid_request', 400, 'p_counts is not an object of codes and counts');
  end if;
  insert into public.metric_deltas (metric, label, events)
  select 'problems', c.key, c.value::bigint from jsonb_each_text(p_counts) c;
  get diagnostics v_added = row_count;
  return jsonb_build_object('added', v_added);
end $$;
