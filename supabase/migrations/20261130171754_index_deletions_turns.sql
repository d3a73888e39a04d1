-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS deletions_turns ON public.deletions USING btree (user_id, advanced_at);
