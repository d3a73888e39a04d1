-- Of two lists of times by size tier the earlier time of each tier.
create or replace function sediment.oldest_of_tiers(p_oldest timestamptz[], p_more timestamptz[])
returns timestamptz[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  for i in 1 .. coalesce(array_upper(p_more, 1), 0) loop
    p_oldest[i] := least(p_oldest[i], p_more[i]);
  end loop;
  return p_oldest;
end $$;
