-- An output that was lost is remade from the files that it replaced, behind the row that it has.
begin;
\ir helpers/fixtures.sql
select plan(34);

-- misses a file for good: the second look, three minutes after the first
create function tests.miss(p_claim jsonb, p_file bigint) returns jsonb language plpgsql as $$
begin
  perform quarantine_file((p_claim ->> 'run_id')::uuid, (p_claim ->> 'token')::bigint, p_file, 'object_missing', '404');
  update battle_files set lost_since = lost_since - interval '3 min' where id = p_file;
  return quarantine_file((p_claim ->> 'run_id')::uuid, (p_claim ->> 'token')::bigint, p_file, 'object_missing', '404');
end $$;
create function tests.remade(p_claim jsonb, p_rows bigint default 30) returns jsonb language sql as $$
  select jsonb_build_object('object_key', s ->> 'object_key', 'size', 95, 'etag', 'again', 'row_count', p_rows,
    'row_group_count', 1, 'uncompressed_bytes', 410, 'schema_fingerprint', 'f-port', 'schema', '{"name": "root"}'::jsonb,
    'stats', '{}'::jsonb, 'checksum', '0123456789abcdef')
  from stage_output((p_claim ->> 'run_id')::uuid, (p_claim ->> 'outputs_committed')::integer,
    (p_claim ->> 'token')::bigint, 90, null, (p_claim #>> '{remake,file}')::bigint) s
$$;
create function tests.keys(p_ids bigint[]) returns text[] language sql as $$
  select array_agg(f.object_key order by x.n) from unnest(p_ids) with ordinality x(id, n) join battle_files f on f.id = x.id
$$;
create function tests.swap(p_claim jsonb, p_output jsonb, p_inputs bigint[], p_file bigint) returns jsonb language sql as $$
  select commit_compaction((p_claim ->> 'run_id')::uuid, (p_claim ->> 'outputs_committed')::integer,
    (p_claim ->> 'token')::bigint, p_inputs, p_output, false, '{}', tests.keys(p_inputs), p_file)
$$;

select tests.upload(1, 100, 'a' || i) from generate_series(1, 3) i;
create temp table ins as select array_agg(id order by seq_min) as ids from battle_files;
select tests.compact(tests.claim('w', 100));
create temp table out as select id, object_key, added_version, run_id, ordinal from battle_files where level = 1;
select is((select input_count from battle_files f, out where f.id = out.id), 3, 'an output says how many files it replaced');
select is((select sediment.retired_inputs(f) from battle_files f, out where f.id = out.id), (select ids from ins), 'which they are is known while they are kept');
select is((select sediment.retired_inputs(f) from battle_files f, ins where f.id = ids[1]), null, 'an uploaded file was made of none');

select tests.upload(1, 100, 'b');
create temp table c1 as select tests.claim('w', 100) as c;
select is((select c -> 'remake' from c1), 'null'::jsonb, 'where nothing is lost nothing is remade');
select is((select tests.miss(c, out.id) ->> 'state' from c1, out), 'quarantined', 'an output that is missed twice is set aside');
select ok((select remake_at <= clock_timestamp() from battle_files f, out where f.id = out.id), 'and is to be remade');
select is((select tests.upload(1, 100, 'a1') -> 'healed'), null, 'no upload heals it');
create temp table e1 as select tests.commit(c, null, '{}') from c1;
select ok((tests.partition(100)).due_at is not null or (tests.partition(100)).msg_id is not null, 'its partition is due');
update partitions set due_at = clock_timestamp() - interval '1 s' where due_at is not null;
select sweep();

create temp table c2 as select tests.claim('w', 100) as c;
select is((select (c #>> '{remake,file}')::bigint from c2), (select id from out), 'the next claim names it');
select is((select (c #>> '{remake,row_count}')::bigint from c2), 30::bigint, 'with its rows');
select is((select array_agg((i ->> 'id')::bigint) from c2, jsonb_array_elements(c #> '{remake,inputs}') i), (select ids from ins), 'and the files that it replaced');
create temp table before as select version, file_size_bytes, row_count, file_count, uncompressed_bytes from datasets where id = tests.u(100);
create temp table o2 as select tests.remade(c) as o from c2;
select is((select remake_tries from battle_files f, out where f.id = out.id), 1, 'a try is counted when it begins');
select ok((select remake_at > clock_timestamp() + interval '4 min' from battle_files f, out where f.id = out.id), 'and the next one waits');
select is((select staged_inputs from partitions), null, 'retired files are no suspects of a death');
select throws_ok($$select tests.swap(c, o, ids[1:2], out.id) from c2, o2, ins, out$$, 'SD409', 'inputs_changed', 'it is made of all of them');
select throws_ok($$select tests.swap(c, o || '{"row_count": 20}', ids, out.id) from c2, o2, ins, out$$, 'SD500', 'merge_rows_differ', 'and has the same rows');
select throws_ok($$select tests.swap(c, o, ids, ids[1]) from c2, o2, ins$$, 'SD409', 'inputs_changed', 'in place of what was lost and of nothing else');
select throws_ok($$select commit_compaction((c ->> 'run_id')::uuid, 0, (c ->> 'token')::bigint, ids, o, false, '{}', array['x', 'y', 'z'], out.id) from c2, o2, ins, out$$, 'SD409', 'inputs_changed', 'read where they are now');
create temp table done as select tests.swap(c, o, ids, out.id) as a from c2, o2, ins, out;
select is((select (a ->> 'file_id')::bigint from done), (select id from out), 'the row is the one that there was');
select is((select a ->> 'version' from done), null, 'without a version');
select is((select row(f.run_id, f.ordinal, f.added_version, f.level, f.state, f.row_count, f.byte_length, f.checksum, f.lost_since, f.remake_at)::text from battle_files f, out where f.id = out.id),
  (select row(run_id, ordinal, added_version, 1, 'active', 30, 95, '0123456789abcdef', null::timestamptz, null::timestamptz)::text from out), 'with a new object behind it');
select isnt((select f.object_key from battle_files f, out where f.id = out.id), (select object_key from out), 'at a new key');
select is((select state from objects o, out where o.object_key = out.object_key), 'deleting', 'the old one is given up');
select is((select row(d.version, d.file_size_bytes, d.row_count, d.file_count, d.uncompressed_bytes)::text from datasets d where id = tests.u(100)),
  (select row(version, file_size_bytes + 5, row_count, file_count, uncompressed_bytes + 10)::text from before), 'the totals follow');
select is((select count(*) from battle_files where removed_version is null), 2::bigint, 'no row is there twice');
select is((select attempts from processing_metrics r, c2 where r.id = (c ->> 'run_id')::uuid), 0, 'it is progress');
create temp table again as select tests.swap(c, o, ids, out.id) as a from c2, o2, ins, out;
select is((select a ->> 'replayed' from again), 'true', 'a commit made again gets the first answer');
select is((select tests.commit(c, null, '{}', 1, true, '{"more": true}') ->> 'requeued' from c2), 'true', 'the run goes on');
create temp table c3 as select tests.claim('w', 100) as c;
select is((select jsonb_array_length(c -> 'files') from c3), 2, 'and merges it like any other');
select is((select c -> 'remake' from c3), 'null'::jsonb, 'once');
select tests.commit(c, tests.output(c, (c ->> 'outputs_committed')::integer), p_n => (c ->> 'outputs_committed')::integer) from c3;

-- its inputs are gone
create temp table out2 as select id from battle_files where level = 2;
select tests.upload(1, 100, 'd');
delete from battle_files where id = (select out.id from out);
create temp table c4 as select tests.claim('w', 100) as c;
select is((select tests.miss(c, out2.id) ->> 'state' from c4, out2), 'quarantined', 'an output of which an input is gone');
select is((select remake_at from battle_files f, out2 where f.id = out2.id), null, 'stays as it is');
update battle_files f set remake_at = clock_timestamp() from out2 where f.id = out2.id;
create temp table l4 as select sediment.list_remake(tests.partition(100)) as r;
select is((select r from l4), null, 'also when vacuum comes to it later');
select is((select remake_at from battle_files f, out2 where f.id = out2.id), null, 'and is not planned again');

select * from finish();
rollback;
