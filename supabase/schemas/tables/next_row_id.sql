-- The next id that users see (tables/row_ids.sql). Four rounds of a Feistel network over twice 24 bits, whose rounds are the first three bytes of a SHA-256: each number
-- has one id and each id one number.
create or replace function sediment.next_row_id()
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_key bytea;
  v_id bigint;
begin
  select k.key, nextval('sediment.row_ids') into v_key, v_id from sediment.row_id_key k;
  if not found then
    insert into sediment.row_id_key (id) values (true) on conflict (id) do nothing;
    select k.key, nextval('sediment.row_ids') into strict v_key, v_id from sediment.row_id_key k;
  end if;
  -- one expression a round: each costs more than the hash when it is first used in a transaction
  for v_round in 1 .. 4 loop
    v_id := ((v_id & 16777215) << 24) | ((v_id >> 24) # ('x' || substr(encode(sha256(
      v_key || int4send(v_round) || int4send((v_id & 16777215)::integer)), 'hex'), 1, 6))::bit(24)::bigint);
  end loop;
  return 281474976710656 + v_id;
end $$;
