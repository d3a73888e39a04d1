-- delete_upload, of what merges have taken into outputs
begin;
\ir helpers/fixtures.sql
select plan(32);
set local role service_role;

create function pg_temp.output(p_claim jsonb, p_rows bigint, p_n integer default 0) returns jsonb language sql as $$
  select tests.output(p_claim, p_n, p_rows) || '{"provenance_start": 40, "provenance_length": 9}'
$$;
create function pg_temp.upload_of(p_name text) returns uuid language sql as $$
  select id from uploads where content_hash = tests.hash(p_name)
$$;

-- three uploads in one output, and a fourth beside it
select tests.upload(1, 100, 'a', 'port', '0'), tests.upload(1, 100, 'b', 'port', '0'), tests.upload(1, 100, 'c', 'port', '0');
create temp table first as select tests.claim('w', 100, 'port') as c;
select is((select array_agg(s.seq) from uploads u, sediment.upload_slices(u) s where u.id = pg_temp.upload_of('b')), '{2}'::bigint[], 'the ledger knows the place of each slice');
select tests.commit(c, pg_temp.output(c, 30)) from first;
select is((select (seqs, provenance_start, provenance_length)::text from battle_files where level = 1), '("{[1,4)}",40,9)', 'an output of which uploads it holds rows, and where it says which');
select tests.upload(1, 100, 'd', 'port', '0');
create temp table before as select tests.claim('w', 100, 'port') as c;

create temp table r as select delete_upload(tests.u(1), pg_temp.upload_of('b'), p_merged => true) as r;
select is((select r - array['deletion_id', 'user_id', 'dataset_id', 'upload_id', 'requested_at'] from r),
  '{"kind": "upload", "table": null, "period_tag": null, "version": null, "purge": false, "state": "pending", "done": false, "files": 0, "rows": 0, "bytes": 0, "assets": 0, "objects_left": 0, "removed_at": null, "purged_at": null}', 'it waits for a rewrite');
