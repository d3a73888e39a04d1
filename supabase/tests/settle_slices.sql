-- settle_slices: since which version an upload is gone that wider deletions took along
begin;
\ir helpers/fixtures.sql
\ir helpers/deletions.sql
select plan(7);
set local role service_role;

-- a wide deletion is asked for; then two uploads come, and are merged
select tests.upload(1, 100, 'old', 'port', '0');
create temp table wide as select delete_data(null, tests.u(100), 'port') as r;
select tests.upload(1, 100, 'a', 'port', '0'), tests.upload(1, 100, 'b', 'port', '0');
create temp table claimed as select tests.claim('w', 100, 'port') as c;
select is(jsonb_array_length(c -> 'files'), 2, 'a claim lists what came since') from claimed;
select tests.commit(c, tests.output(c, 0, 20) || '{"provenance_start": 40, "provenance_length": 9}') from claimed;

-- one of the two is deleted, and then the period, whose deletion is carried out first and stops within the partition
create temp table single as select delete_upload(tests.u(1), u.id, p_merged => true) as r from uploads u where u.content_hash = tests.hash('a');
select is(r ->> 'state', 'pending', 'an upload among others waits') from single;
create temp table narrow as select delete_data(null, tests.u(100), 'port', '0') as r;
select is(advance_deletions(2, (r ->> 'deletion_id')::uuid) ->> 'more', 'true', 'the younger deletion may have more in this partition') from narrow;
select is((select count(*) from deleted_slices where version is not null), 0::bigint, 'and has settled nothing');

select tests.slices(r) from wide;
select is((select f.removed_version from battle_files f where f.level = 1), (r ->> 'version')::bigint, 'the output went with the younger one') from narrow;
select is((select s.version from deleted_slices s), (r ->> 'version')::bigint, 'so did the rows in it, though the older one settles') from narrow;
select is((deletion_status(tests.u(1), (s.r ->> 'deletion_id')::uuid) ->> 'version')::bigint, (n.r ->> 'version')::bigint, 'as its receipt says') from single s, narrow n;

select * from finish();
rollback;
