-- Shorthands for the pgTAP files, made inside their transaction and gone with it.
create extension if not exists pgtap with schema extensions;
set local search_path = public, extensions;
-- The files count rows: whatever is there is out of sight until the rollback.
truncate public.datasets, public.uploads, public.objects, public.user_limits, public.user_usage, public.user_growth, public.idempotency_keys,
  public.dead_letters, public.alerts, public.assets, public.file_schemas cascade;
truncate pgmq.q_compaction_manual, pgmq.q_compaction_realtime, pgmq.q_compaction_scheduled, pgmq.q_compaction_dlq;
delete from public.service_settings;
insert into public.service_settings default values;
-- scenarios lease more partitions at once than a deployment does by default
update public.service_settings set max_workers = 64;
update public.clockwork set beat_at = clock_timestamp(), gap_ended_at = '-infinity';
delete from public.circuit_breaker;
insert into public.circuit_breaker default values;

create schema tests;
-- What waits in a partition is not known, so that each upload makes a run; of what is known tests/count_waiting.sql tells.
create function tests.forget_waiting() returns trigger language plpgsql as $$
begin
  new.tier_files := null;
  if new.next_run_id is not null then
    new.due_at := '-infinity';
  end if;
  return new;
end $$;
create trigger forget_waiting before insert on public.partitions for each row execute function tests.forget_waiting();

grant usage on schema tests to service_role, authenticated, anon;

-- users, datasets: small numbers as uuids
create function tests.u(n integer) returns uuid language sql immutable as $$
  select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
$$;

create function tests.hash(body text) returns text language sql immutable as $$
  select encode(sha256(convert_to(body, 'UTF8')), 'hex')
$$;

-- one data file as commit_upload takes it
create function tests.file(p_table text, p_period text, p_rows bigint, p_start bigint default 0,
  p_length bigint default 100, p_ordinal integer default 0) returns jsonb language sql immutable as $$
  select jsonb_build_object('ordinal', p_ordinal, 'table', p_table, 'period_tag', p_period, 'start_byte', p_start,
    'byte_length', p_length, 'row_count', p_rows, 'row_group_count', 1, 'uncompressed_bytes', p_length * 4,
    'schema_fingerprint', 'f-' || p_table, 'schema', '{"name": "root"}'::jsonb, 'stats', '{}'::jsonb)
$$;

create function tests.stage(p_user integer, p_dataset integer, p_body text, p_table text default 'port',
  p_period text default '2024-11-25', p_size bigint default 100, p_digest text default '',
  p_kind text default 'fragment') returns jsonb language sql as $$
  select public.stage_upload(tests.u(p_user), tests.u(p_dataset), p_table, p_period, p_size, tests.hash(p_body),
    p_digest, p_kind)
$$;

create function tests.commit_stage(p_stage jsonb, p_user integer, p_body text, p_files jsonb, p_size bigint default 100)
returns jsonb language sql as $$
  select public.commit_upload((p_stage ->> 'stage_id')::uuid, tests.u(p_user), p_size, 'etag-' || p_body,
    tests.hash(p_body), p_files)
$$;

-- stage and commit of one table's file
create function tests.upload(p_user integer, p_dataset integer, p_body text, p_table text default 'port',
  p_period text default '2024-11-25', p_rows bigint default 10) returns jsonb language plpgsql as $$
declare v_stage jsonb := tests.stage(p_user, p_dataset, p_body, p_table, p_period);
begin
  return tests.commit_stage(v_stage, p_user, p_body, jsonb_build_array(tests.file(p_table, p_period, p_rows)));
end $$;

-- whatever waits is due now
create function tests.make_due() returns void language plpgsql as $$
begin
  update pgmq.q_compaction_manual set vt = clock_timestamp() - interval '1 second';
  update pgmq.q_compaction_realtime set vt = clock_timestamp() - interval '1 second';
  update pgmq.q_compaction_scheduled set vt = clock_timestamp() - interval '1 second';
  update public.partitions set ready_at = clock_timestamp() - interval '1 second'
  where ready_at is not null and lease_expires_at is null;
