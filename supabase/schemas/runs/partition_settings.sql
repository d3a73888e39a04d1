-- The settings by which a partition is planned: its table's, and where files killed workers together, outputs kept small.
create or replace function sediment.partition_settings(p public.partitions)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_settings jsonb := sediment.settings_of(p.dataset_id, p."table");
begin
  if p.output_cap_bytes is not null then
    v_settings := v_settings || jsonb_build_object('target_file_bytes',
      least(p.output_cap_bytes, (v_settings ->> 'target_file_bytes')::bigint));
  end if;
  return v_settings;
end $$;
