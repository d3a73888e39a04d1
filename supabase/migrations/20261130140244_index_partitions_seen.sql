-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS partitions_seen ON public.partitions USING btree (last_considered_at) WHERE ((msg_id IS NULL) AND (dead_since IS NULL));
