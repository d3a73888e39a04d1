-- The index by hash is there: the one by text is not asked any more.
set local lock_timeout = '5s';
drop index if exists public.battle_files_object;
