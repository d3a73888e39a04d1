-- What a user may still upload: limits, null where there is none, beside what is used of them.
do $$ begin
  create type sediment.user_quota as (
    user_id uuid,
    uploads_per_minute integer,
    minute_uploads integer,
    upload_bytes_per_day bigint,
    day_bytes bigint,
    stored_bytes_max bigint,
    stored_bytes bigint,
    open_stages_max integer,
    open_stages integer
  );
exception when duplicate_object then null;
end $$;
