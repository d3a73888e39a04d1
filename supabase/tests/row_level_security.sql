-- Each table × role × verb. Two users with data of every kind; nobody reads or writes what is not theirs.
begin;
\ir helpers/fixtures.sql
create temp table readable (name text, mine text);
insert into readable values
  ('datasets', 'user_id = tests.u(1)'), ('dataset_versions', 'dataset_id = tests.u(100)'),
  ('partitions', 'dataset_id = tests.u(100)'), ('uploads', 'user_id = tests.u(1)'),
  ('battle_files', 'dataset_id = tests.u(100)'), ('processing_metrics', 'user_id = tests.u(1)'),
  ('table_settings', 'dataset_id = tests.u(100)'), ('user_limits', 'user_id = tests.u(1)'),
  ('dead_letters', 'user_id = tests.u(1)'), ('assets', 'user_id = tests.u(1)'), ('deletions', 'user_id = tests.u(1)'),
  ('dataset_status', 'user_id = tests.u(1)'), ('partition_status', 'dataset_id = tests.u(100)'),
  ('quarantined_files', 'dataset_id = tests.u(100)'), ('ended_rows', 'dataset_id = tests.u(100)'),
  ('table_names', 'dataset_id = tests.u(100)'), ('rewrites', 'dataset_id = tests.u(100)');
create temp table hidden (name text);
insert into hidden values ('service_settings'), ('objects'), ('idempotency_keys'), ('file_schemas'), ('run_children'),
  ('run_commits'), ('user_usage'), ('user_growth'), ('alerts'), ('queue_status'), ('circuit_breaker'), ('clockwork'), ('incidents'), ('pings'),
  ('worker_slots'), ('dataset_invitations'), ('forgotten_uploads'), ('deleted_slices'), ('identity_key'), ('age_walks'), ('settings_history'), ('metric_deltas'), ('metric_totals'), ('metric_samples'),
  ('setting_warnings'), ('dataset_keys'), ('store_check'), ('store_findings'), ('store_differences'), ('row_limit_probe'), ('lake_tables'),
  ('lake_snapshots'), ('lake_pending'), ('lake_relations'), ('lake_columns'), ('lake_schemas'), ('lake_mapping_fields'), ('lake_files'), ('lake_left_files'), ('lake_left_columns'), ('lake_shapes'), ('lake_statistics'), ('lake_left_out'),
  ('lake_heads'), ('lake_manifests'), ('lake_manifest_lists');
grant select on readable, hidden to anon, authenticated, service_role;

