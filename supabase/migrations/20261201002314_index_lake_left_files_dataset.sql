-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS lake_left_files_dataset ON public.lake_left_files USING btree (relation_id, dataset_id);
