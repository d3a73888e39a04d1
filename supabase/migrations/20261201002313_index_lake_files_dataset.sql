-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS lake_files_dataset ON public.lake_files USING btree (relation_id, dataset_id) WHERE (end_snapshot IS NULL);
