-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS partitions_active ON public.partitions USING btree (dataset_id, "table", period_tag) WHERE ((debt_oldest IS NOT NULL) OR (due_at IS NOT NULL) OR (msg_id IS NOT NULL) OR (dead_since IS NOT NULL) OR (next_run_id IS NOT NULL));
