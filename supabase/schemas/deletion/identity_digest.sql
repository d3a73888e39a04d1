-- A keyed hash of an upload's identity (an HMAC of SHA-256): who does not have the key can't tell by it whether some
-- bytes were ever uploaded.
create or replace function sediment.identity_digest(
  p_dataset uuid, p_table text, p_period_tag text, p_content_hash text
)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_key text;
begin
  select k.key into v_key from public.identity_key k;
  if not found then
    insert into public.identity_key (key) values (replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''))
    on conflict (id) do nothing;
    select k.key into strict v_key from public.identity_key k;
  end if;
  -- one block of 64 bytes, the length of the key: nothing has to be padded
  return encode(sha256(convert_to(translate(v_key, '0123456789abcdef', 'ghijklmnopqrstuv'), 'UTF8')
    || sha256(convert_to(v_key || concat_ws('/', p_dataset, p_table, p_period_tag, p_content_hash), 'UTF8'))), 'hex');
end $$;
