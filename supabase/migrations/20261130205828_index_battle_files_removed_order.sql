-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS battle_files_removed_order ON public.battle_files USING btree (dataset_id, "table", period_tag, seq_min) WHERE (removed_version IS NOT NULL);
