-- Which of two priorities wins. An unknown word ranks null, so that comparing it is never true.
create or replace function sediment.priority_rank(p_priority text)
returns integer
language sql
immutable parallel safe
set search_path = ''
as $$
  select case p_priority when 'manual' then 3 when 'realtime' then 2 when 'scheduled' then 1 end
$$;
