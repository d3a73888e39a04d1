-- Counts of files by size tier, one added to the other; not known where one of them is not.
create or replace function sediment.add_tiers(p_files integer[], p_more integer[])
returns integer[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  if p_files is null or p_more is null then
    return null;
  end if;
  for i in 1 .. coalesce(array_upper(p_more, 1), 0) loop
    p_files[i] := coalesce(p_files[i], 0) + coalesce(p_more[i], 0);
  end loop;
  return p_files;
end $$;
