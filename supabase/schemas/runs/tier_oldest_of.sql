-- Since when the oldest upload of each size tier waits from its JSON: {oldest: [time or null], …}.
create or replace function sediment.tier_oldest_of(p_waiting jsonb)
returns timestamptz[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array(select t.value::timestamptz
    from jsonb_array_elements_text(p_waiting -> 'oldest') with ordinality as t(value, n) order by t.n);
end $$;
