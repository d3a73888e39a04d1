-- The digest of how a body is cut, with tables by their first names: what offsetsDigest (shared/uploads/digests.ts) makes of
-- a dataset in which nothing was renamed; a test compares the two. p_offsets: [[table, start, length, format]].
create or replace function sediment.offsets_digest(p_dataset uuid, p_offsets jsonb)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (select encode(sha256(convert_to('[' || string_agg(format('["%s",%s,%s,"%s"]', sediment.table_of(p_dataset, s.value ->> 0),
    s.value ->> 1, s.value ->> 2, s.value ->> 3), ',' order by s.n) || ']', 'UTF8')), 'hex')
  from jsonb_array_elements(p_offsets) with ordinality as s(value, n));
end $$;
