-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY battle_files_lost ON public.battle_files USING btree (lost_since) WHERE ((lost_since IS NOT NULL) AND (removed_version IS NULL));