-- rows of two users in every table
create function tests.everything(p_user integer, p_dataset integer) returns void language plpgsql as $$
declare v_claim jsonb; v_stage jsonb;
begin
  delete from pgmq.q_compaction_manual; -- the other user's request would be claimed first
  perform tests.upload(p_user, p_dataset, 'a' || p_user);
  perform tests.upload(p_user, p_dataset, 'b' || p_user);
  v_claim := tests.claim();
  perform quarantine_file((v_claim ->> 'run_id')::uuid, (v_claim ->> 'token')::bigint, (tests.ids(v_claim))[1], 'invalid_parquet', 'bad');
  perform tests.compact(jsonb_set(v_claim, '{files}', (v_claim -> 'files') - 0));
  perform tests.upload(p_user, p_dataset, 'c' || p_user);
  v_claim := tests.claim();
  perform fail_compaction((v_claim ->> 'run_id')::uuid, (v_claim ->> 'token')::bigint, 'internal', 'no', 'merge', true);
  perform drain_dead_letters();
  v_stage := stage_asset(tests.u(p_user), 'a.png', 'a.png', 'a.png', 5, tests.hash('x'));
  perform commit_asset((v_stage ->> 'stage_id')::uuid, tests.u(p_user), 5, 'e', tests.hash('x'));
  perform stage_upload(tests.u(p_user), tests.u(p_dataset), 't', '0', 1, tests.hash('k'), '', p_idempotency_key => 'k');
  perform request_compaction(tests.u(p_user), tests.u(p_dataset));
  insert into table_settings (dataset_id, "table") values (tests.u(p_dataset), '*');
  insert into rewrites (dataset_id, "table", asked_at) values (tests.u(p_dataset), 'gone', now());
  insert into lake_tables (name, dataset_column, period_column) values ('lake' || p_user, 'a', 'b');
  insert into lake_relations (lake_table_id, name, begin_snapshot) select id, name, 0 from lake_tables where name = 'lake' || p_user;
  insert into lake_shapes select id, tests.u(p_dataset) from lake_tables where name = 'lake' || p_user;
  insert into lake_columns (relation_id, column_id, path, name, type, begin_snapshot) select max(id), 1, '{a}', 'a', 'varchar', 0 from lake_relations;
  insert into lake_schemas (relation_id, schema_digest, mapping_id) select max(id), 'd', p_user from lake_relations;
  insert into lake_mapping_fields (mapping_id, field, name, column_id) values (p_user, 1, 'a', 1);
  insert into lake_files select p_user, max(id), p_user, 0, null, tests.u(p_dataset), 'p', 'k', 1, 1, 0, p_user from lake_relations;
  insert into lake_statistics (file_id, relation_id, column_id) select p_user, max(id), 1 from lake_relations;
  insert into lake_left_files (battle_file, relation_id, dataset_id, reason) select p_user, max(id), tests.u(p_dataset), 'x' from lake_relations;
  insert into lake_left_columns (relation_id, path, dataset_id, reason) select max(id), '{a}', tests.u(p_dataset), 'x' from lake_relations;
  insert into objects (object_key, kind, put_deadline) values ('lake/' || p_user, 'lake', now());
  insert into lake_heads (relation_id, dataset_id) values (p_user, tests.u(p_dataset));
  insert into lake_manifests values ('lake/' || p_user, p_user, tests.u(p_dataset), 0, null, 1, '{1}', 1, 1, 1, 0);
  insert into lake_manifest_lists values (p_user, tests.u(p_dataset), 0, now(), 'lake/' || p_user, 1, 1, 1);
  insert into metric_samples values (now(), 0, 0, 0, 0, 0, 0, 0, 0) on conflict do nothing;
  insert into deletions (kind, user_id, dataset_id, "table", period_tag, version, state)
  values ('period', tests.u(p_user), tests.u(p_dataset), 'gone', '0', 1, 'purged');
  insert into forgotten_uploads (id, dataset_id, digest, version, slices)
  values (gen_random_uuid(), tests.u(p_dataset), 'd', 1, '[]');
  insert into deleted_slices (dataset_id, "table", period_tag, seq, deletion_id, rows)
  select x.dataset_id, 'gone', '0', 1, x.id, 1 from deletions x where x.dataset_id = tests.u(p_dataset) limit 1;
  insert into ended_rows (dataset_id, "table", period_tag, version, rule, files, rows, bytes)
  values (tests.u(p_dataset), 'gone', '0', 1, 'keep_periods', 1, 1, 1);
  insert into dataset_invitations (dataset_id, role, token_hash, expires_at)
  values (tests.u(p_dataset), 'reader', 'h' || p_user, clock_timestamp());
  perform rename_table(null, tests.u(p_dataset), 'port', 'harbour');
  perform stage_key(tests.u(p_user), tests.u(p_dataset), 'key', tests.hash('key' || p_user), 60);
  insert into age_walks (dataset_id) values (tests.u(p_dataset)) on conflict do nothing;
  insert into identity_key (key) values ('k') on conflict do nothing;
  perform sediment.open_incident('store_check', 'x');
  insert into store_findings (object_key, kind, detail, confirmed_at) values ('x' || p_user, 'unknown', 'x', clock_timestamp());
  perform sediment.fold_metrics();
  perform count_problems('{"forbidden": 1}');
  insert into pings (id, path) values (-p_user, '/compactor') on conflict do nothing;
  insert into user_limits (user_id, uploads_per_minute) values (tests.u(p_user), 1000);
  perform stage_upload(tests.u(p_user), tests.u(p_dataset), 't', '0', 1, tests.hash('l'), '');
end $$;
grant execute on all functions in schema tests to anon, authenticated, service_role;
set local role service_role;
select tests.everything(1, 100), tests.everything(2, 200);
reset role;

-- what a role gets of a statement: rows read or changed, or the SQLSTATE
create function tests.tried(p_sql text) returns text language plpgsql as $$
declare v_count bigint;
begin
  if p_sql ilike 'select%' then
    execute format('select count(*) from (%s) x', p_sql) into v_count;
  else
    execute p_sql;
    get diagnostics v_count = row_count;
  end if;
  return v_count::text;
exception
  when object_not_in_prerequisite_state then return '42501'; -- a view over a join can't be written by anybody
  when others then return sqlstate;
end $$;
create function tests.update_of(p_name text) returns text language sql as $$
  select format('update public.%I set %I = %2$I', p_name, a.attname) from pg_attribute a
  where a.attrelid = format('public.%I', p_name)::regclass and a.attnum > 0 and a.attidentity = '' and a.attname <> 'id' limit 1
$$;
create function tests.insert_of(p_name text) returns text language sql as $$
  select format('insert into public.%I (%I) values (null)', p_name, a.attname) from pg_attribute a
  where a.attrelid = format('public.%I', p_name)::regclass and a.attnum > 0 and a.attidentity = '' and a.attname <> 'id' limit 1
$$;
grant execute on all functions in schema tests to anon, authenticated, service_role;

select plan((select count(*) from readable)::integer * 11 + (select count(*) from hidden)::integer * 9 + 14 + (select count(*) from readable where name not in ('user_limits', 'assets'))::integer * 2 + 6);

