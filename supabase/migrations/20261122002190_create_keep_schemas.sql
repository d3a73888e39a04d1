-- Keeps the schemas of data files, each once. Call it before the partitions' locks: two writers of one new
-- fingerprint wait for each other here, and must hold nothing that the other may want. Sorted, for the same
-- reason; what is known already takes no lock.
create or replace function sediment.keep_schemas(p_files jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.file_schemas (fingerprint, schema)
  select distinct on (f.schema_fingerprint) f.schema_fingerprint, f.schema
  from jsonb_to_recordset(p_files) as f(schema_fingerprint text, schema jsonb)
  where not exists (select 1 from public.file_schemas s where s.fingerprint = f.schema_fingerprint)
  order by f.schema_fingerprint
  on conflict (fingerprint) do nothing;
end $$;
