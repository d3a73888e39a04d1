-- Says of max_age_seconds that fragments wait for more files; comments of columns alone.
set local lock_timeout = '5s';

COMMENT ON COLUMN "public"."service_settings"."max_age_seconds" IS 'How long a fragment waits for more files: after that it is merged with what there is. Unit: seconds. Default: 3600 (1 h).';

COMMENT ON COLUMN "public"."table_settings"."max_age_seconds" IS 'How long a fragment waits for more files before it is merged with what there is; null takes that of the dataset''s row *, else of service_settings. Unit: seconds. Default: null.';
