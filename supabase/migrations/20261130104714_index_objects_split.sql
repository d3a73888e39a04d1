-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS objects_split ON public.objects USING btree (split_at) WHERE (split_at IS NOT NULL);
