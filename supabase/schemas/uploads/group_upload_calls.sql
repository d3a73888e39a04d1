-- Group commit: calls of stage_upload and commit_upload that came at the same time, in one transaction and in
-- statements that they share. Each is as it would be alone: it has its answer or its error (sediment.stage_uploads,
-- sediment.commit_uploads). Commits go first, so that a stage of the same body knows their answer.
--   p_stages, p_commits: [{…}], the functions' arguments by name; at most 100 together
-- Returns {stages: [{answer} | {error: {code, message, details, hint}}], commits: [… | {busy: true}]}, in that order.
-- Raises what is no call's own error, with nothing done; then, and where one is busy, the caller sends each alone.
--
-- A group waits 100 ms for one lock and no longer: others' data should not wait for what one of its calls waits for.
create or replace function public.group_upload_calls(p_stages jsonb, p_commits jsonb)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '100ms'
as $$
declare
  v_commits jsonb[] := '{}'::jsonb[];
  v_stages jsonb[] := '{}'::jsonb[];
begin
  if (jsonb_typeof(p_stages) = 'array' and jsonb_typeof(p_commits) = 'array') is not true
    or jsonb_array_length(p_stages) + jsonb_array_length(p_commits) > 100
  then
    perform sediment.fail('invalid_request', 400, 'p_stages and p_commits are not arrays of at most 100 calls');
  end if;
  if jsonb_array_length(p_commits) > 0 then
    v_commits := sediment.commit_uploads(p_commits);
  end if;
  if jsonb_array_length(p_stages) > 0 then
    v_stages := sediment.stage_uploads(p_stages);
  end if;
  return jsonb_build_object('stages', to_jsonb(v_stages), 'commits', to_jsonb(v_commits));
end $$;
