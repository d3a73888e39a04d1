-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY dead_letters_user ON public.dead_letters USING btree (user_id, created_at DESC, id DESC);
