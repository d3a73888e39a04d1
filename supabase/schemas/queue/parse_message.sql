-- Reads a queue message of whatever origin: {datasetId, triggeredAt, priority?, metricId?, table?, periodTag?}.
-- problem is null when it is of that shape. A message that somebody sent by hand may lack priority, which is then that of
-- its queue, and metricId; datasetId may be 64 hex digits, of which a UUID of version 8 is made as the functions make it
-- (shared/protocol/names.ts).
create or replace function sediment.parse_message(
  p_message jsonb, out problem text, out dataset_id uuid, out "table" text, out period_tag text,
  out run_id uuid, out priority text
)
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_uuid constant text := '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$';
  v_name constant text := '^[A-Za-z0-9_-]{1,64}$';
  v_dataset text := p_message ->> 'datasetId';
begin
  if v_dataset ~ '^[0-9a-fA-F]{64}$' then
    v_dataset := overlay(overlay(left(v_dataset, 32) placing '8' from 13)
      placing substr('89ab', 1 + ('x' || substr(v_dataset, 17, 1))::bit(4)::integer % 4, 1) from 17)::uuid::text;
  end if;
  problem := case
    when p_message is null or jsonb_typeof(p_message) <> 'object' then 'the message is not an object'
    -- as text: pg_column_size tells what is left of it after compression
    when octet_length(p_message::text) > 16384 then 'the message is over 16 KiB'
    when coalesce(v_dataset, '') !~ v_uuid then 'datasetId is not a uuid'
    when p_message ->> 'metricId' !~ v_uuid then 'metricId is not a uuid'
    when p_message ->> 'priority' is not null and sediment.priority_rank(p_message ->> 'priority') is null
      then 'priority is not one of realtime, manual, scheduled'
    when coalesce(p_message ->> 'triggeredAt', '') !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d' then
      'triggeredAt is not an ISO 8601 time'
    when (p_message ->> 'table' is null) <> (p_message ->> 'periodTag' is null)
      then 'table and periodTag come together or not at all'
    when p_message ->> 'table' !~ v_name then 'table is not a name'
    when p_message ->> 'periodTag' !~ v_name then 'periodTag is not a name'
  end;
  if problem is null then
    dataset_id := v_dataset::uuid;
    run_id := (p_message ->> 'metricId')::uuid;
    priority := p_message ->> 'priority';
    "table" := p_message ->> 'table';
    period_tag := p_message ->> 'periodTag';
  end if;
end $$;
