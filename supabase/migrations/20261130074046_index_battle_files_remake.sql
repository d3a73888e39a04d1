-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS battle_files_remake ON public.battle_files USING btree (dataset_id, "table", period_tag) WHERE ((remake_at IS NOT NULL) AND (removed_version IS NULL));
