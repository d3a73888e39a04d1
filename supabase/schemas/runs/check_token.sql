-- The second half of the fence: the caller must hold the newest token. An expired lease that nobody took over
-- is still good: the token decides, the time only permits others to take it.
create or replace function sediment.check_token(p public.partitions, p_run uuid, p_token bigint)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p.run_id is distinct from p_run
    and exists (select 1 from public.processing_metrics r where r.id = p_run and r.completed_at is not null)
  then
    perform sediment.fail('run_finished', 409, format('run %s has ended', p_run));
  end if;
  if p.run_id is distinct from p_run or p.lease_expires_at is null or p.token is distinct from p_token then
    perform sediment.fail('lease_lost', 409,
      format('run %s came with token %s, the partition is at %s', p_run, p_token, p.token));
  end if;
end $$;
