-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY partitions_dead_debt ON public.partitions USING btree (debt_oldest) WHERE (dead_since IS NOT NULL);
