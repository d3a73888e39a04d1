-- What row security and the store's policy show to a key's session.
begin;
\ir helpers/fixtures.sql
\ir helpers/keys.sql
select no_plan();
grant execute on all functions in schema tests to service_role;
set local role service_role;
select tests.upload(1, 100, 'a'), tests.upload(9, 900, 'z');
select accept_invitation(tests.u(2), invite_member(null, tests.u(100), 'writer') ->> 'token');
create temp table f as select id, object_key from battle_files where dataset_id = tests.u(100);

select accept_invitation(tests.u(3), invite_member(tests.u(1), tests.u(100), 'owner') ->> 'token');
select tests.key(4, 3, 100, 'reads');
reset role;
insert into storage.objects (bucket_id, name)
select 'sediment', x.name from (select object_key as name from battle_files union all values
  ('battle_data/' || tests.u(100) || '/port/0/strange.parquet'), ('incoming/' || tests.u(4) || '/x.parquet'), ('assets/' || tests.u(3) || '/a.png')) x;
create function tests.seen(p_operation text) returns text[] language plpgsql as $$
begin
  perform set_config('storage.operation', p_operation, true);
  return (select array_agg(o.name order by o.name) from storage.objects o where o.bucket_id = 'sediment');
end $$;
grant execute on all functions in schema tests to authenticated, anon;
grant select on f to authenticated, anon;
set local role authenticated;
select tests.sign_in(4);
select is((select array_agg(id) from datasets), array[tests.u(100)], 'a key''s session reads its dataset by PostgREST');
select is((select array_agg(distinct dataset_id) from battle_files), array[tests.u(100)], 'and its files');
select is((select count(*) from uploads where dataset_id <> tests.u(100)), 0::bigint, 'nothing of another');
select throws_ok('select 1 from dataset_keys', '42501', null, 'nor any key');
select is(tests.seen(x.op), (select array_agg(object_key) from f), 'it reads the data file in the store: ' || x.op) from unnest(array['storage.object.get_authenticated', 'storage.object.list', 'object.list_v2', 'storage.s3.object.get', 'storage.s3.object.info', 'storage.s3.object.list', 'object.head_authenticated_info']) x(op);
select is(tests.seen(x.op), null, 'it has nothing of: ' || x.op) from unnest(array['storage.object.sign', 'storage.object.sign_many', 'storage.object.copy', 'storage.object.move', 'storage.object.delete', 'storage.s3.object.copy', '', 'x']) x(op);
select throws_ok($$insert into storage.objects (bucket_id, name) values ('sediment', 'x')$$, '42501', null, 'it writes nothing there');
select is(tests.seen('storage.object.delete'), null, 'and there is nothing that it could delete or change');
select tests.sign_in(3);
select is(tests.seen('storage.object.get_authenticated'), (select array_agg(object_key) from f), 'so does the owner');
select tests.sign_in(1);
select is(tests.seen('storage.object.get_authenticated'), null, 'and not who was it');
select tests.sign_in(null);
select is(tests.seen('storage.object.get_authenticated'), null, 'nor nobody');
set local role anon;
select is(tests.seen('storage.object.get_authenticated'), null, 'nor anon');
reset role;
update service_settings set storage_bucket = 'elsewhere' where id;
set local role authenticated;
select tests.sign_in(4);
select is(tests.seen('storage.object.get_authenticated'), null, 'where the objects are in another bucket this one is nobody''s');
reset role;
insert into storage.buckets (id, name, public) values ('elsewhere', 'elsewhere', false);
insert into storage.objects (bucket_id, name) select 'elsewhere', object_key from f;
set local role authenticated;
select is((select array_agg(name) from storage.objects), (select array_agg(object_key) from f), 'and that one is its readers''');
reset role;
update service_settings set storage_bucket = 'sediment' where id;
update dataset_members set expires_at = clock_timestamp() + interval '100 seconds' where user_id = tests.u(4);
select ok((list_files(tests.u(4), tests.u(100)) ->> 'signed_url_seconds')::integer between 90 and 100, 'URLs that a key is given end with it');
select is(list_files(tests.u(3), tests.u(100)) ->> 'signed_url_seconds', '3600', 'the owner''s live for as long as ever');
update dataset_members set expires_at = clock_timestamp() + interval '2 days' where user_id = tests.u(4);
select is(list_files(tests.u(4), tests.u(100)) ->> 'signed_url_seconds', '3600', 'as do those of a key that lives longer');
update dataset_members set expires_at = now() - interval '1 second' where user_id = tests.u(4);
set local role authenticated;
select tests.sign_in(4);
select is((select count(*) from datasets) + (select count(*) from battle_files), 0::bigint, 'a key that has expired reads nothing by PostgREST');
select is(tests.seen('storage.object.get_authenticated'), null, 'nor in the store');
reset role;
update dataset_members set expires_at = now() + interval '1 hour' where user_id = tests.u(4);
-- a slice of a body of several tables; what a merge has replaced; what was deleted
update battle_files set start_byte = 4 where dataset_id = tests.u(100);
set local role authenticated;
select is(tests.seen('storage.object.get_authenticated'), null, 'a part of an object opens no object');
reset role;
update battle_files set start_byte = 0, removed_version = 5 where dataset_id = tests.u(100);
update datasets set version = 9 where id = tests.u(100);
set local role authenticated;
select is(tests.seen('storage.object.get_authenticated'), (select array_agg(object_key) from f), 'what a kept version shows is read');
reset role;
update datasets set oldest_kept_version = 5 where id = tests.u(100);
set local role authenticated;
select is(tests.seen('storage.object.get_authenticated'), null, 'and nothing that none shows');
reset role;
update datasets set oldest_kept_version = 0 where id = tests.u(100);
set local role service_role;
select delete_data(tests.u(3), tests.u(100));
select is((select end_reason from dataset_keys where user_id = tests.u(4)), 'dataset_deleted', 'a deletion of the dataset ends its keys');
select throws_ok($$select stage_key(null, tests.u(100), '', tests.hash('late'), 3600)$$, 'SD410', 'dataset_deleted', 'and it has no new one, of the service either');
select is((select count(*) from dataset_members where key_id is not null and dataset_id = tests.u(100)), 0::bigint, 'which are no readers');
reset role;
set local role authenticated;
select tests.sign_in(3);
select is(tests.seen('storage.object.get_authenticated'), null, 'and of a deleted dataset nobody reads by the store');

select * from finish();
rollback;
