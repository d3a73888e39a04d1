-- what one tenant's rows say of, and do to, another's
begin;
\ir helpers/fixtures.sql
select plan(45);

-- schemas are kept by all that they hold
create function tests.schema_of(p_a integer, p_b integer) returns jsonb language sql immutable as $$
  select jsonb_build_object('name', 'root', 'children', jsonb_build_array(
    jsonb_build_object('name', 'a', 'type', 'INT64', 'field_id', p_a), jsonb_build_object('name', 'b', 'type', 'INT64', 'field_id', p_b)))
$$;
create function tests.upload_as(p_user integer, p_dataset integer, p_body text, p_schema jsonb) returns jsonb language plpgsql as $$
declare v_stage jsonb := tests.stage(p_user, p_dataset, p_body);
begin
  return tests.commit_stage(v_stage, p_user, p_body, jsonb_build_array(
    tests.file('port', '2024-11-25', 10) || jsonb_build_object('schema_fingerprint', 'shared', 'schema', p_schema)));
end $$;
set local role service_role;
select tests.upload_as(1, 100, 'm', tests.schema_of(2, 1));
select tests.upload_as(2, 200, 'b' || i, tests.schema_of(1, 2)) from generate_series(1, 2) i;
select is((select count(*) from file_schemas), 2::bigint, 'two schemas of one fingerprint are two rows');
select is((select count(*) from file_schemas where digest <> encode(substr(sha256(convert_to(schema::text, 'UTF8')), 1, 24), 'base64')), 0::bigint,
  'each under a hash of its text');
create temp table c as select tests.claim('w', 200) as c;
select is((select c -> 'schemas' from c), jsonb_build_object('shared', tests.schema_of(1, 2)), 'a claim has the schema of its own files');
select is((select get_file(tests.u(2), (c -> 'files' -> 0 ->> 'id')::bigint) -> 'schema' from c), tests.schema_of(1, 2), 'and so has a file');

-- a mark, and the run that follows
create temp table f as select id, "table" from battle_files where dataset_id = tests.u(200) order by seq_min;
select tests.compact((select c from c));
create temp table o as select id from battle_files where dataset_id = tests.u(200) and removed_version is null;
select is(mark_for_rewrite((select jsonb_agg(jsonb_build_object('id', id, 'reason', 'another''s ids', 'schema', tests.schema_of(1, 2))) from (
  select id from o union all select id from f) x)), '{"marked": 1}', 'files that are visible are marked, others are left alone');
select is((select (queue, demand_seq > done_seq) from partitions where dataset_id = tests.u(200)), row('scheduled'::text, true), 'a run is asked for');
create temp table r as select tests.claim('w', 200) as c;
select is((select c -> 'files' -> 0 -> 'rewrite' from r), jsonb_build_object('reason', 'another''s ids', 'schema', tests.schema_of(1, 2)), 'which hears of the mark');
select tests.compact((select c from r));
select is((select count(*) from battle_files where dataset_id = tests.u(200) and removed_version is null and rewrite is not null), 0::bigint, 'what was written anew has none');
select throws_ok($$select mark_for_rewrite('[{"id": 1}]')$$, 'SD400', 'invalid_request', 'a mark has a reason');
select throws_ok($$select mark_for_rewrite(null)$$, 'SD400', 'invalid_request', 'and a file');

-- outputs of before
reset role;
update battle_files set schema_digest = null where dataset_id = tests.u(200) and removed_version is null;
set local role service_role;
create temp table l as select list_unsettled_outputs() as l;
select is((select jsonb_array_length(l -> 'files') from l), 1, 'outputs whose schema is not known by its digest are listed');
create temp table i as select list_unsettled_outputs(p_inputs => array[(l -> 'files' -> 0 ->> 'id')::bigint]) as i from l;
select is((select jsonb_array_length(i -> 'files') from i), 1, 'with what went into one');
select is((select i -> 'files' -> 0 -> 'output' from i), (select l -> 'files' -> 0 -> 'id' from l), 'and into which');
select is(settle_outputs((select jsonb_build_array(jsonb_build_object('id', l -> 'files' -> 0 -> 'id', 'schema', tests.schema_of(1, 2))) from l)),
  '{"settled": 1}', 'one that is as it should be is settled');
