-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY partitions_night ON public.partitions USING btree (debt_oldest, dataset_id) WHERE ((debt_oldest IS NOT NULL) AND (dead_since IS NULL));
