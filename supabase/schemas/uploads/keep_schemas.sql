-- Keeps the schemas of data files, each once. Call it before the partitions' locks: two writers of one new schema wait for
-- each other here, and must hold nothing that the other may want. Sorted, for the same reason; what is known already
-- takes no lock.
create or replace function sediment.keep_schemas(p_schemas jsonb[], p_fingerprints text[] default null)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into public.file_schemas (digest, schema, fingerprint)
  select distinct on (f.digest) f.digest, f.schema, f.fingerprint
  from (select sediment.schema_digest(s.schema) as digest, s.schema, s.fingerprint
    from unnest(p_schemas, p_fingerprints) as s(schema, fingerprint)) f
  where not exists (select 1 from public.file_schemas k where k.digest = any (array[f.digest]))
  order by f.digest
  on conflict (digest) do nothing;
end $$;
