-- Extensions as a hosted project has them. pg_net keeps its functions in schema net and pg_cron in schema cron,
-- whatever schema they are created in; pgmq names its own schema.
create extension if not exists pgmq;
create extension if not exists pg_cron;
create extension if not exists pg_net;
