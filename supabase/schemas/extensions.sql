-- Extensions as a hosted project has them. pg_net keeps its functions in schema net and pg_cron in schema cron,
-- whatever schema they are created in. pgmq's schema is made first, by us: hosted projects create extensions as
-- another role, which would own the schema, and then it is not ours to grant. pgmq comes last, and a migration of
-- this file holds nothing else: what hosted projects run after creating it may leave the search_path empty for the
-- rest of the transaction; for that too each extension without a schema of its own is told one.
create extension if not exists pg_cron;
create extension if not exists pg_net with schema extensions;
create schema if not exists pgmq;
create extension if not exists pgmq with schema pgmq;
