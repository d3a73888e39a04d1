-- Who attaches to the lake: a role of its own, which sees the schema lake and no other, of all tenants. It can't log in until
-- the operator gives it a password (docs/lake.md). Its queries and its idle transactions end by themselves, since one holds
-- back the vacuum of the queues' tables as long as it lasts.
do $$
begin
  if not exists (select 1 from pg_catalog.pg_roles r where r.rolname = 'sediment_lake') then
    create role sediment_lake nologin noinherit connection limit 20;
  end if;
exception when duplicate_object or unique_violation then null; -- another database of this server was first
end $$;
alter role sediment_lake set statement_timeout = '60s';
alter role sediment_lake set idle_in_transaction_session_timeout = '300s';
alter role sediment_lake set idle_session_timeout = '1h';
alter role sediment_lake set default_transaction_read_only = on;

revoke all on schema lake from public, anon, authenticated, service_role;
revoke all on all tables in schema lake from public, anon, authenticated, service_role;
grant usage on schema lake to sediment_lake;
grant select on all tables in schema lake to sediment_lake;