select is(delete_upload(tests.u(1), pg_temp.upload_of('b'), p_merged => true) -> 'deletion_id', r -> 'deletion_id', 'asked again it is the same receipt') from r;
select is(advance_deletions() ->> 'more', 'false', 'which no slice carries out');
select is((select row_count from datasets where id = tests.u(100)), 40::bigint, 'so long it is there');
select throws_ok($$select tests.stage(1, 100, 'b', 'port', '0')$$, 'SD410', 'upload_deleted', 'but answered for no more');
select throws_ok($$select tests.commit(c, pg_temp.output(c, 40)) from before$$, 'SD409', 'inputs_changed', 'a merge that was claimed before can''t take its rows along');
select lives_ok($$select fail_compaction((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, 'merge', 'x', 'x', false) from before$$, 'and is made again');
create temp table claimed as select tests.claim('w', 100, 'port') as c;
select is((select jsonb_agg(f -> 'drop') from jsonb_array_elements(c -> 'files') f), '[[2], null]', 'each claim says whose rows are to be left out of what') from claimed;
select is(c #> '{files,0,provenance}', '{"start": 40, "length": 9}', 'and where the output tells them apart') from claimed;
create temp table inputs as select array[(c #>> '{files,0,id}')::bigint] as i, c from claimed;
select throws_ok($$select tests.commit(c, pg_temp.output(c, 30), i) from inputs$$, 'SD409', 'inputs_changed', 'a commit that leaves nothing out is refused');
select throws_ok($$select tests.commit(c, pg_temp.output(c, 20), i, p_result => '{"dropped": {"2": 10, "3": 0}}') from inputs$$, 'SD500', 'merge_rows_differ', 'so is one that leaves out what nobody asked for');
select throws_ok($$select tests.commit(c, pg_temp.output(c, 19), i, p_result => '{"dropped": {"2": 11}}') from inputs$$, 'SD500', 'merge_rows_differ', 'or more than there was');
select throws_ok($$select tests.commit(c, pg_temp.output(c, 19), i, p_result => '{"dropped": {"2": 10}}') from inputs$$, 'SD500', 'merge_rows_differ', 'or loses a row of others');
select is(tests.commit(c, pg_temp.output(c, 20), i, p_result => '{"dropped": {"2": 10}}') ->> 'version', '7', 'the rewrite is a version') from inputs;
select is((select deletion_status(tests.u(1), (r ->> 'deletion_id')::uuid) - array['deletion_id', 'user_id', 'dataset_id', 'upload_id', 'requested_at', 'removed_at'] from r),
  '{"kind": "upload", "table": null, "period_tag": null, "version": 7, "purge": false, "state": "removed", "done": true, "files": 1, "rows": 10, "bytes": 0, "assets": 0, "objects_left": 0, "purged_at": null}', 'with which it is gone');
select is((select seqs from battle_files where level = 2), '{[1,2),[3,4)}'::int8multirange, 'and the output holds nothing of it');
select is((select row_count from datasets where id = tests.u(100)), 30::bigint, 'nobody else''s row is gone');
select lives_ok($$select stage_upload(tests.u(1), tests.u(100), 'port', '0', 100, tests.hash('b'), '', p_again => true)$$, 'sent again by wish it is a new upload');

-- an output that says nothing
select tests.upload(1, 200, 'e', 'port', '0'), tests.upload(1, 200, 'f', 'port', '0');
select tests.compact(tests.claim('w', 200, 'port'));
select throws_ok($$select delete_upload(tests.u(1), pg_temp.upload_of('e'), p_merged => true)$$, 'SD422', 'provenance_unknown', 'of an output that doesn''t tell its rows apart nothing can be left out');

-- all rows of an output, after callers of before
select tests.upload(1, 300, 'g', 'port', '0'), tests.upload(1, 300, 'h', 'port', '0');
create temp table third as select tests.claim('w', 300, 'port') as c;
select tests.commit(c, pg_temp.output(c, 20)) from third;
select throws_ok($$select delete_upload(tests.u(1), pg_temp.upload_of('g'))$$, 'SD422', 'provenance_unknown', 'callers of before are told as before');
update uploads set tables = array(select split_part(s, ' ', 1) from string_to_table(slices, ',') s), row_counts = array(select split_part(s, ' ', 2)::bigint from string_to_table(slices, ',') s), slices = null where dataset_id = tests.u(300);
create temp table r3 as select delete_upload(null, pg_temp.upload_of('g'), true, true) as g, delete_upload(null, pg_temp.upload_of('h'), true, true) as h;
create temp table fourth as select tests.claim('w', 300, 'port') as c;
select is(c #> '{files,0,drop}', '[1, 2]', 'as long as its file is known, an upload of before has its place') from fourth;
select throws_ok($$select tests.commit(c, null, p_result => '{"dropped": {"1": 10, "2": 9}}') from fourth$$, 'SD500', 'merge_rows_differ', 'no output, and a row is left');
select is(tests.commit(c, null, p_result => '{"dropped": {"1": 10, "2": 10}}') ->> 'run_status', 'success', 'no output, since no row is left') from fourth;
select is((select array_agg(distinct version) from deleted_slices where dataset_id = tests.u(300)), (select array[version] from datasets where id = tests.u(300)), 'both are gone with it');
select is((select oldest_kept_version from datasets where id = tests.u(300)), (select version from datasets where id = tests.u(300)), 'and by the purge older versions with them');
select advance_deletions(), advance_deletions();
select is((select count(*) from battle_files where dataset_id = tests.u(300)), 0::bigint, 'what merges had replaced leaves the catalog');
select is((select count(*) from objects where dataset_id = tests.u(300) and state = 'stored'), 0::bigint, 'and the store');

-- another deletion is first
select tests.upload(1, 400, 'i', 'port', '0'), tests.upload(1, 400, 'j', 'port', '0');
create temp table fifth as select tests.claim('w', 400, 'port') as c;
select tests.commit(c, pg_temp.output(c, 20)) from fifth;
create temp table r4 as select delete_upload(tests.u(1), pg_temp.upload_of('i'), p_merged => true) as r;
select delete_data(tests.u(1), tests.u(400), 'port');
select advance_deletions();
select is((select deletion_status(tests.u(1), (r ->> 'deletion_id')::uuid) ->> 'state' from r4), 'removed', 'a deletion of its table carries it out, too');

-- while it is pending its rows are shown, and the ledger keeps it, whatever else is forgotten
select tests.upload(1, 500, 'k', 'port', '0'), tests.upload(1, 500, 'l', 'port', '0'), tests.upload(1, 500, 'm', 'ship', '0');
create temp table sixth as select tests.claim('w', 500, 'port') as c;
select tests.commit(c, pg_temp.output(c, 20)) from sixth;
select delete_upload(tests.u(1), pg_temp.upload_of('k'), p_merged => true);
create temp table other as select delete_data(tests.u(1), tests.u(500), 'ship', p_purge => true) as r;
update deletions set requested_at = clock_timestamp() - interval '3 days' where dataset_id = tests.u(500);
select advance_deletions(p_deletion => (r ->> 'deletion_id')::uuid) from other, generate_series(1, 6);
select isnt((select forgotten_at from deletions where id = (select (r ->> 'deletion_id')::uuid from other)), null, 'another deletion has come to its end');
select is((select array_agg(u.content_hash = tests.hash('k') order by u.created_at) from uploads u where u.dataset_id = tests.u(500)), array[true, false], 'and forgets no upload of which rows are shown');

select * from finish();
rollback;
