-- Why these bytes can't be committed to an object: they must be those of the user, hash and size that were planned.
-- The size of one that is stored may be another (Avro is stored as Parquet). Null when they can.
create or replace function sediment.stage_failure(
  o public.objects, p_stage uuid, p_user uuid, p_content_hash text, p_size bigint
)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when o.object_key is null then sediment.failure('stage_expired', 410, format('there is no stage %s', p_stage))
    when o.user_id is distinct from p_user then
      sediment.failure('forbidden', 403, format('stage %s belongs to another user', p_stage))
    when o.content_hash is distinct from p_content_hash then
      sediment.failure('hash_mismatch', 422, format('the body hashes to %s', p_content_hash), o.content_hash)
    when o.state = 'staged' and o.size is distinct from p_size then
      sediment.failure('size_mismatch', 422, format('the body has %s bytes', p_size), format('%s bytes', o.size))
  end;
end $$;
