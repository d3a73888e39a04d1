-- The object that a run staged for its n-th output under this token is stored: staged → stored, or the commit fails.
create or replace function sediment.store_output(p_run uuid, p_n integer, p_token bigint, p_output jsonb)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_key constant text := p_output ->> 'object_key';
begin
  update public.objects o
  set state = 'stored', size = (p_output ->> 'size')::bigint, etag = p_output ->> 'etag', expires_at = null,
    updated_at = clock_timestamp()
  where o.object_key = v_key and o.state = 'staged'
    and o.run_id = p_run and o.run_ordinal = p_n and o.token = p_token;
  if not found then
    -- the sweep was here: this worker slept through its lease and the time for its PUT, though nobody took over
    if exists (select 1 from public.objects o where o.object_key = v_key
      and o.run_id = p_run and o.run_ordinal = p_n and o.token = p_token)
    then
      perform sediment.fail('lease_lost', 409, format('%s was given up', v_key));
    end if;
    perform sediment.fail('object_missing', 500,
      format('%s is not the staged output %s of this run and token', v_key, p_n));
  end if;
end $$;
