-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS battle_files_lake ON public.battle_files USING btree ("table", id) WHERE ((lake_version IS NOT NULL) AND (removed_version IS NULL));
