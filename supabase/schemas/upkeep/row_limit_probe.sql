-- One row more than an answer of PostgREST has by default (max-rows): who asks for all sees the limit that holds.
create or replace view public.row_limit_probe with (security_invoker = true) as
select n from generate_series(1, 1001) n;