select is(list_unsettled_outputs(), '{"files": [], "more": false}', 'and not listed again');

-- uploaded files of before, whose schema went with its field ids
reset role;
select tests.upload(1, 100, 'unknown', 'lone', '0'), tests.upload(1, 100, 'known', 'lone', '0');
update battle_files set schema_digest = null where dataset_id = tests.u(100) and "table" = 'lone' and seq_min = 1;
set local role service_role;
select is((select s.value -> 'schemas' ? 'f-lone' from (select list_tables(tests.u(1), tests.u(100)) as value) s), true,
  'the first file whose schema is known tells that of its fingerprint');
create temp table u as select list_unsettled_outputs() as u;
select is((select u -> 'files' -> 0 -> 'id' from u), (select to_jsonb(f.id) from battle_files f where f."table" = 'lone' and f.seq_min = 1),
  'an uploaded file whose schema is not known at all is listed');
select is((select jsonb_array_length(u -> 'files') from u), 1, 'and no other');
select settle_outputs((select jsonb_build_array(jsonb_build_object('id', u -> 'files' -> 0 -> 'id', 'schema', tests.schema_of(1, 2))) from u));
select is(list_unsettled_outputs(), '{"files": [], "more": false}', 'until it is');

-- ids tell no volume
select ok((select min(id) > 281474976710656 and max(id) < 562949953421312 from battle_files), 'ids have 15 digits');
create temp table ids as select sediment.next_row_id() as id from generate_series(1, 2000);
select is((select count(distinct id) from ids), 2000::bigint, 'no two are alike');
select ok((select max(id) - min(id) > 140000000000000 from ids), 'and they are spread over all that there are');

-- refusals are answers
select is(call_quietly('get_file', jsonb_build_object('p_user', tests.u(1), 'p_file', (select id from o))) -> 'error' ->> 'message', 'not_found', 'a refusal is an answer');
select is(call_quietly('get_file', jsonb_build_object('p_user', tests.u(1), 'p_file', 5)) -> 'error' ->> 'code', 'SD404', 'with its status');
select is(call_quietly('list_files', jsonb_build_object('p_user', tests.u(2), 'p_dataset', tests.u(200), 'p_limit', 1)) -> 'answer' -> 'files' -> 0 ->> 'table', 'port', 'an answer is one');
select is(call_quietly('retry_quarantined', jsonb_build_object('p_user', tests.u(2), 'p_dataset', tests.u(200), 'p_files', '[1, 2]'::jsonb)) -> 'answer' -> 'files', '[]', 'arrays are taken');
select is(call_quietly('list_members', jsonb_build_object('p_user', tests.u(1), 'p_dataset', tests.u(200))) -> 'error' ->> 'message', 'dataset_forbidden', 'who may not see the members is told so');
select is(call_quietly('list_keys', jsonb_build_object('p_user', tests.u(1), 'p_dataset', tests.u(200))) -> 'error' ->> 'message', 'dataset_forbidden', 'or the keys');
select is(call_quietly('rename_table', jsonb_build_object('p_user', tests.u(1), 'p_dataset', tests.u(200), 'p_table', 'port', 'p_name', 'x')) -> 'error' ->> 'message', 'dataset_forbidden', 'nor rename a table');
select throws_ok($$select call_quietly('get_file', '{"p_user": "x", "p_file": 1}')$$, '22P02', null, 'what no function has refused is an error');
select throws_ok($$select call_quietly('sweep', '{}')$$, 'SD400', 'invalid_request', 'only what users'' requests lead to is called so');
select throws_ok($$select call_quietly('get_file; select 1', '{}')$$, 'SD400', 'invalid_request', 'and nothing else');
select is(call_quietly('renew_lease', jsonb_build_object('p_run', tests.u(9), 'p_token', 1)) -> 'error' ->> 'message', 'run_not_found', 'nor is a worker that comes too late');
select is(call_quietly('pass_control', jsonb_build_object('p_run', tests.u(9), 'p_token', 1)) -> 'error' ->> 'code', 'SD404', 'whatever it calls');
select throws_ok($$select call_quietly('claim_compaction', '{"p_worker": "w"}')$$, 'SD400', 'invalid_request', 'what a worker is never refused is not called so');
select is((
    select array_agg(p.proname::text order by p.proname)
    from pg_proc q
    join pg_proc p on p.pronamespace = 'public'::regnamespace
      and position(format('public.%s(a.', p.proname) in q.prosrc) > 0
      and position(format('as a(%s)', (
        select string_agg(format('%s %s', p.proargnames[n], format_type(p.proargtypes[n - 1], null)), ', ' order by n)
        from generate_series(1, p.pronargs) n)) in regexp_replace(q.prosrc, '\s+', ' ', 'g')) > 0
    where q.oid = 'public.call_quietly'::regproc),
  array['commit_compaction', 'record_step', 'renew_lease', 'stage_output'], 'those that are called by name are given all that they take');
