-- Reads the tables while they are in use.
set local lock_timeout = '5s';
alter table public.battle_files validate constraint battle_files_facts;
alter table public.objects validate constraint objects_facts;
alter table public.partitions validate constraint partitions_facts;
