-- The fingerprint of a data file's schema: its own, or that of the schema.
create or replace function sediment.fingerprint_of(p_fingerprint text, p_digest text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(p_fingerprint, (select k.fingerprint from public.file_schemas k where k.digest = p_digest));
end $$;
