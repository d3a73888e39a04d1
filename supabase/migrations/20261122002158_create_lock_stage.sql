-- The planned object of a stage, locked, for the commit of its bytes: they must be those of the user, hash and size
-- that were planned. The size of one that is stored may be another (Avro is stored as Parquet).
-- Raises stage_expired, forbidden, hash_mismatch, size_mismatch.
create or replace function sediment.lock_stage(
  p_stage uuid, p_kind text, p_user uuid, p_content_hash text, p_size bigint
)
returns public.objects
language plpgsql
set search_path = ''
as $$
declare
  o public.objects;
begin
  select * into o from public.objects x where x.stage_id = p_stage and x.kind = p_kind for update;
  if not found then
    perform sediment.fail('stage_expired', 410, format('there is no stage %s', p_stage));
  end if;
  if o.user_id is distinct from p_user then
    perform sediment.fail('forbidden', 403, format('stage %s belongs to another user', p_stage));
  end if;
  if o.content_hash is distinct from p_content_hash then
    perform sediment.fail('hash_mismatch', 422, format('the body hashes to %s', p_content_hash), o.content_hash);
  end if;
  if o.state = 'staged' and o.size is distinct from p_size then
    perform sediment.fail('size_mismatch', 422, format('the body has %s bytes', p_size), format('%s bytes', o.size));
  end if;
  return o;
end $$;
