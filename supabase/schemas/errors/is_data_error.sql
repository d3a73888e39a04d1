-- Whether an error is of what was looked at, so that others may go on without it: values, constraints, sizes and what functions
-- raise. Locks, deadlocks, cancels, what the server lacks, and statements that are wrong are not: those are for whoever called.
create or replace function sediment.is_data_error(p_sqlstate text)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select left(p_sqlstate, 2) in ('21', '22', '23', '54', 'P0', 'SD')
$$;
