-- Reads the table while it is in use.
set local lock_timeout = '5s';
alter table public.objects validate constraint objects_facts;