select is(call_long_quietly('retry_quarantined', jsonb_build_object('p_user', tests.u(1), 'p_dataset', tests.u(200))) -> 'error' ->> 'message', 'dataset_forbidden', 'what takes longer is refused as quietly');
select is(call_long_quietly('redrive_dead_letters', jsonb_build_object('p_user', tests.u(1), 'p_ids', '[5]'::jsonb)) -> 'answer' -> 'skipped' -> 0 ->> 'reason', 'not_found', 'and answers');
select throws_ok($$select call_long_quietly('list_files', '{}')$$, 'SD400', 'invalid_request', 'what does not take longer has no more time');
select is(call_quietly('delete_user', '{"p_user": null}') -> 'error' ->> 'message', 'invalid_request', 'nor is a deletion that is refused an error');
select is((select count(*) from objects where state = 'staged' and stage_id is not null), 0::bigint, 'nothing is planned');
select is(call_quietly('stage_upload', jsonb_build_object('p_user', tests.u(1), 'p_dataset', tests.u(200), 'p_table', 't', 'p_period_tag', '0',
  'p_size', 1, 'p_content_hash', tests.hash('q'), 'p_offsets_digest', '')) -> 'error' ->> 'message', 'dataset_forbidden', 'a stage that is refused');
select is((select count(*) from objects where state = 'staged' and stage_id is not null), 0::bigint, 'is taken back');

-- pages by bytes
reset role;
update battle_files set stats = jsonb_build_object('a', repeat('x', 900000)) where dataset_id = tests.u(200);
insert into battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte, byte_length, level, seq_min, seq_max,
  row_count, row_group_count, uncompressed_bytes, schema_fingerprint, added_version, uploaded_by, uploaded_at, stats)
select dataset_id, "table", period_tag, gen_random_uuid(), 0, object_key, 0, 10, 0, 100 + i, 100 + i, 1, 1, 10, schema_fingerprint, added_version, uploaded_by, now(), stats
from battle_files, generate_series(1, 5) i where dataset_id = tests.u(200) and removed_version is null;
set local role service_role;
create temp table p as select list_files(tests.u(2), tests.u(200)) as p;
select is((select jsonb_array_length(p -> 'files') from p), 2, 'a page ends where it has come to 2 MiB');
select is((select jsonb_array_length(list_files(tests.u(2), tests.u(200), p_cursor => p ->> 'next_cursor') -> 'files') from p), 2, 'and the next goes on behind it');

select * from finish();
rollback;
