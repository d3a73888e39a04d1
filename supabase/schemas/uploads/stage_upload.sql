-- Plans an upload: its object key is in `objects` before any byte is sent. Creates the dataset, owned by
-- p_user, when there is none of that id. The same identity (dataset, table, period_tag, content_hash) with
-- other offsets is upload_conflict; with the same ones duplicate is true and answer is the first upload's, and
-- a stage is planned all the same, since the client may send the bytes again.
--   p_kind: 'fragment' (one table), 'concatenated' (slices, .bin); prefixed 'direct_' when the client PUTs to
--           the store itself: then incoming_key is the key it may write, and object_key where a checked copy goes
--   p_ttl_seconds: life of the upload token; p_max_put_seconds: how long after that bytes can still arrive
--   p_details: kept for get_upload (the table offsets of a direct upload, say)
--   p_idempotency_key: names this upload; the same key with another one is upload_conflict
--   p_again: these bytes may have been uploaded and deleted before; without it they are upload_deleted for
--            deleted_upload_seconds, since a late retry is no wish to have them back
--   p_offsets: of a concatenated body, what p_offsets_digest is of: [[table, start, length, format]]; it is hashed anew where
--              tables have other names
--   p_own_dataset: where the dataset is not the user's to write to, one of the user's own takes its place
-- Returns {stage_id, dataset_id, object_key, incoming_key|null, expires_at, duplicate, answer|null}.
-- Raises invalid_name, invalid_request, dataset_forbidden, dataset_deleted, upload_deleted, user_deleted,
-- upload_conflict, rate_limited, quota_exceeded.
create or replace function public.stage_upload(
  p_user uuid, p_dataset uuid, p_table text, p_period_tag text, p_size bigint, p_content_hash text,
  p_offsets_digest text, p_kind text default 'fragment', p_ttl_seconds integer default 120,
  p_max_put_seconds integer default 7200, p_details jsonb default null, p_idempotency_key text default null,
  p_again boolean default false, p_offsets jsonb default null, p_own_dataset boolean default false
)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  return sediment.answer_of(sediment.stage_uploads(jsonb_build_array(jsonb_build_object(
    'p_user', p_user, 'p_dataset', p_dataset, 'p_table', p_table, 'p_period_tag', p_period_tag, 'p_size', p_size,
    'p_content_hash', p_content_hash, 'p_offsets_digest', p_offsets_digest, 'p_kind', p_kind,
    'p_ttl_seconds', p_ttl_seconds, 'p_max_put_seconds', p_max_put_seconds, 'p_details', p_details,
    'p_idempotency_key', p_idempotency_key, 'p_again', p_again, 'p_offsets', p_offsets,
    'p_own_dataset', p_own_dataset))));
end $$;
