-- POSTs an empty ping to a deployed function. Definer, since only the owner may read the Vault and send through
-- pg_net; it takes a path, never a URL. Null when the two secrets are not there yet. pg_net is
-- at most once: everything that a ping starts must also start without it, later.
create or replace function sediment.ping_functions(p_path text)
returns bigint
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_url text;
  v_key text;
  v_id bigint;
begin
  if p_path !~ '^(/[a-z-]+)+$' then
    perform sediment.fail('invalid_request', 400, format('%s is not the path of a function', p_path));
  end if;
  select s.decrypted_secret into v_url from vault.decrypted_secrets s where s.name = 'sediment_functions_url';
  select s.decrypted_secret into v_key from vault.decrypted_secrets s where s.name = 'sediment_cron_key';
  if v_url is null or v_key is null then
    return null;
  end if;
  v_id := net.http_post(
    url := rtrim(v_url, '/') || p_path,
    body := '{}'::jsonb,
    headers := jsonb_build_object('Content-Type', 'application/json', 'apikey', v_key),
    timeout_milliseconds := 5000);
  -- after a restore pg_net may count anew
  insert into public.pings as p (id, path) values (v_id, p_path)
  on conflict (id) do update set path = excluded.path, sent_at = clock_timestamp();
  return v_id;
end $$;
