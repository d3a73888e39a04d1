-- What is told of a table of the lake.
create or replace function sediment.lake_table_json(p public.lake_tables)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object('id', p.id, 'name', p.name, 'dataset_column', p.dataset_column,
    'period_column', p.period_column, 'approved_at', p.approved_at, 'withdrawn_at', p.withdrawn_at);
end $$;
