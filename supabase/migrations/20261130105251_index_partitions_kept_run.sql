-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS partitions_kept_run ON public.partitions USING btree (COALESCE(next_run_id, run_id)) WHERE (COALESCE(next_run_id, run_id) IS NOT NULL);
