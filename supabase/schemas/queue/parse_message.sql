-- Reads a queue message of whatever origin: {datasetId, triggeredAt, priority, metricId, table?, periodTag?}.
-- problem is null when it is of that shape.
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
begin
  problem := case
    when p_message is null or jsonb_typeof(p_message) <> 'object' then 'the message is not an object'
    -- as text: pg_column_size tells what is left of it after compression
    when octet_length(p_message::text) > 16384 then 'the message is over 16 KiB'
    when coalesce(p_message ->> 'datasetId', '') !~ v_uuid then 'datasetId is not a uuid'
    when coalesce(p_message ->> 'metricId', '') !~ v_uuid then 'metricId is not a uuid'
    when sediment.priority_rank(p_message ->> 'priority') is null
      then 'priority is not one of realtime, manual, scheduled'
    when coalesce(p_message ->> 'triggeredAt', '') !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d' then
      'triggeredAt is not an ISO 8601 time'
    when (p_message ->> 'table' is null) <> (p_message ->> 'periodTag' is null)
      then 'table and periodTag come together or not at all'
    when p_message ->> 'table' !~ v_name then 'table is not a name'
    when p_message ->> 'periodTag' !~ v_name then 'periodTag is not a name'
  end;
  if problem is null then
    dataset_id := p_message ->> 'datasetId';
    run_id := p_message ->> 'metricId';
    priority := p_message ->> 'priority';
    "table" := p_message ->> 'table';
    period_tag := p_message ->> 'periodTag';
  end if;
end $$;
