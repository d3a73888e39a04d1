-- Ids that users see. Consecutive ones would tell them how much others send: these are a permutation of the numbers of a
-- sequence, by a key that this database made. They begin above 2^48, past all that were given before, and have 15
-- digits.
create sequence if not exists sediment.row_ids as bigint maxvalue 281474976710655;

-- One row, from the first id on.
create table if not exists sediment.row_id_key (
  id boolean primary key default true check (id),
  key bytea not null default pg_catalog.decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')
);
