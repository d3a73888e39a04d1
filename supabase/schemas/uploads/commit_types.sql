-- A call of commit_upload among those of a group: its arguments, and the stage that it commits.
do $$ begin
  create type sediment.commit_call as (
    -- its place among the calls, from 1
    n integer,
    stage uuid,
    user_id uuid,
    size bigint,
    -- of the object, where it is not the body itself
    object_size bigint,
    etag text,
    files jsonb,
    dataset_id uuid,
    "table" text,
    period_tag text,
    content_hash text,
    offsets_digest text,
    object_key text,
    -- nothing is to be written: the identity is in the ledger already, or the stage is not staged any more
    known boolean,
    -- its owner has stored nearly what may be stored
    limited boolean,
    -- what became of it already: {error}, {busy: true}, or {answer} where another was first. Null while it holds
    outcome jsonb,
    -- in whose limits it counts, as of sediment.stage_call
    owner_id uuid
  );
exception when duplicate_object then null;
end $$;

-- A data file that such a call brings, with what it has of the call.
do $$ begin
  create type sediment.commit_file as (
    n integer,
    dataset_id uuid,
    stage uuid,
    user_id uuid,
    object_key text,
    etag text,
    ordinal integer,
    "table" text,
    period_tag text,
    start_byte bigint,
    byte_length bigint,
    row_count bigint,
    row_group_count integer,
    uncompressed_bytes bigint,
    value_count bigint,
    merge_facts jsonb,
    schema_fingerprint text,
    schema jsonb,
    stats jsonb,
    checksum text,
    schema_digest text
  );
exception when duplicate_object then null;
end $$;

-- What they bring to a partition, whose demand they raise, and the run that will see it.
do $$ begin
  create type sediment.partition_change as (
    dataset_id uuid,
    "table" text,
    period_tag text,
    -- its files are those from here to there, from 1, of the list that is sorted by partition
    first_file integer,
    last_file integer,
    bytes bigint,
    -- the calls that they are of
    calls integer[],
    run_id uuid
  );
exception when duplicate_object then null;
end $$;

-- What the calls of a group bring, as sediment.plan_commits finds it.
do $$ begin
  create type sediment.commit_plan as (
    -- the data files, sorted by partition, then call and ordinal
    files sediment.commit_file[],
    -- there is something wrong with one (sediment.wrong_files)
    wrong boolean,
    -- calls whose identity is in the ledger, or whose stage is not staged any more; null for none
    known integer[],
    -- an owner has stored nearly what may be stored
    limited boolean,
    -- a dataset, a partition or a schema is not there yet, or a user is not the dataset's owner
    is_new boolean,
    -- what they bring to each partition and to each dataset
    parts sediment.partition_change[],
    changes sediment.dataset_change[],
    -- realtime_delay_seconds
    delay integer
  );
exception when duplicate_object then null;
end $$;
