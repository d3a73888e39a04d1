-- Extensions as a hosted project has them. pg_net keeps its functions in schema net and pg_cron in schema cron,
-- whatever schema they are created in. pgmq's schema is made first, by us: hosted projects create extensions as
-- another role, which would own the schema, and then it is not ours to grant.
create schema if not exists pgmq;
create extension if not exists pgmq with schema pgmq;
create extension if not exists pg_cron;
create extension if not exists pg_net;
