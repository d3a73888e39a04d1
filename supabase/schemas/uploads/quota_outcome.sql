-- The error of a commit whose bytes pass what the dataset's owner may store, counted with those of the owner's calls before
-- it. Null for one that fits.
create or replace function sediment.quota_outcome(p sediment.commit_call, p_calls sediment.commit_call[])
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_detail text;
  v_hint text;
begin
  perform sediment.check_stored(p.owner_id, (
    select sum(c.object_size)::bigint from unnest(p_calls) as c
    where c.owner_id = p.owner_id and c.n <= p.n and c.outcome is null));
  return null;
exception when others then
  -- a lock not had is the group's error
  if sqlstate not like 'SD%' then
    raise;
  end if;
  get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
  return sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
end $$;
