-- The database as a hosted project is handed over, before the first migration: roles, schemas, rights.
-- Run once, as the superuser supabase_admin, in the database postgres. Passwords are set by the starter.

-- Roles. postgres is no superuser, as hosted: migrations that need one must fail here too.
create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit;
create role supabase_auth_admin login noinherit createrole;
create role supabase_storage_admin login noinherit;
create role postgres login nosuperuser createdb createrole bypassrls;

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role, authenticator to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres with admin option;
-- Hosted lets postgres write policies on storage.objects through supautils; membership is the stand-in's way.
grant supabase_storage_admin to postgres;
grant anon, authenticated, service_role to supabase_storage_admin;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role supabase_auth_admin set search_path = auth;
alter role supabase_storage_admin set search_path = storage;
alter role postgres set search_path = "$user", public, extensions;
alter role supabase_admin set search_path = "$user", public, auth, extensions;

alter database postgres owner to postgres;
grant all on database postgres to postgres with grant option;
grant create on database postgres to supabase_auth_admin, supabase_storage_admin;

-- New projects give the API's roles the schema, and no table by default: migrations grant what they mean.
grant usage on schema public to postgres, anon, authenticated, service_role;

create schema extensions;
grant usage, create on schema extensions to postgres with grant option;
grant usage on schema extensions to anon, authenticated, service_role;
create extension pgcrypto with schema extensions;
create extension "uuid-ossp" with schema extensions;

create schema vault;
create extension supabase_vault with schema vault;

-- auth: the tables come from @supabase/lite; the helpers read the claims as PostgREST 12 sets them.
create schema auth authorization supabase_auth_admin;
grant usage on schema auth to postgres, anon, authenticated, service_role;

create function auth.jwt() returns jsonb language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb
$$;
create function auth.uid() returns uuid language sql stable as $$
  select nullif(coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'), '')::uuid
$$;
create function auth.role() returns text language sql stable as $$
  select nullif(coalesce(nullif(current_setting('request.jwt.claim.role', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'), '')
$$;
create function auth.email() returns text language sql stable as $$
  select nullif(coalesce(nullif(current_setting('request.jwt.claim.email', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'), '')
$$;

-- PostgREST reloads its schema cache after DDL, as hosted does.
create function extensions.pgrst_ddl_watch() returns event_trigger language plpgsql set search_path = '' as $$
begin
  perform pg_catalog.pg_notify('pgrst', 'reload schema');
end $$;
create event trigger pgrst_ddl_watch on ddl_command_end
  when tag in ('CREATE TABLE', 'CREATE TABLE AS', 'ALTER TABLE', 'CREATE VIEW', 'ALTER VIEW', 'CREATE FUNCTION',
    'ALTER FUNCTION', 'CREATE TYPE', 'ALTER TYPE', 'COMMENT', 'GRANT', 'REVOKE', 'CREATE SCHEMA', 'ALTER SCHEMA')
  execute function extensions.pgrst_ddl_watch();
create event trigger pgrst_drop_watch on sql_drop execute function extensions.pgrst_ddl_watch();
