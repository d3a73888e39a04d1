-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dead_letters_dataset ON public.dead_letters USING btree (dataset_id, created_at DESC, id DESC);