-- these are looked at apart
select is((select array_agg(c.relname::text order by c.relname) from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
    and c.relname not in (select name from readable union all select name from hidden)
    -- what an extension brings is its own
    and not exists (select 1 from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e')),
  array['dataset_members', 'dead_letter_summary'], 'every table and view is in one of the lists');

-- the test has something to hide
select ok(tests.tried('select 1 from public.' || name)::bigint > 0, 'there are rows in ' || name) from readable;
select ok(tests.tried('select 1 from public.' || name)::bigint > 0, 'there are rows in ' || name) from hidden;

set local role authenticated;
select tests.sign_in(1);
select ok(tests.tried('select 1 from public.' || name)::bigint > 0, 'an owner reads own rows of ' || name) from readable;
select is(tests.tried(format('select 1 from public.%I where not (%s)', name, mine)), '0', 'and no other rows of ' || name) from readable;
select is(tests.tried('select 1 from public.' || name), '42501', 'a user does not read ' || name) from hidden;
select is(tests.tried(tests.insert_of(name)), '42501', 'a user does not insert into ' || name) from (select name from readable union all select name from hidden) x;
select is(tests.tried(tests.update_of(name)), '42501', 'a user does not update ' || name) from (select name from readable union all select name from hidden) x;
select is(tests.tried('delete from public.' || name), '42501', 'a user does not delete from ' || name) from (select name from readable union all select name from hidden) x;
select is(tests.tried('select 1 from public.dead_letter_summary'), '1', 'the summary of dead letters shows a user the own ones');
select is((select open from dead_letter_summary), 1::bigint, 'and counts only these');
select tests.sign_in(3);
select is(tests.tried('select 1 from public.' || name), '0', 'a stranger reads nothing of ' || name) from readable;

-- a reader of a dataset reads its rows, and no other's; the owner's assets and limits are no rows of it
reset role;
insert into dataset_members (dataset_id, user_id, role) values (tests.u(100), tests.u(5), 'reader'), (tests.u(200), tests.u(6), 'writer');
create temp table shared as select name, case when name in ('datasets', 'dataset_status') then 'id = tests.u(100)' else 'dataset_id = tests.u(100)' end as mine
from readable where name not in ('user_limits', 'assets');
grant select on shared to authenticated;
set local role authenticated;
select tests.sign_in(5);
select ok(tests.tried('select 1 from public.' || name)::bigint > 0, 'a member reads rows of ' || name) from shared;
select is(tests.tried(format('select 1 from public.%I where not (%s)', name, mine)), '0', 'of the shared dataset only: ' || name) from shared;
select is(tests.tried('select 1 from public.assets'), '0', 'a member does not read the owner''s assets');
select is((select array_agg(user_id) from dataset_members), array[tests.u(5)], 'nor who else is a member');
select is(tests.tried(tests.update_of('dataset_members')), '42501', 'a member does not change a role');
select is(tests.tried(tests.insert_of('dataset_members')), '42501', 'nor adds one');
select is(tests.tried('delete from public.dataset_members'), '42501', 'nor takes one away');
select tests.sign_in(1);
select is(tests.tried('select 1 from public.datasets where id = tests.u(200)'), '0', 'an owner reads no dataset that is shared with others');
select tests.sign_in(null);
select is(tests.tried('select 1 from public.datasets'), '0', 'a token without a user reads nothing');

set local role anon;
select is(tests.tried('select 1 from public.' || name), '42501', 'anon does not read ' || name) from (select name from readable union all select name from hidden) x;
select is(tests.tried(tests.insert_of(name)), '42501', 'anon does not insert into ' || name) from (select name from readable union all select name from hidden) x;
select is(tests.tried(tests.update_of(name)), '42501', 'anon does not update ' || name) from (select name from readable union all select name from hidden) x;
select is(tests.tried('delete from public.' || name), '42501', 'anon does not delete from ' || name) from (select name from readable union all select name from hidden) x;

set local role authenticated;
select tests.sign_in(1);
select is(tests.tried('select 1 from pgmq.q_compaction_realtime'), '42501', 'a user does not read the queue');
select is(tests.tried('select public.claim_compaction(''x'')'), '42501', 'a user does not claim');
select is(tests.tried(format('select public.stage_upload(%L, %L, ''t'', ''0'', 1, %L, '''')', tests.u(1), tests.u(100), tests.hash('z'))), '42501', 'a user does not stage by itself');
select is(tests.tried('select sediment.next_versions(null)'), '42501', 'a user does not reach the helpers');
select is(tests.tried('select sediment.ping_functions(''/compactor'')'), '42501', 'a user does not ping');
set local role anon;
select is(tests.tried('select 1 from pgmq.q_compaction_realtime'), '42501', 'anon does not read the queue');
select is(tests.tried('select public.tick()'), '42501', 'anon does not tick');
select is(tests.tried('select public.catalog_health()'), '42501', 'anon does not ask for health');

set local role service_role;
select is(tests.tried(tests.update_of('datasets')), '2', 'the service writes');
select is(tests.tried('select 1 from public.datasets'), '2', 'the service reads all');

select * from finish();
rollback;
