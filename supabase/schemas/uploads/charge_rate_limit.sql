-- Counts one upload against its user's limits, as sediment.spend_uploads does. Raises rate_limited, quota_exceeded.
create or replace function sediment.charge_rate_limit(p_user uuid, p_bytes bigint)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_call sediment.stage_call;
begin
  v_call.n := 1;
  v_call.user_id := p_user;
  v_call.owner_id := p_user;
  v_call.size := p_bytes;
  perform sediment.answer_of(array[c.outcome])
  from unnest(sediment.spend_uploads(array[v_call])) as c where c.outcome is not null;
end $$;
