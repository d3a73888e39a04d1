-- A worker has merged a known sound file (claim_compaction's controls): workers do not die of just anything, so that one
-- more death of the file that it tries next is that file's. Returns {sound}. Raises lease_lost, run_finished.
create or replace function public.pass_control(p_run uuid, p_token bigint)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  p public.partitions;
begin
  p := sediment.lock_lease(p_run, p_token);
  update public.partitions x set isolation = x.isolation || '{"sound": true, "controls": []}'
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag and x.isolation is not null;
  return jsonb_build_object('sound', found);
end $$;