end $$;

-- claims the oldest message, or the one of a dataset's table
create function tests.claim(p_worker text default 'w1', p_dataset integer default null, p_table text default null)
returns jsonb language plpgsql as $$
begin
  perform tests.make_due();
  if p_dataset is not null then
    update pgmq.q_compaction_manual m set vt = clock_timestamp() + interval '1 hour'
    where m.message ->> 'datasetId' <> tests.u(p_dataset)::text or m.message ->> 'table' <> coalesce(p_table, m.message ->> 'table');
    update pgmq.q_compaction_realtime m set vt = clock_timestamp() + interval '1 hour'
    where m.message ->> 'datasetId' <> tests.u(p_dataset)::text or m.message ->> 'table' <> coalesce(p_table, m.message ->> 'table');
    update pgmq.q_compaction_scheduled m set vt = clock_timestamp() + interval '1 hour'
    where m.message ->> 'datasetId' <> tests.u(p_dataset)::text or m.message ->> 'table' <> coalesce(p_table, m.message ->> 'table');
  end if;
  return public.claim_compaction(p_worker, 300);
end $$;

create function tests.ids(p_claim jsonb) returns bigint[] language sql immutable as $$
  select coalesce(array_agg((f ->> 'id')::bigint), '{}') from jsonb_array_elements(p_claim -> 'files') f
$$;

create function tests.rows(p_claim jsonb) returns bigint language sql immutable as $$
  select coalesce(sum((f ->> 'row_count')::bigint), 0)::bigint from jsonb_array_elements(p_claim -> 'files') f
$$;

-- stages output n of a claim and says what commit_compaction takes of it
create function tests.output(p_claim jsonb, p_n integer default 0, p_rows bigint default null) returns jsonb
language sql as $$
  select jsonb_build_object('object_key', s ->> 'object_key', 'size', 90, 'etag', 'out-' || p_n,
    'row_count', coalesce(p_rows, tests.rows(p_claim)), 'row_group_count', 1, 'uncompressed_bytes', 400,
    'schema_fingerprint', 'f-' || (p_claim ->> 'table'), 'schema', '{"name": "root"}'::jsonb, 'stats', '{}'::jsonb)
  from public.stage_output((p_claim ->> 'run_id')::uuid, p_n, (p_claim ->> 'token')::bigint, 90) s
$$;

create function tests.commit(p_claim jsonb, p_output jsonb, p_inputs bigint[] default null, p_n integer default 0,
  p_last boolean default true, p_result jsonb default '{"decision": "merged all"}') returns jsonb language sql as $$
  select public.commit_compaction((p_claim ->> 'run_id')::uuid, p_n, (p_claim ->> 'token')::bigint,
    coalesce(p_inputs, tests.ids(p_claim)), p_output, p_last, p_result)
$$;

-- merges everything that a claim lists
create function tests.compact(p_claim jsonb, p_result jsonb default '{"decision": "merged all"}') returns jsonb
language plpgsql as $$
begin
  return tests.commit(p_claim, tests.output(p_claim), p_result => p_result);
end $$;

create function tests.partition(p_dataset integer, p_table text default 'port', p_period text default '2024-11-25')
returns public.partitions language sql as $$
  select * from public.partitions p
  where p.dataset_id = tests.u(p_dataset) and p."table" = p_table and p.period_tag = p_period
$$;

create function tests.messages() returns bigint language sql as $$
  select count(*) from sediment.queue_messages
$$;

-- as a signed-in user (null: nobody)
create function tests.sign_in(p_user integer) returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims',
    coalesce(jsonb_build_object('sub', tests.u(p_user), 'role', 'authenticated')::text, ''), true);
  perform set_config('request.jwt.claim.sub', coalesce(tests.u(p_user)::text, ''), true);
end $$;

-- what a call answers: ok, or the code
create function tests.outcome(p_call text) returns text language plpgsql as $$
begin
  execute 'select ' || p_call;
  return 'ok';
exception when others then return sqlerrm;
end $$;
