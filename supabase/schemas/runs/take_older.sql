-- What a walk over a table's files takes of those that it looked at, in their order: those to be written anew, as far as there is
-- room, and bytes are left before each.
--   p_bytes, p_older: of each file looked at its size, and whether it is to be written anew
--   p_one: the first is taken whatever its size
-- Returns the places of those taken, from 1; their bytes; the place behind which the walk goes on, null where it stays; whether
-- none is left of what was looked at.
create or replace function sediment.take_older(
  p_bytes bigint[], p_older boolean[], p_room bigint, p_left bigint, p_one boolean,
  out taken bigint[], out bytes bigint, out reached bigint, out whole boolean
)
language plpgsql
immutable
set search_path = ''
as $$
begin
  with older as (
    select u.place, u.bytes, row_number() over w as n, sum(u.bytes) over w - u.bytes as before
    from unnest(p_bytes, p_older) with ordinality as u(bytes, older, place)
    where u.older
    window w as (order by u.place)
  )
  select coalesce(array_agg(o.place order by o.place) filter (where t.is_taken), '{}'),
    coalesce(sum(o.bytes) filter (where t.is_taken), 0), coalesce(bool_and(t.is_taken), true)
  into strict taken, bytes, whole
  from older o cross join lateral (select o.n <= p_room and (o.before < p_left or o.n = 1 and p_one) as is_taken) t;
  reached := case when whole then nullif(cardinality(p_bytes), 0) else taken[cardinality(taken)] end;
end $$;
