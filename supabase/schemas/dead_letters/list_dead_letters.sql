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
  v_cursor jsonb := sediment.decode_cursor(p_cursor);
  v_at timestamptz;
  v_id bigint;
  v_open integer;
  v_letters jsonb;
  v_next text;
  v_datasets uuid[];
begin
  if v_cursor is not null and (coalesce(v_cursor ->> 'before', '') !~ '^\d{1,18}$'
    or coalesce(v_cursor ->> 'at', '') !~ '^\d{1,18}$')
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  v_at := to_timestamp(0) + make_interval(secs => (v_cursor ->> 'at')::bigint / 1000000.0);
  v_id := (v_cursor ->> 'before')::bigint;

  -- a user's and everybody's are two questions: one plan for both would read everybody's
  if p_user is null then
    select count(*) into strict v_open from (
      select 1 from public.dead_letters l
      where l.resolved_at is null and (p_dataset is null or l.dataset_id = p_dataset) limit 1000
    ) x;
    v_letters := (
      select jsonb_agg(sediment.letter_json(l) order by l.created_at desc, l.id desc) from (
        select * from public.dead_letters x
        where x.resolved_at is null and (p_dataset is null or x.dataset_id = p_dataset)
          and (v_id is null or (x.created_at, x.id) < (v_at, v_id))
        order by x.created_at desc, x.id desc limit v_limit + 1) l);
  else
    v_datasets := sediment.datasets_of(p_user, 'reader');
    select count(*) into strict v_open from (
      select 1 from public.dead_letters l
      where l.dataset_id = any (v_datasets) and l.resolved_at is null and (p_dataset is null or l.dataset_id = p_dataset) limit 1000
    ) x;
    v_letters := (
      select jsonb_agg(sediment.letter_json(l) order by l.created_at desc, l.id desc) from (
        select * from public.dead_letters x
        where x.dataset_id = any (v_datasets) and x.resolved_at is null and (p_dataset is null or x.dataset_id = p_dataset)
          and (v_id is null or (x.created_at, x.id) < (v_at, v_id))
        order by x.created_at desc, x.id desc limit v_limit + 1) l);
  end if;
  v_letters := coalesce(v_letters, '[]');
  if jsonb_array_length(v_letters) > v_limit then
    v_letters := v_letters - v_limit;
    v_next := sediment.encode_cursor(jsonb_build_object('before', v_letters -> -1 ->> 'id',
      'at', v_letters -> -1 ->> 'at'));
  end if;
  v_letters := (select coalesce(jsonb_agg(l.value - 'at' order by l.n), '[]')
    from jsonb_array_elements(v_letters) with ordinality as l(value, n));
  return jsonb_build_object('open', v_open, 'letters', v_letters, 'next_cursor', v_next);
end $$;
