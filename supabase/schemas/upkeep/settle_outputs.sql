-- What list_unsettled_outputs listed has the schema that it should: [{id, schema}], as it stands in the file.
-- Returns {settled: how many}.
create or replace function public.settle_outputs(p_files jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_count integer;
begin
  if jsonb_typeof(p_files) is distinct from 'array' or jsonb_array_length(p_files) > 1000 then
    perform sediment.fail('invalid_request', 400, 'p_files is not an array of at most 1000 files');
  end if;
  perform sediment.keep_schemas(array(select m.schema from jsonb_to_recordset(p_files) as m(schema jsonb)));
  update public.battle_files f set schema_digest = sediment.schema_digest(m.schema)
  from jsonb_to_recordset(p_files) as m(id bigint, schema jsonb)
  where f.id = m.id and f.schema_digest is null and m.schema is not null;
  get diagnostics v_count = row_count;
  return jsonb_build_object('settled', v_count);
end $$;
