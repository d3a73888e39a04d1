-- Keeps the schemas of data files, each once. Call it before the partitions' locks: two writers of one new
-- fingerprint wait for each other here, and must hold nothing that the other may want. Sorted, for the same
-- reason; what is known already takes no lock.
create or replace function sediment.keep_schemas(p_fingerprints text[], p_schemas jsonb[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.file_schemas (fingerprint, schema)
  select distinct on (f.fingerprint) f.fingerprint, f.schema
  from unnest(p_fingerprints, p_schemas) as f(fingerprint, schema)
  order by f.fingerprint
  on conflict (fingerprint) do nothing;
end $$;
