-- Helpers live in a schema of their own, which PostgREST does not expose: schema public holds the tables, the
-- views and the functions that are the API, and nothing else.
create schema if not exists sediment;

revoke all on schema sediment from public;
grant usage on schema sediment to service_role;
