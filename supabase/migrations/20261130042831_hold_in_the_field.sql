-- What the field asked for: classes of failure with a breaker, second looks, checksums and healing, files that kill
-- narrowed down to; schemas under a digest of what they hold; limits that are on; schema_version(); what doctor looks at;
-- tables listed with what they hold; deletion; views and upkeep that touch what is asked. Limits that were null and are not meant to be must be set to null again.
set local lock_timeout = '5s';
set local check_function_bodies = off;

DROP POLICY "owner_reads" ON "public"."battle_files";

DROP POLICY "owner_reads" ON "public"."dataset_versions";

DROP POLICY "owner_reads" ON "public"."partitions";

DROP POLICY "owner_reads" ON "public"."processing_metrics";

DROP POLICY "owner_reads" ON "public"."table_settings";

DROP POLICY "owner_reads" ON "public"."uploads";

DROP INDEX "public"."partitions_dead";

DROP VIEW "public"."dataset_status";

DROP VIEW "public"."partition_status";

DROP VIEW "public"."queue_status";

ALTER TABLE "public"."battle_files" DROP CONSTRAINT "battle_files_schema_fingerprint_fkey";

ALTER TABLE "public"."dead_letters" DROP CONSTRAINT "dead_letters_resolution_check";

ALTER TABLE "public"."objects" DROP CONSTRAINT "objects_kind_check";

DROP FUNCTION "public"."commit_compaction"(uuid, integer, bigint, bigint[], jsonb, boolean, jsonb);

DROP FUNCTION "public"."fail_compaction"(uuid, bigint, text, text, text, boolean);

DROP FUNCTION "public"."prune_history"(integer);

DROP FUNCTION "public"."quarantine_file"(uuid, bigint, bigint, text, text);

DROP FUNCTION "public"."stage_output"(uuid, integer, bigint, bigint);

DROP FUNCTION "public"."stage_upload"(uuid, uuid, text, text, bigint, text, text, text, integer, integer, jsonb, text);

DROP FUNCTION "sediment"."check_dataset_quota"(uuid);

DROP FUNCTION "sediment"."check_stored"(uuid, bigint, boolean);

DROP FUNCTION "sediment"."claim_message"(text, bigint, jsonb, text, integer);

DROP FUNCTION "sediment"."keep_schemas"(text[], jsonb[]);

DROP FUNCTION "sediment"."list_inputs"(uuid, text, text, bigint, integer);

DROP FUNCTION "sediment"."replace_files"(public.partitions, uuid, integer, bigint, bigint[], jsonb);

-- Rows of before stay under their fingerprint, which no text has as its digest.
ALTER TABLE "public"."file_schemas" RENAME COLUMN "fingerprint" TO "digest";

ALTER TABLE "public"."battle_files" ALTER COLUMN "id" DROP IDENTITY;

ALTER TABLE "public"."dead_letters" ALTER COLUMN "id" DROP IDENTITY;

CREATE SEQUENCE "sediment"."row_ids" AS bigint INCREMENT BY 1 MINVALUE 1 MAXVALUE 281474976710655 START WITH 1 CACHE 1 NO CYCLE;

CREATE TABLE "public"."age_walks" ("dataset_id" uuid NOT NULL, "after_table" text NOT NULL DEFAULT ''::text, "after_period_tag" text NOT NULL DEFAULT ''::text, "walked_at" timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone, CONSTRAINT "age_walks_pkey" PRIMARY KEY (dataset_id));

revoke all on "public"."age_walks" from public, anon, authenticated, service_role;

ALTER TABLE "public"."age_walks" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."circuit_breaker" ("id" boolean NOT NULL DEFAULT true, "state" text NOT NULL DEFAULT 'closed'::text, "part" text, "error_code" text, "error_message" text, "suspect" text, "suspect_at" timestamp with time zone, "opened_at" timestamp with time zone, "closed_at" timestamp with time zone, "probe_at" timestamp with time zone, "probe_until" timestamp with time zone, "probe_token" bigint NOT NULL DEFAULT 0, "probe_key" text, "probes_passed" integer NOT NULL DEFAULT 0, "probes_failed" integer NOT NULL DEFAULT 0, CONSTRAINT "circuit_breaker_check" CHECK (((state = 'closed'::text) OR ((opened_at IS NOT NULL) AND (part IS NOT NULL) AND (probe_at IS NOT NULL)))), CONSTRAINT "circuit_breaker_id_check" CHECK (id), CONSTRAINT "circuit_breaker_part_check" CHECK ((part = ANY (ARRAY['store_read'::text, 'store_write'::text, 'catalog'::text]))), CONSTRAINT "circuit_breaker_pkey" PRIMARY KEY (id), CONSTRAINT "circuit_breaker_state_check" CHECK ((state = ANY (ARRAY['closed'::text, 'open'::text]))));

revoke all on "public"."circuit_breaker" from public, anon, authenticated, service_role;

ALTER TABLE "public"."circuit_breaker" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."clockwork" ("id" boolean NOT NULL DEFAULT true, "beat_at" timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone, "gap_ended_at" timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone, CONSTRAINT "clockwork_id_check" CHECK (id), CONSTRAINT "clockwork_pkey" PRIMARY KEY (id));

revoke all on "public"."clockwork" from public, anon, authenticated, service_role;

