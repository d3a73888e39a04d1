-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS partitions_left_alone ON public.partitions USING btree (dataset_id) WHERE (left_alone_files > 0);
