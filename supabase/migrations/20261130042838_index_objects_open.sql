-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY objects_open ON public.objects USING btree (user_id) WHERE ((state = 'staged'::text) AND (user_id IS NOT NULL));
