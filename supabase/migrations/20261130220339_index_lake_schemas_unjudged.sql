-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS lake_schemas_unjudged ON public.lake_schemas USING btree (mapping_id) WHERE ((mapping_id IS NOT NULL) AND (iceberg_columns IS NULL));
