-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS battle_files_key ON public.battle_files USING hash (object_key);
