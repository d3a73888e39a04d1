begin;
\ir helpers/fixtures.sql
select plan(8);

-- Pooled connections keep the plans that they made when the tables were small, until statistics come. So: plans are made
-- over analyzed tables of a few rows, which any planner reads whole; then the tables grow; then they are analyzed. Each
-- time uploads must find what they need by an index, and as few rows of it: no scan, no work that grows with a table.

create function tests.call_of(p_user integer, p_body text, p_more jsonb default '{}') returns jsonb language sql as $$
  select jsonb_build_object('p_user', tests.u(p_user), 'p_dataset', tests.u(100 + p_user), 'p_table', 'port',
    'p_period_tag', '0', 'p_size', 200, 'p_content_hash', tests.hash(p_body), 'p_offsets_digest', '') || p_more
$$;
create function tests.commit_call_of(p_stage jsonb, p_user integer, p_body text) returns jsonb language sql as $$
  select jsonb_build_object('p_stage', p_stage -> 'answer' -> 'stage_id', 'p_user', tests.u(p_user), 'p_size', 200,
    'p_etag', 'e', 'p_content_hash', tests.hash(p_body), 'p_files', jsonb_build_array(
      tests.file('port', '0', 10), tests.file('ship', p_body, 10, 100, 100, 1)))
$$;
-- uploads in a group and alone, of users with limits and without, new, sent again, direct and refused
create function tests.upload_all(p_round text) returns void language plpgsql as $$
declare
  v_stages jsonb;
  v_commits jsonb;
  v_alone jsonb;
begin
  v_stages := group_upload_calls((select jsonb_agg(tests.call_of(u, p_round || u, case u when 2 then
    jsonb_build_object('p_idempotency_key', p_round) when 3 then '{"p_kind": "direct_concatenated"}' else '{}' end) order by u)
    from generate_series(1, 4) u), '[]') -> 'stages';
  select jsonb_agg(tests.commit_call_of(v_stages -> (u - 1), u, p_round || u) order by u) into v_commits from generate_series(1, 4) u;
  perform group_upload_calls((select jsonb_agg(tests.call_of(u, p_round || u)) from generate_series(1, 4) u), v_commits);
  perform group_upload_calls('[]', v_commits);
  v_alone := tests.stage(2, 102, p_round || 'alone');
  perform tests.commit_stage(v_alone, 2, p_round || 'alone', jsonb_build_array(tests.file('port', '0', 1)));
  perform tests.commit_stage(tests.stage(2, 102, p_round || 'alone'), 2, p_round || 'alone', jsonb_build_array(tests.file('port', '0', 1)));
  v_alone := tests.stage(2, 102, p_round || 'large');
  begin
    perform commit_upload((v_alone ->> 'stage_id')::uuid, tests.u(2), 100, 'e', tests.hash(p_round || 'large'),
      jsonb_build_array(tests.file('port', '0', 1)), 1000000);
  exception when sqlstate 'SD429' then null;
  end;
end $$;
-- what this transaction has read so far, of each table
create function tests.reads() returns jsonb language sql volatile as $$
  select jsonb_object_agg(s.relname, jsonb_build_object('scans', s.seq_scan, 'rows', coalesce(s.idx_tup_fetch, 0)))
  from pg_stat_xact_user_tables s where s.schemaname = 'public'
$$;
create function tests.read_since(p_before jsonb, p_what text, p_over integer) returns text[] language sql volatile as $$
  select coalesce(array_agg(format('%s: %s', t.key, d.n) order by t.key), '{}')
  from jsonb_each(tests.reads()) t
  cross join lateral (select (t.value ->> p_what)::bigint - (p_before -> t.key ->> p_what)::bigint as n) d
  where d.n > p_over
$$;

insert into user_limits (user_id, stored_bytes_max, uploads_per_minute, datasets_max) values (tests.u(2), 1000000, 1000, 10);
-- a compaction first: it makes the plans of what it shares with uploads
select tests.upload(1, 101, 'first'), tests.compact(tests.claim('w', 101));
analyze;
do $$ begin
  for i in 1 .. 6 loop -- so often until plans are kept
    perform tests.upload(1, 101, 'first' || i);
    perform tests.compact(tests.claim('w', 101));
  end loop;
end $$;
select tests.upload_all('few' || i) from generate_series(1, 6) i;
create temp table before as select tests.reads() as r;
select tests.upload_all('few again');
select is((select tests.read_since(r, 'scans', 0) from before), '{}', 'small tables are read by index');

insert into datasets (id, user_id) select tests.u(i), tests.u(i) from generate_series(10001, 13000) i;
insert into partitions (dataset_id, "table", period_tag) select tests.u(101), 't', i::text from generate_series(1, 3000) i;
insert into objects (object_key, kind, size, put_deadline, user_id, stage_id, content_hash)
select 'k' || i, 'fragment', 1, now(), tests.u(1), tests.u(i), tests.hash(i::text) from generate_series(10001, 13000) i;
insert into uploads (id, dataset_id, "table", period_tag, content_hash, offsets_digest, user_id, object_key, size)
select tests.u(i), tests.u(101), 'port', '0', tests.hash(i::text), '', tests.u(1), 'k' || i, 1 from generate_series(10001, 13000) i;
insert into file_schemas select 's' || i, '{}' from generate_series(1, 3000) i;
insert into battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte, byte_length, level, seq_min,
  seq_max, row_count, row_group_count, uncompressed_bytes, schema_fingerprint, added_version, uploaded_by, uploaded_at)
select tests.u(101), 't', '1', tests.u(i), 0, 'k' || i, 0, 1, 0, i, i, 1, 1, 1, 's1', 1, tests.u(1), now() from generate_series(10001, 13000) i;
insert into processing_metrics (user_id, dataset_id, "table", period_tag, operation, trigger, priority)
select tests.u(1), tests.u(101), 't', '1', 'compaction', 'upload', 'realtime' from generate_series(1, 3000);
insert into user_limits (user_id) select tests.u(i) from generate_series(10001, 13000) i;
insert into user_usage select tests.u(i), now(), 1, now(), 1 from generate_series(10001, 13000) i;
insert into idempotency_keys select tests.u(i), 'k', 'i' from generate_series(10001, 13000) i;
insert into dataset_versions select tests.u(102), i, now() from generate_series(10001, 13000) i;

update before set r = tests.reads();
select tests.upload_all('many');
select is((select tests.read_since(r, 'scans', 0) from before), '{}', 'tables that have grown are read by index still');
select is((select tests.read_since(r, 'rows', 500) from before), '{}', 'and a few rows of them');
analyze;
update before set r = tests.reads();
select tests.upload_all('known');
select is((select tests.read_since(r, 'scans', 0) from before), '{}', 'so are large ones');
select is((select tests.read_since(r, 'rows', 500) from before), '{}', 'and a few rows of them');
select tests.upload_all('more' || i) from generate_series(1, 6) i;
update before set r = tests.reads();
select tests.upload_all('again');
select is((select tests.read_since(r, 'scans', 0) from before), '{}', 'also by plans that are made for all arguments');
select is((select tests.read_since(r, 'rows', 500) from before), '{}', 'which read as little');
select ok((select (r -> 'uploads' ->> 'rows')::int from before) > 10, 'these reads are counted');

select * from finish();
rollback;
