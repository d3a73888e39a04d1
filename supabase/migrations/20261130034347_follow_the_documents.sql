-- The defaults of the nightly trigger and its reach, messages sent by hand, bmp: as the documents have them.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."service_settings" ALTER COLUMN "asset_extensions" SET DEFAULT ARRAY['avif'::text, 'bmp'::text, 'csv'::text, 'gif'::text, 'jpeg'::text, 'jpg'::text, 'json'::text, 'md'::text, 'mp3'::text, 'mp4'::text, 'ogg'::text, 'pdf'::text, 'png'::text, 'svg'::text, 'toml'::text, 'txt'::text, 'wav'::text, 'webm'::text, 'webp'::text, 'yaml'::text, 'yml'::text, 'zip'::text];

ALTER TABLE "public"."service_settings" ALTER COLUMN "max_datasets_per_run" SET DEFAULT 10;

ALTER TABLE "public"."service_settings" ALTER COLUMN "schedule_concurrency" SET DEFAULT 2;

ALTER TABLE "public"."service_settings" ALTER COLUMN "schedule_delay_ms" SET DEFAULT 250;

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

  select coalesce(array_agg(x.dataset_id order by x.oldest), '{}') into strict v_datasets
  from (
    select p.dataset_id, min(p.debt_oldest) as oldest from public.partitions p
    where p.debt_oldest is not null and p.dead_since is null
    group by p.dataset_id order by 2 limit greatest(p_max_datasets, 0)
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

  v_settings := sediment.settings_of(p.dataset_id, p."table");
  if p.output_cap_bytes is not null then
    v_settings := v_settings || jsonb_build_object('target_file_bytes',
      least(p.output_cap_bytes, (v_settings ->> 'target_file_bytes')::bigint));
  end if;
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
    || sediment.list_inputs(p.dataset_id, p."table", p.period_tag, -1, 2000, v_trial);
end $function$;

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

COMMENT ON COLUMN "public"."service_settings"."asset_extensions" IS 'Extensions that an asset''s key and file name may end in, in lower case, of a user without a list of their own. Unit: none. Default: avif, bmp, csv, gif, jpeg, jpg, json, md, mp3, mp4, ogg, pdf, png, svg, toml, txt, wav, webm, webp, yaml, yml, zip.';

COMMENT ON COLUMN "public"."service_settings"."max_datasets_per_run" IS 'How many datasets the nightly trigger takes, those whose debt is oldest first. Unit: datasets. Default: 10.';

COMMENT ON COLUMN "public"."service_settings"."schedule_concurrency" IS 'How many datasets of the nightly trigger start at the same time. Unit: datasets. Default: 2.';

COMMENT ON COLUMN "public"."service_settings"."schedule_delay_ms" IS 'Pause between the groups of datasets that the nightly trigger starts; the queue knows whole seconds. Unit: milliseconds. Default: 250.';

-- what an operator has set stays
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