ALTER TABLE "public"."clockwork" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."deletions" ("id" uuid NOT NULL DEFAULT gen_random_uuid(), "kind" text NOT NULL, "user_id" uuid NOT NULL, "requested_by" uuid, "dataset_id" uuid, "table" text, "period_tag" text, "upload_id" uuid, "parent_id" uuid, "version" bigint, "purge" boolean NOT NULL DEFAULT false, "state" text NOT NULL DEFAULT 'marked'::text, "after_table" text NOT NULL DEFAULT ''::text, "after_period_tag" text NOT NULL DEFAULT ''::text, "after_hash" text NOT NULL DEFAULT ''::text, "files" bigint NOT NULL DEFAULT 0, "rows" bigint NOT NULL DEFAULT 0, "bytes" bigint NOT NULL DEFAULT 0, "assets" bigint NOT NULL DEFAULT 0, "requested_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), "removed_at" timestamp with time zone, "purged_at" timestamp with time zone, "forgotten_at" timestamp with time zone, CONSTRAINT "deletions_check1" CHECK (((kind = 'upload'::text) = (upload_id IS NOT NULL))), CONSTRAINT "deletions_check2" CHECK (((kind = 'period'::text) = (period_tag IS NOT NULL))), CONSTRAINT "deletions_check3" CHECK (((kind <> ALL (ARRAY['user'::text, 'dataset'::text, 'upload'::text])) OR ("table" IS NULL))), CONSTRAINT "deletions_check4" CHECK (((kind <> 'table'::text) OR ("table" IS NOT NULL))), CONSTRAINT "deletions_check" CHECK ((((kind = 'user'::text) = (dataset_id IS NULL)) AND ((kind = 'user'::text) = (version IS NULL)))), CONSTRAINT "deletions_kind_check" CHECK ((kind = ANY (ARRAY['user'::text, 'dataset'::text, 'table'::text, 'period'::text, 'upload'::text]))), CONSTRAINT "deletions_pkey" PRIMARY KEY (id), CONSTRAINT "deletions_state_check" CHECK ((state = ANY (ARRAY['marked'::text, 'removed'::text, 'purged'::text]))));

revoke all on "public"."deletions" from public, anon, authenticated, service_role;

ALTER TABLE "public"."deletions" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."ended_rows" ("id" bigint GENERATED ALWAYS AS IDENTITY NOT NULL, "dataset_id" uuid NOT NULL, "table" text NOT NULL, "period_tag" text NOT NULL, "version" bigint NOT NULL, "rule" text NOT NULL, "files" bigint NOT NULL, "rows" bigint NOT NULL, "bytes" bigint NOT NULL, "ended_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "ended_rows_pkey" PRIMARY KEY (id), CONSTRAINT "ended_rows_rule_check" CHECK ((rule = ANY (ARRAY['keep_rows_seconds'::text, 'keep_periods'::text]))));

revoke all on "public"."ended_rows" from public, anon, authenticated, service_role;

ALTER TABLE "public"."ended_rows" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."forgotten_uploads" ("id" uuid NOT NULL, "dataset_id" uuid NOT NULL, "digest" text NOT NULL, "version" bigint NOT NULL, "slices" jsonb NOT NULL, "forgotten_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "forgotten_uploads_pkey" PRIMARY KEY (id));

revoke all on "public"."forgotten_uploads" from public, anon, authenticated, service_role;

ALTER TABLE "public"."forgotten_uploads" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."identity_key" ("id" boolean NOT NULL DEFAULT true, "key" text NOT NULL, CONSTRAINT "identity_key_id_check" CHECK (id), CONSTRAINT "identity_key_pkey" PRIMARY KEY (id));

revoke all on "public"."identity_key" from public, anon, authenticated, service_role;

ALTER TABLE "public"."identity_key" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."worker_slots" ("slot" integer NOT NULL, CONSTRAINT "worker_slots_pkey" PRIMARY KEY (slot), CONSTRAINT "worker_slots_slot_check" CHECK (((slot >= 1) AND (slot <= 64))));

revoke all on "public"."worker_slots" from public, anon, authenticated, service_role;

ALTER TABLE "public"."worker_slots" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "sediment"."row_id_key" ("id" boolean NOT NULL DEFAULT true, "key" bytea NOT NULL DEFAULT decode(replace(((gen_random_uuid())::text || (gen_random_uuid())::text), '-'::text, ''::text), 'hex'::text), CONSTRAINT "row_id_key_id_check" CHECK (id), CONSTRAINT "row_id_key_pkey" PRIMARY KEY (id));

revoke all on "sediment"."row_id_key" from public, anon, authenticated, service_role;

ALTER TABLE "public"."battle_files" ADD COLUMN "checksum" text;

ALTER TABLE "public"."battle_files" ADD COLUMN "lost_since" timestamp with time zone;

ALTER TABLE "public"."battle_files" ADD COLUMN "schema_digest" text;

ALTER TABLE "public"."battle_files" ADD COLUMN "rewrite" jsonb;

ALTER TABLE "public"."battle_files" ADD COLUMN "youngest_at" timestamp with time zone;

ALTER TABLE "public"."datasets" ADD COLUMN "retired_bytes" bigint NOT NULL DEFAULT 0;

ALTER TABLE "public"."datasets" ADD COLUMN "partition_count" bigint NOT NULL DEFAULT 0;

ALTER TABLE "public"."datasets" ADD COLUMN "deletion_version" bigint NOT NULL DEFAULT 0;

ALTER TABLE "public"."datasets" ADD COLUMN "deleted_at" timestamp with time zone;

ALTER TABLE "public"."objects" ADD COLUMN "staged_version" bigint;

ALTER TABLE "public"."partitions" ADD COLUMN "dead_looks" integer NOT NULL DEFAULT 0;

ALTER TABLE "public"."partitions" ADD COLUMN "idle_runs" integer NOT NULL DEFAULT 0;

ALTER TABLE "public"."partitions" ADD COLUMN "plan_digest" text;

ALTER TABLE "public"."partitions" ADD COLUMN "lease_slot" integer;

ALTER TABLE "public"."partitions" ADD COLUMN "staged_inputs" bigint[];

ALTER TABLE "public"."partitions" ADD COLUMN "isolation" jsonb;

ALTER TABLE "public"."partitions" ADD COLUMN "output_cap_bytes" bigint;

ALTER TABLE "public"."processing_metrics" ADD COLUMN "given_back" integer NOT NULL DEFAULT 0;

ALTER TABLE "public"."service_settings" ADD COLUMN "breaker_window_seconds" integer NOT NULL DEFAULT 600;

ALTER TABLE "public"."service_settings" ADD COLUMN "breaker_probe_seconds" integer NOT NULL DEFAULT 10;

ALTER TABLE "public"."service_settings" ADD COLUMN "second_look_seconds" integer NOT NULL DEFAULT 120;

ALTER TABLE "public"."service_settings" ADD COLUMN "planner_version" integer NOT NULL DEFAULT 0;

ALTER TABLE "public"."service_settings" ADD COLUMN "plan_changed_at" timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone;

ALTER TABLE "public"."service_settings" ADD COLUMN "clockwork_gap_seconds" integer NOT NULL DEFAULT 180;

ALTER TABLE "public"."service_settings" ADD COLUMN "tables_max" integer DEFAULT 1000;

ALTER TABLE "public"."service_settings" ADD COLUMN "partitions_max" integer DEFAULT 100000;

ALTER TABLE "public"."service_settings" ADD COLUMN "open_stages_max" integer DEFAULT 5000;

ALTER TABLE "public"."service_settings" ADD COLUMN "requests_per_minute" integer DEFAULT 600;

ALTER TABLE "public"."service_settings" ADD COLUMN "deleted_upload_seconds" integer NOT NULL DEFAULT 172800;

ALTER TABLE "public"."service_settings" ADD COLUMN "signed_url_until" timestamp with time zone NOT NULL DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone;

ALTER TABLE "public"."table_settings" ADD COLUMN "unite_uuid_as_text" boolean;

ALTER TABLE "public"."table_settings" ADD COLUMN "keep_rows_seconds" integer;

ALTER TABLE "public"."table_settings" ADD COLUMN "keep_periods" integer;

ALTER TABLE "public"."user_limits" ADD COLUMN "tables_max" integer;

ALTER TABLE "public"."user_limits" ADD COLUMN "partitions_max" integer;

ALTER TABLE "public"."user_limits" ADD COLUMN "open_stages_max" integer;

ALTER TABLE "public"."user_limits" ADD COLUMN "requests_per_minute" integer;

ALTER TABLE "public"."user_usage" ADD COLUMN "minute_requests" integer NOT NULL DEFAULT 0;

ALTER TABLE "public"."user_usage" ADD COLUMN "asset_bytes" bigint NOT NULL DEFAULT 0;

ALTER TABLE "public"."user_usage" ADD COLUMN "open_stages" integer NOT NULL DEFAULT 0;

ALTER TABLE "public"."service_settings" ALTER COLUMN "asset_extensions" SET DEFAULT ARRAY['avif'::text, 'bmp'::text, 'csv'::text, 'gif'::text, 'jpeg'::text, 'jpg'::text, 'json'::text, 'md'::text, 'mp3'::text, 'mp4'::text, 'ogg'::text, 'pdf'::text, 'png'::text, 'svg'::text, 'toml'::text, 'txt'::text, 'wav'::text, 'webm'::text, 'webp'::text, 'yaml'::text, 'yml'::text, 'zip'::text];

ALTER TABLE "public"."service_settings" ALTER COLUMN "datasets_max" SET DEFAULT 1000;

ALTER TABLE "public"."service_settings" ALTER COLUMN "max_datasets_per_run" SET DEFAULT 10;

ALTER TABLE "public"."service_settings" ALTER COLUMN "schedule_concurrency" SET DEFAULT 2;

ALTER TABLE "public"."service_settings" ALTER COLUMN "schedule_delay_ms" SET DEFAULT 250;

ALTER TABLE "public"."service_settings" ALTER COLUMN "stored_bytes_max" SET DEFAULT '274877906944'::bigint;

ALTER TABLE "public"."service_settings" ALTER COLUMN "upload_bytes_per_day" SET DEFAULT '34359738368'::bigint;

ALTER TABLE "public"."service_settings" ALTER COLUMN "uploads_per_minute" SET DEFAULT 6000;

CREATE TYPE "sediment"."user_room" AS ("user_id" uuid, "uploads_per_minute" integer, "minute_uploads" integer, "upload_bytes_per_day" bigint, "day_bytes" bigint, "stored_bytes_max" bigint, "stored_bytes" bigint, "open_stages_max" integer, "open_stages" integer);

ALTER TYPE "sediment"."commit_file" ADD ATTRIBUTE "checksum" text CASCADE;

ALTER TYPE "sediment"."commit_file" ADD ATTRIBUTE "schema_digest" text CASCADE;

CREATE OR REPLACE FUNCTION public.abandon_upload(p_stage uuid, p_user uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_count integer;
begin
  if exists (select 1 from public.objects o where o.stage_id = p_stage and o.user_id is distinct from p_user) then
    perform sediment.fail('forbidden', 403, format('stage %s belongs to another user', p_stage));
  end if;
  select count(*) into strict v_count from (
    select sediment.discard_object(o.object_key, 'abandoned by the uploader') as done
    from public.objects o where o.stage_id = p_stage and o.state = 'staged' order by o.object_key
  ) d where d.done;
  if v_count > 0 then
    -- what it named was never stored: a better file may come under the same Idempotency-Key
    delete from public.idempotency_keys k
    using public.objects o
    where o.stage_id = p_stage and o.kind = 'fragment' and k.user_id = p_user
      and k.identity = concat_ws('/', o.dataset_id, o."table", o.period_tag, o.content_hash, o.offsets_digest)
      and not exists (select 1 from public.uploads u where u.dataset_id = o.dataset_id and u."table" = o."table"
        and u.period_tag = o.period_tag and u.content_hash = o.content_hash);
  end if;
  return jsonb_build_object('abandoned', v_count > 0);
end $function$;

CREATE OR REPLACE FUNCTION public.advance_deletions(p_limit integer DEFAULT 2000, p_deletion uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '60s'
AS $function$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 2000), 1), 10000);
  v_grace interval := (select make_interval(secs => s.deleted_upload_seconds) from public.service_settings s);
  v_now timestamptz := clock_timestamp();
  x public.deletions;
  v_done boolean;
begin
  for x in
    select y.* from public.deletions y left join public.datasets d on d.id = y.dataset_id
    where y.forgotten_at is null and (p_deletion is null or p_deletion in (y.id, y.parent_id))
      and (y.state = 'marked' or y.purge and y.state = 'removed'
        or y.kind <> 'user' and y.requested_at + v_grace <= v_now and d.oldest_kept_version >= y.version)
    order by y.state <> 'marked', y.requested_at limit 100
    for no key update of y skip locked
  loop
    v_done := true;
    if x.kind = 'user' then
      v_done := sediment.remove_user(x, v_limit);
    elsif x.state = 'marked' then
      perform sediment.remove_marked(x, v_limit);
    elsif x.purge and x.state = 'removed' then
      perform sediment.purge_removed(x, v_limit);
    else
      perform sediment.forget_deleted(x, v_limit);
    end if;
    if v_done then
      return jsonb_build_object('advanced', x.id, 'more', true);
    end if;
  end loop;
  return jsonb_build_object('advanced', null, 'more', false);
end $function$;

revoke all on function "public"."advance_deletions"(integer, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.call_quietly(p_function text, p_args jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_names text[];
  v_columns text;
  v_answer jsonb;
  v_detail text;
  v_hint text;
begin
  if p_function <> all (array['stage_upload', 'commit_upload', 'abandon_upload', 'get_upload', 'list_files', 'get_file',
    'version_at', 'run_status', 'request_compaction', 'retry_quarantined', 'list_dead_letters', 'redrive_dead_letters',
    'stage_asset', 'commit_asset', 'list_assets', 'get_asset'])
  then
    perform sediment.fail('invalid_request', 400, format('%s is not called so', left(p_function, 80)));
  end if;
  -- the arguments that were given, with the types that the function has them in
  select array_agg(a.name order by a.n), string_agg(format('%I %s', a.name, a.type), ', ' order by a.n)
  into v_names, v_columns
  from (
    select x.n, x.name, format_type(p.proargtypes[x.n - 1], null) as type
    from pg_catalog.pg_proc p
    cross join lateral unnest(p.proargnames) with ordinality as x(name, n)
    where p.pronamespace = 'public'::regnamespace and p.proname = p_function and x.n <= p.pronargs
      and p_args ? x.name
  ) a;
  begin
    execute format('select public.%I(%s) from jsonb_to_record($1) as a(%s)', p_function,
      (select string_agg(format('%I => a.%I', v.name, v.name), ', ') from unnest(v_names) as v(name)), v_columns)
    into strict v_answer using p_args;
    return jsonb_build_object('answer', v_answer);
  exception when others then
    if sqlstate not like 'SD%' then
      raise;
    end if;
    get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
    return sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
  end;
end $function$;

revoke all on function "public"."call_quietly"(text, jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.catalog_health()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_queues jsonb := '{}';
  v_queue text;
  v_leases integer;
  v_debt integer;
  v_reasons text[] := '{}';
  v_breaker public.circuit_breaker;
begin
  foreach v_queue in array '{manual,realtime,scheduled}'::text[] loop
    v_queues := v_queues || jsonb_build_object(v_queue, jsonb_build_object(
      'due', (select count(*) from sediment.queue_ready(v_queue, 100)),
      'oldest_due_at', (select min(m.vt) from sediment.queue_messages m
        where m.queue = v_queue and m.vt <= v_now)));
  end loop;
  select count(*) into strict v_leases from (
    select 1 from public.partitions p where p.lease_expires_at < v_now - interval '2 minutes' limit 100) x;
  select count(*) into strict v_debt from (
    select 1 from public.partitions p
    where p.due_at < v_now - interval '5 minutes' and p.msg_id is null limit 100) x;
  select * into strict v_breaker from public.circuit_breaker;
  v_reasons := sediment.clockwork_faults() || array_remove(array[
    case when v_breaker.state = 'open' then 'breaker_open' end,
    case when current_setting('transaction_read_only') = 'on' or pg_catalog.pg_is_in_recovery() then 'read_only' end,
    case when v_leases > 0 then 'leases_overdue' end,
    case when v_debt > 0 then 'debt_overdue' end,
    case when v_breaker.state = 'closed' and (select s.max_workers from public.service_settings s) > 0
      and exists (select 1 from public.partitions p where p.msg_id is not null and p.lease_expires_at is null
        and p.ready_at < v_now - interval '90 seconds')
      and not exists (select 1 from public.partitions p where p.lease_expires_at is not null
        and p.claimed_at > v_now - interval '90 seconds') then 'work_waits' end], null);
  return jsonb_build_object('ok', cardinality(v_reasons) = 0, 'reasons', to_jsonb(v_reasons), 'breaker',
    case when v_breaker.state = 'open' then format('%s since %s: %s', v_breaker.part, v_breaker.opened_at,
      v_breaker.error_message) end, 'queues', v_queues,
    'leases', (select count(*) from public.partitions p where p.lease_expires_at > v_now),
    'overdue_leases', v_leases, 'overdue_debt', v_debt,
    'dead_letters', (select count(*) from (
      select 1 from public.dead_letters l where l.resolved_at is null limit 100) x),
    'oldest_debt', (select min(p.debt_oldest) from public.partitions p where p.debt_oldest is not null),
    'postgres', current_setting('server_version'),
    'pgmq', (select e.extversion from pg_catalog.pg_extension e where e.extname = 'pgmq'));
end $function$;

CREATE OR REPLACE FUNCTION public.claim_compaction(p_worker text, p_lease_seconds integer DEFAULT 300)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_turns constant text[] :=
    '{manual,realtime,manual,manual,realtime,manual,scheduled,realtime,manual,manual}';
  v_first text := v_turns[1 + nextval('sediment.queue_turn') % 10];
  v_queue text;
  v_candidate record;
  v_seen integer;
  v_any boolean := false;
  v_tried bigint[];
  v_claim jsonb;
  v_probe jsonb;
  v_slot integer;
begin
  if p_worker is null or length(p_worker) not between 1 and 200 then
    perform sediment.fail('invalid_request', 400, 'p_worker is empty or over 200 characters');
  end if;
  if p_lease_seconds is null or p_lease_seconds not between 1 and 3600 then
    perform sediment.fail('invalid_request', 400, format('p_lease_seconds is %s', p_lease_seconds), '1 to 3600');
  end if;

  v_probe := sediment.claim_probe();
  if v_probe is not null then
    return jsonb_build_object('claimed', false, 'reason', 'breaker_open') || v_probe;
  end if;
  v_slot := sediment.take_slot();
  if v_slot is null then
    return jsonb_build_object('claimed', false, 'reason', 'busy');
  end if;

  foreach v_queue in array array[v_first] || array_remove('{manual,realtime,scheduled}'::text[], v_first) loop
    v_tried := '{}';
    -- in batches of ten; each with a new look at the queue, since others claim at the same time
    for v_round in 1 .. 10 loop
      v_seen := 0;
      for v_candidate in select r.msg_id, r.message from sediment.queue_ready(v_queue, 10, v_tried) r loop
        v_seen := v_seen + 1;
        v_tried := v_tried || v_candidate.msg_id;
        -- spreading waits for partitions, so it is done only while nothing is locked
        if not v_any and sediment.fan_out_message(v_queue, v_candidate.msg_id, v_candidate.message) then
          return jsonb_build_object('claimed', false, 'reason', 'fanned_out');
        end if;
        v_any := true;
        v_claim := sediment.claim_message(v_queue, v_candidate.msg_id, v_candidate.message, p_worker,
          p_lease_seconds, v_slot);
        if v_claim is not null then
          return v_claim;
        end if;
      end loop;
      exit when v_seen < 10;
    end loop;
  end loop;
  return jsonb_build_object('claimed', false, 'reason', case when v_any then 'busy' else 'empty' end);
end $function$;

CREATE OR REPLACE FUNCTION public.commit_asset(p_stage uuid, p_user uuid, p_size bigint, p_etag text, p_content_hash text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  o public.objects;
  v_old public.assets;
  v_now timestamptz := clock_timestamp();
  v_duplicate boolean;
  v_failure jsonb;
  v_answer jsonb;
begin
  select * into o from public.objects x where x.stage_id = p_stage and x.kind = 'asset' for update;
  v_failure := sediment.stage_failure(o, p_stage, p_user, p_content_hash, p_size);
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  v_answer := jsonb_build_object('key', o.asset_key, 'relative_path', o.details ->> 'relative_path',
    'file_name', o.details ->> 'file_name', 'size', o.size, 'content_hash', o.content_hash, 'etag', p_etag,
    'object_key', o.object_key, 'uploaded_at', v_now, 'replaced', false, 'duplicate', false);
  if o.state <> 'staged' then
    if o.details -> 'answer' is null then
      perform sediment.fail('stage_expired', 410, format('stage %s was given up', p_stage));
    end if;
    return o.details -> 'answer' || jsonb_build_object('duplicate', true);
  end if;

  -- one at a time with the deletion of the user
  perform sediment.lock_quota(p_user);
  perform sediment.refuse_deleted_user(p_user);
  perform sediment.check_stored(p_user, p_size - coalesce(
    (select a.size from public.assets a where a.user_id = p_user and a.key = o.asset_key), 0));
  insert into public.assets (user_id, key, relative_path, file_name, object_key, size, content_hash, etag, updated_at)
  values (p_user, o.asset_key, o.details ->> 'relative_path', o.details ->> 'file_name', o.object_key, p_size,
    p_content_hash, p_etag, v_now)
  on conflict (user_id, key) do nothing;
  if not found then
    select * into strict v_old from public.assets a where a.user_id = p_user and a.key = o.asset_key for update;
    v_duplicate := v_old.content_hash = p_content_hash;
    if v_duplicate then
      perform sediment.discard_object(o.object_key, 'a duplicate asset');
      v_answer := v_answer || jsonb_build_object('object_key', v_old.object_key, 'etag', v_old.etag,
        'uploaded_at', v_old.updated_at, 'duplicate', true);
    else
      update public.assets a
      set relative_path = o.details ->> 'relative_path', file_name = o.details ->> 'file_name',
        object_key = o.object_key, size = p_size, content_hash = p_content_hash, etag = p_etag, updated_at = v_now
      where a.user_id = p_user and a.key = o.asset_key;
      perform sediment.retire_object(v_old.object_key, 'replaced asset', sediment.signed_url_life());
      v_answer := v_answer || jsonb_build_object('replaced', true);
    end if;
  end if;
  insert into public.user_usage as u (user_id, minute_start, minute_uploads, day_start, day_bytes, asset_bytes)
  select p_user, v_now, 0, v_now, 0, g.bytes
  from (select case when v_duplicate then 0 else p_size - coalesce(v_old.size, 0) end as bytes) g
  where g.bytes <> 0
  on conflict (user_id) do update set asset_bytes = greatest(0, u.asset_bytes + excluded.asset_bytes);

  update public.objects x
  set state = case when x.state = 'staged' then 'stored' else x.state end, etag = p_etag, expires_at = null,
    updated_at = v_now, details = x.details || jsonb_build_object('answer', v_answer)
  where x.object_key = o.object_key;
  return v_answer;
end $function$;

CREATE OR REPLACE FUNCTION public.commit_compaction(p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_last boolean, p_result jsonb, p_input_keys text[] DEFAULT NULL::text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  r public.processing_metrics;
  v_result jsonb := coalesce(p_result, '{}');
  v_inputs bigint[] := coalesce(p_inputs, '{}');
  v_more boolean := coalesce((p_result ->> 'more')::boolean, false);
  v_replaced jsonb := '{}';
  v_now timestamptz;
  v_lease timestamptz;
  v_overtime boolean := false;
  v_requeued boolean := false;
  v_status text;
  v_answer jsonb;
begin
  if p_n is null or p_n < 0 or p_last is null or (p_output is not null and jsonb_typeof(p_output) <> 'object')
    or (p_output is not null and cardinality(v_inputs) = 0)
    or (p_output is null and not p_last and cardinality(v_inputs) = 0)
  then
    perform sediment.fail('invalid_request', 400, 'the commit is empty or not well formed');
  end if;
  if p_output is not null then
    perform sediment.keep_schemas(array[p_output -> 'schema']);
  end if;

  p := sediment.lock_run_partition(p_run);
  select c.answer into v_answer from public.run_commits c where c.run_id = p_run and c.ordinal = p_n;
  if found then
    return v_answer || jsonb_build_object('replayed', true);
  end if;
  perform sediment.check_token(p, p_run, p_token);
  select * into strict r from public.processing_metrics x where x.id = p_run;
  if p_n <> r.commits then
    perform sediment.fail('invalid_request', 400, format('the next commit of run %s is %s, not %s',
      p_run, r.commits, p_n));
  end if;

  if cardinality(v_inputs) > 0 then
    update public.partitions x set staged_inputs = null
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    if p.isolation is not null then
      perform sediment.pass_trial(p, v_inputs, true);
    end if;
    v_replaced := sediment.replace_files(p, p_run, p_n, p_token, v_inputs, p_output,
      p_input_keys);
  end if;
  update public.processing_metrics x
  set commits = x.commits + 1, decision = coalesce(v_result ->> 'decision', x.decision),
    steps_ms = x.steps_ms || coalesce(v_result -> 'steps_ms', '{}'),
    progress = coalesce(nullif(v_result -> 'progress', 'null'), x.progress),
    steps = case when p_last and not v_more then '{}' else x.steps end
  where x.id = p_run
  returning * into strict r;

  v_now := clock_timestamp();
  -- The store was read and written: whoever failed before had no part in an outage.
  if p_output is not null and exists (select 1 from public.circuit_breaker b where b.suspect is not null) then
    update public.circuit_breaker b set suspect = null, suspect_at = null
    where b.ctid = any (array(select x.ctid from public.circuit_breaker x where x.state = 'closed'
      for no key update skip locked));
  end if;
  if p_last and v_more and (cardinality(v_inputs) > 0 or r.attempts = 0) then
    -- The run has had its time (what is left is less than a lease) and committed something in it: it ends well, and
    -- another goes on with the rest.
    select sediment.add_work(p) + least(s.lease_seconds, s.max_run_seconds / 2) >= s.max_run_seconds
    into strict v_overtime from public.service_settings s;
  end if;
  if not p_last then
    v_lease := sediment.extend_lease(p, null);
  elsif v_more and cardinality(v_inputs) = 0 and r.attempts > 0 then
    -- The turn ended and nothing was committed since the claim: that is a failed attempt, or it never ends.
    perform sediment.retry_run(p.dataset_id, p."table", p.period_tag, 'run_timeout',
      'the turn ended before anything could be committed', r.step, false);
    v_requeued := true;
  elsif v_overtime then
    v_requeued := sediment.close_run(p, true, v_result || jsonb_build_object('next_due_at', v_now));
    -- what was forced stays so for the run that goes on
    update public.partitions x set done_seq = p.done_seq
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  elsif v_more then
    update public.processing_metrics x set status = 'queued' where x.id = p_run;
    perform sediment.queue_hide(p.queue, p.msg_id, v_now + interval '1 second');
    update public.partitions x
    set lease_expires_at = null, lease_worker = null, claimed_at = null, claimed_demand_seq = null,
      claimed_debt_files = null, claimed_debt_bytes = null, ready_at = v_now,
      last_decision = coalesce(v_result ->> 'decision', x.last_decision), last_considered_at = v_now
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    perform sediment.raise_waiting(p, 0);
    v_requeued := true;
  else
    v_requeued := sediment.close_run(p, r.files_before > 0, v_result);
  end if;

  select x.status into strict v_status from public.processing_metrics x where x.id = p_run;
  v_answer := jsonb_build_object('version', v_replaced -> 'version', 'file_id', v_replaced -> 'file_id',
    'run_status', v_status, 'requeued', v_requeued, 'replayed', false, 'commits', r.commits,
    'lease_expires_at', v_lease, 'lease_seconds',
    case when v_lease is not null then greatest(0, extract(epoch from v_lease - clock_timestamp())) end);
  insert into public.run_commits (run_id, ordinal, token, file_id, object_key, answer)
  values (p_run, p_n, p_token, (v_replaced ->> 'file_id')::bigint, p_output ->> 'object_key', v_answer);
  return v_answer;
end $function$;

revoke all on function "public"."commit_compaction"(uuid, integer, bigint, bigint[], jsonb, boolean, jsonb, text[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.delete_data(p_user uuid, p_dataset uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_purge boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  x public.deletions;
  v_failure jsonb := coalesce(
    case when p_table is not null then sediment.name_failure('table', p_table) end,
    case when p_period_tag is not null then sediment.name_failure('period_tag', p_period_tag) end);
begin
  if v_failure is not null then
    perform sediment.answer_of(array[v_failure]);
  end if;
  -- the dataset's row alone: whoever waits for it holds partitions, and this call wants none
  select * into d from public.datasets y where y.id = p_dataset for no key update;
  if not found then
    perform sediment.fail('not_found', 404, format('there is no dataset %s', p_dataset));
  end if;
  if p_user is not null and d.user_id <> p_user then
    perform sediment.fail('dataset_forbidden', 403, format('dataset %s belongs to another user', p_dataset));
  end if;
  if d.deleted_at is not null then
    select * into x from public.deletions y
    where y.dataset_id = d.id and y.kind = 'dataset' order by y.purge desc, y.version limit 1;
    if x.purge or not coalesce(p_purge, false) then
      return sediment.deletion_receipt(x);
    end if;
    return sediment.deletion_receipt(sediment.mark_deletion(d, p_user, null, null, true, null));
  end if;
  if (p_table is not null or p_period_tag is not null) and not exists (
    select 1 from public.partitions p where p.dataset_id = d.id and (p_table is null or p."table" = p_table)
      and (p_period_tag is null or p.period_tag = p_period_tag))
  then
    perform sediment.fail('not_found', 404, format('dataset %s has no data of %s', d.id,
      concat_ws('/', coalesce(p_table, '*'), p_period_tag)));
  end if;
  return sediment.deletion_receipt(
    sediment.mark_deletion(d, p_user, p_table, p_period_tag, coalesce(p_purge, false), null));
end $function$;

revoke all on function "public"."delete_data"(uuid, uuid, text, text, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.delete_upload(p_user uuid, p_upload uuid, p_purge boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  x public.deletions;
  u public.uploads;
  d public.datasets;
  v_files record;
  v_version bigint;
begin
  select * into x from public.deletions y where y.upload_id = p_upload;
  if found and (p_user is null or x.user_id = p_user) then
    return sediment.deletion_receipt(x);
  end if;
  select * into u from public.uploads y where y.id = p_upload;
  if not found or p_user is not null and not exists (
    select 1 from public.datasets y where y.id = u.dataset_id and y.user_id = p_user)
  then
    perform sediment.fail('not_found', 404, format('there is no upload %s', p_upload));
  end if;

  -- partitions by key, then the dataset: from here on no merge takes the files, and no other deletion marks them
  perform 1 from public.partitions p
  where p.dataset_id = u.dataset_id and (p."table", p.period_tag) in (
    select f ->> 'table', f ->> 'period_tag' from jsonb_array_elements(u.answer -> 'files') f)
  order by p."table", p.period_tag
  for no key update;
  select * into strict d from public.datasets y where y.id = u.dataset_id for no key update;
  if d.deletion_version > (u.answer ->> 'version')::bigint and sediment.upload_deleted_at(u) is not null then
    perform sediment.fail('upload_deleted', 410,
      format('upload %s was deleted on %s', u.id, sediment.upload_deleted_at(u)));
  end if;
  select count(*) as files, coalesce(sum(f.row_count), 0)::bigint as rows, coalesce(sum(f.byte_length), 0)::bigint as bytes,
    coalesce(sum(f.uncompressed_bytes), 0)::bigint as uncompressed,
    array_agg(f.id) as ids
  into strict v_files
  from public.battle_files f
  where coalesce(f.upload_id, f.run_id) = u.id and f.removed_version is null and not sediment.is_marked(f, d.version);
  if v_files.files < (
    select count(*) from jsonb_array_elements(u.answer -> 'files') f
    where not exists (
      select 1 from public.deletions y where y.dataset_id = u.dataset_id
        and y.version > (u.answer ->> 'version')::bigint and y.upload_id is null
        and (y."table" is null or y."table" = f ->> 'table')
        and (y.period_tag is null or y.period_tag = f ->> 'period_tag')))
  then
    perform sediment.fail('provenance_unknown', 422,
      format('rows of upload %s were merged with those of others, and can''t be told from them', u.id),
      'its period, its table or its dataset');
  end if;

  v_version := ((sediment.next_versions(array[row(u.dataset_id, -v_files.files, -v_files.bytes, -v_files.rows,
    -v_files.uncompressed, null)::sediment.dataset_change]))[1]).version;
  update public.battle_files f set removed_version = v_version where f.id = any (v_files.ids);
  insert into public.deletions (kind, user_id, requested_by, dataset_id, upload_id, version, purge, state, files, rows,
    bytes, removed_at)
  values ('upload', d.user_id, p_user, d.id, u.id, v_version, coalesce(p_purge, false), 'removed', v_files.files,
    v_files.rows, v_files.bytes, clock_timestamp())
  returning * into strict x;
  update public.datasets y
  set deletion_version = v_version, retired_bytes = y.retired_bytes + v_files.bytes,
    oldest_kept_version = case when x.purge then v_version else y.oldest_kept_version end,
    oldest_kept_at = case when x.purge then clock_timestamp() else y.oldest_kept_at end
  where y.id = d.id;
  return sediment.deletion_receipt(x);
end $function$;

revoke all on function "public"."delete_upload"(uuid, uuid, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.delete_user(p_user uuid, p_by uuid DEFAULT NULL::uuid, p_purge boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  x public.deletions;
begin
  if p_user is null then
    perform sediment.fail('invalid_request', 400, 'p_user is needed');
  end if;
  -- an asset that is being committed is there before the mark, or sees it
  perform sediment.lock_quota(p_user);
  insert into public.deletions as y (kind, user_id, requested_by, purge)
  values ('user', p_user, p_by, coalesce(p_purge, false))
  on conflict (user_id) where kind = 'user' do update
  set purge = true, state = case when y.purge then y.state else 'marked' end, removed_at = null, purged_at = null,
    forgotten_at = null
  where excluded.purge and not y.purge;
  select * into strict x from public.deletions y where y.user_id = p_user and y.kind = 'user';
  return sediment.deletion_receipt(x);
end $function$;

revoke all on function "public"."delete_user"(uuid, uuid, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.deletion_status(p_user uuid, p_deletion uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  x public.deletions;
begin
  select * into x from public.deletions y where y.id = p_deletion;
  if not found or (p_user is not null and x.user_id <> p_user and x.requested_by is distinct from p_user) then
    perform sediment.fail('not_found', 404, format('there is no deletion %s', p_deletion));
  end if;
  return sediment.deletion_receipt(x);
end $function$;

revoke all on function "public"."deletion_status"(uuid, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.deployment_findings(p_ping bigint DEFAULT NULL::bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_jobs jsonb;
  v_secrets jsonb;
  v_ping jsonb;
  v_migrations jsonb;
begin
  -- Each part by its own, dynamically: a deployment that lacks it must be told so, not refused.
  if to_regclass('cron.job') is not null then
    execute $sql$
      select coalesce(jsonb_agg(jsonb_build_object('name', j.jobname, 'schedule', j.schedule, 'active', j.active,
        'last_status', d.status, 'last_message', left(d.return_message, 200), 'last_started_at', d.start_time,
        'failed', r.failed, 'succeeded', r.succeeded) order by j.jobname), '[]')
      from cron.job j
      left join lateral (
        select count(*) filter (where x.status = 'failed') as failed,
          count(*) filter (where x.status = 'succeeded') as succeeded
        from cron.job_run_details x where x.jobid = j.jobid and x.start_time > now() - interval '1 hour') r on true
      left join lateral (
        select x.status, x.return_message, x.start_time from cron.job_run_details x
        where x.jobid = j.jobid and x.end_time is not null order by x.runid desc limit 1) d on true
      where j.jobname like 'sediment\_%'
    $sql$ into v_jobs;
  end if;
  if to_regclass('vault.decrypted_secrets') is not null then
    execute $sql$
      select jsonb_object_agg(n.name, jsonb_build_object('there', s.value is not null, 'finding', case
        when s.value is null then 'missing'
        when s.value <> btrim(s.value) then 'has blanks around it'
        when n.name = 'sediment_functions_url' and s.value !~ '^https?://[^/]+(/.*)?$' then 'is not a URL'
        when n.name = 'sediment_cron_key' and s.value ~ '^sb_publishable_' then 'is a publishable key'
        when n.name = 'sediment_cron_key' and s.value !~ '^(sb_secret_|eyJ)' then 'is not a secret key'
        end))
      from (values ('sediment_functions_url'), ('sediment_cron_key')) n (name)
      left join lateral (
        select d.decrypted_secret as value from vault.decrypted_secrets d where d.name = n.name limit 1) s on true
    $sql$ into v_secrets;
  end if;
  if p_ping is not null and to_regclass('net._http_response') is not null then
    execute $sql$
      select jsonb_build_object('status_code', a.status_code, 'timed_out', coalesce(a.timed_out, false),
        'error', left(a.error_msg, 200), 'ours', coalesce(a.content like '%"sediment"%', false))
      from net._http_response a where a.id = $1
    $sql$ into v_ping using p_ping;
  end if;
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    execute 'select jsonb_agg(m.version order by m.version) from supabase_migrations.schema_migrations m'
      into v_migrations;
  end if;
  return jsonb_build_object('now', clock_timestamp(), 'postgres', current_setting('server_version'),
    'migrations', v_migrations,
    'extensions', (
      select jsonb_object_agg(n.name, e.extversion)
      from unnest(array['pgmq', 'pg_cron', 'pg_net', 'supabase_vault']) n (name)
      left join pg_catalog.pg_extension e on e.extname = n.name),
    'jobs', v_jobs, 'secrets', v_secrets, 'ping', v_ping,
    'bucket', (
      select jsonb_build_object('public', b.public, 'file_size_limit', b.file_size_limit)
      from storage.buckets b where b.id = 'sediment'));
end $function$;

revoke all on function "public"."deployment_findings"(bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.end_aged(p_limit integer DEFAULT 2000, p_partitions integer DEFAULT 200)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '60s'
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  w public.age_walks;
  v_keys jsonb;
  v_count integer;
  v_last jsonb;
  v_aged jsonb;
  v_sum record;
  v_version bigint;
begin
  insert into public.age_walks (dataset_id)
  select distinct t.dataset_id from public.table_settings t
  where (t.keep_rows_seconds is not null or t.keep_periods is not null)
    and not exists (select 1 from public.age_walks x where x.dataset_id = t.dataset_id)
  on conflict (dataset_id) do nothing;
  select x.* into w from public.age_walks x
  where x.walked_at <= v_now - interval '10 minutes' and exists (
    select 1 from public.table_settings t
    where t.dataset_id = x.dataset_id and (t.keep_rows_seconds is not null or t.keep_periods is not null))
  order by x.walked_at limit 1
  for no key update of x skip locked;
  if not found then
    return jsonb_build_object('dataset_id', null, 'version', null, 'files', 0, 'rows', 0, 'more', false);
  end if;

  -- partitions by key, then the dataset: what is read below can't change any more
  select coalesce(jsonb_agg(jsonb_build_object('table', k."table", 'period_tag', k.period_tag)
      order by k."table", k.period_tag), '[]'), count(*)
  into strict v_keys, v_count from (
    select p."table", p.period_tag from public.partitions p
    where p.dataset_id = w.dataset_id and (p."table", p.period_tag) > (w.after_table, w.after_period_tag)
    order by p."table", p.period_tag limit p_partitions
    for no key update
  ) k;
  perform 1 from public.datasets d where d.id = w.dataset_id for no key update;

  with rules as materialized (
    select k."table", k.period_tag, coalesce(t.keep_rows_seconds, d.keep_rows_seconds) as seconds,
      coalesce(t.keep_periods, d.keep_periods) as periods
    from jsonb_to_recordset(v_keys) as k("table" text, period_tag text)
    left join public.table_settings t on t.dataset_id = w.dataset_id and t."table" = k."table"
    left join public.table_settings d on d.dataset_id = w.dataset_id and d."table" = '*'
  ), kept as materialized (
    select r."table", sediment.last_kept_period(w.dataset_id, r."table", min(r.periods), v_now) as since
    from rules r where r.periods is not null group by r."table"
  )
  select coalesce(jsonb_agg(to_jsonb(a)), '[]') into strict v_aged from (
    select f.id, f."table", f.period_tag, f.row_count, f.byte_length, f.uncompressed_bytes,
      case when sediment.date_of_tag(r.period_tag) < k.since then 'keep_periods' else 'keep_rows_seconds' end as rule
    from rules r
    left join kept k on k."table" = r."table"
    join public.battle_files f on f.dataset_id = w.dataset_id and f."table" = r."table" and f.period_tag = r.period_tag
      and f.removed_version is null
    where (sediment.date_of_tag(r.period_tag) < k.since
        or coalesce(f.youngest_at, f.uploaded_at) <= v_now - make_interval(secs => r.seconds))
      and not (sediment.has_marks(w.dataset_id) and sediment.is_marked(f, 9223372036854775807))
    order by f."table", f.period_tag, f.seq_min limit p_limit
  ) a;

  select count(*) as files, coalesce(sum(a.row_count), 0)::bigint as rows, coalesce(sum(a.byte_length), 0)::bigint as bytes,
    coalesce(sum(a.uncompressed_bytes), 0)::bigint as uncompressed
  into strict v_sum
  from jsonb_to_recordset(v_aged) as a(row_count bigint, byte_length bigint, uncompressed_bytes bigint);
  if v_sum.files > 0 then
    v_version := ((sediment.next_versions(array[row(w.dataset_id, -v_sum.files, -v_sum.bytes, -v_sum.rows,
      -v_sum.uncompressed, null)::sediment.dataset_change]))[1]).version;
    update public.datasets d set retired_bytes = d.retired_bytes + v_sum.bytes where d.id = w.dataset_id;
    update public.battle_files f set removed_version = v_version
    where f.id in (select a.id from jsonb_to_recordset(v_aged) as a(id bigint));
    insert into public.ended_rows (dataset_id, "table", period_tag, version, rule, files, rows, bytes)
    select w.dataset_id, a."table", a.period_tag, v_version, a.rule, count(*), sum(a.row_count), sum(a.byte_length)
    from jsonb_to_recordset(v_aged) as a("table" text, period_tag text, rule text, row_count bigint, byte_length bigint)
    group by a."table", a.period_tag, a.rule;
  end if;

  -- a slice that was full looks at the same partitions again
  if v_sum.files < p_limit then
    v_last := case when v_count = p_partitions then v_keys -> -1 end;
    update public.age_walks x
    set after_table = coalesce(v_last ->> 'table', ''), after_period_tag = coalesce(v_last ->> 'period_tag', ''),
      walked_at = case when v_last is null then v_now else x.walked_at end
    where x.dataset_id = w.dataset_id;
  end if;
  return jsonb_build_object('dataset_id', w.dataset_id, 'version', v_version, 'files', v_sum.files, 'rows', v_sum.rows,
    'more', true);
end $function$;

revoke all on function "public"."end_aged"(integer, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.expire_leases(p_limit integer DEFAULT 200)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  p public.partitions;
  v_expired integer := 0;
  v_dead integer := 0;
  v_now timestamptz := clock_timestamp();
begin
  perform sediment.beat_clockwork();
  for p in
    select * from public.partitions x where x.lease_expires_at <= v_now
    order by x.lease_expires_at limit p_limit
    for no key update skip locked
  loop
    v_expired := v_expired + 1;
    if sediment.lose_worker(p) ->> 'status' = 'dead'
    then
      v_dead := v_dead + 1;
    end if;
  end loop;
  return jsonb_build_object('expired', v_expired, 'dead', v_dead, 'more', v_expired = p_limit);
end $function$;

CREATE OR REPLACE FUNCTION public.fail_compaction(p_run uuid, p_token bigint, p_code text, p_message text, p_step text, p_permanent boolean, p_class text DEFAULT NULL::text, p_part text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
begin
  p := sediment.lock_lease(p_run, p_token);
  if p_class = 'environment' then
    return sediment.return_run(p, coalesce(left(p_code, 100), 'internal'), p_message, p_step,
      case when p_part in ('store_read', 'store_write', 'catalog') then p_part end);
  end if;
  return sediment.retry_run(p.dataset_id, p."table", p.period_tag, coalesce(left(p_code, 100), 'internal'),
    p_message, p_step, coalesce(p_permanent, false));
end $function$;

revoke all on function "public"."fail_compaction"(uuid, bigint, text, text, text, boolean, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.finish_probe(p_token bigint, p_passed boolean, p_code text DEFAULT NULL::text, p_message text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  b public.circuit_breaker;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
begin
  select * into strict b from public.circuit_breaker x for no key update;
  if b.state = 'open' and b.probe_token = p_token and b.probe_until is not null then
    select * into strict s from public.service_settings;
    if p_passed and b.probes_passed >= 1 then
      update public.circuit_breaker x
      set state = 'closed', closed_at = v_now, probe_at = null, probe_until = null, suspect = null,
        suspect_at = null, probes_passed = 0, probes_failed = 0
      where x.id
      returning * into strict b;
      perform sediment.raise_alert('breaker_closed', format('Sediment goes on: %s answers again after %s',
        b.part, date_trunc('second', v_now - b.opened_at)), jsonb_build_object('part', b.part));
    else
      update public.circuit_breaker x
      set probe_until = null,
        probes_passed = case when p_passed then x.probes_passed + 1 else 0 end,
        probes_failed = case when p_passed then x.probes_failed else x.probes_failed + 1 end,
        error_code = case when p_passed then x.error_code else coalesce(left(p_code, 100), x.error_code) end,
        error_message = case when p_passed then x.error_message
          else coalesce(left(p_message, 2000), x.error_message) end,
        probe_at = v_now + make_interval(secs => case when p_passed then s.breaker_probe_seconds
          else least(s.backoff_cap_seconds, (0.75 + random() / 4) * s.breaker_probe_seconds
            * power(2, least(x.probes_failed, 10))) end)
      where x.id
      returning * into strict b;
    end if;
    if b.probe_key is not null then
      perform sediment.discard_object(b.probe_key, 'a probe');
    end if;
  end if;
  return jsonb_build_object('state', b.state, 'probe_at', b.probe_at);
end $function$;

revoke all on function "public"."finish_probe"(bigint, boolean, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.get_asset(p_user uuid, p_key text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  a public.assets;
begin
  perform sediment.refuse_deleted_user(p_user);
  select * into a from public.assets x where x.user_id = p_user and x.key = p_key;
  if not found then
    perform sediment.fail('not_found', 404, 'there is no asset of that key');
  end if;
  return jsonb_build_object('key', a.key, 'relative_path', a.relative_path, 'file_name', a.file_name,
    'size', a.size, 'content_hash', a.content_hash, 'etag', a.etag, 'object_key', a.object_key,
    'uploaded_at', a.updated_at,
    'signed_url_seconds', (select s.signed_url_seconds from public.service_settings s));
end $function$;

CREATE OR REPLACE FUNCTION public.get_file(p_user uuid, p_file bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  f public.battle_files;
  d public.datasets;
begin
  select * into f from public.battle_files x where x.id = p_file;
  -- That one is another's must not be told from that there is none.
  if not found or (p_user is not null and not exists (
    select 1 from public.datasets x where x.id = f.dataset_id and x.user_id = p_user))
  then
    perform sediment.fail('not_found', 404, format('there is no data file %s', p_file));
  end if;
  d := sediment.own_dataset(p_user, f.dataset_id);
  if f.removed_version <= d.oldest_kept_version
    or d.deletion_version > f.added_version and sediment.is_marked(f, d.oldest_kept_version)
  then
    perform sediment.fail('version_gone', 410, format('data file %s left at version %s', f.id,
      coalesce(f.removed_version, d.deletion_version)),
      format('version %s or later', d.oldest_kept_version));
  end if;
  return jsonb_build_object('id', f.id, 'dataset_id', f.dataset_id, 'user_id', d.user_id,
    'object_key', f.object_key, 'start_byte', f.start_byte, 'byte_length', f.byte_length, 'size', f.byte_length,
    'object_size', (select o.size from public.objects o where o.object_key = f.object_key),
    'table', f."table", 'period_tag', f.period_tag, 'level', f.level, 'state', f.state,
    'quarantine_code', f.quarantine_code, 'quarantine_reason', f.quarantine_reason,
    'row_count', f.row_count, 'row_group_count', f.row_group_count,
    'uncompressed_bytes', f.uncompressed_bytes, 'schema_fingerprint', f.schema_fingerprint,
    'schema', (select s.schema from public.file_schemas s where s.digest = coalesce(f.schema_digest, f.schema_fingerprint)),
    'stats', f.stats, 'etag', f.etag, 'uploaded_at', f.uploaded_at, 'added_version', f.added_version,
    'removed_version', f.removed_version);
end $function$;

CREATE OR REPLACE FUNCTION public.get_upload(p_stage uuid, p_user uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  o public.objects;
begin
  select * into o from public.objects x where x.stage_id = p_stage and x.kind = 'fragment';
  if not found then
    perform sediment.fail('stage_expired', 410, format('there is no stage %s', p_stage));
  end if;
  if o.user_id is distinct from p_user then
    perform sediment.fail('forbidden', 403, format('stage %s belongs to another user', p_stage));
  end if;
  return jsonb_build_object('stage_id', p_stage, 'state', o.state, 'dataset_id', o.dataset_id,
    'table', o."table", 'period_tag', o.period_tag, 'object_key', o.object_key,
    'incoming_key', (select x.object_key from public.objects x where x.stage_id = p_stage and x.kind = 'incoming'),
    'size', o.size, 'content_hash', o.content_hash, 'offsets_digest', o.offsets_digest, 'details', o.details,
    'expires_at', o.expires_at, 'answer', (
      select u.answer || jsonb_build_object('duplicate', true) from public.uploads u
      where u.dataset_id = o.dataset_id and u."table" = o."table" and u.period_tag = o.period_tag
        and u.content_hash = o.content_hash and u.offsets_digest = o.offsets_digest
        and sediment.lost_files(u.id) = 0
        and not exists (select 1 from public.datasets d where d.id = u.dataset_id
          and d.deletion_version > (u.answer ->> 'version')::bigint and sediment.upload_deleted_at(u) is not null)));
end $function$;

CREATE OR REPLACE FUNCTION public.list_assets(p_user uuid, p_prefix text DEFAULT NULL::text, p_limit integer DEFAULT 1000, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_after text := sediment.decode_cursor(p_cursor) ->> 'after';
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  v_assets jsonb;
begin
  perform sediment.refuse_deleted_user(p_user);
  select coalesce(jsonb_agg(jsonb_build_object('key', a.key, 'relative_path', a.relative_path,
    'file_name', a.file_name, 'size', a.size, 'content_hash', a.content_hash, 'etag', a.etag,
    'uploaded_at', a.updated_at) order by a.key), '[]')
  into strict v_assets
  from (
    select * from public.assets x
    where x.user_id = p_user and (v_after is null or x.key > v_after)
      and (p_prefix is null or starts_with(x.key, p_prefix))
    order by x.key limit v_limit + 1
  ) a;
  if jsonb_array_length(v_assets) <= v_limit then
    return jsonb_build_object('assets', v_assets, 'next_cursor', null);
  end if;
  v_assets := v_assets - v_limit;
  return jsonb_build_object('assets', v_assets,
    'next_cursor', sediment.encode_cursor(jsonb_build_object('after', v_assets -> -1 ->> 'key')));
end $function$;

CREATE OR REPLACE FUNCTION public.list_dead_letters(p_user uuid, p_dataset uuid DEFAULT NULL::uuid, p_limit integer DEFAULT 100, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 1000);
  v_cursor jsonb := sediment.decode_cursor(p_cursor);
  v_at timestamptz;
  v_id bigint;
  v_open integer;
  v_letters jsonb;
  v_next text;
begin
  if v_cursor is not null and (coalesce(v_cursor ->> 'before', '') !~ '^\d{1,18}$'
    or coalesce(v_cursor ->> 'at', '') !~ '^\d{1,18}$')
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  v_at := to_timestamp(0) + make_interval(secs => (v_cursor ->> 'at')::bigint / 1000000.0);
  v_id := (v_cursor ->> 'before')::bigint;

  -- a user's and everybody's are two questions: one plan for both would read everybody's
  if p_user is null then
    select count(*) into strict v_open from (
      select 1 from public.dead_letters l
      where l.resolved_at is null and (p_dataset is null or l.dataset_id = p_dataset) limit 1000
    ) x;
    v_letters := (
      select jsonb_agg(sediment.letter_json(l) order by l.created_at desc, l.id desc) from (
        select * from public.dead_letters x
        where x.resolved_at is null and (p_dataset is null or x.dataset_id = p_dataset)
          and (v_id is null or (x.created_at, x.id) < (v_at, v_id))
        order by x.created_at desc, x.id desc limit v_limit + 1) l);
  else
    select count(*) into strict v_open from (
      select 1 from public.dead_letters l
      where l.user_id = p_user and l.resolved_at is null and (p_dataset is null or l.dataset_id = p_dataset) limit 1000
    ) x;
    v_letters := (
      select jsonb_agg(sediment.letter_json(l) order by l.created_at desc, l.id desc) from (
        select * from public.dead_letters x
        where x.user_id = p_user and x.resolved_at is null and (p_dataset is null or x.dataset_id = p_dataset)
          and (v_id is null or (x.created_at, x.id) < (v_at, v_id))
        order by x.created_at desc, x.id desc limit v_limit + 1) l);
  end if;
  v_letters := coalesce(v_letters, '[]');
  if jsonb_array_length(v_letters) > v_limit then
    v_letters := v_letters - v_limit;
    v_next := sediment.encode_cursor(jsonb_build_object('before', v_letters -> -1 ->> 'id',
      'at', v_letters -> -1 ->> 'at'));
  end if;
  v_letters := (select coalesce(jsonb_agg(l.value - 'at' order by l.n), '[]')
    from jsonb_array_elements(v_letters) with ordinality as l(value, n));
  return jsonb_build_object('open', v_open, 'letters', v_letters, 'next_cursor', v_next);
end $function$;

CREATE OR REPLACE FUNCTION public.list_files(p_user uuid, p_dataset uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_from text DEFAULT NULL::text, p_to text DEFAULT NULL::text, p_version bigint DEFAULT NULL::bigint, p_limit integer DEFAULT 1000, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  v_cursor jsonb := sediment.decode_cursor(p_cursor);
  v_version bigint;
  v_marks constant boolean := sediment.has_marks(p_dataset);
  v_committed timestamptz;
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  f public.battle_files;
  v_files jsonb[] := '{}';
  v_bytes bigint := 0;
  v_more boolean := false;
begin
  if v_cursor is not null and (v_cursor - array['v', 't', 'p', 's', 'd'] <> '{}'
    or v_cursor ->> 'd' is distinct from p_dataset::text
    or coalesce(v_cursor ->> 'v', '') !~ '^\d{1,18}$' or coalesce(v_cursor ->> 's', '') !~ '^\d{1,18}$'
    or v_cursor ->> 't' is null or v_cursor ->> 'p' is null)
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  d := sediment.own_dataset(p_user, p_dataset);
  v_version := sediment.readable_version(d, coalesce((v_cursor ->> 'v')::bigint, p_version));
  select v.committed_at into v_committed from public.dataset_versions v
  where v.dataset_id = d.id and v.version = v_version;

  -- What is visible now comes in index order; what was removed since is as much as compaction did meanwhile. One by
  -- one: as text the bounds of a file's columns may be a hundred times what they are as stored, and only those of the
  -- page are to be unpacked.
  for f in
    (select x.* from public.battle_files x
      where x.dataset_id = d.id and x.removed_version is null and x.added_version <= v_version
        and not (v_marks and sediment.is_marked(x, v_version))
        and (p_table is null or x."table" = p_table) and (p_period_tag is null or x.period_tag = p_period_tag)
        and (p_from is null or x.period_tag >= p_from) and (p_to is null or x.period_tag <= p_to)
        and (v_cursor is null or (x."table", x.period_tag, x.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by x."table", x.period_tag, x.seq_min limit v_limit + 1)
    union all
    (select x.* from public.battle_files x
      where x.dataset_id = d.id and x.removed_version > v_version and x.added_version <= v_version
        and (p_table is null or x."table" = p_table) and (p_period_tag is null or x.period_tag = p_period_tag)
        and (p_from is null or x.period_tag >= p_from) and (p_to is null or x.period_tag <= p_to)
        and (v_cursor is null or (x."table", x.period_tag, x.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by x."table", x.period_tag, x.seq_min limit v_limit + 1)
    order by "table", period_tag, seq_min limit v_limit + 1
  loop
    v_bytes := v_bytes + 1000
      + case when pg_column_size(f.stats) > 300 then octet_length(f.stats::text) else 300 end;
    v_more := cardinality(v_files) = v_limit or (v_bytes > 2097152 and cardinality(v_files) > 0);
    exit when v_more;
    v_files := v_files || jsonb_build_object(
      'id', f.id, 'object_key', f.object_key, 'start_byte', f.start_byte, 'byte_length', f.byte_length,
      'table', f."table", 'period_tag', f.period_tag, 'size', f.byte_length, 'level', f.level, 'state', f.state,
      'lost', f.lost_since is not null,
      'quarantine_code', f.quarantine_code, 'quarantine_reason', f.quarantine_reason,
      'row_count', f.row_count, 'row_group_count', f.row_group_count,
      'uncompressed_bytes', f.uncompressed_bytes, 'schema_fingerprint', f.schema_fingerprint,
      'stats', f.stats, 'etag', f.etag, 'seq_min', f.seq_min, 'seq_max', f.seq_max,
      'uploaded_at', f.uploaded_at, 'added_version', f.added_version);
  end loop;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    'signed_url_seconds', (select s.signed_url_seconds from public.service_settings s), 'files', to_jsonb(v_files), 'next_cursor', case when v_more then sediment.encode_cursor(jsonb_build_object(
      'd', d.id, 'v', v_version, 't', v_files[cardinality(v_files)] -> 'table',
      'p', v_files[cardinality(v_files)] -> 'period_tag', 's', v_files[cardinality(v_files)] -> 'seq_min')) end);
end $function$;

CREATE OR REPLACE FUNCTION public.list_fragments(p_run uuid, p_token bigint, p_cursor text, p_limit integer DEFAULT 2000)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
begin
  if coalesce(p_cursor, '0') !~ '^\d{1,18}$' then
    perform sediment.fail('invalid_cursor', 400, 'the cursor is not one that claim_compaction gave');
  end if;
  p := sediment.lock_lease(p_run, p_token);
  return sediment.list_inputs(p.dataset_id, p."table", p.period_tag, coalesce(p_cursor::bigint, -1),
    least(greatest(p_limit, 1), 2000), null, sediment.partition_settings(p));
end $function$;

CREATE OR REPLACE FUNCTION public.list_objects(p_state text DEFAULT NULL::text, p_limit integer DEFAULT 1000, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_after text := coalesce(sediment.decode_cursor(p_cursor) ->> 'after', '');
  v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
  v_objects jsonb;
  v_seen bigint;
  v_last text;
begin
  with seen as (
    select x.object_key, x.kind, x.state, x.size, x.etag from public.objects x
    where x.object_key > v_after order by x.object_key limit v_limit * case when p_state is null then 1 else 20 end
  ), page as (
    select * from seen s where p_state is null or s.state = p_state order by s.object_key limit v_limit
  )
  select coalesce(jsonb_agg(jsonb_build_object('object_key', o.object_key, 'kind', o.kind, 'state', o.state,
      'size', o.size, 'etag', o.etag) order by o.object_key), '[]'),
    (select count(*) from seen), (select max(s.object_key) from seen s)
  into strict v_objects, v_seen, v_last
  from page o;
  return jsonb_build_object('objects', v_objects, 'next_cursor', case
    when jsonb_array_length(v_objects) = v_limit
      then sediment.encode_cursor(jsonb_build_object('after', v_objects -> -1 ->> 'object_key'))
    when v_seen = v_limit * 20 then sediment.encode_cursor(jsonb_build_object('after', v_last)) end);
end $function$;

CREATE OR REPLACE FUNCTION public.list_tables(p_user uuid, p_dataset uuid, p_version bigint DEFAULT NULL::bigint, p_limit integer DEFAULT 5000, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  v_cursor jsonb := sediment.decode_cursor(p_cursor);
  v_version bigint;
  v_marks constant boolean := sediment.has_marks(p_dataset);
  v_committed timestamptz;
  v_limit integer := least(greatest(coalesce(p_limit, 5000), 1), 10000);
  v_partitions jsonb;
  v_schemas jsonb;
  v_next jsonb;
begin
  if v_cursor is not null and (v_cursor - array['v', 't', 'p', 's', 'd'] <> '{}'
    or v_cursor ->> 'd' is distinct from p_dataset::text
    or coalesce(v_cursor ->> 'v', '') !~ '^\d{1,18}$' or coalesce(v_cursor ->> 's', '') !~ '^\d{1,18}$'
    or v_cursor ->> 't' is null or v_cursor ->> 'p' is null)
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  d := sediment.own_dataset(p_user, p_dataset);
  v_version := sediment.readable_version(d, coalesce((v_cursor ->> 'v')::bigint, p_version));
  select v.committed_at into v_committed from public.dataset_versions v
  where v.dataset_id = d.id and v.version = v_version;

  -- What is visible now comes in index order; what was removed since is as much as compaction did meanwhile.
  with page as (
    (select f."table", f.period_tag, f.seq_min, f.state, f.row_count, f.byte_length, f.uncompressed_bytes,
        f.uploaded_at, f.schema_fingerprint,
        coalesce(f.schema_digest, f.schema_fingerprint) as digest
      from public.battle_files f
      where f.dataset_id = d.id and f.removed_version is null and f.added_version <= v_version
        and not (v_marks and sediment.is_marked(f, v_version))
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
    union all
    (select f."table", f.period_tag, f.seq_min, f.state, f.row_count, f.byte_length, f.uncompressed_bytes,
        f.uploaded_at, f.schema_fingerprint,
        coalesce(f.schema_digest, f.schema_fingerprint) as digest
      from public.battle_files f
      where f.dataset_id = d.id and f.removed_version > v_version and f.added_version <= v_version
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
  ), numbered as (
    select p.*, row_number() over (order by p."table", p.period_tag, p.seq_min) as place from page p
  ), known as (
    select x.schema_fingerprint as fingerprint, s.schema, x.place,
      sum(octet_length(s.schema::text)) over (order by x.place) as bytes
    from (
      -- of several schemas of one fingerprint that of the first file whose is known stands for all
      select distinct on (n.schema_fingerprint) n.schema_fingerprint, n.digest, n.place
      from numbered n
      where n.place <= v_limit and exists (select 1 from public.file_schemas k where k.digest = n.digest)
      order by n.schema_fingerprint, n.place
    ) x
    join public.file_schemas s on s.digest = x.digest
  ), cut as (
    select least(v_limit + 1, min(k.place)) as place from known k where k.bytes > 1048576 and k.place > 1
  ), kept as (
    select n.* from numbered n cross join cut c where n.place < c.place
  ), by_schema as (
    select k."table", k.period_tag, k.schema_fingerprint, min(k.place) as place, count(*) as files,
      sum(k.row_count) as rows, sum(k.byte_length) as bytes, sum(k.uncompressed_bytes) as uncompressed,
      count(*) filter (where k.state = 'quarantined') as quarantined, max(k.uploaded_at) as last
    from kept k group by k."table", k.period_tag, k.schema_fingerprint
  ), by_period as (
    select jsonb_build_object('table', b."table", 'period_tag', b.period_tag, 'files', sum(b.files),
        'rows', sum(b.rows), 'bytes', sum(b.bytes), 'uncompressed_bytes', sum(b.uncompressed),
        'quarantined_files', sum(b.quarantined), 'last_uploaded_at', max(b.last),
        'schemas', jsonb_agg(jsonb_build_object('fingerprint', b.schema_fingerprint, 'files', b.files, 'rows', b.rows)
          order by b.place)) as one,
      min(b.place) as place
    from by_schema b group by b."table", b.period_tag
  )
  select
    (select coalesce(jsonb_agg(p.one order by p.place), '[]') from by_period p),
    (select coalesce(jsonb_object_agg(k.fingerprint, k.schema), '{}') from known k, cut c where k.place < c.place),
    (select jsonb_build_object('d', d.id, 'v', v_version, 't', k."table", 'p', k.period_tag, 's', k.seq_min)
      from kept k where exists (select 1 from numbered n cross join cut c where n.place >= c.place)
      order by k.place desc limit 1)
  into strict v_partitions, v_schemas, v_next;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    'partitions', v_partitions, 'schemas', v_schemas,
    'next_cursor', case when v_next is not null then sediment.encode_cursor(v_next) end);
end $function$;

revoke all on function "public"."list_tables"(uuid, uuid, bigint, integer, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.list_unsettled_outputs(p_after bigint DEFAULT 0, p_limit integer DEFAULT 100, p_inputs bigint[] DEFAULT NULL::bigint[])
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 100), 1), 1000);
begin
  if p_inputs is not null then
    return jsonb_build_object('more', false, 'files', coalesce((
      select jsonb_agg(jsonb_build_object('id', i.id, 'output', o.id, 'object_key', i.object_key,
        'start_byte', i.start_byte, 'byte_length', i.byte_length, 'level', i.level, 'seq_min', i.seq_min)
        order by o.id, i.seq_min)
      from public.battle_files o
      join public.battle_files i on i.dataset_id = o.dataset_id and i.removed_version = o.added_version
        and i."table" = o."table" and i.period_tag = o.period_tag
        and i.seq_min >= o.seq_min and i.seq_max <= o.seq_max
      where o.id = any (p_inputs[1:v_limit]) and o.level > 0), '[]'));
  end if;
  return (
    with page as (
      select f.* from public.battle_files f
      where f.id > p_after and f.removed_version is null and f.schema_digest is null
        and f.rewrite is null and f.state = 'active'
        and (f.level > 0
          or not exists (select 1 from public.file_schemas s where s.digest = f.schema_fingerprint))
      order by f.id limit v_limit + 1
    ), kept as (
      select * from page order by id limit v_limit
    )
    select jsonb_build_object('more', (select count(*) > v_limit from page), 'files', coalesce(jsonb_agg(
      jsonb_build_object('id', k.id, 'output', null, 'object_key', k.object_key, 'start_byte', k.start_byte,
        'byte_length', k.byte_length, 'level', k.level, 'seq_min', k.seq_min) order by k.id), '[]'))
    from kept k);
end $function$;

revoke all on function "public"."list_unsettled_outputs"(bigint, integer, bigint[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.mark_for_rewrite(p_files jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_key record;
  v_marked integer;
begin
  if jsonb_typeof(p_files) is distinct from 'array' or jsonb_array_length(p_files) > 1000
    or exists (select 1 from jsonb_to_recordset(p_files) as m(id bigint, reason text)
      where m.id is null or coalesce(length(m.reason), 0) not between 1 and 200)
  then
    perform sediment.fail('invalid_request', 400, 'p_files is not an array of at most 1000 files with id and reason');
  end if;

  perform 1 from public.partitions p
  where (p.dataset_id, p."table", p.period_tag) in (
    select f.dataset_id, f."table", f.period_tag from public.battle_files f
    where f.id = any (array(select m.id from jsonb_to_recordset(p_files) as m(id bigint))))
  order by p.dataset_id, p."table", p.period_tag
  for no key update;
  update public.battle_files f
  set rewrite = jsonb_build_object('reason', m.reason, 'schema', m.schema)
  from jsonb_to_recordset(p_files) as m(id bigint, reason text, schema jsonb)
  where f.id = m.id and f.removed_version is null and f.state = 'active';
  get diagnostics v_marked = row_count;

  for v_key in
    select distinct f.dataset_id, f."table", f.period_tag from public.battle_files f
    where f.id = any (array(select m.id from jsonb_to_recordset(p_files) as m(id bigint)))
      and f.rewrite is not null and f.removed_version is null
    order by 1, 2, 3
  loop
    update public.partitions p set demand_seq = p.demand_seq + 1
    where p.dataset_id = v_key.dataset_id and p."table" = v_key."table" and p.period_tag = v_key.period_tag;
    perform sediment.wake_partition(v_key.dataset_id, v_key."table", v_key.period_tag, 'scheduled', 'sweep', 0);
  end loop;
  return jsonb_build_object('marked', v_marked);
end $function$;

revoke all on function "public"."mark_for_rewrite"(jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.ping_deployment()
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return to_jsonb(sediment.ping_functions('/compaction/deployment'));
end $function$;

revoke all on function "public"."ping_deployment"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.prune_history(p_limit integer DEFAULT 10000, p_seconds integer DEFAULT 0)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '60s'
AS $function$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 10000), 1), 50000);
  v_until constant timestamptz := clock_timestamp() + make_interval(secs => least(coalesce(p_seconds, 0), 50));
  v_sum jsonb := sediment.prune_pass(v_limit);
  v_pass jsonb;
begin
  while (v_sum ->> 'more')::boolean and clock_timestamp() < v_until loop
    v_pass := sediment.prune_pass(v_limit);
    select jsonb_object_agg(p.key, case when p.key = 'more' then p.value
      else to_jsonb(p.value::text::bigint + (v_sum ->> p.key)::bigint) end)
    into strict v_sum from jsonb_each(v_pass) p;
  end loop;
  return v_sum;
end $function$;

revoke all on function "public"."prune_history"(integer, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.quarantine_file(p_run uuid, p_token bigint, p_file bigint, p_code text, p_reason text, p_object_key text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  f public.battle_files;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_many constant integer := 10;
  v_changed boolean := false;
begin
  p := sediment.lock_lease(p_run, p_token);
  select * into f from public.battle_files x
  where x.id = p_file and x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
    and x.removed_version is null;
  if not found then
    perform sediment.fail('inputs_changed', 409, format('file %s is not visible in the partition', p_file));
  end if;
  if f.object_key <> p_object_key then
    perform sediment.fail('inputs_changed', 409, format('file %s is in another object than %s', p_file, p_object_key));
  end if;

  select * into strict s from public.service_settings;
  if f.state = 'active' and p_code in ('object_missing', 'object_changed')
    and (f.lost_since is null or f.lost_since not between v_now - interval '1 day'
      and v_now - make_interval(secs => s.second_look_seconds))
  then
    if f.lost_since is null or f.lost_since < v_now - interval '1 day' then
      if (select count(*) from (select 1 from public.battle_files x where x.removed_version is null
          and x.lost_since > v_now - make_interval(secs => s.breaker_window_seconds) limit v_many) y) = v_many
      then
        perform sediment.fail('store_failed', 503, format('%s, after %s others: %s', p_code, v_many, left(p_reason, 500)));
      end if;
      update public.battle_files x set lost_since = v_now where x.id = f.id returning * into strict f;
      v_changed := true;
    end if;
  elsif f.state = 'active' then
    update public.battle_files x
    set state = 'quarantined', quarantine_code = left(p_code, 100), quarantine_reason = left(p_reason, 2000),
      quarantined_at = v_now
    where x.id = f.id
    returning * into strict f;
    v_changed := true;
  end if;
  -- A file set aside is progress, as a committed output is, and happens once a file: a turn that met nothing but
  -- bad ones is no failed attempt (found by the simulation: three such turns buried the sound rest).
  update public.processing_metrics r
  set files_quarantined = r.files_quarantined + (v_changed and f.state = 'quarantined')::integer,
    attempts = case when v_changed then 0 else r.attempts end
  where r.id = p_run;
  return jsonb_build_object('file_id', p_file, 'state', f.state, 'changed', v_changed, 'look_again_at',
    case when f.state = 'active' then f.lost_since + make_interval(secs => s.second_look_seconds) end);
end $function$;

revoke all on function "public"."quarantine_file"(uuid, bigint, bigint, text, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.redrive_dead_letters(p_user uuid, p_ids bigint[] DEFAULT NULL::bigint[], p_filter jsonb DEFAULT NULL::jsonb, p_limit integer DEFAULT 100)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  -- ids are meant as they stand: the limit is for filters
  v_limit integer := least(greatest(coalesce(p_limit, 100), cardinality(p_ids), 1), 1000);
  v_filter jsonb := coalesce(p_filter, '{}');
  v_ids bigint[];
  v_key record;
  v_run uuid;
  v_redriven jsonb := '[]';
  v_done jsonb;
  v_skipped jsonb;
begin
  if cardinality(p_ids) > 1000 or jsonb_typeof(v_filter) <> 'object'
    or v_filter - array['dataset_id', 'table', 'error_code', 'before'] <> '{}'
  then
    perform sediment.fail('invalid_request', 400, 'over 1000 ids, or a filter with other fields',
      'dataset_id, table, error_code, before');
  end if;

  select coalesce(array_agg(x.id), '{}') into strict v_ids
  from (
    select l.id from public.dead_letters l
    where l.resolved_at is null and l.dataset_id is not null and l."table" is not null
      and (p_user is null or l.user_id = p_user)
      and (p_ids is null or l.id = any (p_ids))
      and (v_filter ->> 'dataset_id' is null or l.dataset_id = (v_filter ->> 'dataset_id')::uuid)
      and (v_filter ->> 'table' is null or l."table" = v_filter ->> 'table')
      and (v_filter ->> 'error_code' is null or l.error_code = v_filter ->> 'error_code')
      and (v_filter ->> 'before' is null or l.last_failed_at < (v_filter ->> 'before')::timestamptz)
    order by l.id limit v_limit
  ) x;

  -- all partitions first, sorted; the queue after them
  perform 1 from public.partitions p
  where (p.dataset_id, p."table", p.period_tag) in (
    select l.dataset_id, l."table", l.period_tag from public.dead_letters l where l.id = any (v_ids))
  order by p.dataset_id, p."table", p.period_tag
  for no key update;

  for v_key in
    select distinct l.dataset_id, l."table", l.period_tag from public.dead_letters l
    where l.id = any (v_ids) and l.resolved_at is null order by 1, 2, 3
  loop
    update public.partitions p
    set demand_seq = p.demand_seq + 1, forced_seq = p.demand_seq + 1
    where p.dataset_id = v_key.dataset_id and p."table" = v_key."table" and p.period_tag = v_key.period_tag;
    v_run := sediment.wake_partition(v_key.dataset_id, v_key."table", v_key.period_tag, 'manual', 'redrive', 0);
    with done as (
      update public.dead_letters l
      set resolved_at = clock_timestamp(), resolution = 'redriven', redriven_run_id = v_run
      where l.id = any (v_ids) and l.resolved_at is null and l.dataset_id = v_key.dataset_id
        and l."table" = v_key."table" and l.period_tag = v_key.period_tag
      returning l.id
    )
    select coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'run_id', v_run, 'dataset_id', v_key.dataset_id,
      'table', v_key."table", 'period_tag', v_key.period_tag) order by d.id), '[]') into strict v_done from done d;
    v_redriven := v_redriven || v_done;
  end loop;

  select coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'reason', case
      when l.id is null or (p_user is not null and l.user_id is distinct from p_user) then 'not_found'
      when l.resolved_at is not null then 'resolved' else 'no_partition' end) order by i.id), '[]')
  into strict v_skipped
  from unnest(p_ids) as i(id)
  left join public.dead_letters l on l.id = i.id
  where not exists (select 1 from jsonb_array_elements(v_redriven) r where (r ->> 'id')::bigint = i.id);
  perform sediment.spend_request(p_user);
  return jsonb_build_object('redriven', v_redriven, 'skipped', v_skipped, 'more', cardinality(v_ids) = v_limit);
end $function$;

CREATE OR REPLACE FUNCTION public.request_compaction(p_user uuid, p_dataset uuid, p_table text DEFAULT NULL::text, p_period_tag text DEFAULT NULL::text, p_priority text DEFAULT 'manual'::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  d public.datasets;
  r public.processing_metrics;
  v_run uuid;
  v_delay integer := 0;
  v_requested jsonb;
begin
  if sediment.priority_rank(p_priority) is null then
    perform sediment.fail('invalid_request', 400, format('the priority is %s', quote_nullable(left(p_priority, 40))),
      'manual, realtime or scheduled');
  end if;
  if p_table is null and p_period_tag is not null then
    perform sediment.fail('invalid_request', 400, 'a period_tag needs its table');
  end if;
  d := sediment.own_dataset(p_user, p_dataset);

  if p_period_tag is not null then
    perform 1 from public.partitions x
    where x.dataset_id = d.id and x."table" = p_table and x.period_tag = p_period_tag for no key update;
    if not found then
      perform sediment.fail('not_found', 404,
        format('dataset %s has no partition %s/%s', d.id, p_table, p_period_tag));
    end if;
    if p_priority = 'realtime' then
      select s.realtime_delay_seconds into strict v_delay from public.service_settings s;
    end if;
    update public.partitions x
    set demand_seq = x.demand_seq + 1,
      forced_seq = case when p_priority = 'manual' then x.demand_seq + 1 else x.forced_seq end
    where x.dataset_id = d.id and x."table" = p_table and x.period_tag = p_period_tag;
    v_run := sediment.wake_partition(d.id, p_table, p_period_tag, p_priority, 'request', v_delay);
    perform sediment.spend_request(p_user);
    return jsonb_build_object('instanceId', v_run, 'dataset_id', d.id, 'partitions', 1, 'cursor', null,
      'requested', jsonb_build_array(
        jsonb_build_object('table', p_table, 'period_tag', p_period_tag, 'metricId', v_run)));
  end if;

  insert into public.processing_metrics
    (user_id, dataset_id, operation, trigger, priority, fan_out_forced, fan_out_cursor)
  values (d.user_id, d.id, 'fan_out', 'request', p_priority, p_priority = 'manual',
    jsonb_build_object('after_table', '', 'after_period_tag', '', 'table', p_table))
  returning id into strict v_run;
  v_requested := sediment.fan_out(v_run, 100);
  select * into strict r from public.processing_metrics x where x.id = v_run;
  if r.fan_out_cursor is not null then
    perform sediment.queue_send(p_priority, v_run, d.id, null, null, 0);
  elsif v_requested = '[]' then
    update public.processing_metrics x
    set status = 'success', completed_at = clock_timestamp(), decision = 'nothing is in debt'
    where x.id = v_run;
  end if;
  perform sediment.spend_request(p_user);
  return jsonb_build_object('instanceId', v_run, 'dataset_id', d.id,
    'partitions', jsonb_array_length(v_requested), 'requested', v_requested,
    'cursor', r.fan_out_cursor ->> 'after_table');
end $function$;

CREATE OR REPLACE FUNCTION public.retry_quarantined(p_user uuid, p_dataset uuid, p_files bigint[] DEFAULT NULL::bigint[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  d public.datasets;
  v_ids bigint[];
  v_files jsonb;
  v_requested jsonb;
begin
  d := sediment.own_dataset(p_user, p_dataset);
  select coalesce(array_agg(x.id), '{}') into strict v_ids from (
    select f.id from public.battle_files f
    where f.dataset_id = d.id and f.state = 'quarantined' and f.removed_version is null
      and (p_files is null or f.id = any (p_files)) order by f.id limit 1000
  ) x;
  perform 1 from public.partitions p
  where p.dataset_id = d.id and (p."table", p.period_tag) in (
    select f."table", f.period_tag from public.battle_files f where f.id = any (v_ids))
  order by p."table", p.period_tag
  for no key update;

  with revived as (
    update public.battle_files f
    set state = 'active', quarantine_code = null, quarantine_reason = null, quarantined_at = null,
      lost_since = null
    where f.id = any (v_ids) and f.state = 'quarantined' and f.removed_version is null
    returning f.id, f."table", f.period_tag, f.byte_length
  ), debts as (
    update public.partitions p
    set debt_files = p.debt_files + r.files, debt_bytes = p.debt_bytes + r.bytes,
      debt_oldest = coalesce(p.debt_oldest, clock_timestamp()), demand_seq = p.demand_seq + 1,
      forced_seq = p.demand_seq + 1
    from (select v."table", v.period_tag, count(*) as files, sum(v.byte_length)::bigint as bytes
      from revived v group by 1, 2) r
    where p.dataset_id = d.id and p."table" = r."table" and p.period_tag = r.period_tag
    returning p."table", p.period_tag
  )
  select (select coalesce(jsonb_agg(r.id order by r.id), '[]') from revived r),
    (select coalesce(jsonb_agg(jsonb_build_object('table', b."table", 'period_tag', b.period_tag)
      order by b."table", b.period_tag), '[]') from debts b)
  into strict v_files, v_requested;

  select coalesce(jsonb_agg(q || jsonb_build_object('metricId', sediment.wake_partition(d.id, q ->> 'table',
    q ->> 'period_tag', 'manual', 'request', 0))), '[]')
  into strict v_requested from jsonb_array_elements(v_requested) q;
  perform sediment.spend_request(p_user);
  return jsonb_build_object('dataset_id', d.id, 'files', v_files, 'requested', v_requested);
end $function$;

CREATE OR REPLACE FUNCTION public.schema_version()
 RETURNS jsonb
 LANGUAGE sql
 STABLE PARALLEL SAFE
 SET search_path TO ''
AS $function$
  select to_jsonb(2)
$function$;

revoke all on function "public"."schema_version"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.settle_outputs(p_files jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_count integer;
begin
  if jsonb_typeof(p_files) is distinct from 'array' or jsonb_array_length(p_files) > 1000 then
    perform sediment.fail('invalid_request', 400, 'p_files is not an array of at most 1000 files');
  end if;
  perform sediment.keep_schemas(array(select m.schema from jsonb_to_recordset(p_files) as m(schema jsonb)));
  update public.battle_files f set schema_digest = sediment.schema_digest(m.schema)
  from jsonb_to_recordset(p_files) as m(id bigint, schema jsonb)
  where f.id = m.id and f.schema_digest is null and m.schema is not null;
  get diagnostics v_count = row_count;
  return jsonb_build_object('settled', v_count);
end $function$;

revoke all on function "public"."settle_outputs"(jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.stage_asset(p_user uuid, p_key text, p_relative_path text, p_file_name text, p_size bigint, p_content_hash text, p_ttl_seconds integer DEFAULT 120, p_max_put_seconds integer DEFAULT 7200)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_current public.assets;
  v_stage uuid := gen_random_uuid();
  v_now timestamptz := clock_timestamp();
  v_expires timestamptz := v_now + make_interval(secs => p_ttl_seconds);
  v_key text;
begin
  if p_user is null or p_size is null or p_size < 0 or p_content_hash is null
    or p_content_hash !~ '^[0-9a-f]{64}$' or p_ttl_seconds <= 0 or p_max_put_seconds < 0
  then
    perform sediment.fail('invalid_request', 400, 'user, size or content hash is missing or not well formed');
  end if;
  perform sediment.refuse_deleted_user(p_user);
  perform sediment.check_asset(p_user, p_key, p_relative_path, p_file_name, p_size);

  select * into v_current from public.assets a where a.user_id = p_user and a.key = p_key;
  if v_current.content_hash = p_content_hash then
    perform sediment.fail('already_stored', 409, format('%s holds these bytes since %s', p_key, v_current.updated_at));
  end if;
  perform sediment.spend_upload(p_user, p_size);

  v_key := format('assets/%s/%s.%s', p_user, v_stage, lower(substring(p_file_name from '\.([A-Za-z0-9]+)$')));
  insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, stage_id, content_hash,
    asset_key, details)
  values (v_key, 'asset', p_size, v_expires, v_expires + make_interval(secs => p_max_put_seconds), p_user, v_stage,
    p_content_hash, p_key, jsonb_build_object('relative_path', p_relative_path, 'file_name', p_file_name));
  return jsonb_build_object('stage_id', v_stage, 'object_key', v_key, 'expires_at', v_expires,
    'replaces', v_current.key is not null);
end $function$;

CREATE OR REPLACE FUNCTION public.stage_output(p_run uuid, p_n integer, p_token bigint, p_expected_bytes bigint, p_inputs bigint[] DEFAULT NULL::bigint[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  v_done public.run_commits;
  v_key text;
  v_state text;
  v_settings public.service_settings;
  v_deadline timestamptz;
begin
  if p_n is null or p_n < 0 then
    perform sediment.fail('invalid_request', 400, format('p_n is %s', p_n));
  end if;
  if p_expected_bytes is null or p_expected_bytes < 0 then
    perform sediment.fail('invalid_request', 400, format('p_expected_bytes is %s', p_expected_bytes));
  end if;
  p := sediment.lock_run_partition(p_run);
  select * into v_done from public.run_commits c where c.run_id = p_run and c.ordinal = p_n;
  if found then
    return jsonb_build_object('object_key', v_done.object_key, 'expires_at', null, 'committed', true,
      'answer', v_done.answer || jsonb_build_object('replayed', true));
  end if;
  perform sediment.check_token(p, p_run, p_token);

  update public.partitions x set staged_inputs = p_inputs
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;

  -- No lease lives longer than max_run_seconds after its claim; a PUT may be under way when it ends.
  select * into strict v_settings from public.service_settings;
  v_deadline := p.claimed_at + make_interval(secs => v_settings.max_run_seconds + v_settings.max_put_seconds);
  v_key := format('battle_compacted/%s/%s/%s/%s-%s-%s.parquet', p.dataset_id, p."table", p.period_tag, p_run,
    p_token, p_n);
  insert into public.objects (object_key, kind, size, expires_at, put_deadline, dataset_id, "table", period_tag,
    run_id, run_ordinal, token)
  values (v_key, 'compacted', p_expected_bytes, v_deadline, v_deadline, p.dataset_id, p."table", p.period_tag,
    p_run, p_n, p_token)
  on conflict (object_key) do nothing;

  select o.state into strict v_state from public.objects o where o.object_key = v_key;
  if v_state <> 'staged' then
    perform sediment.fail('lease_lost', 409, format('%s was given up', v_key));
  end if;
  return jsonb_build_object('object_key', v_key, 'expires_at', v_deadline, 'committed', false, 'answer', null);
end $function$;

revoke all on function "public"."stage_output"(uuid, integer, bigint, bigint, bigint[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.stage_upload(p_user uuid, p_dataset uuid, p_table text, p_period_tag text, p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text DEFAULT 'fragment'::text, p_ttl_seconds integer DEFAULT 120, p_max_put_seconds integer DEFAULT 7200, p_details jsonb DEFAULT NULL::jsonb, p_idempotency_key text DEFAULT NULL::text, p_again boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return sediment.answer_of(sediment.stage_uploads(jsonb_build_array(jsonb_build_object(
    'p_user', p_user, 'p_dataset', p_dataset, 'p_table', p_table, 'p_period_tag', p_period_tag, 'p_size', p_size,
    'p_content_hash', p_content_hash, 'p_offsets_digest', p_offsets_digest, 'p_kind', p_kind,
    'p_ttl_seconds', p_ttl_seconds, 'p_max_put_seconds', p_max_put_seconds, 'p_details', p_details,
    'p_idempotency_key', p_idempotency_key, 'p_again', p_again))));
end $function$;

revoke all on function "public"."stage_upload"(uuid, uuid, text, text, bigint, text, text, text, integer, integer, jsonb, text, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.sweep(p_limit integer DEFAULT 500)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  p public.partitions;
  v_due record;
  v_ready timestamptz;
  -- read once: the planner makes no index condition of the volatile clock_timestamp()
  v_now timestamptz := clock_timestamp();
  v_sent integer := 0;
  v_resent integer := 0;
  v_left integer;
  v_stages integer;
  v_closed integer;
  v_queue text;
  v_fan_out public.processing_metrics;
  v_archive integer;
  -- each upload brings such a row, of which nothing more is to be done
  v_forgotten constant integer := p_limit * 10;
  v_settings public.service_settings;
begin
  select * into strict v_settings from public.service_settings;
  v_archive := v_settings.archive_seconds;
  for p in
    select * from public.partitions x where x.due_at <= v_now and x.msg_id is null
    order by x.due_at limit p_limit
    for no key update skip locked
  loop
    if p.dead_since is null then
      perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'scheduled', 'sweep', 0);
    else
      perform sediment.revive_run(p);
    end if;
    v_sent := v_sent + 1;
  end loop;

  -- Few at a time: a change of a setting is no reason for a night's work at once.
  v_left := 5;
  for p in
    select * from public.partitions x
    where x.msg_id is null and x.due_at is null and x.last_considered_at < v_settings.plan_changed_at
    order by x.last_considered_at limit 200
    for no key update skip locked
  loop
    exit when v_left = 0;
    if p.plan_digest is distinct from sediment.plan_digest(p.dataset_id, p."table", v_settings.planner_version) then
      perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'scheduled', 'sweep', 0);
      v_sent := v_sent + 1;
      v_left := v_left - 1;
    else
      update public.partitions x set last_considered_at = v_now
      where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    end if;
  end loop;

  -- A partition without lease whose message is gone (purge_queue, a restored backup) sends it again. Only those that have
  -- been due for longest are looked at: claims take the oldest too, so what has no message is soon among them.
  for v_due in
    select x.dataset_id, x."table", x.period_tag, x.queue, x.msg_id from public.partitions x
    where x.msg_id is not null and x.lease_expires_at is null and x.ready_at <= v_now
    order by x.ready_at limit p_limit
  loop
    continue when sediment.queue_has(v_due.queue, v_due.msg_id);
    -- look again under the lock: the first look was at an older snapshot
    select * into p from public.partitions x
    where x.dataset_id = v_due.dataset_id and x."table" = v_due."table" and x.period_tag = v_due.period_tag
    for no key update skip locked;
    continue when not found or p.msg_id is null or p.lease_expires_at is not null
      or sediment.queue_has(p.queue, p.msg_id);
    v_ready := clock_timestamp();
    update public.partitions x
    set ready_at = v_ready,
      msg_id = sediment.queue_send(p.queue, p.run_id, p.dataset_id, p."table", p.period_tag, 0)
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
    v_resent := v_resent + 1;
  end loop;

  -- The same of a request for a whole dataset that is not yet spread.
  for v_fan_out in
    select * from public.processing_metrics x
    where x.operation = 'fan_out' and x.completed_at is null and x.fan_out_cursor is not null
      and x.queued_at <= v_now - interval '1 minute'
      and not exists (select 1 from sediment.queue_messages m
        where m.message ->> 'metricId' = x.id::text and m.message -> 'table' is null)
    order by x.queued_at limit 10
    for no key update skip locked
  loop
    perform sediment.queue_send(v_fan_out.priority, v_fan_out.id, v_fan_out.dataset_id, null, null, 0);
    v_resent := v_resent + 1;
  end loop;

  -- what is due may be waiting for its time, and the breaker with it
  if sediment.wake_probe() is null
    and (select count(*) from public.partitions x where x.lease_expires_at > v_now) < v_settings.max_workers
  then
    foreach v_queue in array '{manual,realtime,scheduled}'::text[] loop
      exit when exists (
        select 1 from sediment.queue_ready(v_queue, 10) m
        where not exists (select 1 from public.partitions x where x.queue = v_queue and x.msg_id = m.msg_id))
        and sediment.ping_functions('/compactor') is not null;
    end loop;
  end if;

  with gone as (
    select o.object_key from public.objects o
    where o.state = 'staged' and o.put_deadline <= v_now
    order by o.put_deadline limit p_limit
    for update skip locked
  )
  update public.objects o
  set state = 'deleting', delete_after = clock_timestamp(), delete_reason = 'staged and never committed',
    expires_at = null, updated_at = clock_timestamp()
  from gone g where o.object_key = g.object_key and o.state = 'staged';
  get diagnostics v_stages = row_count;

  with done as (
    select r.id, exists (select 1 from public.run_children k join public.processing_metrics c on c.id = k.child_id
      where k.parent_id = r.id and c.status <> 'success') as failed
    from public.processing_metrics r
    where r.operation = 'fan_out' and r.completed_at is null and r.fan_out_cursor is null
      and not exists (select 1 from public.run_children k join public.processing_metrics c on c.id = k.child_id
        where k.parent_id = r.id and c.completed_at is null)
    order by r.queued_at limit p_limit
    for no key update of r skip locked
  )
  update public.processing_metrics r
  set status = case when d.failed then 'failure' else 'success' end, completed_at = clock_timestamp()
  from done d where r.id = d.id;
  get diagnostics v_closed = row_count;

  delete from public.idempotency_keys k
  where k.ctid = any (array(select x.ctid from public.idempotency_keys x
    where x.created_at < v_now - interval '1 day' limit v_forgotten for update skip locked));

  foreach v_queue in array '{manual,realtime,scheduled,dlq}'::text[] loop
    execute format('delete from pgmq.%1$I a where a.msg_id = any (array(select x.msg_id from pgmq.%1$I x
      where x.archived_at < $1 order by x.archived_at limit $2))', 'a_compaction_' || v_queue)
    using v_now - make_interval(secs => v_archive), v_forgotten;
  end loop;

  return jsonb_build_object('sent', v_sent, 'resent', v_resent, 'stages_expired', v_stages,
    'fan_outs_closed', v_closed, 'more', greatest(v_sent, v_resent, v_stages, v_closed) = p_limit);
end $function$;

CREATE OR REPLACE FUNCTION public.tick()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_ready integer;
  v_now timestamptz := clock_timestamp();
  v_leases integer;
  v_wake integer;
  v_woken integer := 0;
  v_probe boolean;
begin
  select count(*) into strict v_ready from (
    select 1 from public.partitions p where p.msg_id is not null and p.ready_at <= v_now limit 64) x;
  if v_ready = 0 then
    return jsonb_build_object('ready', 0, 'leases', null, 'woken', 0);
  end if;
  v_probe := sediment.wake_probe();
  if v_probe is not null then
    return jsonb_build_object('ready', v_ready, 'leases', null, 'woken', v_probe::integer);
  end if;

  select count(*) into strict v_leases from public.partitions p where p.lease_expires_at > v_now;
  select least(v_ready, s.max_workers - v_leases) into strict v_wake from public.service_settings s;
  if v_wake > 0 and sediment.pings_queued('/compactor') > 0 then
    v_wake := 0;
  end if;
  for i in 1 .. v_wake loop
    exit when sediment.ping_functions('/compactor') is null;
    v_woken := v_woken + 1;
  end loop;
  return jsonb_build_object('ready', v_ready, 'leases', v_leases, 'woken', v_woken);
end $function$;

CREATE OR REPLACE FUNCTION public.trigger_scheduled(p_max_datasets integer DEFAULT NULL::integer, p_concurrency integer DEFAULT NULL::integer, p_delay_ms integer DEFAULT NULL::integer, p_max_partitions integer DEFAULT 2000)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '60s'
AS $function$
declare
  s public.service_settings;
  v_datasets uuid[];
  v_key record;
  v_count integer := 0;
  v_dead integer := 0;
  v_revived uuid[] := '{}';
  v_partition public.partitions;
begin
  select * into strict s from public.service_settings;
  p_max_datasets := coalesce(p_max_datasets, s.max_datasets_per_run);
  p_concurrency := greatest(coalesce(p_concurrency, s.schedule_concurrency), 1);
  p_delay_ms := greatest(coalesce(p_delay_ms, s.schedule_delay_ms), 0);

  -- Among as many debts as a call can ask for: older ones go first, and all others can wait for the next night.
  select coalesce(array_agg(x.dataset_id order by x.oldest), '{}') into strict v_datasets
  from (
    select o.dataset_id, min(o.debt_oldest) as oldest
    from (
      select p.dataset_id, p.debt_oldest from public.partitions p
      where p.debt_oldest is not null and p.dead_since is null
      order by p.debt_oldest limit p_max_partitions
    ) o
    group by o.dataset_id order by 2 limit greatest(p_max_datasets, 0)
  ) x;

  for v_partition in
    select * from public.partitions x
    where x.dead_since is not null and x.debt_oldest is not null and x.msg_id is null
    order by x.debt_oldest limit least((p_max_partitions + 3) / 4, (p_max_datasets + 3) / 4)
    for no key update skip locked
  loop
    v_revived := v_revived || sediment.revive_run(v_partition);
    v_dead := v_dead + 1;
  end loop;

  for v_key in
    select p.dataset_id, p."table", p.period_tag, p.lease_expires_at from public.partitions p
    where p.dataset_id = any (v_datasets) and p.debt_oldest is not null and p.dead_since is null
      and (p.run_id is null or p.run_id <> all (v_revived))
    order by p.dataset_id, p."table", p.period_tag limit p_max_partitions - v_dead
    for no key update skip locked
  loop
    if v_key.lease_expires_at is null then
      perform sediment.wake_partition(v_key.dataset_id, v_key."table", v_key.period_tag, 'scheduled', 'schedule',
        ((array_position(v_datasets, v_key.dataset_id) - 1) / p_concurrency) * p_delay_ms / 1000);
    end if;
    v_count := v_count + 1;
  end loop;
  return jsonb_build_object('datasets', to_jsonb(v_datasets), 'partitions', v_count + v_dead,
    'more', v_count + v_dead = p_max_partitions);
end $function$;

CREATE OR REPLACE FUNCTION public.wake_vacuum()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return jsonb_build_object('woken', sediment.pings_queued('/compactor/vacuum') = 0
    and sediment.ping_functions('/compactor/vacuum') is not null);
end $function$;

revoke all on function "public"."wake_vacuum"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.add_work(p public.partitions)
 RETURNS double precision
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_sum double precision;
begin
  update public.processing_metrics r
  set worked_seconds = r.worked_seconds + case when p.isolation is not null then 0 else 1 end * coalesce(greatest(0, extract(epoch from
    least(clock_timestamp(), p.lease_expires_at) - p.claimed_at)), 0)
  where r.id = p.run_id
  returning r.worked_seconds into strict v_sum;
  return v_sum;
end $function$;

CREATE OR REPLACE FUNCTION sediment.admit_commit(p sediment.commit_call, p_partitions integer, p_tables text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_detail text;
  v_hint text;
begin
  if not exists (select 1 from public.datasets d where d.id = p.dataset_id) then
    perform sediment.check_dataset_quota(p.user_id, true);
    insert into public.datasets (id, user_id) values (p.dataset_id, p.user_id) on conflict (id) do nothing;
  end if;
  -- a racer may have been first: look again
  if exists (select 1 from public.datasets d where d.id = p.dataset_id and d.user_id <> p.user_id) then
    perform sediment.fail('dataset_forbidden', 403, format('dataset %s belongs to another user', p.dataset_id));
  end if;
  if p_partitions > 0 then
    perform sediment.check_partition_quota(p.user_id, p.dataset_id, p_partitions, p_tables);
  end if;
  return null;
exception when others then
  -- a lock not had is the group's error
  if sqlstate not like 'SD%' then
    raise;
  end if;
  delete from public.uploads u where u.id = p.stage;
  get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
  return sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
end $function$;

revoke all on function "sediment"."admit_commit"(sediment.commit_call, integer, text[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.admit_upload(p sediment.stage_call)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if not exists (select 1 from public.datasets d where d.id = p.dataset_id) then
    perform sediment.check_dataset_quota(p.user_id, false);
  end if;
  -- what was deleted and comes again is a new upload: its old answer leaves the ledger
  perform sediment.forget_upload(u)
  from public.datasets d join public.uploads u on u.dataset_id = d.id and u."table" = p."table"
    and u.period_tag = p.period_tag and u.content_hash = p.content_hash
  where d.id = p.dataset_id and d.deletion_version > (u.answer ->> 'version')::bigint
    and sediment.upload_deleted_at(u) is not null;
  perform sediment.keep_idempotency_key(p.user_id, p.idempotency_key,
    concat_ws('/', p.dataset_id, p."table", p.period_tag, p.content_hash, p.offsets_digest));
end $function$;

CREATE OR REPLACE FUNCTION sediment.advance_versions(d public.datasets)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_retention integer;
  v_oldest bigint;
  v_vacuumable bigint := d.vacuumable_version;
begin
  select * into strict s from public.service_settings;
  if d.oldest_kept_at + make_interval(secs => s.signed_url_seconds) <= v_now and s.signed_url_until <= v_now then
    v_vacuumable := d.oldest_kept_version;
  end if;

  select greatest(
    coalesce(max(t.retention_seconds) filter (where t."table" = '*'), s.retention_seconds),
    max(t.retention_seconds) filter (where t."table" <> '*'))
  into strict v_retention from public.table_settings t where t.dataset_id = d.id;
  select v.version into v_oldest from public.dataset_versions v
  where v.dataset_id = d.id and v.committed_at <= v_now - make_interval(secs => v_retention)
  order by v.committed_at desc limit 1;
  -- a second step only after the first one's URLs are dead: oldest_kept_at is the time of one step
  if v_oldest is null or v_oldest <= d.oldest_kept_version or v_vacuumable < d.oldest_kept_version then
    v_oldest := d.oldest_kept_version;
  end if;

  update public.datasets x
  set vacuumed_at = v_now, vacuumable_version = v_vacuumable, oldest_kept_version = v_oldest,
    oldest_kept_at = case when v_oldest > d.oldest_kept_version then v_now else x.oldest_kept_at end
  where x.id = d.id;
  delete from public.dataset_versions v
  where v.dataset_id = d.id and v.version = any (array(
    select x.version from public.dataset_versions x
    where x.dataset_id = d.id and x.version < v_oldest order by x.version limit 10000));
  if v_oldest = d.oldest_kept_version and v_vacuumable = d.vacuumable_version then
    return null;
  end if;
  return jsonb_build_object('dataset_id', d.id, 'oldest_kept_version', v_oldest,
    'vacuumable_version', v_vacuumable, 'retention_seconds', v_retention);
end $function$;

CREATE OR REPLACE FUNCTION sediment.beat_clockwork()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
begin
  update public.clockwork c
  set beat_at = v_now, gap_ended_at = case when c.beat_at < v_now - make_interval(secs =>
    (select s.clockwork_gap_seconds from public.service_settings s)) then v_now else c.gap_ended_at end
  where c.ctid = any (array(select x.ctid from public.clockwork x for no key update skip locked));
end $function$;

revoke all on function "sediment"."beat_clockwork"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.bury_run(p_dataset uuid, p_table text, p_period_tag text, p_code text, p_message text, p_step text)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  v_letter bigint;
  v_now timestamptz := clock_timestamp();
  v_next text;
  v_known boolean;
begin
  select * into strict p from public.partitions x
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;

  update public.dead_letters l
  set error_code = p_code, error_message = left(p_message, 2000), error_step = p_step, last_failed_at = v_now
  where l.run_id = p.run_id and l.resolved_at is null
  returning l.id into v_letter;
  v_known := found;
  if not v_known then
    insert into public.dead_letters (user_id, dataset_id, "table", period_tag, run_id, queue, error_code,
      error_message, error_step, attempts, message, first_failed_at, last_failed_at)
    select r.user_id, p_dataset, p_table, p_period_tag, r.id, p.queue, p_code, left(p_message, 2000), p_step,
      r.attempts, (select m.message from sediment.queue_messages m where m.queue = p.queue and m.msg_id = p.msg_id),
      coalesce(r.first_failed_at, v_now), v_now
    from public.processing_metrics r where r.id = p.run_id
    returning id into strict v_letter;
  end if;

  update public.processing_metrics r
  set status = case when p_code in ('run_timeout', 'lease_expired') then 'timeout' else 'dlq_failure' end,
    error_code = p_code, error_message = left(p_message, 2000), error_step = coalesce(p_step, r.step),
    first_failed_at = coalesce(r.first_failed_at, v_now), last_failed_at = v_now, completed_at = v_now
  where r.id = p.run_id;

  perform sediment.queue_archive(p.queue, p.msg_id);
  if not v_known then
    perform sent.id from pgmq.send('compaction_dlq'::text,
      jsonb_build_object('deadLetterId', v_letter, 'errorCode', p_code, 'datasetId', p_dataset)::jsonb, 0::integer)
      as sent(id);
  end if;

  update public.partitions x
  set queue = null, msg_id = null, run_id = null, ready_at = null, next_run_id = null,
    due_at = v_now + make_interval(secs => least(86400, (select s.idle_recheck_seconds
      * power(2, least(x.dead_looks, 20)) from public.service_settings s))),
    dead_looks = x.dead_looks + 1,
    token = x.token + 1, lease_expires_at = null, lease_worker = null, claimed_at = null,
    claimed_demand_seq = null, claimed_debt_files = null, claimed_debt_bytes = null,
    last_decision = 'gave up: ' || p_code, dead_since = v_now
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;

  -- Demand that came while the run was at work gets attempts of its own.
  if p.next_run_id is not null then
    select r.priority into strict v_next from public.processing_metrics r where r.id = p.next_run_id;
    perform sediment.adopt_run(p_dataset, p_table, p_period_tag, p.next_run_id, v_next);
  end if;
  return v_letter;
end $function$;

CREATE OR REPLACE FUNCTION sediment.check_asset(p_user uuid, p_key text, p_relative_path text, p_file_name text, p_size bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_limits record;
  v_path text;
  v_extension text;
begin
  foreach v_path in array array[p_key, p_relative_path, p_file_name] loop
    if sediment.is_asset_path(v_path) is not true then
      perform sediment.fail('invalid_name', 400,
        'a key, path or file name is empty, too long, leaves its folder or hides characters',
        'at most 1024 bytes in NFC, segments other than . and .., no drive letter, no control or direction characters');
    end if;
  end loop;
  if p_file_name ~ '/' then
    perform sediment.fail('invalid_name', 400, 'the file name holds a slash');
  end if;

  select coalesce(l.asset_bytes_max, s.asset_bytes_max) as bytes,
    coalesce(l.asset_extensions, s.asset_extensions) as extensions
  into strict v_limits
  from public.service_settings s left join public.user_limits l on l.user_id = p_user;
  foreach v_path in array array[p_key, p_file_name] loop
    v_extension := lower(substring(v_path from '\.([A-Za-z0-9]{1,16})$'));
    if v_extension is null or v_extension <> all (v_limits.extensions) then
      perform sediment.fail('invalid_name', 400,
        format('the extension %s is not allowed', coalesce(v_extension, 'is missing or')),
        array_to_string(v_limits.extensions, ', '));
    end if;
  end loop;
  if p_size > v_limits.bytes then
    perform sediment.fail('body_too_large', 413, format('the asset has %s bytes', p_size),
      format('at most %s bytes', v_limits.bytes));
  end if;
end $function$;

CREATE OR REPLACE FUNCTION sediment.check_dataset_quota(p_user uuid, p_final boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_max integer;
begin
  select coalesce(l.datasets_max, s.datasets_max) into v_max
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  if v_max is null then
    return;
  end if;
  if p_final then
    perform sediment.lock_quota(p_user);
  end if;
  if (select count(*) from public.datasets d where d.user_id = p_user and d.deleted_at is null) >= v_max then
    perform sediment.fail('quota_exceeded', 429, format('datasets_max: the user has %s datasets', v_max),
      format('at most %s datasets', v_max));
  end if;
end $function$;

revoke all on function "sediment"."check_dataset_quota"(uuid, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.check_partition_quota(p_user uuid, p_dataset uuid, p_partitions integer, p_tables text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_limits record;
  v_count bigint := 0;
  v_last text := '';
begin
  select coalesce(l.partitions_max, s.partitions_max) as partitions, coalesce(l.tables_max, s.tables_max) as tables
  into strict v_limits
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  perform sediment.lock_quota(p_user);
  if v_limits.partitions is not null and p_partitions + (
    select coalesce(sum(d.partition_count), 0) from public.datasets d where d.user_id = any (array[p_user])
  ) > v_limits.partitions
  then
    perform sediment.fail('quota_exceeded', 429,
      format('partitions_max: %s more would pass the %s partitions that the user may have', p_partitions,
        v_limits.partitions), format('at most %s partitions', v_limits.partitions));
  end if;
  if v_limits.tables is null or not exists (
    select 1 from unnest(p_tables) as t(name)
    where not exists (select 1 from public.partitions x where x.dataset_id = p_dataset and x."table" = t.name))
  then
    return;
  end if;
  -- from table to table along the key, not from partition to partition
  while v_last is not null and v_count <= v_limits.tables loop
    select min(x."table") into v_last from public.partitions x
    where x.dataset_id = p_dataset and x."table" > v_last;
    if v_last is not null and v_last <> all (p_tables) then
      v_count := v_count + 1;
    end if;
  end loop;
  if v_count + cardinality(p_tables) > v_limits.tables then
    perform sediment.fail('quota_exceeded', 429,
      format('tables_max: the dataset would have over %s tables', v_limits.tables),
      format('at most %s tables in a dataset', v_limits.tables));
  end if;
end $function$;

revoke all on function "sediment"."check_partition_quota"(uuid, uuid, integer, text[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.check_stored(p_user uuid, p_bytes bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_max bigint;
begin
  select coalesce(l.stored_bytes_max, s.stored_bytes_max) into strict v_max
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  if v_max is null or not sediment.is_near_quota(p_user, p_bytes, v_max) then
    return;
  end if;
  perform sediment.lock_quota(p_user);
  -- a statement after the lock: it sees what those that were waited for have stored
  if p_bytes + sediment.stored_bytes(p_user) > v_max then
    perform sediment.fail('quota_exceeded', 429,
      format('stored_bytes_max: %s more bytes would pass the %s that may be stored', p_bytes, v_max),
      format('at most %s stored bytes', v_max));
  end if;
end $function$;

revoke all on function "sediment"."check_stored"(uuid, bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.claim_message(p_queue text, p_msg_id bigint, p_message jsonb, p_worker text, p_lease_seconds integer, p_slot integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_msg record;
  p public.partitions;
  v_run public.processing_metrics;
  v_settings jsonb;
  v_now timestamptz;
  v_until timestamptz;
  v_trial bigint[];
begin
  select * into v_msg from sediment.parse_message(p_message);
  if v_msg.problem is not null then
    if sediment.queue_take(p_queue, p_msg_id) then
      perform sediment.reject_message(p_queue, p_msg_id, p_message, v_msg.problem);
    end if;
    return null;
  end if;
  if v_msg."table" is null then
    return null; -- a fan-out: claim_compaction handles it before anything is locked
  end if;

  select * into p from public.partitions x
  where x.dataset_id = v_msg.dataset_id and x."table" = v_msg."table" and x.period_tag = v_msg.period_tag
  for no key update skip locked;
  if not found then
    if not exists (select 1 from public.partitions x where x.dataset_id = v_msg.dataset_id
        and x."table" = v_msg."table" and x.period_tag = v_msg.period_tag)
      and sediment.queue_take(p_queue, p_msg_id)
    then
      perform sediment.reject_message(p_queue, p_msg_id, p_message, 'there is no such partition');
    end if;
    return null;
  end if;

  -- Not the partition's live message: either it was archived since we looked, or somebody sent it by hand;
  -- then it counts as a request and joins.
  if p.msg_id is distinct from p_msg_id or p.queue is distinct from p_queue then
    if sediment.queue_take(p_queue, p_msg_id) then
      perform sediment.queue_archive(p_queue, p_msg_id);
      update public.partitions x set demand_seq = x.demand_seq + 1
      where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
      perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag,
        coalesce(v_msg.priority, p_queue), 'message', 0);
    end if;
    return null;
  end if;

  v_now := clock_timestamp();
  if p.lease_expires_at > v_now then
    perform sediment.queue_hide(p_queue, p_msg_id, p.lease_expires_at);
    return null;
  end if;
  if p.lease_expires_at is not null then
    perform sediment.lose_worker(p);
    return null;
  end if;
  if p.ready_at > v_now then
    perform sediment.queue_hide(p_queue, p_msg_id, p.ready_at); -- it failed since we looked, and waits
    return null;
  end if;

  v_settings := sediment.partition_settings(p);
  if p.isolation is not null then
    -- what has left meanwhile is nobody's suspect
    select coalesce(array_agg(x.id), '{}') into strict v_trial from (
      select f.id from jsonb_array_elements_text(p.isolation -> 'suspects') with ordinality as s(id, n)
      join public.battle_files f on f.id = s.id::bigint and f.removed_version is null and f.state = 'active'
      order by s.n limit (p.isolation ->> 'trial')::integer) x;
    if v_trial = '{}' then
      update public.partitions x set isolation = null
      where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
      v_trial := null;
    else
      p_lease_seconds := least(p_lease_seconds, 60);
    end if;
  end if;
  select v_now + make_interval(secs => least(p_lease_seconds,
    greatest((v_settings ->> 'max_run_seconds')::integer - r.worked_seconds, 1)))
  into strict v_until from public.processing_metrics r where r.id = p.run_id;
  update public.partitions x
  set token = x.token + 1, lease_worker = p_worker, lease_slot = p_slot, staged_inputs = null, claimed_at = v_now, lease_expires_at = v_until,
    ready_at = v_until, claimed_demand_seq = x.demand_seq, claimed_debt_files = x.debt_files,
    claimed_debt_bytes = x.debt_bytes
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
  returning * into strict p;
  perform sediment.queue_hide(p_queue, p_msg_id, p.lease_expires_at);
  update public.processing_metrics r
  set status = 'running', step = 'validate-dataset', attempts = r.attempts + 1, worker = p_worker, started_at = coalesce(r.started_at, v_now)
  where r.id = p.run_id
  returning * into strict v_run;

  return jsonb_build_object(
    'claimed', true, 'run_id', p.run_id, 'dataset_id', p.dataset_id, 'table', p."table",
    'period_tag', p.period_tag, 'user_id', v_run.user_id, 'priority', v_run.priority, 'token', p.token,
    'lease_expires_at', p.lease_expires_at,
    'lease_seconds', extract(epoch from p.lease_expires_at - v_now), 'claimed_at', v_now, 'attempt', v_run.attempts, 'demand_seq', p.demand_seq,
    'forced', p.forced_seq > p.done_seq or v_trial is not null, 'trial', v_trial is not null, 'outputs_committed', v_run.commits, 'settings', v_settings,
    'steps', v_run.steps)
    || sediment.list_inputs(p.dataset_id, p."table", p.period_tag, -1, 2000, v_trial, v_settings);
end $function$;

revoke all on function "sediment"."claim_message"(text, bigint, jsonb, text, integer, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.claim_probe()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  b public.circuit_breaker;
  v_now timestamptz := clock_timestamp();
  v_seconds constant integer := 60;
  v_keys text[];
  v_key text;
begin
  if (select x.state from public.circuit_breaker x) is distinct from 'open' then
    return null;
  end if;
  select * into b from public.circuit_breaker x for no key update skip locked;
  if not found or b.state <> 'open' or b.probe_at > v_now or b.probe_until > v_now then
    return jsonb_build_object('probe', null);
  end if;

  if b.part = 'store_read' then
    select coalesce(array_agg(x.object_key), '{}') into strict v_keys from (
      select f.object_key from public.battle_files f
      where f.removed_version is null and f.state = 'active' order by f.id desc limit 3) x;
  elsif b.part = 'store_write' then
    v_key := format('probes/%s.bin', gen_random_uuid());
    insert into public.objects (object_key, kind, size, expires_at, put_deadline)
    values (v_key, 'probe', 1, v_now + make_interval(secs => v_seconds),
      v_now + make_interval(secs => (select s.max_put_seconds from public.service_settings s)));
  end if;
  update public.circuit_breaker x
  set probe_token = x.probe_token + 1, probe_until = v_now + make_interval(secs => v_seconds), probe_key = v_key
  where x.id
  returning * into strict b;
  return jsonb_build_object('probe', jsonb_build_object('token', b.probe_token, 'part', b.part, 'seconds', v_seconds,
    'keys', to_jsonb(coalesce(v_keys, '{}')), 'write_key', v_key));
end $function$;

revoke all on function "sediment"."claim_probe"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.clockwork_faults()
 RETURNS text[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_jobs constant text[] := array['sediment_tick', 'sediment_leases', 'sediment_sweep', 'sediment_history',
    'sediment_scheduled', 'sediment_vacuum', 'sediment_dead_letters'];
  v_faults text[] := '{}';
begin
  begin
    -- a timeout alone is no fault: a ping does not wait for the work
    if exists (select 1 from net._http_response r where r.created > clock_timestamp() - interval '5 minutes'
        and r.status_code >= 400)
      and not exists (select 1 from net._http_response r where r.created > clock_timestamp() - interval '5 minutes'
        and r.status_code between 200 and 299)
    then
      v_faults := v_faults || 'pings_refused'::text;
    end if;
  exception when insufficient_privilege or undefined_table then null;
  end;
  begin
    if (select count(*) from cron.job j where j.jobname = any (v_jobs) and j.active) < cardinality(v_jobs) then
      v_faults := v_faults || 'jobs_missing'::text;
    end if;
    if exists (
      select 1 from cron.job j
      cross join lateral (select bool_and(d.status = 'failed') as failed, count(*) as runs from (
        select x.status from cron.job_run_details x where x.jobid = j.jobid and x.status in ('succeeded', 'failed')
        order by x.runid desc limit 3) d) l
      where j.jobname = any (v_jobs) and l.runs = 3 and l.failed)
    then
      v_faults := v_faults || 'jobs_failing'::text;
    end if;
  exception when insufficient_privilege or undefined_table then null;
  end;
  return v_faults;
end $function$;

revoke all on function "sediment"."clockwork_faults"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.close_run(p public.partitions, p_progress boolean, p_result jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_moved boolean := p.demand_seq > p.claimed_demand_seq;
  v_files bigint := greatest(coalesce((p_result #>> '{debt,files}')::bigint, 0), 0);
  v_bytes bigint := greatest(coalesce((p_result #>> '{debt,bytes}')::bigint, 0), 0);
  v_oldest timestamptz;
  v_due timestamptz := (p_result ->> 'next_due_at')::timestamptz;
  v_look interval := (select make_interval(secs => s.second_look_seconds) from public.service_settings s);
  v_unseen boolean := coalesce((p_result ->> 'unseen')::boolean, false);
  v_planner integer := coalesce((p_result ->> 'planner')::integer, 0);
  v_idle_runs integer := 0;
  v_next uuid := p.next_run_id;
  v_priority text := 'realtime';
begin
  update public.processing_metrics r
  set status = 'success', completed_at = v_now, step = null, error_code = null, error_message = null,
    error_step = null, output = p_result -> 'output'
  where r.id = p.run_id;
  perform sediment.queue_archive(p.queue, p.msg_id);
  update public.dead_letters l set resolved_at = v_now, resolution = 'succeeded'
  where l.dataset_id = p.dataset_id and l."table" = p."table" and l.period_tag = p.period_tag
    and l.resolved_at is null;

  -- Debt is what the planner said, and what was uploaded since the claim.
  v_oldest := case when v_files > 0 then coalesce((p_result #>> '{debt,oldest}')::timestamptz, p.claimed_at) end;
  if v_moved and p.debt_files > p.claimed_debt_files then
    v_oldest := least(coalesce(v_oldest, p.claimed_at), p.claimed_at);
  end if;
  v_files := v_files + p.debt_files - p.claimed_debt_files;
  v_bytes := v_bytes + p.debt_bytes - p.claimed_debt_bytes;
  -- Never is not the same as not yet: without debt, a time to wait for, or files that nobody looked at, nothing is due.
  if v_due is null and (v_files > 0 or v_unseen) then
    v_due := v_now;
  end if;
  -- Of what workers may have died this run has got over what it took on; the rest is tried at once.
  if p.isolation is not null then
    perform sediment.pass_trial(p, array(select x.id::bigint
      from jsonb_array_elements_text(p.isolation -> 'suspects') with ordinality as x(id, n)
      order by x.n limit (p.isolation ->> 'trial')::integer), false);
  end if;
  if exists (select 1 from public.partitions x where x.dataset_id = p.dataset_id and x."table" = p."table"
      and x.period_tag = p.period_tag and x.isolation is not null)
  then
    v_due := v_now;
  end if;
  -- what waits for its second look
  select least(v_due, min(f.lost_since) + v_look) into v_due
  from public.battle_files f
  where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
    and f.removed_version is null and f.state = 'active' and f.lost_since > v_now - v_look;
  -- A run that changed nothing is not repeated at once, whatever it says, and each further one later.
  if v_due is not null and not p_progress then
    v_idle_runs := case when v_moved then 0 else p.idle_runs + 1 end;
    v_due := greatest(v_due, v_now + make_interval(secs => least(86400, (
      select s.idle_recheck_seconds * power(2, least(greatest(v_idle_runs - 1, 0), 20)) from public.service_settings s))));
  end if;
  update public.service_settings s set planner_version = v_planner, plan_changed_at = v_now
  where s.planner_version < v_planner;

  update public.partitions x
  set queue = null, msg_id = null, run_id = null, next_run_id = null, ready_at = null,
    lease_expires_at = null, lease_worker = null, claimed_at = null, claimed_demand_seq = null,
    claimed_debt_files = null, claimed_debt_bytes = null, done_seq = p.claimed_demand_seq,
    debt_files = v_files, debt_bytes = v_bytes, debt_oldest = v_oldest, due_at = v_due, dead_since = null,
    dead_looks = 0, idle_runs = v_idle_runs,
    plan_digest = case when v_unseen then null else sediment.plan_digest(p.dataset_id, p."table", v_planner) end,
    last_decision = p_result ->> 'decision', last_considered_at = v_now
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;

  if not v_moved then
    -- whoever waited behind this run was seen by it all the same (it was claimed again since)
    update public.processing_metrics r
    set status = 'success', completed_at = v_now, decision = 'joined run ' || p.run_id,
      output = jsonb_build_object('joined', p.run_id)
    where r.id = v_next;
  elsif v_next is null then
    v_next := sediment.open_run(p.dataset_id, p."table", p.period_tag, v_priority, 'follow_up');
    perform sediment.adopt_run(p.dataset_id, p."table", p.period_tag, v_next, v_priority);
    return true;
  else
    select r.priority into strict v_priority from public.processing_metrics r where r.id = v_next;
    perform sediment.adopt_run(p.dataset_id, p."table", p.period_tag, v_next, v_priority);
    return true;
  end if;

  if p_progress and v_due <= v_now then
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'realtime', 'follow_up', 0);
    return true;
  end if;
  return false;
end $function$;

CREATE OR REPLACE FUNCTION sediment.commit_uploads(p_calls jsonb)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_indexonlyscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_calls sediment.commit_call[] := sediment.lock_commit_calls(p_calls);
  v_call sediment.commit_call;
  v_read record;
  v_files sediment.commit_file[];
  v_entered uuid[];
  v_limited boolean;
  v_new record;
  v_refused boolean := false;
  v_going sediment.commit_call[];
  v_answers jsonb := '{}';
begin
  v_read := sediment.read_commit_files(v_calls);
  v_files := v_read.files;
  if v_read.wrong is not null then
    -- the ledger held it when it was staged, so that no files came along, and then it was deleted
    perform sediment.refuse_deleted_stages(v_calls);
    for v_call in select c.* from unnest(v_calls) as c where v_read.wrong ? c.n::text loop
      v_calls[v_call.n].outcome := case when v_call.files = '[]' and exists (
          select 1 from public.objects o join public.datasets d on d.id = o.dataset_id
          where o.object_key = v_call.object_key and d.deletion_version > coalesce(o.staged_version, 0))
        then sediment.failure('stage_expired', 410, format('what stage %s was a duplicate of was deleted', v_call.stage))
        else sediment.failure('invalid_request', 400, v_read.wrong ->> v_call.n::text) end;
    end loop;
  end if;

  -- Whoever inserts the identity first acknowledges it; a racer waits here and then reads what was answered.
  with entered as (
    insert into public.uploads (id, dataset_id, "table", period_tag, content_hash, offsets_digest, user_id,
      object_key, size)
    select c.stage, c.dataset_id, c."table", c.period_tag, c.content_hash, c.offsets_digest, c.user_id,
      c.object_key, c.size
    from unnest(v_calls) as c
    where c.outcome is null and not c.known
    order by c.dataset_id, c."table", c.period_tag, c.content_hash
    on conflict (dataset_id, "table", period_tag, content_hash) do nothing
    returning id
  )
  select coalesce(array_agg(e.id), '{}') into strict v_entered from entered e;
  select coalesce(bool_or(sediment.is_near_quota(x.user_id, x.bytes, x.max)), false) into strict v_limited
  from (
    select c.user_id, sum(c.object_size)::bigint as bytes,
      coalesce(min(l.stored_bytes_max), min(s.stored_bytes_max)) as max
    from unnest(v_calls) as c
    join public.service_settings s on s.id
    left join public.user_limits l on l.user_id = any (array[c.user_id])
    where c.outcome is null and not c.known
    group by c.user_id
  ) x
  where x.max is not null;
  if v_limited then
    -- which of its users it is, check_stored finds out
    select array_agg((c.n, c.stage, c.user_id, c.size, c.object_size, c.etag, c.files, c.dataset_id, c."table",
      c.period_tag, c.content_hash, c.offsets_digest, c.object_key, c.known, true, c.outcome)::sediment.commit_call
      order by c.n)
    into strict v_calls from unnest(v_calls) as c;
  end if;

  if cardinality(v_entered) = cardinality(v_calls) and not v_limited then
    -- as mostly: nothing is known, refused or limited
    v_going := v_calls;
  else
    -- By user, then as they came: two groups that wait for users' quotas must not wait for each other.
    for v_call in
      select c.* from unnest(v_calls) as c
      where c.outcome is null and (c.limited or c.stage <> all (v_entered)) order by c.user_id, c.n
    loop
      v_calls[v_call.n].outcome := case when v_call.stage = any (v_entered)
        then sediment.quota_outcome(v_call, v_calls) else sediment.first_outcome(v_call) end;
    end loop;
    select array_agg(c) into v_going from unnest(v_calls) as c where c.outcome is null;
    select array_agg(f order by f.dataset_id, f."table", f.period_tag, f.n, f.ordinal) into v_files
    from unnest(v_files) as f where f.n in (select c.n from unnest(v_going) as c);
  end if;

  -- What is new with them: datasets, made here, and partitions. By user, then as they came, as above.
  for v_new in
    with x as materialized (
      select distinct f.n, f.user_id, f.dataset_id, f."table", f.period_tag from unnest(v_files) as f
    )
    select x.n, count(*) filter (where p.dataset_id is null)::integer as partitions,
      array_agg(distinct x."table") filter (where p.dataset_id is null) as tables
    from x
    left join public.datasets d on d.id = any (array[x.dataset_id])
    left join public.partitions p on p.dataset_id = any (array[x.dataset_id]) and p."table" = x."table"
      and p.period_tag = x.period_tag
    where d.id is null or d.user_id <> x.user_id or p.dataset_id is null
    group by x.user_id, x.n
    order by x.user_id, x.n
  loop
    v_calls[v_new.n].outcome := sediment.admit_commit(v_calls[v_new.n], v_new.partitions, v_new.tables);
    v_refused := v_refused or v_calls[v_new.n].outcome is not null;
  end loop;
  if v_refused then
    select array_agg(c) into v_going from unnest(v_calls) as c where c.outcome is null;
    select array_agg(f order by f.dataset_id, f."table", f.period_tag, f.n, f.ordinal) into v_files
    from unnest(v_files) as f where f.n in (select c.n from unnest(v_going) as c);
  end if;

  if v_going is not null then
    v_answers := sediment.write_commits(v_going, v_files);
  end if;

  for v_call in select c.* from unnest(v_calls) as c where c.outcome ? 'heal' order by c.n loop
    v_calls[v_call.n].outcome := (
      select sediment.heal_upload(v_call, u) from public.uploads u
      where u.dataset_id = v_call.dataset_id and u."table" = v_call."table" and u.period_tag = v_call.period_tag
        and u.content_hash = v_call.content_hash);
  end loop;

  return (
    select array_agg(coalesce(c.outcome, jsonb_build_object('answer', v_answers -> c.n::text)) order by c.n)
    from unnest(v_calls) as c);
end $function$;

CREATE OR REPLACE FUNCTION sediment.date_of_tag(p_tag text)
 RETURNS date
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  if p_tag !~ '^\d{4}-\d{2}-\d{2}$' then
    return null;
  end if;
  return make_date(substr(p_tag, 1, 4)::integer, substr(p_tag, 6, 2)::integer, substr(p_tag, 9, 2)::integer);
exception when others then
  return null; -- digits that are no day
end $function$;

revoke all on function "sediment"."date_of_tag"(text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.deletion_receipt(x public.deletions)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_sum record;
  v_left bigint := 0;
begin
  select coalesce(sum(y.files), 0) as files, coalesce(sum(y.rows), 0) as rows, coalesce(sum(y.bytes), 0) as bytes,
    coalesce(sum(y.assets), 0) as assets, array_agg('deletion ' || y.id) as reasons
  into strict v_sum
  from public.deletions y where y.id = x.id or y.parent_id = x.id;
  if x.purge then
    select count(*) into strict v_left from public.objects o
    where o.delete_after is not null and o.state = 'deleting' and o.delete_reason = any (v_sum.reasons);
  end if;
  return jsonb_build_object('deletion_id', x.id, 'kind', x.kind, 'user_id', x.user_id, 'dataset_id', x.dataset_id,
    'table', x."table", 'period_tag', x.period_tag, 'upload_id', x.upload_id, 'version', x.version, 'purge', x.purge, 'state', x.state,
    'done', case when x.purge then x.state = 'purged' and v_left = 0 else x.state <> 'marked' end,
    'files', v_sum.files, 'rows', v_sum.rows, 'bytes', v_sum.bytes, 'assets', v_sum.assets, 'objects_left', v_left,
    'requested_at', x.requested_at, 'removed_at', x.removed_at, 'purged_at', x.purged_at);
end $function$;

revoke all on function "sediment"."deletion_receipt"(public.deletions) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.end_partition_run(p public.partitions)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_left record;
begin
  update public.processing_metrics r
  set status = 'success', completed_at = v_now, step = null, error_code = null, error_message = null,
    error_step = null, decision = 'ended: what it was to compact was deleted'
  where r.id in (p.run_id, p.next_run_id);
  if p.msg_id is not null then
    perform sediment.queue_archive(p.queue, p.msg_id);
  end if;
  update public.dead_letters l set resolved_at = v_now, resolution = 'deleted'
  where l.dataset_id = p.dataset_id and l."table" = p."table" and l.period_tag = p.period_tag
    and l.resolved_at is null;

  select count(*) as files, coalesce(sum(f.byte_length), 0)::bigint as bytes, min(f.uploaded_at) as oldest
  into strict v_left from public.battle_files f
  where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
    and f.removed_version is null and f.state = 'active'
    and not (sediment.has_marks(p.dataset_id) and sediment.is_marked(f, 9223372036854775807));
  update public.partitions x
  set queue = null, msg_id = null, run_id = null, next_run_id = null, ready_at = null, token = x.token + 1,
    lease_expires_at = null, lease_worker = null, lease_slot = null, claimed_at = null, claimed_demand_seq = null,
    claimed_debt_files = null, claimed_debt_bytes = null, due_at = null, dead_since = null, dead_looks = 0,
    idle_runs = 0, staged_inputs = null, isolation = null, output_cap_bytes = null, plan_digest = null,
    debt_files = v_left.files, debt_bytes = v_left.bytes, debt_oldest = v_left.oldest,
    demand_seq = x.demand_seq + (v_left.files > 0)::integer, done_seq = x.demand_seq,
    last_decision = 'ended: what it was to compact was deleted', last_considered_at = v_now
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  if v_left.files > 0 then
    perform sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'realtime', 'follow_up', 0);
  end if;
end $function$;

revoke all on function "sediment"."end_partition_run"(public.partitions) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.fan_out_message(p_queue text, p_msg_id bigint, p_message jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_msg record;
  r public.processing_metrics;
begin
  select * into v_msg from sediment.parse_message(p_message);
  if v_msg.problem is not null or v_msg."table" is not null or not sediment.queue_take(p_queue, p_msg_id) then
    return false;
  end if;

  v_msg.run_id := coalesce(v_msg.run_id, md5(concat_ws(' ', p_queue, p_msg_id, p_message))::uuid);
  v_msg.priority := coalesce(v_msg.priority, p_queue);
  insert into public.processing_metrics (id, user_id, dataset_id, operation, trigger, priority, fan_out_cursor)
  select v_msg.run_id, d.user_id, d.id, 'fan_out', 'message', v_msg.priority,
    '{"after_table": "", "after_period_tag": ""}'
  from public.datasets d where d.id = v_msg.dataset_id
  on conflict (id) do nothing;

  select * into r from public.processing_metrics x where x.id = v_msg.run_id for no key update;
  if not found or r.dataset_id <> v_msg.dataset_id or r.operation <> 'fan_out' then
    perform sediment.reject_message(p_queue, p_msg_id, p_message,
      'there is no such dataset, or metricId is another run');
    return true;
  end if;

  if r.fan_out_cursor is not null then
    perform sediment.fan_out(r.id, 100);
  end if;
  if exists (select 1 from public.processing_metrics x where x.id = r.id and x.fan_out_cursor is not null) then
    perform sediment.queue_hide(p_queue, p_msg_id, clock_timestamp() + interval '1 second');
  else
    perform sediment.queue_archive(p_queue, p_msg_id);
  end if;
  return true;
end $function$;

CREATE OR REPLACE FUNCTION sediment.first_outcome(p sediment.commit_call)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_first public.uploads;
begin
  select * into v_first from public.uploads u
  where u.dataset_id = p.dataset_id and u."table" = p."table" and u.period_tag = p.period_tag
    and u.content_hash = p.content_hash;
  if not found then
    return sediment.failure('stage_expired', 410, format('stage %s was given up', p.stage));
  end if;
  -- the dataset was nobody's when it was planned, and became another user's
  if v_first.user_id <> p.user_id then
    return sediment.failure('dataset_forbidden', 403, format('dataset %s belongs to another user', p.dataset_id));
  end if;
  if exists (select 1 from public.datasets d where d.id = p.dataset_id
      and d.deletion_version > (v_first.answer ->> 'version')::bigint)
    and sediment.upload_deleted_at(v_first) is not null
  then
    perform sediment.discard_object(x.object_key, 'a deleted upload')
    from public.objects x where x.stage_id = p.stage and x.state = 'staged';
    return sediment.failure('upload_deleted', 410,
      format('this body was uploaded, and deleted on %s', sediment.upload_deleted_at(v_first)),
      'again=1, to have it back');
  end if;
  if v_first.offsets_digest <> p.offsets_digest then
    return sediment.failure('upload_conflict', 422,
      format('this body was acknowledged on %s with other offsets', v_first.created_at),
      'the offsets of the first upload');
  end if;
  -- Bytes that came again and are missed: they go behind the rows, when all else of the transaction is done. What was
  -- known when it was staged was not put.
  if p.etag is not null and sediment.lost_files(v_first.id) > 0
    and exists (select 1 from public.objects x where x.object_key = p.object_key and x.state = 'staged')
  then
    return '{"heal": true}';
  end if;
  perform sediment.discard_object(x.object_key, 'a duplicate upload')
  from public.objects x where x.stage_id = p.stage and x.state = 'staged';
  return jsonb_build_object('answer', v_first.answer || jsonb_build_object('duplicate', true));
end $function$;

CREATE OR REPLACE FUNCTION sediment.forget_deleted(x public.deletions, p_limit integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_seen bigint := 0;
  u public.uploads;
begin
  for u in
    select * from public.uploads y
    where y.dataset_id = x.dataset_id
      and (y."table", y.period_tag, y.content_hash) > (x.after_table, x.after_period_tag, x.after_hash)
    order by y."table", y.period_tag, y.content_hash limit p_limit
  loop
    v_seen := v_seen + 1;
    if (u.answer ->> 'version')::bigint < x.version and sediment.upload_deleted_at(u) is not null then
      perform sediment.forget_upload(u);
    end if;
  end loop;
  update public.deletions y
  set after_table = coalesce(u."table", y.after_table), after_period_tag = coalesce(u.period_tag, y.after_period_tag),
    after_hash = coalesce(u.content_hash, y.after_hash),
    forgotten_at = case when v_seen < p_limit then clock_timestamp() end
  where y.id = x.id;
  return v_seen;
end $function$;

revoke all on function "sediment"."forget_deleted"(public.deletions, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.forget_upload(u public.uploads)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  delete from public.uploads x where x.id = u.id;
  if not found then
    return false; -- another was first
  end if;
  insert into public.forgotten_uploads (id, dataset_id, digest, version, slices)
  values (u.id, u.dataset_id, sediment.identity_digest(u.dataset_id, u."table", u.period_tag, u.content_hash),
    (u.answer ->> 'version')::bigint, (
      select jsonb_agg(jsonb_build_object('table', f -> 'table', 'period_tag', f -> 'period_tag', 'row_count',
        f -> 'row_count')) from jsonb_array_elements(u.answer -> 'files') f));
  return true;
end $function$;

revoke all on function "sediment"."forget_upload"(public.uploads) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.has_marks(p_dataset uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select exists (select 1 from public.deletions x where x.dataset_id = p_dataset and x.state = 'marked')
$function$;

revoke all on function "sediment"."has_marks"(uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.heal_upload(p sediment.commit_call, u public.uploads)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_codes constant text[] := array['object_missing', 'object_changed'];
  v_again constant jsonb := jsonb_build_object('answer', u.answer || jsonb_build_object('duplicate', true));
  v_partitions integer;
  v_locked integer;
  v_bytes bigint;
  v_uncompressed bigint;
  v_old text[];
  v_lifted jsonb;
  v_key record;
begin
  select count(distinct (f."table", f.period_tag)) into strict v_partitions from public.battle_files f
  where coalesce(f.upload_id, f.run_id) = u.id;
  select count(*) into strict v_locked from (
    select 1 from public.partitions x
    where x.dataset_id = u.dataset_id and (x."table", x.period_tag) in (
      select f."table", f.period_tag from public.battle_files f where coalesce(f.upload_id, f.run_id) = u.id)
    order by x."table", x.period_tag for no key update skip locked) l;
  perform 1 from public.datasets d where d.id = u.dataset_id for no key update skip locked;
  if not found or v_locked <> v_partitions then
    return sediment.failure('catalog_failed', 503, 'a partition of the upload is in use', 'retry after 1 s');
  end if;
  -- another may have been first; and every row must find itself in what came
  if sediment.lost_files(u.id) = 0 or exists (
    select 1 from public.battle_files f
    left join jsonb_to_recordset(p.files) as n(ordinal integer, "table" text, period_tag text, row_count bigint,
      schema_fingerprint text, start_byte bigint, byte_length bigint)
      on n.ordinal = f.ordinal and n."table" = f."table" and n.period_tag = f.period_tag and n.row_count = f.row_count
        and (n.schema_fingerprint = f.schema_fingerprint
          or p.size = p.object_size and n.start_byte = f.start_byte and n.byte_length = f.byte_length)
    where coalesce(f.upload_id, f.run_id) = u.id and n.ordinal is null)
  then
    perform sediment.discard_object(p.object_key, 'a duplicate upload');
    return v_again;
  end if;

  update public.objects o
  set state = 'stored', size = p.object_size, etag = nullif(p.etag, ''), expires_at = null,
    updated_at = clock_timestamp()
  where o.object_key = p.object_key and o.state = 'staged';
  if not found then
    return sediment.failure('stage_expired', 410, format('stage %s was given up', p.stage));
  end if;

  with came as (
    select * from jsonb_to_recordset(p.files) as n(ordinal integer, start_byte bigint, byte_length bigint,
      row_group_count integer, uncompressed_bytes bigint, value_count bigint, merge_facts jsonb, stats jsonb,
      checksum text)
  ), old as (
    select f.* from public.battle_files f where coalesce(f.upload_id, f.run_id) = u.id
  ), healed as (
    update public.battle_files f
    set object_key = p.object_key, etag = nullif(p.etag, ''), start_byte = n.start_byte, byte_length = n.byte_length,
      row_group_count = n.row_group_count, uncompressed_bytes = n.uncompressed_bytes, value_count = n.value_count,
      merge_facts = n.merge_facts, stats = n.stats, checksum = n.checksum, lost_since = null,
      state = case when f.quarantine_code = any (v_codes) then 'active' else f.state end,
      quarantine_code = case when f.quarantine_code = any (v_codes) then null else f.quarantine_code end,
      quarantine_reason = case when f.quarantine_code = any (v_codes) then null else f.quarantine_reason end,
      quarantined_at = case when f.quarantine_code = any (v_codes) then null else f.quarantined_at end
    from came n
    where coalesce(f.upload_id, f.run_id) = u.id and n.ordinal = f.ordinal
    returning f.id, f.byte_length, f.uncompressed_bytes
  )
  select array_agg(distinct o.object_key),
    coalesce(sum(h.byte_length - o.byte_length) filter (where o.removed_version is null), 0)::bigint,
    coalesce(sum(h.uncompressed_bytes - o.uncompressed_bytes) filter (where o.removed_version is null), 0)::bigint,
    coalesce((select jsonb_agg(l.key) from (
      select jsonb_build_object('table', x."table", 'period_tag', x.period_tag, 'files', count(*),
        'bytes', sum(x.byte_length)) as key
      from old x where x.removed_version is null and (x.quarantine_code = any (v_codes) or x.lost_since is not null)
      group by x."table", x.period_tag order by x."table", x.period_tag) l), '[]')
  into strict v_old, v_bytes, v_uncompressed, v_lifted
  from old o join healed h on h.id = o.id;

  update public.uploads x set object_key = p.object_key where x.id = u.id;
  update public.datasets d
  set file_size_bytes = d.file_size_bytes + v_bytes, uncompressed_bytes = d.uncompressed_bytes + v_uncompressed
  where d.id = u.dataset_id;
  -- whoever holds a URL of an object whose bytes changed may still read it
  perform sediment.retire_object(k.key, 'its upload was healed',
    sediment.signed_url_life())
  from unnest(v_old) as k(key) where k.key <> p.object_key;

  for v_key in
    select * from jsonb_to_recordset(v_lifted) as t("table" text, period_tag text, files bigint, bytes bigint)
  loop
    update public.partitions x
    set debt_files = x.debt_files + v_key.files, debt_bytes = x.debt_bytes + v_key.bytes,
      debt_oldest = coalesce(x.debt_oldest, clock_timestamp()), demand_seq = x.demand_seq + 1
    where x.dataset_id = u.dataset_id and x."table" = v_key."table" and x.period_tag = v_key.period_tag;
    perform sediment.wake_partition(u.dataset_id, v_key."table", v_key.period_tag, 'realtime', 'upload',
      (select s.realtime_delay_seconds from public.service_settings s));
  end loop;
  return jsonb_build_object('answer', u.answer || jsonb_build_object('duplicate', true, 'healed', true));
end $function$;

revoke all on function "sediment"."heal_upload"(sediment.commit_call, public.uploads) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.identity_digest(p_dataset uuid, p_table text, p_period_tag text, p_content_hash text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
end $function$;

revoke all on function "sediment"."identity_digest"(uuid, text, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.is_asset_path(p_path text)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_hidden constant text := '['
    '\u0000-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ue000-\uf8ff\ufeff\ufff9-\ufffb'
    '\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f\U000f0000-\U0010ffff]';
  v_compatible constant text := normalize(p_path, NFKC);
begin
  return octet_length(p_path) between 1 and 1024
    and p_path is nfc normalized
    and p_path !~ v_hidden
    and strpos(v_compatible, '\') = 0
    and v_compatible !~ '^[A-Za-z]:'
    -- '', '.' and '..' as a segment, also within white space
    and v_compatible !~ '(^|/)[ \u1680]*\.{0,2}[ \u1680]*(/|$)'
    -- no character becomes a slash
    and length(p_path) - length(translate(p_path, '/', ''))
      = length(v_compatible) - length(translate(v_compatible, '/', ''));
end $function$;

revoke all on function "sediment"."is_asset_path"(text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.is_marked(f public.battle_files, p_version bigint)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select exists (
    select 1 from public.deletions x
    where x.dataset_id = f.dataset_id and x.state = 'marked' and x.version > f.added_version and x.version <= p_version
      and (x."table" is null or x."table" = f."table") and (x.period_tag is null or x.period_tag = f.period_tag))
$function$;

revoke all on function "sediment"."is_marked"(public.battle_files, bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.is_near_quota(p_user uuid, p_bytes bigint, p_max bigint)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return p_bytes + sediment.stored_bytes(p_user) > p_max - greatest(p_max / 20, 1073741824);
end $function$;

revoke all on function "sediment"."is_near_quota"(uuid, bigint, bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.keep_schemas(p_schemas jsonb[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  insert into public.file_schemas (digest, schema)
  select distinct on (f.digest) f.digest, f.schema
  from (select sediment.schema_digest(s.schema) as digest, s.schema from unnest(p_schemas) as s(schema)) f
  where not exists (select 1 from public.file_schemas k where k.digest = any (array[f.digest]))
  order by f.digest
  on conflict (digest) do nothing;
end $function$;

revoke all on function "sediment"."keep_schemas"(jsonb[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.last_kept_period(p_dataset uuid, p_table text, p_keep integer, p_now timestamp with time zone)
 RETURNS date
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (
    select sediment.date_of_tag(p.period_tag) from public.partitions p
    where p.dataset_id = p_dataset and p."table" = p_table
      and sediment.date_of_tag(p.period_tag) <= (p_now at time zone 'UTC')::date + 1
      and exists (select 1 from public.battle_files f
        where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
          and f.removed_version is null)
    order by 1 desc offset p_keep - 1 limit 1);
end $function$;

revoke all on function "sediment"."last_kept_period"(uuid, text, integer, timestamp with time zone) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.letter_json(l public.dead_letters)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return jsonb_build_object('id', l.id, 'dataset_id', l.dataset_id, 'table', l."table",
    'period_tag', l.period_tag, 'run_id', l.run_id, 'error_code', l.error_code, 'error_message', l.error_message,
    'error_step', l.error_step, 'attempts', l.attempts, 'first_failed_at', l.first_failed_at,
    'last_failed_at', l.last_failed_at, 'at', (extract(epoch from l.created_at) * 1000000)::bigint);
end $function$;

revoke all on function "sediment"."letter_json"(public.dead_letters) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.list_inputs(p_dataset uuid, p_table text, p_period_tag text, p_after bigint, p_limit integer, p_only bigint[], p_settings jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_told constant integer := 100;
  v_grown constant bigint := ceil(0.75 * (p_settings ->> 'target_file_bytes')::bigint);
  v_healthy constant bigint := p_settings ->> 'healthy_row_group_bytes';
  v_dedupe constant boolean := jsonb_array_length(p_settings -> 'dedupe_keys') > 0;
  v_page jsonb;
  v_schema record;
  v_schemas jsonb := '{}';
  v_count integer := 0;
  v_bytes integer := 0;
  v_marks constant boolean := sediment.has_marks(p_dataset);
begin
  -- in the index's order, so that it ends with the page
  with told as (
    select x.*, count(*) filter (where x.done) over w as done_so_far, lag(x.done) over w as after_done
    from (
      select f.*, f.state <> 'active' or (f.byte_length >= v_grown and f.rewrite is null and not (f.level = 0
        and f.row_group_count > 1 and f.uncompressed_bytes < v_healthy * f.row_group_count)) as done
      from public.battle_files f
      where f.dataset_id = p_dataset and f."table" = p_table and f.period_tag = p_period_tag
        and f.removed_version is null and f.seq_min > p_after
        and not (v_marks and sediment.is_marked(f, 9223372036854775807)) and (p_only is null or f.id = any (p_only))
    ) x
    window w as (order by x.seq_min)
  ), page as (
    select t.* from told t
    where not t.done or t.done_so_far <= v_told or p_only is not null or (v_dedupe and t.after_done is not true)
    order by t.seq_min
    limit p_limit + 1
  ), kept as (
    select * from page order by seq_min limit p_limit
  )
  select jsonb_build_object(
    'files', coalesce((select jsonb_agg(jsonb_build_object(
      'id', k.id, 'object_key', k.object_key, 'start_byte', k.start_byte, 'byte_length', k.byte_length,
      'level', k.level, 'seq_min', k.seq_min, 'seq_max', k.seq_max, 'row_count', k.row_count,
      'row_group_count', k.row_group_count, 'uncompressed_bytes', k.uncompressed_bytes,
      'value_count', k.value_count, 'merge_facts', k.merge_facts, 'schema_fingerprint', k.schema_fingerprint,
      'state', case when k.lost_since > clock_timestamp() - (select make_interval(secs => s.second_look_seconds)
        from public.service_settings s) then 'quarantined' else k.state end, 'checksum', k.checksum, 'etag', k.etag,
      'uploaded_at', k.uploaded_at, 'rewrite', k.rewrite) order by k.seq_min) from kept k), '[]'),
    'digests', coalesce((select jsonb_agg(jsonb_build_array(d.fingerprint, d.digest) order by d.seq_min) from (
      select distinct on (k.schema_fingerprint) k.schema_fingerprint as fingerprint, k.seq_min,
        coalesce(k.schema_digest, k.schema_fingerprint) as digest
      from kept k where k.state = 'active' order by k.schema_fingerprint, k.seq_min) d), '[]'),
    'part', (select count(*) filter (where k.done) >= v_told from kept k),
    'more', (select count(*) > p_limit from page),
    'cursor', case when (select count(*) > p_limit from page) then (select max(k.seq_min)::text from kept k) end)
  into strict v_page;

  -- one by one: as text a schema may be a hundred times what it is as stored, and only what fits is to be unpacked
  for v_schema in
    select d.value ->> 0 as fingerprint, x.schema
    from jsonb_array_elements(v_page -> 'digests') with ordinality as d(value, n)
    join public.file_schemas x on x.digest = d.value ->> 1
    order by d.n
  loop
    v_count := v_count + 1;
    v_bytes := v_bytes + octet_length(v_schema.schema::text);
    exit when v_count > 100 or v_bytes > 1048576;
    v_schemas := v_schemas || jsonb_build_object(v_schema.fingerprint, v_schema.schema);
  end loop;
  return v_page - 'digests' || jsonb_build_object('schemas', v_schemas);
end $function$;

revoke all on function "sediment"."list_inputs"(uuid, text, text, bigint, integer, bigint[], jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.lock_commit_calls(p_calls jsonb)
 RETURNS sediment.commit_call[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  return (
    with calls as materialized (
      select c.n::integer as n, a.*
      from jsonb_array_elements(p_calls) with ordinality as c(value, n)
      cross join lateral jsonb_to_record(c.value) as a(p_stage uuid, p_user uuid, p_size bigint, p_etag text,
        p_content_hash text, p_files jsonb, p_object_size bigint)
    ), locked as materialized (
      select o as object, o.stage_id, o.user_id, o.dataset_id, o."table", o.period_tag, o.content_hash,
        o.offsets_digest, o.object_key, o.state, o.size
      from public.objects o
      where o.stage_id = any (array(select c.p_stage from calls c)) and o.stage_id is not null and o.kind = 'fragment'
      order by o.stage_id
      for update
    ), staged as (
      select c.*, o.dataset_id, o."table", o.period_tag, o.content_hash, o.offsets_digest, o.object_key, o.state,
        -- looked into where something differs: the call costs more than the comparison
        case when (o.user_id = c.p_user and o.content_hash = c.p_content_hash
          and (o.state <> 'staged' or o.size = c.p_size)) is not true
          then sediment.stage_failure(o.object, c.p_stage, c.p_user, c.p_content_hash, c.p_size) end as failure,
        row_number() over (partition by o.dataset_id, o."table", o.period_tag, o.content_hash order by c.n) > 1 as again
      from calls c left join locked o on o.stage_id = c.p_stage
    )
    select array_agg(row(s.n, s.p_stage, s.p_user, s.p_size, coalesce(s.p_object_size, s.p_size), s.p_etag, s.p_files,
      s.dataset_id, s."table", s.period_tag, s.content_hash, s.offsets_digest, s.object_key,
      u.id is not null or s.state <> 'staged', false,
      case when s.failure is not null then s.failure when s.again then '{"busy": true}'::jsonb end
      )::sediment.commit_call order by s.n)
    from staged s
    left join public.uploads u on u.dataset_id = any (array[s.dataset_id]) and u."table" = s."table"
      and u.period_tag = s.period_tag and u.content_hash = s.content_hash);
end $function$;

CREATE OR REPLACE FUNCTION sediment.lose_worker(p public.partitions)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_told constant text := format('worker %s did not renew its lease', p.lease_worker);
begin
  if exists (select 1 from public.circuit_breaker b where b.state = 'open' or b.closed_at >= p.claimed_at)
    or exists (select 1 from public.clockwork c where c.gap_ended_at >= p.claimed_at)
  then
    return sediment.return_run(p, 'lease_expired', v_told || ', in an outage', null, null);
  end if;
  if cardinality(p.staged_inputs) > 0 then
    return sediment.narrow_claim(p, v_told);
  end if;
  return sediment.retry_run(p.dataset_id, p."table", p.period_tag, 'lease_expired', v_told, null, false);
end $function$;

revoke all on function "sediment"."lose_worker"(public.partitions) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.lost_files(p_upload uuid)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  return (select count(*) from public.battle_files f
    where coalesce(f.upload_id, f.run_id) = p_upload
      -- not "is null", which would let a partial index be read from end to end
      and coalesce(f.removed_version, -1) = -1
      and (f.lost_since is not null
        or f.state = 'quarantined' and f.quarantine_code in ('object_missing', 'object_changed')));
end $function$;

revoke all on function "sediment"."lost_files"(uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.mark_deletion(d public.datasets, p_user uuid, p_table text, p_period_tag text, p_purge boolean, p_parent uuid)
 RETURNS public.deletions
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_kind constant text := case when p_period_tag is not null then 'period' when p_table is not null then 'table'
    else 'dataset' end;
  v_version public.dataset_versions;
  x public.deletions;
begin
  v_version := (sediment.next_versions(array[row(d.id, 0, 0, 0, 0, null)::sediment.dataset_change]))[1];
  insert into public.deletions (kind, user_id, requested_by, dataset_id, "table", period_tag, parent_id, version, purge)
  values (v_kind, d.user_id, p_user, d.id, p_table, p_period_tag, p_parent, v_version.version, p_purge)
  returning * into strict x;
  update public.datasets y
  set deletion_version = v_version.version,
    deleted_at = case when v_kind = 'dataset' then coalesce(y.deleted_at, clock_timestamp()) else y.deleted_at end,
    oldest_kept_version = case when p_purge then v_version.version else y.oldest_kept_version end,
    oldest_kept_at = case when p_purge then clock_timestamp() else y.oldest_kept_at end
  where y.id = d.id;
  return x;
end $function$;

revoke all on function "sediment"."mark_deletion"(public.datasets, uuid, text, text, boolean, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.narrow_claim(p public.partitions, p_told text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_iso jsonb := p.isolation;
  v_dead bigint[];
  v_alone bigint;
  v_deaths integer;
  v_suspects bigint[];
  v_other bigint;
  v_trial integer;
  v_file public.battle_files;
  v_until timestamptz;
begin
  -- in upload order: halves of neighbours are neighbours, as tables that dedupe need it
  select coalesce(array_agg(f.id order by f.seq_min), '{}') into strict v_dead from public.battle_files f
  where f.id = any (p.staged_inputs) and f.removed_version is null and f.state = 'active';
  if v_iso is null then
    v_iso := jsonb_build_object('suspects', '[]'::jsonb, 'trial', 0, 'deaths', '{}'::jsonb, 'sound', false, 'bytes',
      (select coalesce(sum(f.byte_length), 0) from public.battle_files f where f.id = any (v_dead)));
  end if;
  -- one that was set aside meanwhile, for a footer that is broken, can pass no trial: no neighbour to wait for
  select v_dead || coalesce(array_agg(x.id::bigint order by x.n), '{}') into strict v_suspects
  from jsonb_array_elements_text(v_iso -> 'suspects') with ordinality as x(id, n)
  join public.battle_files f on f.id = x.id::bigint and f.removed_version is null and f.state = 'active'
  where x.id::bigint <> all (v_dead);

  if cardinality(v_dead) <> 1 then
    v_trial := greatest(1, (cardinality(v_dead) + 1) / 2);
  else
    v_alone := v_dead[1];
    v_deaths := coalesce((v_iso #>> array['deaths', v_alone::text])::integer, 0) + 1;
    v_iso := jsonb_set(v_iso, array['deaths', v_alone::text], to_jsonb(v_deaths));
    if v_deaths = 1 then
      v_iso := v_iso || '{"sound": false}'; -- another must pass between the two deaths
    end if;
    v_trial := 1;
    if v_deaths >= 2 and (v_iso ->> 'sound')::boolean then
      update public.battle_files f
      set state = 'quarantined', quarantine_code = 'worker_died', quarantined_at = clock_timestamp(),
        quarantine_reason = format('%s workers died of it alone (%s rows, %s bytes, %s before compression) while '
          'another file passed alone; the last: %s', v_deaths, f.row_count, f.byte_length, f.uncompressed_bytes, p_told)
      where f.id = v_alone;
      update public.processing_metrics r set files_quarantined = r.files_quarantined + 1 where r.id = p.run_id;
      v_suspects := array_remove(v_suspects, v_alone);
      v_iso := v_iso || '{"bytes": 0}'; -- the culprit is found: it was not that they were too many
      v_trial := greatest(1, cardinality(v_suspects));
    elsif not (v_iso ->> 'sound')::boolean then
      -- a neighbour first: of the suspects, else of the partition
      select x.id into v_other from (
        select s.id, 0 as far, s.n from unnest(v_suspects) with ordinality as s(id, n)
        where not v_iso -> 'deaths' ? s.id::text
        union all
        select f.id, 1, abs(f.seq_min - (select y.seq_min from public.battle_files y where y.id = v_alone))
        from public.battle_files f
        where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
          and f.removed_version is null and f.state = 'active' and f.id <> all (v_suspects)
      ) x order by x.far, x.n limit 1;
      if v_other is not null then
        v_suspects := v_other || array_remove(v_suspects, v_other);
      elsif v_deaths >= 2 then
        update public.partitions x set isolation = v_iso || jsonb_build_object('suspects', to_jsonb(v_suspects), 'trial', 1)
        where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
        return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
          sediment.bury_run(p.dataset_id, p."table", p.period_tag, 'worker_died',
            format('%s workers died of file %s, and there is no other to compare with; the last: %s', v_deaths, v_alone,
              p_told), null));
      end if;
    end if;
  end if;

  v_until := clock_timestamp() + interval '1 second';
  update public.processing_metrics r
  set status = 'queued', attempts = 0, error_code = 'lease_expired', error_message = left(p_told, 2000),
    first_failed_at = coalesce(r.first_failed_at, clock_timestamp()), last_failed_at = clock_timestamp()
  where r.id = p.run_id;
  update public.partitions x
  set isolation = case when cardinality(v_suspects) > 0
      then v_iso || jsonb_build_object('suspects', to_jsonb(v_suspects), 'trial', v_trial) end,
    last_decision = format('narrowing down what workers die of: %s of %s files next', v_trial, cardinality(v_suspects))
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  perform sediment.requeue_run(p, v_until);
  return jsonb_build_object('status', 'retry', 'retry_at', v_until, 'dead_letter_id', null);
end $function$;

revoke all on function "sediment"."narrow_claim"(public.partitions, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.next_row_id()
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
end $function$;

revoke all on function "sediment"."next_row_id"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.note_deleted_user()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  insert into public.deletions (kind, user_id, requested_by) values ('user', old.id, old.id)
  on conflict (user_id) where kind = 'user' do nothing;
  return old;
end $function$;

revoke all on function "sediment"."note_deleted_user"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.note_plan_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.service_settings s set plan_changed_at = clock_timestamp() where s.id;
  return null;
end $function$;

revoke all on function "sediment"."note_plan_change"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.note_signed_urls()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  new.signed_url_until := greatest(old.signed_url_until,
    clock_timestamp() + make_interval(secs => old.signed_url_seconds));
  return new;
end $function$;

revoke all on function "sediment"."note_signed_urls"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.own_dataset(p_user uuid, p_dataset uuid)
 RETURNS public.datasets
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_dataset public.datasets;
begin
  select * into v_dataset from public.datasets d where d.id = p_dataset;
  if not found then
    perform sediment.fail('not_found', 404, format('there is no dataset %s', p_dataset));
  end if;
  if p_user is not null and v_dataset.user_id <> p_user then
    perform sediment.fail('dataset_forbidden', 403, format('dataset %s belongs to another user', p_dataset));
  end if;
  if p_user is not null then
    perform sediment.refuse_deleted_user(p_user);
  end if;
  if p_user is not null and v_dataset.deleted_at is not null then
    perform sediment.fail('dataset_deleted', 410, format('dataset %s was deleted on %s', p_dataset,
      v_dataset.deleted_at));
  end if;
  return v_dataset;
end $function$;

CREATE OR REPLACE FUNCTION sediment.parse_message(p_message jsonb, OUT problem text, OUT dataset_id uuid, OUT "table" text, OUT period_tag text, OUT run_id uuid, OUT priority text)
 RETURNS record
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_uuid constant text := '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$';
  v_name constant text := '^[A-Za-z0-9_-]{1,64}$';
  v_dataset text := p_message ->> 'datasetId';
begin
  if v_dataset ~ '^[0-9a-fA-F]{64}$' then
    v_dataset := overlay(overlay(left(v_dataset, 32) placing '8' from 13)
      placing substr('89ab', 1 + ('x' || substr(v_dataset, 17, 1))::bit(4)::integer % 4, 1) from 17)::uuid::text;
  end if;
  problem := case
    when p_message is null or jsonb_typeof(p_message) <> 'object' then 'the message is not an object'
    -- as text: pg_column_size tells what is left of it after compression
    when octet_length(p_message::text) > 16384 then 'the message is over 16 KiB'
    when coalesce(v_dataset, '') !~ v_uuid then 'datasetId is not a uuid'
    when p_message ->> 'metricId' !~ v_uuid then 'metricId is not a uuid'
    when p_message ->> 'priority' is not null and sediment.priority_rank(p_message ->> 'priority') is null
      then 'priority is not one of realtime, manual, scheduled'
    when coalesce(p_message ->> 'triggeredAt', '') !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d' then
      'triggeredAt is not an ISO 8601 time'
    when (p_message ->> 'table' is null) <> (p_message ->> 'periodTag' is null)
      then 'table and periodTag come together or not at all'
    when p_message ->> 'table' !~ v_name then 'table is not a name'
    when p_message ->> 'periodTag' !~ v_name then 'periodTag is not a name'
  end;
  if problem is null then
    dataset_id := v_dataset;
    run_id := p_message ->> 'metricId';
    priority := p_message ->> 'priority';
    "table" := p_message ->> 'table';
    period_tag := p_message ->> 'periodTag';
  end if;
end $function$;

CREATE OR REPLACE FUNCTION sediment.partition_settings(p public.partitions)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_settings jsonb := sediment.settings_of(p.dataset_id, p."table");
begin
  if p.output_cap_bytes is not null then
    v_settings := v_settings || jsonb_build_object('target_file_bytes',
      least(p.output_cap_bytes, (v_settings ->> 'target_file_bytes')::bigint));
  end if;
  return v_settings;
end $function$;

revoke all on function "sediment"."partition_settings"(public.partitions) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.pass_trial(p public.partitions, p_passed bigint[], p_merged boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_iso jsonb;
  v_suspects bigint[];
begin
  select x.isolation into strict v_iso from public.partitions x
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  if v_iso is null then
    return;
  end if;
  select coalesce(array_agg(x.id::bigint order by x.n), '{}') into strict v_suspects
  from jsonb_array_elements_text(v_iso -> 'suspects') with ordinality as x(id, n)
  where x.id::bigint <> all (p_passed);
  update public.partitions x
  set isolation = case when cardinality(v_suspects) > 0 then v_iso || jsonb_build_object('suspects',
      to_jsonb(v_suspects), 'sound', (v_iso ->> 'sound')::boolean or p_merged and cardinality(p_passed) = 1) end,
    output_cap_bytes = case when cardinality(v_suspects) = 0 and (v_iso ->> 'bytes')::bigint > 1
      then least(x.output_cap_bytes, (v_iso ->> 'bytes')::bigint / 2) else x.output_cap_bytes end
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
end $function$;

revoke all on function "sediment"."pass_trial"(public.partitions, bigint[], boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.pings_queued(p_path text)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return (select count(*) from (
    select 1 from net.http_request_queue q where q.url like '%' || p_path limit 100) x);
exception when insufficient_privilege or undefined_table then
  return 0;
end $function$;

revoke all on function "sediment"."pings_queued"(text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.plan_digest(p_dataset uuid, p_table text, p_planner integer)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return md5(p_planner || (sediment.settings_of(p_dataset, p_table)
    - array['retention_seconds', 'lease_seconds', 'max_run_seconds', 'max_attempts'])::text);
end $function$;

revoke all on function "sediment"."plan_digest"(uuid, text, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.prune_pass(p_limit integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_before timestamptz;
  v_runs uuid[];
  v_commits integer;
  v_letters integer;
  v_alerts integer;
  v_objects integer;
begin
  -- read once: the planner makes no index condition of the volatile clock_timestamp()
  select clock_timestamp() - make_interval(secs => s.history_seconds) into strict v_before
  from public.service_settings s;

  select coalesce(array_agg(x.id), '{}') into strict v_runs from (
    select r.id from public.processing_metrics r
    where r.queued_at < v_before and r.completed_at < v_before
      and (r.status not in ('dlq_failure', 'timeout') or not exists (
        select 1 from public.dead_letters l where l.dataset_id = r.dataset_id and l."table" = r."table"
          and l.period_tag = r.period_tag and l.resolved_at is null and l.run_id = r.id))
    order by r.queued_at limit p_limit for update of r skip locked
  ) x;
  delete from public.run_children k where k.parent_id = any (v_runs);
  delete from public.run_children k where k.child_id = any (v_runs);
  delete from public.run_commits c where c.run_id = any (v_runs);
  get diagnostics v_commits = row_count;
  delete from public.processing_metrics r where r.id = any (v_runs);

  delete from public.alerts a where a.id = any (array(
    select x.id from public.alerts x where x.created_at < v_before and x.state <> 'pending'
    order by x.created_at limit p_limit for update skip locked));
  get diagnostics v_alerts = row_count;
  delete from public.dead_letters l where l.id = any (array(
    select x.id from public.dead_letters x
    where x.created_at < v_before and (x.resolved_at < v_before or x."table" is null)
      and not exists (select 1 from public.alerts a where a.dead_letter_id = x.id)
      and not exists (select 1 from public.processing_metrics r where r.id = x.run_id)
    order by x.created_at limit p_limit for update skip locked));
  get diagnostics v_letters = row_count;

  delete from public.objects o where o.object_key = any (array(
    select x.object_key from public.objects x
    where x.state = 'tombstone' and x.delete_after is null and x.updated_at < v_before
    order by x.updated_at limit p_limit for update skip locked));
  get diagnostics v_objects = row_count;

  return jsonb_build_object('runs', cardinality(v_runs), 'commits', v_commits, 'dead_letters', v_letters,
    'alerts', v_alerts, 'objects', v_objects,
    'more', greatest(cardinality(v_runs), v_letters, v_alerts, v_objects) = p_limit);
end $function$;

revoke all on function "sediment"."prune_pass"(integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.purge_removed(x public.deletions, p_limit integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_reason constant text := 'deletion ' || x.id;
  v_now timestamptz := clock_timestamp();
  v_keys text[];
  v_dropped bigint;
  v_bytes bigint;
begin
  perform 1 from public.datasets d where d.id = x.dataset_id for no key update;
  with dropped as (
    delete from public.battle_files f
    where f.id = any (array(
      select y.id from public.battle_files y
      where y.dataset_id = x.dataset_id and y.removed_version <= x.version and y.added_version < x.version
        and (x.upload_id is null or y.upload_id = x.upload_id)
        and (x."table" is null or y."table" = x."table") and (x.period_tag is null or y.period_tag = x.period_tag)
      order by y.removed_version limit p_limit))
    returning f.object_key, f.byte_length
  )
  select coalesce(array_agg(distinct y.object_key), '{}'), count(*), coalesce(sum(y.byte_length), 0)
  into strict v_keys, v_dropped, v_bytes from dropped y;
  update public.datasets d set retired_bytes = greatest(d.retired_bytes - v_bytes, 0) where d.id = x.dataset_id;
  perform sediment.retire_object(k.key, v_reason, '0') from unnest(v_keys) as k(key)
  where not exists (select 1 from public.battle_files f where f.object_key = k.key);
  if v_dropped >= p_limit then
    return v_dropped;
  end if;

  update public.objects o
  set delete_after = v_now, delete_reason = v_reason, updated_at = v_now
  where o.object_key = any (array(
    select y.object_key from public.objects y
    where y.delete_after > v_now and y.state = 'deleting' and y.kind in ('fragment', 'compacted', 'incoming')
      and x.upload_id is null and y.dataset_id = x.dataset_id and (x."table" is null or y."table" = x."table")
      and (x.period_tag is null or y.period_tag = x.period_tag)
      and not exists (select 1 from public.battle_files f where f.object_key = y.object_key)
    for update skip locked));
  -- what is staged can't be committed any more: by the version of its stage, by the token of its run
  perform sediment.discard_object(y.object_key, v_reason) from (
    select z.object_key from public.objects z
    where z.state = 'staged' and z.put_deadline is not null and z.dataset_id = x.dataset_id and x.upload_id is null
      and (x."table" is null or z."table" = x."table") and (x.period_tag is null or z.period_tag = x.period_tag)
      and (z.kind = 'fragment' and z.staged_version < x.version or z.kind = 'compacted' and exists (
        select 1 from public.partitions p where p.dataset_id = z.dataset_id and p."table" = z."table"
          and p.period_tag = z.period_tag and p.token > z.token))
    order by z.object_key for update skip locked) y;
  update public.deletions y set state = 'purged', purged_at = v_now where y.id = x.id;
  return v_dropped;
end $function$;

revoke all on function "sediment"."purge_removed"(public.deletions, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.queue_has(p_queue text, p_msg_id bigint)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_has boolean;
begin
  execute format('select exists (select 1 from pgmq.%I m where m.msg_id = $1)', 'q_compaction_' || p_queue)
  into v_has using p_msg_id;
  return v_has;
end $function$;

revoke all on function "sediment"."queue_has"(text, bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.quota_outcome(p sediment.commit_call, p_calls sediment.commit_call[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_detail text;
  v_hint text;
begin
  perform sediment.check_stored(p.user_id, (
    select sum(c.object_size)::bigint from unnest(p_calls) as c
    where c.user_id = p.user_id and c.n <= p.n and c.outcome is null));
  return null;
exception when others then
  -- a lock not had is the group's error
  if sqlstate not like 'SD%' then
    raise;
  end if;
  delete from public.uploads u where u.id = p.stage;
  get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
  return sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
end $function$;

CREATE OR REPLACE FUNCTION sediment.raise_alert(p_class text, p_summary text, p_details jsonb DEFAULT '{}'::jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  insert into public.alerts (class, window_start, payload)
  values (p_class, clock_timestamp(),
    p_details || jsonb_build_object('class', p_class, 'summary', p_summary, 'at', clock_timestamp()))
  on conflict (class, window_start) do nothing;
end $function$;

revoke all on function "sediment"."raise_alert"(text, text, jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.read_commit_files(p_calls sediment.commit_call[], OUT files sediment.commit_file[], OUT wrong jsonb)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  with read as materialized (
    select c.n, c.dataset_id, f.ordinal, f."table", f.period_tag,
      row(c.n, c.dataset_id, c.stage, c.user_id, c.object_key, c.etag, f.ordinal, f."table", f.period_tag,
        f.start_byte, f.byte_length, f.row_count, f.row_group_count, f.uncompressed_bytes, f.value_count,
        f.merge_facts, f.schema_fingerprint, f.schema, f.stats, f.checksum,
        sediment.schema_digest(f.schema))::sediment.commit_file as file,
      case
        when t.list is null then 'p_files is not an array of 1 to 10000 data files'
        when (f.ordinal >= 0 and f."table" ~ '^[A-Za-z0-9_-]{1,64}$' and f.period_tag ~ '^[A-Za-z0-9_-]{1,64}$'
          and f.start_byte >= 0 and f.byte_length > 0 and f.byte_length <= c.object_size - f.start_byte
          and f.row_count >= 0 and f.row_group_count >= 0 and f.uncompressed_bytes >= 0
          and coalesce(f.value_count >= 0, true) and coalesce(jsonb_typeof(f.merge_facts) = 'object', true)
          and f.schema_fingerprint is not null and f.schema is not null) is not true
        then format('data file %s is not well formed: table %s, period_tag %s, start_byte %s, byte_length %s',
          f.ordinal, quote_nullable(left(f."table", 80)), quote_nullable(left(f.period_tag, 80)), f.start_byte,
          f.byte_length)
      end as detail
    from unnest(p_calls) as c
    cross join lateral (select case when jsonb_typeof(c.files) = 'array'
      then case when jsonb_array_length(c.files) between 1 and 10000 then c.files end end as list) t
    left join lateral jsonb_to_recordset(t.list) as f(ordinal integer, "table" text, period_tag text,
      start_byte bigint, byte_length bigint, row_count bigint, row_group_count integer, uncompressed_bytes bigint,
      value_count bigint, merge_facts jsonb, schema_fingerprint text, schema jsonb, stats jsonb, checksum text) on true
    where c.outcome is null and not c.known
  )
  select array_agg(x.file order by x.dataset_id, x."table", x.period_tag, x.n, x.ordinal)
      filter (where x.ordinal is not null),
    -- of a call's the last one stays: the first data file that is wrong
    jsonb_object_agg(x.n, x.wrong order by x.n, x.ordinal desc nulls first) filter (where x.wrong is not null)
  into strict files, wrong
  from (
    select r.*, coalesce(r.detail, case when count(*) over (partition by r.n, r.ordinal) > 1
      then 'two data files have the same ordinal' end) as wrong
    from read r
  ) x;
end $function$;

CREATE OR REPLACE FUNCTION sediment.read_stage_calls(p_calls jsonb)
 RETURNS sediment.stage_call[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  return (
    select array_agg(row(c.n, a.p_user, a.p_dataset, a.p_table, a.p_period_tag, a.p_size, a.p_content_hash,
      coalesce(a.p_offsets_digest, ''), coalesce(a.p_kind, 'fragment'), coalesce(a.p_ttl_seconds, 120),
      coalesce(a.p_max_put_seconds, 7200), a.p_details, a.p_idempotency_key,
      case when u.answer is not null and gone.at is null and sediment.lost_files(u.id) = 0 then u.answer end,
      d.id is null or gone.at is not null or a.p_idempotency_key is not null,
      case
        when a.p_user is null or a.p_dataset is null then
          sediment.failure('invalid_request', 400, 'p_user and p_dataset are needed')
        when (a.p_table ~ '^[A-Za-z0-9_-]{1,64}$') is not true then sediment.name_failure('table', a.p_table)
        when (a.p_period_tag ~ '^[A-Za-z0-9_-]{1,64}$') is not true then
          sediment.name_failure('period_tag', a.p_period_tag)
        when (a.p_size > 0) is not true then
          sediment.failure('invalid_request', 400, format('the size is %s', a.p_size), 'a positive integer')
        when (a.p_content_hash ~ '^[0-9a-f]{64}$') is not true then
          sediment.failure('invalid_request', 400, 'the content hash is not a SHA-256', '64 lower-case hex digits')
        when a.p_kind not in ('fragment', 'concatenated', 'direct_fragment', 'direct_concatenated') then
          sediment.failure('invalid_request', 400, format('p_kind is %s', a.p_kind))
        when a.p_ttl_seconds <= 0 or a.p_max_put_seconds < 0 then
          sediment.failure('invalid_request', 400, 'the times to live are not positive')
        when d.user_id <> a.p_user then
          sediment.failure('dataset_forbidden', 403, format('dataset %s belongs to another user', a.p_dataset))
        when z.id is not null then
          sediment.failure('user_deleted', 410, format('user %s was deleted', a.p_user), 'another account')
        when d.deleted_at is not null then
          sediment.failure('dataset_deleted', 410, format('dataset %s was deleted on %s', a.p_dataset, d.deleted_at),
            'another dataset_id')
        when gone.at > clock_timestamp() - (select make_interval(secs => s.deleted_upload_seconds)
            from public.service_settings s where s.id)
          and coalesce(a.p_again, false) is false
        then
          sediment.failure('upload_deleted', 410, format('this body was uploaded, and deleted on %s', gone.at),
            'again=1, to have it back')
        when gone.at is null and u.offsets_digest <> coalesce(a.p_offsets_digest, '') then
          sediment.failure('upload_conflict', 422,
            format('this body was acknowledged on %s with other offsets', u.created_at),
            'the offsets of the first upload')
      end)::sediment.stage_call order by c.n)
    from jsonb_array_elements(p_calls) with ordinality as c(value, n)
    cross join lateral jsonb_to_record(c.value) as a(p_user uuid, p_dataset uuid, p_table text, p_period_tag text,
      p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text, p_ttl_seconds integer,
      p_max_put_seconds integer, p_details jsonb, p_idempotency_key text, p_again boolean)
    left join public.datasets d on d.id = any (array[a.p_dataset])
    left join public.uploads u on u.dataset_id = any (array[a.p_dataset]) and u."table" = a.p_table
      and u.period_tag = a.p_period_tag and u.content_hash = a.p_content_hash
    left join public.deletions z on z.user_id = any (array[a.p_user]) and z.kind = 'user'
    cross join lateral (select case when d.deletion_version > (u.answer ->> 'version')::bigint
      then sediment.upload_deleted_at(u) end as at) gone);
end $function$;

CREATE OR REPLACE FUNCTION sediment.readable_version(p_dataset public.datasets, p_version bigint)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_version bigint := coalesce(p_version, p_dataset.version);
begin
  if v_version < p_dataset.oldest_kept_version then
    perform sediment.fail('version_gone', 410, format('version %s is no longer kept', v_version),
      format('%s or later', p_dataset.oldest_kept_version));
  end if;
  if v_version > p_dataset.version then
    perform sediment.fail('version_unknown', 404, format('there is no version %s', v_version),
      format('at most %s', p_dataset.version));
  end if;
  return v_version;
end $function$;

revoke all on function "sediment"."readable_version"(public.datasets, bigint) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.refuse_deleted_stages(p_calls sediment.commit_call[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_call record;
begin
  for v_call in
    select c.n, c.stage, c.user_id, c.dataset_id, c."table", c.period_tag, c.files,
      coalesce(o.staged_version, 0) as staged_version, d.deletion_version, z.id is not null as by_user
    from unnest(p_calls) as c
    join public.datasets d on d.id = any (array[c.dataset_id])
    join public.objects o on o.object_key = any (array[c.object_key])
    left join public.deletions z on z.user_id = any (array[c.user_id]) and z.kind = 'user'
    where d.deletion_version > coalesce(o.staged_version, 0) or z.id is not null
  loop
    if v_call.by_user then
      perform sediment.refuse_deleted_user(v_call.user_id);
    end if;
    if exists (
      select 1 from public.deletions x
      where x.dataset_id = v_call.dataset_id and x.version > v_call.staged_version and x.upload_id is null
        and ((x."table" is null or x."table" = v_call."table")
            and (x.period_tag is null or x.period_tag = v_call.period_tag)
          or jsonb_typeof(v_call.files) = 'array' and exists (
            select 1 from jsonb_array_elements(v_call.files) f
            where (x."table" is null or x."table" = f ->> 'table')
              and (x.period_tag is null or x.period_tag = f ->> 'period_tag'))))
    then
      perform sediment.fail('dataset_deleted', 410,
        format('stage %s was opened before what it was for was deleted', v_call.stage), 'a new upload');
    end if;
  end loop;
end $function$;

revoke all on function "sediment"."refuse_deleted_stages"(sediment.commit_call[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.refuse_deleted_user(p_user uuid)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if exists (select 1 from public.deletions x where x.user_id = p_user and x.kind = 'user') then
    perform sediment.fail('user_deleted', 410, format('user %s was deleted', p_user), 'another account');
  end if;
end $function$;

revoke all on function "sediment"."refuse_deleted_user"(uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.refuse_marked_inputs(p public.partitions, p_run uuid, p_inputs bigint[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if sediment.has_marks(p.dataset_id) and exists (
    select 1 from public.battle_files f
    where f.id = any (p_inputs) and sediment.is_marked(f, 9223372036854775807))
  then
    perform sediment.fail('lease_lost', 409, format('what run %s has read is being deleted', p_run));
  end if;
end $function$;

revoke all on function "sediment"."refuse_marked_inputs"(public.partitions, uuid, bigint[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.remove_marked(x public.deletions, p_limit integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_at_once constant integer := 20;
  p public.partitions;
  v_parts public.partitions[];
  v_removed record;
  v_files bigint := 0;
  v_rows bigint := 0;
  v_bytes bigint := 0;
  v_uncompressed bigint := 0;
  v_whole public.partitions[] := '{}';
begin
  select coalesce(array_agg(y.z), '{}') into strict v_parts from (
    select z from public.partitions z
    where z.dataset_id = x.dataset_id and (z."table", z.period_tag) > (x.after_table, x.after_period_tag)
      and (x."table" is null or z."table" = x."table") and (x.period_tag is null or z.period_tag = x.period_tag)
    order by z."table", z.period_tag limit v_at_once
    for no key update
  ) y;
  perform 1 from public.datasets d where d.id = x.dataset_id for no key update;

  foreach p in array v_parts loop
    exit when v_files >= p_limit;
    with removed as (
      update public.battle_files f set removed_version = x.version
      where f.id = any (array(
        select y.id from public.battle_files y
        where y.dataset_id = p.dataset_id and y."table" = p."table" and y.period_tag = p.period_tag
          and y.removed_version is null and y.added_version < x.version
        order by y.seq_min limit p_limit - v_files))
      returning f.row_count, f.byte_length, f.uncompressed_bytes
    )
    select count(*) as files, coalesce(sum(r.row_count), 0) as rows, coalesce(sum(r.byte_length), 0) as bytes,
      coalesce(sum(r.uncompressed_bytes), 0) as uncompressed
    into strict v_removed from removed r;
    v_files := v_files + v_removed.files;
    v_rows := v_rows + v_removed.rows;
    v_bytes := v_bytes + v_removed.bytes;
    v_uncompressed := v_uncompressed + v_removed.uncompressed;
    exit when v_files >= p_limit; -- there may be more in this one
    v_whole := v_whole || p;
  end loop;

  update public.datasets d
  set file_count = d.file_count - v_files, row_count = d.row_count - v_rows,
    file_size_bytes = d.file_size_bytes - v_bytes, uncompressed_bytes = d.uncompressed_bytes - v_uncompressed,
    compression_ratio = round((d.uncompressed_bytes - v_uncompressed)::numeric
      / nullif(d.file_size_bytes - v_bytes, 0), 3),
    retired_bytes = d.retired_bytes + v_bytes, updated_at = clock_timestamp()
  where d.id = x.dataset_id;
  foreach p in array v_whole loop
    if p.msg_id is not null or p.debt_oldest is not null or p.due_at is not null or p.dead_since is not null
      or p.demand_seq > p.done_seq
    then
      perform sediment.end_partition_run(p);
    end if;
  end loop;

  update public.deletions y
  set files = y.files + v_files, rows = y.rows + v_rows, bytes = y.bytes + v_bytes,
    after_table = case when cardinality(v_whole) > 0 then v_whole[cardinality(v_whole)]."table" else y.after_table end,
    after_period_tag = case when cardinality(v_whole) > 0 then v_whole[cardinality(v_whole)].period_tag
      else y.after_period_tag end
  where y.id = x.id;
  if cardinality(v_whole) = cardinality(v_parts) and cardinality(v_parts) < v_at_once then
    update public.deletions y
    set state = 'removed', removed_at = clock_timestamp(), after_table = '', after_period_tag = '', after_hash = ''
    where y.id = x.id;
  end if;
  return v_files;
end $function$;

revoke all on function "sediment"."remove_marked"(public.deletions, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.remove_user(x public.deletions, p_limit integer)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  v_keep interval;
  v_taken bigint;
begin
  select y.* into d from public.datasets y
  where y.user_id = x.user_id and (y.deleted_at is null or x.purge and not exists (
    select 1 from public.deletions z where z.dataset_id = y.id and z.kind = 'dataset' and z.purge))
  order by y.id limit 1
  for no key update;
  if found then
    perform sediment.mark_deletion(d, x.requested_by, null, null, x.purge, x.id);
    return true;
  end if;

  v_keep := case when x.purge then '0' else sediment.signed_url_life() end;
  with taken as (
    delete from public.assets a
    where (a.user_id, a.key) in (
      select y.user_id, y.key from public.assets y where y.user_id = x.user_id order by y.key limit p_limit)
    returning a.object_key
  ), retired as (
    select sediment.retire_object(t.object_key, 'deletion ' || x.id, v_keep) as done from taken t
  )
  select count(*) into strict v_taken from retired r;
  if v_taken > 0 then
    update public.deletions y set assets = y.assets + v_taken where y.id = x.id;
    return true;
  end if;

  if exists (select 1 from public.deletions z where z.parent_id = x.id
    and (z.state = 'marked' or z.purge and z.state <> 'purged'))
  then
    return false;
  end if;
  delete from public.idempotency_keys k where k.user_id = x.user_id;
  delete from public.user_usage u where u.user_id = x.user_id;
  delete from public.user_limits l where l.user_id = x.user_id;
  update public.objects o set delete_after = clock_timestamp(), updated_at = clock_timestamp()
  where x.purge and o.object_key = any (array(
    select y.object_key from public.objects y
    where y.delete_after > clock_timestamp() and y.state = 'deleting' and y.kind = 'asset' and y.user_id = x.user_id
    for update skip locked));
  update public.deletions y
  set state = case when x.purge then 'purged' else 'removed' end, removed_at = clock_timestamp(),
    purged_at = case when x.purge then clock_timestamp() end, forgotten_at = clock_timestamp()
  where y.id = x.id;
  return true;
end $function$;

revoke all on function "sediment"."remove_user"(public.deletions, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.replace_files(p public.partitions, p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb, p_input_keys text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_in record;
  v_out record;
  v_dedupe boolean;
  v_marks constant boolean := sediment.has_marks(p.dataset_id);
  v_version public.dataset_versions;
  v_removed bigint;
  v_now timestamptz := clock_timestamp();
  v_file bigint;
begin
  select count(distinct f.id) as files, coalesce(sum(f.byte_length), 0)::bigint as bytes,
    coalesce(sum(f.row_count), 0)::bigint as rows, coalesce(sum(f.row_group_count), 0)::bigint as row_groups,
    coalesce(sum(f.uncompressed_bytes), 0)::bigint as uncompressed, max(f.level) as level,
    min(f.seq_min) as seq_min, max(f.seq_max) as seq_max,
    max(coalesce(f.youngest_at, f.uploaded_at)) as youngest_at
  into strict v_in
  from unnest(p_inputs) as i(id)
  cross join lateral (select * from public.battle_files x where x.id = i.id offset 0) f
  where f.removed_version is null and f.state = 'active'
    and f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag;
  if v_in.files <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs are visible and sound', v_in.files, cardinality(p_inputs)));
  end if;

  -- What was read is what is there: an input that was healed since holds other bytes.
  if p_input_keys is not null and exists (
    select 1 from unnest(p_inputs, p_input_keys) as i(id, key)
    cross join lateral (select x.object_key from public.battle_files x where x.id = i.id offset 0) f
    where f.object_key is distinct from i.key)
  then
    perform sediment.fail('inputs_changed', 409, 'an input is in another object than the one that was read');
  end if;

  select * into v_out from jsonb_to_record(p_output) as t(object_key text, size bigint, etag text,
    row_count bigint, row_group_count integer, uncompressed_bytes bigint, value_count bigint,
    merge_facts jsonb, schema_fingerprint text, stats jsonb, checksum text);
  v_dedupe := jsonb_array_length(sediment.settings_of(p.dataset_id, p."table") -> 'dedupe_keys') > 0;
  if (case when v_dedupe then coalesce(v_out.row_count, 0) <= v_in.rows and (v_out.row_count > 0 or v_in.rows = 0)
      else coalesce(v_out.row_count, 0) = v_in.rows end) is not true
  then
    perform sediment.fail('merge_rows_differ', 500,
      format('the inputs hold %s rows, the output %s', v_in.rows, coalesce(v_out.row_count, 0)));
  end if;
  -- Last writer wins only holds when nothing that was written in between stays outside: all inputs are in between, so
  -- what is there is counted.
  if v_dedupe and v_in.files < (
    select count(*) from public.battle_files f
    where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
      and f.removed_version is null and f.seq_min <= v_in.seq_max and f.seq_max >= v_in.seq_min
      -- what is about to be deleted is in nobody's way, as it is in no list of inputs
      and not (v_marks and sediment.is_marked(f, 9223372036854775807)))
  then
    perform sediment.fail('inputs_not_adjacent', 409,
      format('a file between upload %s and %s is not among the inputs', v_in.seq_min, v_in.seq_max));
  end if;

  v_version := (sediment.next_versions(array[row(p.dataset_id,
    case when p_output is null then 0 else 1 end - v_in.files, coalesce(v_out.size, 0) - v_in.bytes,
    coalesce(v_out.row_count, 0) - v_in.rows, coalesce(v_out.uncompressed_bytes, 0) - v_in.uncompressed,
    coalesce(v_out.etag, ''))::sediment.dataset_change]))[1];
  perform sediment.refuse_marked_inputs(p, p_run, p_inputs);

  update public.datasets d set retired_bytes = d.retired_bytes + v_in.bytes where d.id = p.dataset_id;
  update public.battle_files f set removed_version = v_version.version
  from unnest(p_inputs) as i(id)
  where f.id = any (array[i.id]) and f.removed_version is null;
  get diagnostics v_removed = row_count;
  if v_removed <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs were still visible', v_removed, cardinality(p_inputs)));
  end if;

  if p_output is not null then
    update public.objects o
    set state = 'stored', size = v_out.size, etag = v_out.etag, expires_at = null, updated_at = v_now
    where o.object_key = v_out.object_key and o.state = 'staged'
      and o.run_id = p_run and o.run_ordinal = p_n and o.token = p_token;
    if not found then
      -- the sweep was here: this worker slept through its lease and the time for its PUT, though nobody took over
      if exists (select 1 from public.objects o where o.object_key = v_out.object_key
        and o.run_id = p_run and o.run_ordinal = p_n and o.token = p_token)
      then
        perform sediment.fail('lease_lost', 409, format('%s was given up', v_out.object_key));
      end if;
      perform sediment.fail('object_missing', 500,
        format('%s is not the staged output %s of this run and token', v_out.object_key, p_n));
    end if;
    insert into public.battle_files (dataset_id, "table", period_tag, run_id, ordinal, object_key, start_byte,
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest, youngest_at)
    select p.dataset_id, p."table", p.period_tag, p_run, p_n, v_out.object_key, 0, v_out.size, v_out.etag,
      v_in.level + 1, v_in.seq_min, v_in.seq_max, v_out.row_count, v_out.row_group_count,
      v_out.uncompressed_bytes, v_out.value_count, v_out.merge_facts, v_out.schema_fingerprint, v_out.stats,
      v_version.version, r.user_id, v_now, v_out.checksum, sediment.schema_digest(p_output -> 'schema'),
      v_in.youngest_at
    from public.processing_metrics r where r.id = p_run
    returning id into strict v_file;
  end if;

  update public.processing_metrics r
  set attempts = 0, -- a committed output is progress: the next failure is a first one again
    files_before = r.files_before + v_in.files, files_after = r.files_after + (v_file is not null)::integer,
    row_groups_before = r.row_groups_before + v_in.row_groups,
    row_groups_after = r.row_groups_after + coalesce(v_out.row_group_count, 0),
    rows_before = r.rows_before + v_in.rows, rows_after = r.rows_after + coalesce(v_out.row_count, 0),
    bytes_before = r.bytes_before + v_in.bytes, bytes_after = r.bytes_after + coalesce(v_out.size, 0)
  where r.id = p_run;
  return jsonb_build_object('version', v_version.version, 'file_id', v_file);
end $function$;

revoke all on function "sediment"."replace_files"(public.partitions, uuid, integer, bigint, bigint[], jsonb, text[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.requeue_run(p public.partitions, p_until timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.partitions x
  set token = x.token + 1, lease_expires_at = null, lease_worker = null, claimed_at = null,
    claimed_demand_seq = null, claimed_debt_files = null, claimed_debt_bytes = null, ready_at = p_until
  where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag;
  perform sediment.queue_hide(p.queue, p.msg_id, p_until);
  perform sediment.raise_waiting(p, ceil(extract(epoch from p_until - clock_timestamp()))::integer);
end $function$;

revoke all on function "sediment"."requeue_run"(public.partitions, timestamp with time zone) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.retry_run(p_dataset uuid, p_table text, p_period_tag text, p_code text, p_message text, p_step text, p_permanent boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  p public.partitions;
  v_run public.processing_metrics;
  v_settings public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_retry_at timestamptz;
begin
  select * into strict p from public.partitions x
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag;
  select * into strict v_run from public.processing_metrics r where r.id = p.run_id;
  select * into strict v_settings from public.service_settings;

  v_run.worked_seconds := sediment.add_work(p);
  if v_run.worked_seconds >= v_settings.max_run_seconds and not p_permanent
    and v_run.attempts < v_settings.max_attempts
  then
    return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
      sediment.bury_run(p_dataset, p_table, p_period_tag, 'run_timeout',
        format('the run worked for %s of %s seconds; its last failure was %s: %s', round(v_run.worked_seconds::numeric),
          v_settings.max_run_seconds, p_code, p_message), p_step));
  end if;
  if p_permanent or v_run.attempts >= v_settings.max_attempts then
    return jsonb_build_object('status', 'dead', 'retry_at', null, 'dead_letter_id',
      sediment.bury_run(p_dataset, p_table, p_period_tag, p_code, p_message, p_step));
  end if;

  -- Full jitter: anywhere between a second and the doubled base, so that what failed together does not come
  -- back together.
  v_retry_at := v_now + make_interval(secs => greatest(1, random() * least(
    v_settings.backoff_cap_seconds,
    v_settings.backoff_base_seconds * power(2, least(greatest(v_run.attempts, 1), 20) - 1))));

  update public.processing_metrics r
  set status = 'queued', error_code = p_code, error_message = left(p_message, 2000), error_step = p_step,
    first_failed_at = coalesce(r.first_failed_at, v_now), last_failed_at = v_now
  where r.id = p.run_id;
  perform sediment.requeue_run(p, v_retry_at);
  return jsonb_build_object('status', 'retry', 'retry_at', v_retry_at, 'dead_letter_id', null);
end $function$;

CREATE OR REPLACE FUNCTION sediment.return_run(p public.partitions, p_code text, p_message text, p_step text, p_part text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  r public.processing_metrics;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_retry_at timestamptz;
begin
  select * into strict s from public.service_settings;
  update public.processing_metrics x
  set status = 'queued', attempts = greatest(x.attempts - 1, 0), given_back = x.given_back + 1, error_code = p_code,
    error_message = left(p_message, 2000), error_step = p_step, last_failed_at = v_now,
    first_failed_at = coalesce(x.first_failed_at, v_now)
  where x.id = p.run_id
  returning * into strict r;
  v_retry_at := v_now + make_interval(secs => greatest(1, (0.5 + random() / 2) * least(
    s.backoff_cap_seconds, s.backoff_base_seconds * power(2, least(r.given_back, 20) - 1))));
  perform sediment.requeue_run(p, v_retry_at);
  if p_part is not null then
    perform sediment.trip_breaker(format('%s/%s/%s', p.dataset_id, p."table", p.period_tag), p_part, p_code, p_message);
  end if;
  return jsonb_build_object('status', 'retry', 'retry_at', v_retry_at, 'dead_letter_id', null);
end $function$;

revoke all on function "sediment"."return_run"(public.partitions, text, text, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.revive_run(p public.partitions)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_run uuid;
begin
  select r.id into v_run
  from public.dead_letters l join public.processing_metrics r on r.id = l.run_id
  where l.dataset_id = p.dataset_id and l."table" = p."table" and l.period_tag = p.period_tag
    and l.resolved_at is null and r.completed_at is not null
  order by l.id desc limit 1;
  if not found then
    return sediment.wake_partition(p.dataset_id, p."table", p.period_tag, 'scheduled', 'sweep', 0);
  end if;
  update public.processing_metrics r
  set status = 'queued', completed_at = null, priority = 'scheduled', worked_seconds = 0, given_back = 0,
    attempts = (select s.max_attempts - 1 from public.service_settings s)
  where r.id = v_run;
  perform sediment.adopt_run(p.dataset_id, p."table", p.period_tag, v_run, 'scheduled');
  return v_run;
end $function$;

revoke all on function "sediment"."revive_run"(public.partitions) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.run_vacuum(p_limit integer, p_dataset uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  -- their rows are locked until the slice ends: few at a time, or uploads wait
  v_datasets constant integer := least(p_limit, 50);
  v_interval interval;
  -- read once: the planner makes no index condition of the volatile clock_timestamp()
  v_now timestamptz := clock_timestamp();
  d public.datasets;
  v_seen integer := 0;
  v_step jsonb;
  v_versions jsonb := '[]';
  v_keys text[];
  v_dropped integer := 0;
  v_bytes bigint;
  v_delete jsonb;
begin
  select make_interval(secs => s.vacuum_interval_seconds) into strict v_interval from public.service_settings s;

  for d in
    select * from public.datasets x
    where x.vacuumed_at <= v_now - v_interval and (p_dataset is null or x.id = p_dataset)
    order by x.vacuumed_at limit v_datasets
    for no key update skip locked
  loop
    v_seen := v_seen + 1;
    v_step := sediment.advance_versions(d);
    if v_step is not null then
      v_versions := v_versions || v_step;
    end if;
    select x.* into strict d from public.datasets x where x.id = d.id;

    with dropped as (
      delete from public.battle_files f
      where f.id = any (array(
        select x.id from public.battle_files x
        where x.dataset_id = d.id and x.removed_version <= d.vacuumable_version
        order by x.removed_version limit greatest(p_limit - v_dropped, 0)))
      returning f.object_key, f.byte_length
    )
    select coalesce(array_agg(distinct x.object_key), '{}'), v_dropped + count(*), coalesce(sum(x.byte_length), 0)
    into strict v_keys, v_dropped, v_bytes from dropped x;
    if v_bytes > 0 then
      update public.datasets x set retired_bytes = greatest(x.retired_bytes - v_bytes, 0) where x.id = d.id;
    end if;
    perform sediment.retire_object(k.key, format('no version since %s shows it', d.oldest_kept_version), '0')
    from unnest(v_keys) as k(key)
    where not exists (select 1 from public.battle_files f where f.object_key = k.key);
    -- The slice ended inside this dataset: it is due still, behind all that have waited for longer, so that one with much
    -- to drop does not take every slice.
    if v_dropped >= p_limit then
      update public.datasets x set vacuumed_at = v_now - v_interval where x.id = d.id;
      exit;
    end if;
  end loop;

  v_now := clock_timestamp();
  with due as (
    select o.object_key from public.objects o
    where o.delete_after <= v_now and o.state in ('deleting', 'tombstone')
      and (p_dataset is null or o.dataset_id = p_dataset)
    order by o.delete_after limit p_limit
    for update skip locked
  ), handed as (
    update public.objects o
    set delete_after = clock_timestamp() + interval '10 minutes', updated_at = clock_timestamp()
    from due x where o.object_key = x.object_key
    returning o.object_key, o.kind, o.state, o.size, o.delete_reason
  )
  select coalesce(jsonb_agg(jsonb_build_object('object_key', h.object_key, 'kind', h.kind, 'state', h.state,
    'size', h.size, 'reason', h.delete_reason) order by h.object_key), '[]')
  into strict v_delete from handed h;

  return jsonb_build_object('versions', v_versions, 'files_dropped', v_dropped, 'delete', v_delete,
    'more', v_seen >= v_datasets or v_dropped >= p_limit or jsonb_array_length(v_delete) >= p_limit);
end $function$;

CREATE OR REPLACE FUNCTION sediment.schema_digest(p_schema jsonb)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return encode(sha256(convert_to(p_schema::text, 'UTF8')), 'hex');
end $function$;

revoke all on function "sediment"."schema_digest"(jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.settings_of(p_dataset uuid, p_table text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (select jsonb_build_object(
    'target_file_bytes', coalesce(t.target_file_bytes, d.target_file_bytes, s.target_file_bytes),
    'target_row_group_bytes',
      coalesce(t.target_row_group_bytes, d.target_row_group_bytes, s.target_row_group_bytes),
    'healthy_row_group_bytes',
      coalesce(t.healthy_row_group_bytes, d.healthy_row_group_bytes, s.healthy_row_group_bytes),
    'target_page_bytes', coalesce(t.target_page_bytes, d.target_page_bytes, s.target_page_bytes),
    'min_inputs', coalesce(t.min_inputs, d.min_inputs, s.min_inputs),
    'max_age_seconds', coalesce(t.max_age_seconds, d.max_age_seconds, s.max_age_seconds),
    'codec', coalesce(t.codec, d.codec, s.codec),
    'sort_keys', to_jsonb(coalesce(t.sort_keys, d.sort_keys, '{}')),
    'dedupe_keys', to_jsonb(coalesce(t.dedupe_keys, d.dedupe_keys, '{}')),
    'unite_uuid_as_text', coalesce(t.unite_uuid_as_text, d.unite_uuid_as_text, false),
    'retention_seconds', coalesce(t.retention_seconds, d.retention_seconds, s.retention_seconds),
    'lease_seconds', s.lease_seconds,
    'max_run_seconds', s.max_run_seconds,
    'max_attempts', s.max_attempts)
  from public.service_settings s
  left join public.table_settings t on t.dataset_id = p_dataset and t."table" = p_table
  left join public.table_settings d on d.dataset_id = p_dataset and d."table" = '*');
end $function$;

CREATE OR REPLACE FUNCTION sediment.signed_url_life()
 RETURNS interval
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select greatest(make_interval(secs => s.signed_url_seconds), s.signed_url_until - clock_timestamp())
  from public.service_settings s
$function$;

revoke all on function "sediment"."signed_url_life"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.spend_request(p_user uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_minute constant timestamptz := date_trunc('minute', v_now);
  v_max integer;
  v_requests integer;
begin
  if p_user is null then
    return;
  end if;
  select coalesce(l.requests_per_minute, s.requests_per_minute) into strict v_max
  from public.service_settings s left join public.user_limits l on l.user_id = p_user where s.id;
  insert into public.user_usage as u (user_id, minute_start, minute_uploads, day_start, day_bytes, minute_requests)
  values (p_user, v_minute, 0, date_trunc('day', v_now, 'UTC'), 0, 1)
  on conflict (user_id) do update
  set minute_start = v_minute,
    minute_uploads = case when u.minute_start = v_minute then u.minute_uploads else 0 end,
    minute_requests = case when u.minute_start = v_minute then u.minute_requests else 0 end + 1
  returning u.minute_requests into strict v_requests;
  -- raising takes the count back with the transaction, and all that was asked for
  if v_requests > v_max then
    perform sediment.fail('rate_limited', 429, format('requests_per_minute: over %s requests a minute', v_max),
      format('retry after %s s', ceil(extract(epoch from v_minute + interval '1 minute' - v_now))));
  end if;
end $function$;

revoke all on function "sediment"."spend_request"(uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.spend_upload(p_user uuid, p_bytes bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_call sediment.stage_call;
begin
  v_call.n := 1;
  v_call.user_id := p_user;
  v_call.size := p_bytes;
  perform sediment.answer_of(array[c.outcome])
  from unnest(sediment.spend_uploads(array[v_call])) as c where c.outcome is not null;
end $function$;

CREATE OR REPLACE FUNCTION sediment.spend_uploads(p_calls sediment.stage_call[])
 RETURNS sediment.stage_call[]
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_minute constant timestamptz := date_trunc('minute', v_now);
  v_day constant timestamptz := date_trunc('day', v_now, 'UTC');
  v_rooms sediment.user_room[] := sediment.user_rooms(
    array(select distinct c.user_id from unnest(p_calls) as c where c.outcome is null), v_now);
  v_calls sediment.stage_call[] := p_calls;
  v_call sediment.stage_call;
  r sediment.user_room;
  v_at integer := 0;
begin
  for v_call in
    select c.* from unnest(p_calls) as c where c.outcome is null order by c.user_id, c.n
  loop
    while v_at = 0 or v_rooms[v_at].user_id <> v_call.user_id loop
      v_at := v_at + 1;
    end loop;
    r := v_rooms[v_at];
    -- counted when what was planned since the last time comes to the limit, not for each
    if r.open_stages >= r.open_stages_max then
      r.open_stages := (
        select count(*) from (
          select 1 from public.objects o
          where o.user_id = any (array[r.user_id]) and o.state = 'staged' and o.user_id is not null
          limit r.open_stages_max) x);
      v_rooms[v_at] := r;
    end if;
    v_call.outcome := case
      when r.minute_uploads >= r.uploads_per_minute then
        sediment.failure('rate_limited', 429,
          format('uploads_per_minute: over %s uploads a minute', r.uploads_per_minute),
          format('retry after %s s', ceil(extract(epoch from v_minute + interval '1 minute' - v_now))))
      when r.day_bytes + v_call.size > r.upload_bytes_per_day then
        sediment.failure('quota_exceeded', 429,
          format('upload_bytes_per_day: over %s uploaded bytes a day', r.upload_bytes_per_day),
          format('retry after %s s', ceil(extract(epoch from v_day + interval '1 day' - v_now))))
      when r.stored_bytes + v_call.size > r.stored_bytes_max then
        sediment.failure('quota_exceeded', 429,
          format('stored_bytes_max: %s more bytes would pass the %s that may be stored', v_call.size,
            r.stored_bytes_max), format('at most %s stored bytes', r.stored_bytes_max))
      when r.open_stages >= r.open_stages_max then
        sediment.failure('quota_exceeded', 429,
          format('open_stages_max: %s planned uploads were not ended', r.open_stages),
          'uploads that are ended, or time for them to expire')
    end;
    if v_call.outcome is not null then
      v_calls[v_call.n].outcome := v_call.outcome;
      continue;
    end if;
    r.minute_uploads := r.minute_uploads + 1;
    r.day_bytes := r.day_bytes + v_call.size;
    r.open_stages := r.open_stages + 1;
    v_rooms[v_at] := r;
  end loop;

  update public.user_usage u
  set minute_start = v_minute, minute_uploads = x.minute_uploads,
    minute_requests = case when u.minute_start = v_minute then u.minute_requests else 0 end,
    day_start = v_day, day_bytes = x.day_bytes, open_stages = x.open_stages
  from unnest(v_rooms) as x
  where u.user_id = any (array[x.user_id]);
  return v_calls;
end $function$;

revoke all on function "sediment"."spend_uploads"(sediment.stage_call[]) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.stage_uploads(p_calls jsonb)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_indexonlyscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_calls sediment.stage_call[] := sediment.read_stage_calls(p_calls);
  v_call sediment.stage_call;
  v_now timestamptz := clock_timestamp();
  v_detail text;
  v_hint text;
  v_out jsonb[];
begin
  -- By what they lock, then as they came: two groups with calls of the same users must not wait for each other.
  for v_call in
    select c.* from unnest(v_calls) as c where c.needs_admission and c.outcome is null
    order by c.user_id, c.dataset_id, c.idempotency_key, c.n
  loop
    begin
      perform sediment.admit_upload(v_call);
    exception when others then
      -- the errors of sediment.fail are this call's own; any other, and a lock not had, is the group's
      if sqlstate not like 'SD%' then
        raise;
      end if;
      get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
      v_calls[v_call.n].outcome := sediment.failure(sqlerrm, substr(sqlstate, 3)::integer, v_detail, v_hint);
    end;
  end loop;

  v_calls := sediment.spend_uploads(v_calls);

  with planned as materialized (
    select c.*, t.stage_id, t.suffix, v_now + make_interval(secs => c.ttl_seconds) as expires_at,
      v_now + make_interval(secs => c.ttl_seconds + c.max_put_seconds) as put_deadline,
      format('battle_data/%s/%s/%s/%s%s', c.dataset_id, c."table", c.period_tag, t.stage_id, t.suffix) as object_key,
      case when c.kind like 'direct%' then format('incoming/%s/%s%s', c.user_id, t.stage_id, t.suffix) end
        as incoming_key
    from unnest(v_calls) as c
    cross join lateral (select gen_random_uuid() as stage_id,
      case when c.kind like '%concatenated' then '.bin' else '.parquet' end as suffix) t
  ), fragments as (
    insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, "table",
      period_tag, stage_id, content_hash, offsets_digest, details, staged_version)
    select p.object_key, 'fragment', p.size, p.expires_at, p.put_deadline, p.user_id, p.dataset_id, p."table",
      p.period_tag, p.stage_id, p.content_hash, p.offsets_digest, p.details,
      (select d.version from public.datasets d where d.id = any (array[p.dataset_id]))
    from planned p where p.outcome is null
  ), incoming as (
    insert into public.objects (object_key, kind, size, expires_at, put_deadline, user_id, dataset_id, stage_id)
    select p.incoming_key, 'incoming', p.size, p.expires_at, p.put_deadline, p.user_id, p.dataset_id, p.stage_id
    from planned p where p.outcome is null and p.incoming_key is not null
  )
  select array_agg(coalesce(p.outcome, jsonb_build_object('answer', jsonb_build_object(
    'stage_id', p.stage_id, 'object_key', p.object_key, 'incoming_key', p.incoming_key,
    'expires_at', p.expires_at, 'duplicate', p.first_answer is not null,
    'answer', p.first_answer || jsonb_build_object('duplicate', true)))) order by p.n)
  into strict v_out
  from planned p;
  return v_out;
end $function$;

CREATE OR REPLACE FUNCTION sediment.stored_bytes(p_user uuid)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (
    select coalesce(sum(d.file_size_bytes + d.retired_bytes), 0) from public.datasets d
    where d.user_id = any (array[p_user])
  ) + coalesce((select u.asset_bytes from public.user_usage u where u.user_id = p_user), 0);
end $function$;

revoke all on function "sediment"."stored_bytes"(uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.take_slot()
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_slot integer;
begin
  for v_slot in
    select s.slot from public.worker_slots s
    where s.slot <= (select greatest(x.max_workers, 1) from public.service_settings x)
      and not exists (select 1 from public.partitions p where p.lease_slot = s.slot and p.lease_expires_at is not null)
    order by s.slot
  loop
    perform 1 from public.worker_slots s where s.slot = v_slot for update skip locked;
    -- look again under the lock: whoever held it may have claimed
    if found and not exists (
      select 1 from public.partitions p where p.lease_slot = v_slot and p.lease_expires_at is not null)
    then
      return v_slot;
    end if;
  end loop;
  return null;
end $function$;

revoke all on function "sediment"."take_slot"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.trip_breaker(p_partition text, p_part text, p_code text, p_message text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  b public.circuit_breaker;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
begin
  select * into b from public.circuit_breaker x for no key update skip locked;
  if not found or b.state = 'open' then
    return;
  end if;
  select * into strict s from public.service_settings;
  if b.suspect is null or b.suspect = p_partition or b.part is distinct from p_part
    or b.suspect_at < v_now - make_interval(secs => s.breaker_window_seconds)
  then
    update public.circuit_breaker x
    set suspect = p_partition, suspect_at = v_now, part = p_part, error_code = p_code,
      error_message = left(p_message, 2000)
    where x.id;
    return;
  end if;
  update public.circuit_breaker x
  set state = 'open', opened_at = v_now, part = p_part, error_code = p_code, error_message = left(p_message, 2000),
    suspect = null, suspect_at = null, probes_passed = 0, probes_failed = 0, probe_until = null,
    probe_at = v_now + make_interval(secs => s.breaker_probe_seconds)
  where x.id;
  perform sediment.raise_alert('breaker_opened', format('Sediment stopped compaction: %s (%s) at two partitions, now %s',
    p_code, p_part, left(p_message, 500)), jsonb_build_object('message', left(p_message, 2000), 'part', p_part));
end $function$;

revoke all on function "sediment"."trip_breaker"(text, text, text, text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.upload_deleted_at(u public.uploads)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select case when bool_and(x.at is not null) then max(x.at) end
  from jsonb_array_elements(u.answer -> 'files') f
  cross join lateral (
    select min(d.requested_at) as at from public.deletions d
    where d.dataset_id = u.dataset_id and d.version > (u.answer ->> 'version')::bigint
      and (d.upload_id is null or d.upload_id = u.id)
      and (d."table" is null or d."table" = f ->> 'table')
      and (d.period_tag is null or d.period_tag = f ->> 'period_tag')) x
$function$;

revoke all on function "sediment"."upload_deleted_at"(public.uploads) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.user_rooms(p_users uuid[], p_now timestamp with time zone)
 RETURNS sediment.user_room[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_minute constant timestamptz := date_trunc('minute', p_now);
  v_day constant timestamptz := date_trunc('day', p_now, 'UTC');
begin
  insert into public.user_usage (user_id, minute_start, minute_uploads, day_start, day_bytes)
  select w.id, v_minute, 0, v_day, 0 from unnest(p_users) as w(id)
  where not exists (select 1 from public.user_usage u where u.user_id = any (array[w.id]))
  order by w.id
  on conflict (user_id) do nothing;
  perform 1 from public.user_usage u where u.user_id = any (p_users) order by u.user_id for no key update;
  -- a statement after the locks: it sees what those that were waited for have spent
  return (
    select array_agg(row(u.user_id,
      coalesce(l.uploads_per_minute, s.uploads_per_minute),
      case when u.minute_start = v_minute then u.minute_uploads else 0 end,
      coalesce(l.upload_bytes_per_day, s.upload_bytes_per_day),
      case when u.day_start = v_day then u.day_bytes else 0 end,
      coalesce(l.stored_bytes_max, s.stored_bytes_max),
      u.asset_bytes + (
        select coalesce(sum(d.file_size_bytes + d.retired_bytes), 0) from public.datasets d
        where d.user_id = any (array[u.user_id])),
      coalesce(l.open_stages_max, s.open_stages_max), u.open_stages
      )::sediment.user_room order by u.user_id)
    from public.user_usage u
    join public.service_settings s on s.id
    left join public.user_limits l on l.user_id = any (array[u.user_id])
    where u.user_id = any (p_users));
end $function$;

revoke all on function "sediment"."user_rooms"(uuid[], timestamp with time zone) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.wake_probe()
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  b public.circuit_breaker;
  v_now timestamptz := clock_timestamp();
begin
  select * into strict b from public.circuit_breaker;
  if b.state <> 'open' then
    return null;
  end if;
  return b.probe_at <= v_now and (b.probe_until is null or b.probe_until <= v_now)
    and sediment.pings_queued('/compactor') = 0 and sediment.ping_functions('/compactor') is not null;
end $function$;

revoke all on function "sediment"."wake_probe"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.watch_auth_users(p_users text DEFAULT 'auth.users'::text)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if to_regclass(p_users) is null then
    return false;
  end if;
  if exists (select 1 from pg_catalog.pg_trigger t
    where t.tgrelid = to_regclass(p_users) and t.tgname = 'sediment_note_deleted_user')
  then
    return true;
  end if;
  execute format('create trigger sediment_note_deleted_user after delete on %s
    for each row execute function sediment.note_deleted_user()', to_regclass(p_users));
  return true;
end $function$;

revoke all on function "sediment"."watch_auth_users"(text) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.write_commits(p_calls sediment.commit_call[], p_files sediment.commit_file[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_parts sediment.partition_change[];
  v_seqs bigint[]; -- of each file, in the order of p_files
  v_changes sediment.dataset_change[];
  v_new_schemas boolean;
  v_new_parts boolean;
  v_made uuid[]; -- the dataset of each partition that is new
  v_delay integer;
  v_versions public.dataset_versions[];
  v_answers jsonb;
begin
  -- What is known already is asked for once: schemas and partitions are never deleted.
  with parts as materialized (
    select f.dataset_id, f."table", f.period_tag, min(f.ordinality)::integer as first_file,
      max(f.ordinality)::integer as last_file, sum(f.byte_length)::bigint as bytes, sum(f.row_count) as rows,
      sum(f.uncompressed_bytes) as uncompressed, array_agg(distinct f.n) as calls,
      bool_or(k.digest is null) as new_schemas
    from unnest(p_files) with ordinality as f
    left join public.file_schemas k on k.digest = any (array[f.schema_digest])
    group by f.dataset_id, f."table", f.period_tag
  )
  select array_agg(row(p.dataset_id, p."table", p.period_tag, p.first_file, p.last_file, p.bytes, p.calls,
      null)::sediment.partition_change order by p.first_file),
    bool_or(x.dataset_id is null), bool_or(p.new_schemas),
    (select array_agg(row(t.dataset_id, t.files, t.bytes, t.rows, t.uncompressed, null)::sediment.dataset_change)
      from (
        select d.dataset_id, sum(d.last_file - d.first_file + 1) as files, sum(d.bytes) as bytes, sum(d.rows) as rows,
          sum(d.uncompressed) as uncompressed
        from parts d group by d.dataset_id
      ) t),
    (select s.realtime_delay_seconds from public.service_settings s where s.id)
  into strict v_parts, v_new_parts, v_new_schemas, v_changes, v_delay
  from parts p
  left join public.partitions x
    on x.dataset_id = any (array[p.dataset_id]) and x."table" = p."table" and x.period_tag = p.period_tag;

  if v_new_schemas then
    perform sediment.keep_schemas(array_agg(f.schema)) from unnest(p_files) as f;
  end if;

  -- Partitions, sorted by key: made when absent, then locked; more than one in a statement before their update,
  -- as sediment.next_versions locks datasets.
  if v_new_parts then
    with made as (
      insert into public.partitions (dataset_id, "table", period_tag)
      select f.dataset_id, f."table", f.period_tag from unnest(v_parts) as f
      -- an insert would wait for whoever updates the row that is there
      where not exists (select 1 from public.partitions x
        where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag)
      order by 1, 2, 3
      on conflict (dataset_id, "table", period_tag) do nothing
      returning dataset_id
    )
    select array_agg(m.dataset_id) into v_made from made m;
  end if;
  if cardinality(v_parts) > 1 then
    perform 1 from unnest(v_parts) as f
    join public.partitions x
      on x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
    order by f.dataset_id, f."table", f.period_tag
    for no key update of x;
  end if;
  with raised as (
    update public.partitions x
    set debt_files = x.debt_files + f.last_file - f.first_file + 1, debt_bytes = x.debt_bytes + f.bytes,
      debt_oldest = coalesce(x.debt_oldest, v_now), demand_seq = x.demand_seq + cardinality(f.calls),
      last_seq = x.last_seq + f.last_file - f.first_file + 1
    from unnest(v_parts) as f
    where x.dataset_id = any (array[f.dataset_id]) and x."table" = f."table" and x.period_tag = f.period_tag
    returning f.first_file, f.last_file, x.last_seq,
      row(f.dataset_id, f."table", f.period_tag, f.first_file, f.last_file, f.bytes, f.calls,
        -- wake_partition would find a message that waits, of this priority or a higher one, and early enough
        case when x.lease_expires_at is null and x.ready_at <= v_now + make_interval(secs => v_delay)
          and x.queue in ('realtime', 'manual') then x.run_id end)::sediment.partition_change as part
  )
  select array_agg(r.part order by r.first_file),
    (select array_agg(s.last_seq - s.last_file + g.nth order by g.nth)
      from raised s cross join lateral generate_series(s.first_file, s.last_file) as g(nth))
  into strict v_parts, v_seqs
  from raised r;

  v_versions := sediment.next_versions(v_changes);
  if v_made is not null then
    update public.datasets d set partition_count = d.partition_count + m.count
    from (select v.id, count(*) as count from unnest(v_made) as v(id) group by v.id) m
    where d.id = any (array[m.id]);
  end if;
  perform sediment.refuse_deleted_stages(p_calls);

  update public.objects x
  set state = 'stored', size = c.object_size, etag = nullif(c.etag, ''), expires_at = null, updated_at = v_now
  from unnest(p_calls) as c
  where x.object_key = any (array[c.object_key]) and x.state = 'staged';
  perform sediment.discard_object(x.object_key, 'the checked copy is stored')
  from public.objects x
  where x.stage_id = any (array(select c.stage from unnest(p_calls) as c)) and x.stage_id is not null
    and x.kind = 'incoming';

  for i in 1 .. cardinality(v_parts) loop
    if v_parts[i].run_id is null then
      v_parts[i].run_id := sediment.wake_partition(v_parts[i].dataset_id, v_parts[i]."table", v_parts[i].period_tag,
        'realtime', 'upload', v_delay);
    end if;
  end loop;

  with inserted as (
    insert into public.battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte,
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest)
    select f.dataset_id, f."table", f.period_tag, f.stage, f.ordinal, f.object_key, f.start_byte,
      f.byte_length, nullif(f.etag, ''), 0, v_seqs[f.ordinality], v_seqs[f.ordinality], f.row_count, f.row_group_count,
      f.uncompressed_bytes, f.value_count, f.merge_facts, f.schema_fingerprint, f.stats,
      (select v.version from unnest(v_versions) as v where v.dataset_id = f.dataset_id), f.user_id, v_now,
      f.checksum, f.schema_digest
    from unnest(p_files) with ordinality as f
    returning id, upload_id, "table", period_tag, ordinal, row_count
  ), answered as (
    update public.uploads u
    set answer = jsonb_build_object('key', c.object_key, 'size', c.size, 'uploaded_at', v_now, 'metricId', r.main,
      'duplicate', false, 'dataset_id', c.dataset_id, 'version', v.version, 'files', i.files, 'runs', r.runs)
    from unnest(p_calls) as c
    join unnest(v_versions) as v on v.dataset_id = c.dataset_id
    cross join lateral (
      select jsonb_agg(jsonb_build_object('id', i.id, 'table', i."table", 'period_tag', i.period_tag,
        'ordinal', i.ordinal, 'row_count', i.row_count) order by i.ordinal) as files
      from inserted i where i.upload_id = c.stage
    ) i
    cross join lateral (
      select jsonb_agg(jsonb_build_object('table', p."table", 'period_tag', p.period_tag, 'metricId', p.run_id)
          order by p.first_file) as runs,
        -- the run of the partition that the upload named, else that of its first
        (array_agg(p.run_id order by (p."table" = c."table" and p.period_tag = c.period_tag) desc, p.first_file))[1]
          as main
      from unnest(v_parts) as p where c.n = any (p.calls)
    ) r
    where u.id = any (array[c.stage])
    returning c.n, u.answer
  )
  select jsonb_object_agg(a.n, a.answer) into strict v_answers from answered a;
  return v_answers;
end $function$;

ALTER TABLE "public"."age_walks" ADD CONSTRAINT "age_walks_dataset_id_fkey" FOREIGN KEY (dataset_id) REFERENCES public.datasets(id);

ALTER TABLE "public"."battle_files" ADD CONSTRAINT "battle_files_checksum_check" CHECK ((checksum ~ '^[0-9a-f]{16}$'::text));

ALTER TABLE "public"."battle_files" ADD CONSTRAINT "battle_files_rewrite_check" CHECK ((jsonb_typeof(rewrite) = 'object'::text));

ALTER TABLE "public"."dead_letters" ADD CONSTRAINT "dead_letters_resolution_check" CHECK ((resolution = ANY (ARRAY['redriven'::text, 'succeeded'::text, 'deleted'::text])));

ALTER TABLE "public"."deletions" ADD CONSTRAINT "deletions_dataset_id_fkey" FOREIGN KEY (dataset_id) REFERENCES public.datasets(id);

ALTER TABLE "public"."deletions" ADD CONSTRAINT "deletions_parent_id_fkey" FOREIGN KEY (parent_id) REFERENCES public.deletions(id);

ALTER TABLE "public"."ended_rows" ADD CONSTRAINT "ended_rows_dataset_id_fkey" FOREIGN KEY (dataset_id) REFERENCES public.datasets(id);

ALTER TABLE "public"."battle_files" ADD CONSTRAINT "battle_files_schema_digest_fkey" FOREIGN KEY (schema_digest) REFERENCES public.file_schemas(digest);

ALTER TABLE "public"."objects" ADD CONSTRAINT "objects_kind_check" CHECK ((kind = ANY (ARRAY['fragment'::text, 'incoming'::text, 'compacted'::text, 'asset'::text, 'probe'::text])));

ALTER TABLE "public"."partitions" ADD CONSTRAINT "partitions_isolation_check" CHECK ((jsonb_typeof(isolation) = 'object'::text));

ALTER TABLE "public"."partitions" ADD CONSTRAINT "partitions_output_cap_bytes_check" CHECK ((output_cap_bytes > 0));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_breaker_probe_seconds_check" CHECK ((breaker_probe_seconds > 0));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_breaker_window_seconds_check" CHECK ((breaker_window_seconds > 0));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_clockwork_gap_seconds_check" CHECK ((clockwork_gap_seconds > 0));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_deleted_upload_seconds_check" CHECK ((deleted_upload_seconds >= 0));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_open_stages_max_check" CHECK ((open_stages_max > 0));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_partitions_max_check" CHECK ((partitions_max > 0));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_requests_per_minute_check" CHECK ((requests_per_minute > 0));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_second_look_seconds_check" CHECK ((second_look_seconds > 0));

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_tables_max_check" CHECK ((tables_max > 0));

ALTER TABLE "public"."table_settings" ADD CONSTRAINT "table_settings_keep_periods_check" CHECK ((keep_periods > 0));

ALTER TABLE "public"."table_settings" ADD CONSTRAINT "table_settings_keep_rows_seconds_check" CHECK ((keep_rows_seconds > 0));

ALTER TABLE "public"."user_limits" ADD CONSTRAINT "user_limits_open_stages_max_check" CHECK ((open_stages_max > 0));

ALTER TABLE "public"."user_limits" ADD CONSTRAINT "user_limits_partitions_max_check" CHECK ((partitions_max > 0));

ALTER TABLE "public"."user_limits" ADD CONSTRAINT "user_limits_requests_per_minute_check" CHECK ((requests_per_minute > 0));

ALTER TABLE "public"."user_limits" ADD CONSTRAINT "user_limits_tables_max_check" CHECK ((tables_max > 0));

CREATE VIEW "public"."dataset_status" WITH (security_invoker=true) AS  SELECT d.id,
    d.user_id,
    d.name,
    d.version,
    d.oldest_kept_version,
    d.file_count,
    d.file_size_bytes,
    d.file_etag,
    d.row_count,
    d.compression_ratio,
    d.last_compacted_at,
    COALESCE(p.needed, false) AS compaction_needed,
    COALESCE(p.in_progress, false) AS compaction_in_progress,
    (COALESCE(p.debt_files, (0)::numeric))::bigint AS debt_files,
    (COALESCE(p.debt_bytes, (0)::numeric))::bigint AS debt_bytes,
    p.debt_oldest,
    COALESCE(p.dead, (0)::bigint) AS dead_partitions,
    d.created_at,
    d.updated_at
   FROM (public.datasets d
     LEFT JOIN LATERAL ( SELECT bool_or((x.debt_oldest IS NOT NULL)) AS needed,
            bool_or((x.lease_expires_at > statement_timestamp())) AS in_progress,
            sum(x.debt_files) AS debt_files,
            sum(x.debt_bytes) AS debt_bytes,
            min(x.debt_oldest) AS debt_oldest,
            count(x.dead_since) AS dead
           FROM public.partitions x
          WHERE ((x.dataset_id = d.id) AND ((x.debt_oldest IS NOT NULL) OR (x.due_at IS NOT NULL) OR (x.msg_id IS NOT NULL) OR (x.dead_since IS NOT NULL)))) p ON (true));

revoke all on "public"."dataset_status" from public, anon, authenticated, service_role;

CREATE VIEW "public"."partition_status" WITH (security_invoker=true) AS  SELECT dataset_id,
    "table",
    period_tag,
        CASE
            WHEN (lease_expires_at > statement_timestamp()) THEN 'running'::text
            WHEN (lease_expires_at IS NOT NULL) THEN 'expired'::text
            WHEN ((msg_id IS NOT NULL) AND (ready_at > statement_timestamp())) THEN 'waiting'::text
            WHEN (msg_id IS NOT NULL) THEN 'queued'::text
            WHEN (dead_since IS NOT NULL) THEN 'dead'::text
            WHEN (due_at IS NOT NULL) THEN 'scheduled'::text
            ELSE 'idle'::text
        END AS state,
    debt_files,
    debt_bytes,
    debt_oldest,
    (demand_seq - done_seq) AS unseen_demand,
    queue,
    run_id,
    next_run_id,
    COALESCE(ready_at, due_at) AS next_due_at,
    lease_worker,
    lease_expires_at,
    last_decision,
    last_considered_at,
    dead_since
   FROM public.partitions p;

revoke all on "public"."partition_status" from public, anon, authenticated, service_role;

CREATE VIEW "public"."queue_status" WITH (security_invoker=true) AS  SELECT name AS queue,
    messages,
    due,
        CASE
            WHEN (first_vt <= statement_timestamp()) THEN first_vt
            ELSE NULL::timestamp with time zone
        END AS oldest_due_at,
    newest_at
   FROM ( SELECT 'manual'::text AS name,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_manual m
                         LIMIT 10000) x) AS messages,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_manual m
                          WHERE (m.vt <= statement_timestamp())
                         LIMIT 10000) x) AS due,
            ( SELECT min(m.vt) AS min
                   FROM pgmq.q_compaction_manual m) AS first_vt,
            ( SELECT m.enqueued_at
                   FROM pgmq.q_compaction_manual m
                  ORDER BY m.msg_id DESC
                 LIMIT 1) AS newest_at
        UNION ALL
         SELECT 'realtime'::text AS name,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_realtime m
                         LIMIT 10000) x) AS messages,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_realtime m
                          WHERE (m.vt <= statement_timestamp())
                         LIMIT 10000) x) AS due,
            ( SELECT min(m.vt) AS min
                   FROM pgmq.q_compaction_realtime m) AS first_vt,
            ( SELECT m.enqueued_at
                   FROM pgmq.q_compaction_realtime m
                  ORDER BY m.msg_id DESC
                 LIMIT 1) AS newest_at
        UNION ALL
         SELECT 'scheduled'::text AS name,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_scheduled m
                         LIMIT 10000) x) AS messages,
            ( SELECT count(*) AS count
                   FROM ( SELECT 1 AS "?column?"
                           FROM pgmq.q_compaction_scheduled m
                          WHERE (m.vt <= statement_timestamp())
                         LIMIT 10000) x) AS due,
            ( SELECT min(m.vt) AS min
                   FROM pgmq.q_compaction_scheduled m) AS first_vt,
            ( SELECT m.enqueued_at
                   FROM pgmq.q_compaction_scheduled m
                  ORDER BY m.msg_id DESC
                 LIMIT 1) AS newest_at) q;

revoke all on "public"."queue_status" from public, anon, authenticated, service_role;

CREATE VIEW "public"."row_limit_probe" WITH (security_invoker=true) AS  SELECT n
   FROM generate_series(1, 1001) n(n);

revoke all on "public"."row_limit_probe" from public, anon, authenticated, service_role;

CREATE INDEX deletions_dataset ON public.deletions USING btree (dataset_id, version);

CREATE INDEX deletions_marked ON public.deletions USING btree (dataset_id) WHERE (state = 'marked'::text);

CREATE INDEX deletions_open ON public.deletions USING btree (requested_at) WHERE (forgotten_at IS NULL);

CREATE INDEX deletions_parent ON public.deletions USING btree (parent_id) WHERE (parent_id IS NOT NULL);

CREATE UNIQUE INDEX deletions_upload ON public.deletions USING btree (upload_id) WHERE (upload_id IS NOT NULL);

CREATE UNIQUE INDEX deletions_users ON public.deletions USING btree (user_id) WHERE (kind = 'user'::text);

CREATE INDEX deletions_user ON public.deletions USING btree (user_id);

CREATE INDEX ended_rows_dataset ON public.ended_rows USING btree (dataset_id, version);

CREATE INDEX forgotten_uploads_dataset ON public.forgotten_uploads USING btree (dataset_id);

CREATE TRIGGER sediment_note_deleted_user AFTER DELETE ON auth.users FOR EACH ROW EXECUTE FUNCTION sediment.note_deleted_user();

CREATE TRIGGER note_plan_change AFTER UPDATE OF target_file_bytes, target_row_group_bytes, healthy_row_group_bytes, target_page_bytes, min_inputs, max_age_seconds, codec ON public.service_settings FOR EACH STATEMENT EXECUTE FUNCTION sediment.note_plan_change();

CREATE TRIGGER note_signed_urls BEFORE UPDATE OF signed_url_seconds ON public.service_settings FOR EACH ROW WHEN ((new.signed_url_seconds < old.signed_url_seconds)) EXECUTE FUNCTION sediment.note_signed_urls();

CREATE TRIGGER note_plan_change AFTER INSERT OR DELETE OR UPDATE ON public.table_settings FOR EACH STATEMENT EXECUTE FUNCTION sediment.note_plan_change();

CREATE POLICY "service_all" ON "public"."age_walks" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "owner_reads" ON "public"."battle_files" FOR SELECT TO "authenticated" USING (((removed_version IS NULL) AND (dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid)))))));

CREATE POLICY "service_all" ON "public"."circuit_breaker" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."clockwork" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "owner_reads" ON "public"."dataset_versions" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))))));

CREATE POLICY "owner_reads" ON "public"."deletions" FOR SELECT TO "authenticated" USING ((user_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "service_all" ON "public"."deletions" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "owner_reads" ON "public"."ended_rows" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))))));

CREATE POLICY "service_all" ON "public"."ended_rows" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."forgotten_uploads" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "service_all" ON "public"."identity_key" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

CREATE POLICY "owner_reads" ON "public"."partitions" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))))));

CREATE POLICY "owner_reads" ON "public"."processing_metrics" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))))));

CREATE POLICY "owner_reads" ON "public"."table_settings" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))))));

CREATE POLICY "owner_reads" ON "public"."uploads" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))))));

CREATE POLICY "service_all" ON "public"."worker_slots" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

COMMENT ON COLUMN "public"."service_settings"."alert_max_attempts" IS 'How often an alert is sent before it counts as failed. Unit: attempts. Default: 8.';

COMMENT ON COLUMN "public"."service_settings"."alert_private_addresses" IS 'Whether webhooks may lie at addresses of a private network. Unit: none. Default: false.';

COMMENT ON COLUMN "public"."service_settings"."alert_webhooks" IS 'Where alerts go: [{"kind": "slack"|"pagerduty"|"plain", "url": "https://…", "routing_key": "…"}]. Unit: none. Default: [].';

COMMENT ON COLUMN "public"."service_settings"."alert_window_seconds" IS 'Dead letters of one class of error within a window are one alert. Unit: seconds. Default: 3600 (1 h).';

COMMENT ON COLUMN "public"."service_settings"."archive_seconds" IS 'How long the queues'' archive keeps messages that are done. Unit: seconds. Default: 2592000 (30 days).';

COMMENT ON COLUMN "public"."service_settings"."asset_bytes_max" IS 'Size of one asset of a user without a limit of their own. Unit: bytes. Default: 26214400 (25 MiB).';

COMMENT ON COLUMN "public"."service_settings"."asset_extensions" IS 'Extensions that an asset''s key and file name may end in, in lower case, of a user without a list of their own. Unit: none. Default: avif, bmp, csv, gif, jpeg, jpg, json, md, mp3, mp4, ogg, pdf, png, svg, toml, txt, wav, webm, webp, yaml, yml, zip.';

COMMENT ON COLUMN "public"."service_settings"."backoff_base_seconds" IS 'Longest wait after the first failed attempt; it doubles with each, and the wait is a random part of it. Unit: seconds. Default: 5.';

COMMENT ON COLUMN "public"."service_settings"."backoff_cap_seconds" IS 'What the wait after failed attempts does not grow past. Unit: seconds. Default: 300 (5 min).';

COMMENT ON COLUMN "public"."service_settings"."breaker_probe_seconds" IS 'Pause before the first probe while claims are stopped; it doubles with each that fails, up to backoff_cap_seconds. Unit: seconds. Default: 10.';

COMMENT ON COLUMN "public"."service_settings"."breaker_window_seconds" IS 'Failures of what all work stands on, at two partitions within this time, stop claims until probes succeed. Unit: seconds. Default: 600 (10 min).';

COMMENT ON COLUMN "public"."service_settings"."clockwork_gap_seconds" IS 'A lease that ran out while the minutely jobs stood still for longer than this is no worker''s death. Unit: seconds. Default: 180 (3 min).';

COMMENT ON COLUMN "public"."service_settings"."codec" IS 'Compression of outputs. Unit: none; snappy or zstd. Default: zstd.';

COMMENT ON COLUMN "public"."service_settings"."datasets_max" IS 'Datasets of a user without a limit of their own; null: no limit. Unit: datasets. Default: 1000.';

COMMENT ON COLUMN "public"."service_settings"."deleted_upload_seconds" IS 'How long the bytes of a deleted upload are refused with upload_deleted unless they come with again=1: what clients keep to retry, and a day. After that they are a new upload. Unit: seconds. Default: 172800 (2 days).';

COMMENT ON COLUMN "public"."service_settings"."healthy_row_group_bytes" IS 'A file whose row groups are on average smaller than this is fragmented: its row groups are merged; those of a healthy file are copied as they are. Unit: bytes before compression. Default: 2097152 (2 MiB).';

COMMENT ON COLUMN "public"."service_settings"."history_seconds" IS 'How long ended runs with their commits, closed dead letters, alerts and the keys of deleted objects are kept; the ledger of uploads is kept for ever. Unit: seconds, at least 3600. Default: 7776000 (90 days).';

COMMENT ON COLUMN "public"."service_settings"."id" IS 'Always true: there is one row. Unit: none. Default: true.';

COMMENT ON COLUMN "public"."service_settings"."idle_recheck_seconds" IS 'A run that found nothing to do is not asked again sooner than this. Unit: seconds. Default: 300 (5 min).';

COMMENT ON COLUMN "public"."service_settings"."lease_seconds" IS 'How long a worker that goes silent holds its partition; a live one renews. Unit: seconds. Default: 300 (5 min).';

COMMENT ON COLUMN "public"."service_settings"."max_age_seconds" IS 'How long a fragment waits for company: after that it is merged with what there is. Unit: seconds. Default: 3600 (1 h).';

COMMENT ON COLUMN "public"."service_settings"."max_attempts" IS 'How many claims of a run may fail, one after another, before it is a dead letter; a committed output starts the count again. Unit: attempts. Default: 3.';

COMMENT ON COLUMN "public"."service_settings"."max_datasets_per_run" IS 'How many datasets the nightly trigger takes, those whose debt is oldest first. Unit: datasets. Default: 10.';

COMMENT ON COLUMN "public"."service_settings"."max_put_seconds" IS 'How long after a run has lost its partition bytes can still arrive at the keys that it planned; their deletion is repeated after it. Unit: seconds. Default: 7200 (2 h, the life of hosted upload URLs).';

COMMENT ON COLUMN "public"."service_settings"."max_run_seconds" IS 'How long workers may hold the partition for one run, over all of its claims; what is left goes to a follow-up. Unit: seconds. Default: 3600 (1 h).';

COMMENT ON COLUMN "public"."service_settings"."max_workers" IS 'How many workers may hold partitions at once; with 0 the clockwork wakes none, and uploads go on. Unit: workers. Default: 4.';

COMMENT ON COLUMN "public"."service_settings"."min_inputs" IS 'How many files of about one size a partition must have before they are merged. Fewer means fewer small files and more rewriting. Unit: files. Default: 4.';

COMMENT ON COLUMN "public"."service_settings"."open_stages_max" IS 'Uploads that a user without a limit of their own may have planned and not ended; null: no limit. Unit: uploads. Default: 5000.';

COMMENT ON COLUMN "public"."service_settings"."partitions_max" IS 'Partitions in all datasets of a user without a limit of their own; they are never deleted. Null: no limit. Unit: partitions. Default: 100000.';

COMMENT ON COLUMN "public"."service_settings"."plan_changed_at" IS 'When plans last came to go by another planner or other settings; the catalog keeps it. Unit: none. Default: -infinity.';

COMMENT ON COLUMN "public"."service_settings"."planner_version" IS 'The newest planner that has closed a run; the catalog keeps it. Unit: none. Default: 0.';

COMMENT ON COLUMN "public"."service_settings"."realtime_delay_seconds" IS 'How long the message of an upload stays hidden, so that a burst of uploads becomes one run. Unit: seconds. Default: 3.';

COMMENT ON COLUMN "public"."service_settings"."requests_per_minute" IS 'Requests for compaction a minute of a user without a limit of their own, redrives and retries of quarantined files among them; null: no limit. Unit: requests. Default: 600.';

COMMENT ON COLUMN "public"."service_settings"."retention_seconds" IS 'How long a version of a dataset stays readable after the next one, and the files that only it shows stay stored. Unit: seconds. Default: 604800 (7 days).';

COMMENT ON COLUMN "public"."service_settings"."schedule_concurrency" IS 'How many datasets of the nightly trigger start at the same time. Unit: datasets. Default: 2.';

COMMENT ON COLUMN "public"."service_settings"."schedule_delay_ms" IS 'Pause between the groups of datasets that the nightly trigger starts; the queue knows whole seconds. Unit: milliseconds. Default: 250.';

COMMENT ON COLUMN "public"."service_settings"."second_look_seconds" IS 'How long a file whose bytes were gone or changed is left alone before a second look decides. Unit: seconds. Default: 120 (2 min).';

COMMENT ON COLUMN "public"."service_settings"."signed_url_seconds" IS 'How long a signed download URL lives. Objects outlive the last reader that may hold one. Unit: seconds. Default: 3600 (1 h).';

COMMENT ON COLUMN "public"."service_settings"."signed_url_until" IS 'Until when download URLs may live that were signed before signed_url_seconds was lowered; kept by the catalog. Unit: none. Default: 1970-01-01T00:00:00+00:00.';

COMMENT ON COLUMN "public"."service_settings"."stored_bytes_max" IS 'Bytes that a user without a limit of their own may have stored: files, what they replaced as long as a kept version shows it, and assets; null: no limit. Unit: bytes. Default: 274877906944 (256 GiB).';

COMMENT ON COLUMN "public"."service_settings"."tables_max" IS 'Tables in one dataset of a user without a limit of their own; null: no limit. Unit: tables. Default: 1000.';

COMMENT ON COLUMN "public"."service_settings"."target_file_bytes" IS 'Size that compacted files grow to; one of at least this size is not merged again for its size. Larger files mean fewer for readers to open, and more bytes held back by a merge. Unit: bytes. Default: 33554432 (32 MiB).';

COMMENT ON COLUMN "public"."service_settings"."target_page_bytes" IS 'Size at which a data page of an output is closed. Smaller pages let readers skip more; each has a header. Unit: bytes before compression. Default: 1048576 (1 MiB).';

COMMENT ON COLUMN "public"."service_settings"."target_row_group_bytes" IS 'Size at which a row group of an output is closed. Larger ones compress and scan better, and take more memory to write. Unit: bytes before compression. Default: 8388608 (8 MiB).';

COMMENT ON COLUMN "public"."service_settings"."updated_at" IS 'When somebody last said that this row was changed; nothing depends on it. Unit: none. Default: now().';

COMMENT ON COLUMN "public"."service_settings"."upload_bytes_per_day" IS 'Uploaded bytes a UTC day of a user without a limit of their own; null: no limit. Unit: bytes. Default: 34359738368 (32 GiB).';

COMMENT ON COLUMN "public"."service_settings"."uploads_per_minute" IS 'Uploads a minute of a user without a limit of their own; null: no limit. Unit: uploads. Default: 6000.';

COMMENT ON COLUMN "public"."service_settings"."vacuum_interval_seconds" IS 'How long vacuum leaves a dataset alone after it has looked at it. Unit: seconds. Default: 600 (10 min).';

COMMENT ON COLUMN "public"."table_settings"."codec" IS 'Compression of outputs; null takes that of the dataset''s row *, else of service_settings. Unit: none; snappy or zstd. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."dataset_id" IS 'The dataset. Unit: none. Default: none.';

COMMENT ON COLUMN "public"."table_settings"."dedupe_keys" IS 'Columns that name a row: of rows that agree in them the last uploaded stays. Such a table merges only files adjacent in upload order. Null or none: every row stays. Unit: column names. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."healthy_row_group_bytes" IS 'A file whose row groups are on average smaller than this is fragmented, and they are merged; null takes that of the dataset''s row *, else of service_settings. Unit: bytes before compression. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."keep_periods" IS 'Of period tags that are dates (2024-11-25) and hold data the newest so many stay, others leave the table; tags after tomorrow are not counted, and tags that are no dates never end. Null takes that of the dataset''s row *, else nothing ends by it. Unit: periods. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."keep_rows_seconds" IS 'A data file leaves the table when its youngest row was uploaded longer ago than this; null takes that of the dataset''s row *, else nothing ends by it. Older versions keep it for their retention. Unit: seconds. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."max_age_seconds" IS 'How long a fragment waits for company before it is merged with what there is; null takes that of the dataset''s row *, else of service_settings. Unit: seconds. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."min_inputs" IS 'How many files of about one size a partition must have before they are merged; null takes that of the dataset''s row *, else of service_settings. Unit: files. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."retention_seconds" IS 'How long a version stays readable after the next one; null takes that of the dataset''s row *, else of service_settings. A version shows all tables of the dataset together: the longest among them counts for all. Unit: seconds. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."sort_keys" IS 'Columns by which the rows of an output are sorted, the first before the second; a name with " desc" behind it sorts from high to low. Null or none: upload order. Unit: column names. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."table" IS 'The table, or * for those tables of the dataset that have no row. Unit: none. Default: none.';

COMMENT ON COLUMN "public"."table_settings"."target_file_bytes" IS 'Size that compacted files of the table grow to; null takes that of the dataset''s row *, else of service_settings. Unit: bytes. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."target_page_bytes" IS 'Size at which a data page of an output is closed; null takes that of the dataset''s row *, else of service_settings. Unit: bytes before compression. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."target_row_group_bytes" IS 'Size at which a row group of an output is closed; null takes that of the dataset''s row *, else of service_settings. Unit: bytes before compression. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."unite_uuid_as_text" IS 'Whether a column that is a UUID in some files and a text in others becomes one text, the UUID its 36 characters; else such files stay apart. Null: false. Unit: none. Default: null.';

COMMENT ON COLUMN "public"."table_settings"."updated_at" IS 'When somebody last said that this row was changed; nothing depends on it. Unit: none. Default: now().';

COMMENT ON COLUMN "public"."user_limits"."asset_bytes_max" IS 'Size of one asset; over it the asset is refused with body_too_large. Null takes that of service_settings. Unit: bytes. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."asset_extensions" IS 'Extensions that an asset''s key and file name may end in, in lower case. Null takes those of service_settings. Unit: none. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."datasets_max" IS 'Datasets that the user may have; over it an upload to a new one is refused with quota_exceeded. Null takes that of service_settings. Unit: datasets. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."open_stages_max" IS 'Uploads planned and not ended; over it another is refused with quota_exceeded. Null takes that of service_settings. Unit: uploads. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."partitions_max" IS 'Partitions in all datasets; over it an upload that would begin one is refused with quota_exceeded. Null takes that of service_settings. Unit: partitions. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."requests_per_minute" IS 'Requests for compaction a minute; over it one is refused with rate_limited. Null takes that of service_settings. Unit: requests. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."stored_bytes_max" IS 'Bytes that may be stored: files, what they replaced as long as a kept version shows it, and assets; over it an upload is refused with quota_exceeded. Null takes that of service_settings. Unit: bytes. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."tables_max" IS 'Tables in one dataset; over it an upload that would begin one is refused with quota_exceeded. Null takes that of service_settings. Unit: tables. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."updated_at" IS 'When somebody last said that this row was changed; nothing depends on it. Unit: none. Default: now().';

COMMENT ON COLUMN "public"."user_limits"."upload_bytes_per_day" IS 'Uploaded bytes a UTC day; over it an upload is refused with quota_exceeded. Null takes that of service_settings. Unit: bytes. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."uploads_per_minute" IS 'Uploads a minute; over it an upload is refused with rate_limited. Null takes that of service_settings. Unit: uploads. Default: null.';

COMMENT ON COLUMN "public"."user_limits"."user_id" IS 'The user. Unit: none. Default: none.';

COMMENT ON TABLE "public"."circuit_breaker" IS 'One row: whether claims are stopped, and why.';

COMMENT ON TABLE "public"."clockwork" IS 'One row: the heartbeat of the minutely jobs.';

COMMENT ON TABLE "public"."deletions" IS 'What was deleted when, by whom: the receipts.';

COMMENT ON TABLE "public"."worker_slots" IS 'A row for each worker that may hold a lease at a time.';

REVOKE ALL ON FUNCTION "public"."advance_deletions"(integer, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."advance_deletions"(integer, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."call_quietly"(text, jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."call_quietly"(text, jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "public"."commit_compaction"(uuid, integer, bigint, bigint[], jsonb, boolean, jsonb, text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."commit_compaction"(uuid, integer, bigint, bigint[], jsonb, boolean, jsonb, text[]) TO "service_role";

REVOKE ALL ON FUNCTION "public"."delete_data"(uuid, uuid, text, text, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."delete_data"(uuid, uuid, text, text, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."delete_upload"(uuid, uuid, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."delete_upload"(uuid, uuid, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."delete_user"(uuid, uuid, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."delete_user"(uuid, uuid, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."deletion_status"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."deletion_status"(uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."deployment_findings"(bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."deployment_findings"(bigint) TO "service_role";

REVOKE ALL ON FUNCTION "public"."end_aged"(integer, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."end_aged"(integer, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."fail_compaction"(uuid, bigint, text, text, text, boolean, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."fail_compaction"(uuid, bigint, text, text, text, boolean, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."finish_probe"(bigint, boolean, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."finish_probe"(bigint, boolean, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_tables"(uuid, uuid, bigint, integer, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_tables"(uuid, uuid, bigint, integer, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."list_unsettled_outputs"(bigint, integer, bigint[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_unsettled_outputs"(bigint, integer, bigint[]) TO "service_role";

REVOKE ALL ON FUNCTION "public"."mark_for_rewrite"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."mark_for_rewrite"(jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "public"."ping_deployment"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."ping_deployment"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."prune_history"(integer, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."prune_history"(integer, integer) TO "service_role";

REVOKE ALL ON FUNCTION "public"."quarantine_file"(uuid, bigint, bigint, text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."quarantine_file"(uuid, bigint, bigint, text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "public"."schema_version"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."schema_version"() TO "service_role";

REVOKE ALL ON FUNCTION "public"."settle_outputs"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."settle_outputs"(jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "public"."stage_output"(uuid, integer, bigint, bigint, bigint[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."stage_output"(uuid, integer, bigint, bigint, bigint[]) TO "service_role";

REVOKE ALL ON FUNCTION "public"."stage_upload"(uuid, uuid, text, text, bigint, text, text, text, integer, integer, jsonb, text, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."stage_upload"(uuid, uuid, text, text, bigint, text, text, text, integer, integer, jsonb, text, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "public"."wake_vacuum"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."wake_vacuum"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."admit_commit"(sediment.commit_call, integer, text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."admit_commit"(sediment.commit_call, integer, text[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."beat_clockwork"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."beat_clockwork"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."check_dataset_quota"(uuid, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."check_dataset_quota"(uuid, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."check_partition_quota"(uuid, uuid, integer, text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."check_partition_quota"(uuid, uuid, integer, text[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."check_stored"(uuid, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."check_stored"(uuid, bigint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."claim_message"(text, bigint, jsonb, text, integer, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."claim_message"(text, bigint, jsonb, text, integer, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."claim_probe"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."claim_probe"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."clockwork_faults"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."clockwork_faults"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."date_of_tag"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."date_of_tag"(text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."deletion_receipt"(public.deletions) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."deletion_receipt"(public.deletions) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."end_partition_run"(public.partitions) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."end_partition_run"(public.partitions) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."forget_deleted"(public.deletions, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."forget_deleted"(public.deletions, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."forget_upload"(public.uploads) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."forget_upload"(public.uploads) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."has_marks"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."has_marks"(uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."heal_upload"(sediment.commit_call, public.uploads) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."heal_upload"(sediment.commit_call, public.uploads) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."identity_digest"(uuid, text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."identity_digest"(uuid, text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."is_asset_path"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."is_asset_path"(text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."is_marked"(public.battle_files, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."is_marked"(public.battle_files, bigint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."is_near_quota"(uuid, bigint, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."is_near_quota"(uuid, bigint, bigint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."keep_schemas"(jsonb[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."keep_schemas"(jsonb[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."last_kept_period"(uuid, text, integer, timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."last_kept_period"(uuid, text, integer, timestamp with time zone) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."letter_json"(public.dead_letters) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."letter_json"(public.dead_letters) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."list_inputs"(uuid, text, text, bigint, integer, bigint[], jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."list_inputs"(uuid, text, text, bigint, integer, bigint[], jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."lose_worker"(public.partitions) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lose_worker"(public.partitions) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."lost_files"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."lost_files"(uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."mark_deletion"(public.datasets, uuid, text, text, boolean, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."mark_deletion"(public.datasets, uuid, text, text, boolean, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."narrow_claim"(public.partitions, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."narrow_claim"(public.partitions, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."next_row_id"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."next_row_id"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."note_deleted_user"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."note_deleted_user"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."note_plan_change"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."note_plan_change"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."note_signed_urls"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."note_signed_urls"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."partition_settings"(public.partitions) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."partition_settings"(public.partitions) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."pass_trial"(public.partitions, bigint[], boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."pass_trial"(public.partitions, bigint[], boolean) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."pings_queued"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."pings_queued"(text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."plan_digest"(uuid, text, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."plan_digest"(uuid, text, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."prune_pass"(integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."prune_pass"(integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."purge_removed"(public.deletions, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."purge_removed"(public.deletions, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."queue_has"(text, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."queue_has"(text, bigint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."raise_alert"(text, text, jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."raise_alert"(text, text, jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."readable_version"(public.datasets, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."readable_version"(public.datasets, bigint) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."refuse_deleted_stages"(sediment.commit_call[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."refuse_deleted_stages"(sediment.commit_call[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."refuse_deleted_user"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."refuse_deleted_user"(uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."refuse_marked_inputs"(public.partitions, uuid, bigint[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."refuse_marked_inputs"(public.partitions, uuid, bigint[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."remove_marked"(public.deletions, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."remove_marked"(public.deletions, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."remove_user"(public.deletions, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."remove_user"(public.deletions, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."replace_files"(public.partitions, uuid, integer, bigint, bigint[], jsonb, text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."replace_files"(public.partitions, uuid, integer, bigint, bigint[], jsonb, text[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."requeue_run"(public.partitions, timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."requeue_run"(public.partitions, timestamp with time zone) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."return_run"(public.partitions, text, text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."return_run"(public.partitions, text, text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."revive_run"(public.partitions) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."revive_run"(public.partitions) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."schema_digest"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."schema_digest"(jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."signed_url_life"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."signed_url_life"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."spend_request"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."spend_request"(uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."spend_uploads"(sediment.stage_call[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."spend_uploads"(sediment.stage_call[]) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."stored_bytes"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."stored_bytes"(uuid) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."take_slot"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."take_slot"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."trip_breaker"(text, text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."trip_breaker"(text, text, text, text) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."upload_deleted_at"(public.uploads) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."upload_deleted_at"(public.uploads) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."user_rooms"(uuid[], timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."user_rooms"(uuid[], timestamp with time zone) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."wake_probe"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."wake_probe"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."watch_auth_users"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."watch_auth_users"(text) TO "service_role";

GRANT USAGE ON SEQUENCE "sediment"."row_ids" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."age_walks" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."circuit_breaker" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."clockwork" TO "service_role";

GRANT SELECT ON TABLE "public"."deletions" TO "authenticated";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."deletions" TO "service_role";

GRANT SELECT ON TABLE "public"."ended_rows" TO "authenticated";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."ended_rows" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."forgotten_uploads" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."identity_key" TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."worker_slots" TO "service_role";

GRANT INSERT, SELECT ON TABLE "sediment"."row_id_key" TO "service_role";

GRANT SELECT ON TABLE "public"."dataset_status" TO "authenticated", "service_role";

GRANT SELECT ON TABLE "public"."partition_status" TO "authenticated", "service_role";

GRANT SELECT ON TABLE "public"."queue_status" TO "service_role";

GRANT SELECT ON TABLE "public"."row_limit_probe" TO "service_role";

ALTER TABLE "public"."battle_files" ALTER COLUMN "id" SET DEFAULT sediment.next_row_id();

ALTER TABLE "public"."dead_letters" ALTER COLUMN "id" SET DEFAULT sediment.next_row_id();

select cron.schedule('sediment_ages', '* * * * *', 'select public.end_aged()');

select cron.schedule('sediment_deletions', '* * * * *', 'select public.advance_deletions(10000)');

select cron.schedule('sediment_history', '* * * * *', 'select public.prune_history(10000, 20)');

-- Older projects also granted everybody the sequences of identity columns; inserting into those needs no grant.
revoke all on sequence public.alerts_id_seq, public.ended_rows_id_seq from public, anon, authenticated;

-- rows that new tables begin with
insert into public.circuit_breaker (id) values (true) on conflict (id) do nothing;
insert into public.clockwork (id) values (true) on conflict (id) do nothing;
insert into public.worker_slots (slot) select generate_series(1, 64) on conflict (slot) do nothing;

-- limits that are on where no operator has set one
update public.service_settings s
set uploads_per_minute = coalesce(s.uploads_per_minute, 6000),
  upload_bytes_per_day = coalesce(s.upload_bytes_per_day, 34359738368),
  stored_bytes_max = coalesce(s.stored_bytes_max, 274877906944),
  datasets_max = coalesce(s.datasets_max, 1000);

-- the defaults of the documents, where no operator has set others
update public.service_settings set max_datasets_per_run = 10 where max_datasets_per_run = 50;
update public.service_settings set schedule_concurrency = 2 where schedule_concurrency = 5;
update public.service_settings set schedule_delay_ms = 250 where schedule_delay_ms = 1000;
update public.service_settings set asset_extensions = array[
  'avif', 'bmp', 'csv', 'gif', 'jpeg', 'jpg', 'json', 'md', 'mp3', 'mp4', 'ogg', 'pdf', 'png', 'svg', 'toml', 'txt',
  'wav', 'webm', 'webp', 'yaml', 'yml', 'zip'
] where asset_extensions = array[
  'avif', 'csv', 'gif', 'jpeg', 'jpg', 'json', 'md', 'mp3', 'mp4', 'ogg', 'pdf', 'png', 'svg', 'toml', 'txt',
  'wav', 'webm', 'webp', 'yaml', 'yml', 'zip'
];

-- what is counted from now on as it changes
update public.datasets d set retired_bytes = r.bytes
from (
  select f.dataset_id, sum(f.byte_length) as bytes from public.battle_files f
  where f.removed_version is not null group by f.dataset_id
) r
where d.id = r.dataset_id;
update public.datasets d set partition_count = p.count
from (select x.dataset_id, count(*) as count from public.partitions x group by x.dataset_id) p
where d.id = p.dataset_id;
insert into public.user_usage as u (user_id, minute_start, minute_uploads, day_start, day_bytes, asset_bytes)
select a.user_id, now(), 0, now(), 0, sum(a.size) from public.assets a group by a.user_id
on conflict (user_id) do update set asset_bytes = excluded.asset_bytes;

-- a user who is deleted in Auth is deleted here, where the project lets a trigger be put there
select sediment.watch_auth_users();

-- Of schemas of before it is not known whose they are where they hold field ids: files that are known by their
-- fingerprint alone are then merged with their like only, by their own footers.
delete from public.file_schemas s where s.schema::text like '%"field_id"%';
