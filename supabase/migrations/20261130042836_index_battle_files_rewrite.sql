-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY battle_files_rewrite ON public.battle_files USING btree (dataset_id, "table", period_tag) WHERE ((rewrite IS NOT NULL) AND (removed_version IS NULL));
