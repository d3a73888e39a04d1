-- The ETag of a data file: its own, or that of its object.
create or replace function sediment.etag_of(p_etag text, p_object_key text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(p_etag, (select o.etag from public.objects o where o.object_key = p_object_key));
end $$;
