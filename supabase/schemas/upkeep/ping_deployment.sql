-- Sends, through pg_net and with Vault's secrets, the ping of which deployment_findings tells the answer: what cron's
-- pings meet. Definer, as ping_functions is. Returns its id as a number, or null when Vault lacks a secret.
create or replace function public.ping_deployment()
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
begin
  return to_jsonb(sediment.ping_functions('/compaction/deployment'));
end $$;
