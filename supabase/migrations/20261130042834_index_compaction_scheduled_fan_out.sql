-- An index of a table that is in use: alone in its file, since no transaction allows it.
CREATE INDEX CONCURRENTLY compaction_scheduled_fan_out ON pgmq.q_compaction_scheduled USING btree (((message ->> 'metricId'::text))) WHERE ((message -> 'table'::text) IS NULL);
