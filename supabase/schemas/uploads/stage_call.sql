-- A call of stage_upload among those of a group: its arguments, and what was looked up for it.
do $$ begin
  create type sediment.stage_call as (
    -- its place among the calls, from 1
    n integer,
    user_id uuid,
    dataset_id uuid,
    "table" text,
    period_tag text,
    size bigint,
    content_hash text,
    offsets_digest text,
    kind text,
    ttl_seconds integer,
    max_put_seconds integer,
    details jsonb,
    idempotency_key text,
    -- of the upload that was acknowledged under this identity; null when there is none
    first_answer jsonb,
    -- the dataset is not there, or an Idempotency-Key of the user is to be kept
    needs_admission boolean,
    -- what became of it already: sediment.failure. Null while it holds
    outcome jsonb,
    -- in whose limits it counts: the dataset's owner, or the user where there is no dataset yet
    owner_id uuid
  );
exception when duplicate_object then null;
end $$;
