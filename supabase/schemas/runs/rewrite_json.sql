-- What is told of a rewrite: files and bytes were marked so far, waiting of them are still to be written and left_alone stay
-- as they are, as their partitions' last_decision says (both counted to 1000).
create or replace function sediment.rewrite_json(p_rewrite public.rewrites)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'dataset_id', p_rewrite.dataset_id, 'table', sediment.name_of(p_rewrite.dataset_id, p_rewrite."table"),
    'period_tag', p_rewrite.period_tag, 'asked_at', p_rewrite.asked_at, 'ended_at', p_rewrite.ended_at,
    'files', p_rewrite.files, 'bytes', p_rewrite.bytes, 'waiting', sediment.files_to_rewrite(p_rewrite, true, 1000),
    'left_alone', sediment.files_to_rewrite(p_rewrite, false, 1000));
end $$;
