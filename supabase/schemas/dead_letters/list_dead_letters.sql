-- Open dead letters, newest first: {open (counted up to 1000), letters: [{id, dataset_id, table, period_tag,
-- run_id, error_code, error_message, error_step, attempts, first_failed_at, last_failed_at}], next_cursor}.
-- p_user null is the service. Raises invalid_cursor.
create or replace function public.list_dead_letters(
  p_user uuid, p_dataset uuid default null, p_limit integer default 100, p_cursor text default null
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 1000);
  v_before text := sediment.decode_cursor(p_cursor) ->> 'before';
  v_open integer;
  v_letters jsonb;
  v_next text;
begin
  if v_before !~ '^\d{1,18}$' then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  select count(*) into strict v_open from (
    select 1 from public.dead_letters l
    where l.resolved_at is null and (p_user is null or l.user_id = p_user)
      and (p_dataset is null or l.dataset_id = p_dataset) limit 1000
  ) x;
  select coalesce(jsonb_agg(jsonb_build_object('id', l.id, 'dataset_id', l.dataset_id, 'table', l."table",
    'period_tag', l.period_tag, 'run_id', l.run_id, 'error_code', l.error_code, 'error_message', l.error_message,
    'error_step', l.error_step, 'attempts', l.attempts, 'first_failed_at', l.first_failed_at,
    'last_failed_at', l.last_failed_at) order by l.id desc), '[]')
  into strict v_letters
  from (
    select * from public.dead_letters x
    where x.resolved_at is null and (p_user is null or x.user_id = p_user)
      and (p_dataset is null or x.dataset_id = p_dataset) and (v_before is null or x.id < v_before::bigint)
    order by x.id desc limit v_limit + 1
  ) l;
  if jsonb_array_length(v_letters) > v_limit then
    v_letters := v_letters - v_limit;
    v_next := sediment.encode_cursor(jsonb_build_object('before', v_letters -> -1 ->> 'id'));
  end if;
  return jsonb_build_object('open', v_open, 'letters', v_letters, 'next_cursor', v_next);
end $$;
