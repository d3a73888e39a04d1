-- The next id that users see (tables/row_ids.sql). Four rounds of a Feistel network over twice 24 bits, whose rounds are the first three bytes of a SHA-256: each number
-- has one id and each id one number.
create or replace function sediment.next_row_id()
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_number constant bigint := nextval('sediment.row_ids');
  v_key bytea;
  v_left bigint := v_number >> 24;
  v_right bigint := v_number & 16777215;
  v_hash bytea;
  v_mixed bigint;
begin
  select k.key into v_key from sediment.row_id_key k;
  if not found then
    insert into sediment.row_id_key (id) values (true) on conflict (id) do nothing;
    select k.key into strict v_key from sediment.row_id_key k;
  end if;
  for v_round in 1 .. 4 loop
    v_hash := sha256(v_key || int4send(v_round) || int4send(v_right::integer));
    v_mixed := v_left # ((get_byte(v_hash, 0)::bigint << 16) + (get_byte(v_hash, 1) << 8) + get_byte(v_hash, 2));
    v_left := v_right;
    v_right := v_mixed;
  end loop;
  return 281474976710656 + (v_left << 24) + v_right;
end $$;
