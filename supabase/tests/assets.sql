-- stage_asset, get_asset_upload, commit_asset, list_assets, get_asset
begin;
\ir helpers/fixtures.sql
create function tests.asset(p_user integer, p_key text, p_body text) returns jsonb language plpgsql as $$
declare v jsonb := stage_asset(tests.u(p_user), p_key, p_key, 'f.png', 10, tests.hash(p_body));
begin
  return commit_asset((v ->> 'stage_id')::uuid, tests.u(p_user), 10, 'etag', tests.hash(p_body));
end $$;
grant execute on all functions in schema tests to service_role;
select plan(62);
set local role service_role;

create temp table s as select stage_asset(tests.u(1), 'img/a.png', 'shots/a.png', 'a.PNG', 10, tests.hash('one')) as s;
select matches((select s ->> 'object_key' from s), '^assets/00000000-0000-4000-8000-000000000001/[0-9a-f-]{36}\.png$', 'an asset''s object has a key of its own');
select is((select s -> 'replaces' from s), 'false', 'a new key replaces nothing');
select throws_ok($$select get_asset(tests.u(1), 'img/a.png')$$, 'SD404', 'not_found', 'a stage is not an asset yet');
create temp table a as select commit_asset((s ->> 'stage_id')::uuid, tests.u(1), 10, 'e1', tests.hash('one')) as a from s;
select is((select (a -> 'replaced') from a), 'false', 'a first commit replaces nothing');
select is(get_asset(tests.u(1), 'img/a.png') ->> 'object_key', (select s ->> 'object_key' from s), 'then it is the asset');
select is(get_asset(tests.u(1), 'img/a.png') ->> 'relative_path', 'shots/a.png', 'with its path');
select is(commit_asset((s ->> 'stage_id')::uuid, tests.u(1), 10, 'e1', tests.hash('one')) - 'duplicate', (select a - 'duplicate' from a), 'the answer can be asked again') from s;
select throws_ok($$select stage_asset(tests.u(1), 'img/a.png', 'shots/a.png', 'a.png', 10, tests.hash('one'))$$, 'SD409', 'already_stored', 'the same key and bytes are stored already');

-- replaced
create temp table s2 as select stage_asset(tests.u(1), 'img/a.png', 'shots/a.png', 'a.png', 10, tests.hash('two')) as s;
select is((select s -> 'replaces' from s2), 'true', 'other bytes replace');
select is(get_asset(tests.u(1), 'img/a.png') ->> 'content_hash', tests.hash('one'), 'not before the commit');
select is(commit_asset((s ->> 'stage_id')::uuid, tests.u(1), 10, 'e2', tests.hash('two')) -> 'replaced', 'true', 'but with it') from s2;
select is(get_asset(tests.u(1), 'img/a.png') ->> 'content_hash', tests.hash('two'), 'at once');
select is((select state from objects o, s where o.object_key = s ->> 'object_key'), 'deleting', 'the old object goes');
select ok((select delete_after > clock_timestamp() + interval '50 minutes' from objects o, s where o.object_key = s ->> 'object_key'), 'when no URL for it is alive');
-- a race of the same bytes
create temp table s3 as select stage_asset(tests.u(1), 'b.png', 'b.png', 'b.png', 10, tests.hash('b')) as s union all select stage_asset(tests.u(1), 'b.png', 'b.png', 'b.png', 10, tests.hash('b'));
create temp table r as select commit_asset((s ->> 'stage_id')::uuid, tests.u(1), 10, 'e', tests.hash('b')) as a from s3;
select is((select count(*) from r where (a ->> 'duplicate')::boolean), 1::bigint, 'of two racers one is a duplicate');
select is((select count(distinct a ->> 'object_key') from r), 1::bigint, 'both name the object that is kept');
select is((select count(*) from objects o, s3 where o.object_key = s ->> 'object_key' and o.state = 'deleting'), 1::bigint, 'the other goes');

-- refusals
create temp table s4 as select stage_asset(tests.u(1), 'c.png', 'c.png', 'c.png', 10, tests.hash('c')) as s;
select throws_ok($$select commit_asset((s ->> 'stage_id')::uuid, tests.u(2), 10, 'e', tests.hash('c')) from s4$$, 'SD403', 'forbidden', 'another user''s stage');
select throws_ok($$select commit_asset((s ->> 'stage_id')::uuid, tests.u(1), 11, 'e', tests.hash('c')) from s4$$, 'SD422', 'size_mismatch', 'another size');
select throws_ok($$select commit_asset((s ->> 'stage_id')::uuid, tests.u(1), 10, 'e', tests.hash('d')) from s4$$, 'SD422', 'hash_mismatch', 'another hash');
select throws_ok($$select commit_asset(tests.u(9), tests.u(1), 10, 'e', tests.hash('d'))$$, 'SD410', 'stage_expired', 'an unknown stage');
select throws_ok(format('select stage_asset(tests.u(1), %L, ''a.png'', ''a.png'', 1, tests.hash(''x''))', key), 'SD400', 'invalid_name', 'the key is refused: ' || what)
from (values ('../a.png', 'parent folder'), ('a/../b.png', 'parent inside'), ('/a.png', 'absolute'), ('a//b.png', 'empty segment'), ('./a.png', 'dot'),
  ('a\b.png', 'backslash'), (E'a\u202eb.png', 'direction override'), (E'a\nb.png', 'line break'), (E'cafe\u0301.png', 'not NFC'), ('a.exe', 'extension'), ('apng', 'no extension'), (repeat('a', 1030) || '.png', 'length')) v(key, what);
select throws_ok($$select stage_asset(tests.u(1), 'a.png', 'a.png', 'x/a.png', 1, tests.hash('x'))$$, 'SD400', 'invalid_name', 'a file name has no folder');
select throws_ok($$select stage_asset(tests.u(1), 'a.png', 'a.png', 'a.png', 99999999999, tests.hash('x'))$$, 'SD413', 'body_too_large', 'the size is limited');

-- lists
select tests.asset(2, 'dir/' || chr(96 + i) || '.png', 'x' || i) from generate_series(1, 5) i;
select is(jsonb_array_length(list_assets(tests.u(2)) -> 'assets'), 5, 'a user''s assets');
create temp table l as select list_assets(tests.u(2), 'dir/', 3) as l;
select is((select jsonb_array_length(l -> 'assets') from l), 3, 'by pages');
select is(list_assets(tests.u(2), 'dir/', 3, (select l ->> 'next_cursor' from l)) #>> '{assets,0,key}', 'dir/d.png', 'that go on');
insert into objects (object_key, kind, state, size, put_deadline) values ('assets/long', 'asset', 'stored', 1, now());
insert into assets (user_id, key, relative_path, file_name, object_key, size, content_hash)
select tests.u(7), k, 'x', 'x', 'assets/long', 1, 'h' from unnest(array[repeat('ö', 1024), repeat('𝄞', 1024), repeat('~>?', 341)]) k;
create temp table lk as
with recursive pages as (
    select list_assets(tests.u(7), p_limit => 1) as l
    union all select list_assets(tests.u(7), p_limit => 1, p_cursor => l ->> 'next_cursor') from pages where l ->> 'next_cursor' is not null)
  select l from pages;
select is((select count(*) from lk), 3::bigint, 'also from the longest keys');
select is((select count(*) from lk where l ->> 'next_cursor' !~ '^[A-Za-z0-9_-]+$'), 0::bigint, 'by cursors that a query string keeps as they are');
select is(list_assets(tests.u(2), 'none') , '{"assets": [], "next_cursor": null}', 'of a prefix');

-- put into the store by the client
create temp table d as select stage_asset(tests.u(3), 'big.png', 'big.png', 'big.PNG', 10, tests.hash('big'), p_direct => true) as s;
select matches((select s ->> 'incoming_key' from d), '^incoming/00000000-0000-4000-8000-000000000003/[0-9a-f-]{36}\.png$', 'a direct asset has a key that the client may write');
select is((select s -> 'incoming_key' from s), 'null', 'others have none');
create temp table du as select get_asset_upload((s ->> 'stage_id')::uuid, tests.u(3)) as u from d;
select is((select row(u ->> 'state', u ->> 'key', u ->> 'size', u ->> 'content_hash', u -> 'answer')::text from du),
  row('staged'::text, 'big.png'::text, '10'::text, tests.hash('big'), 'null'::jsonb)::text, 'its stage says what is to come');
select is((select u ->> 'incoming_key' from du), (select s ->> 'incoming_key' from d), 'and where');
select throws_ok($$select get_asset_upload((s ->> 'stage_id')::uuid, tests.u(1)) from d$$, 'SD403', 'forbidden', 'to its user alone');
select throws_ok($$select get_asset_upload(tests.u(9), tests.u(1))$$, 'SD410', 'stage_expired', 'of a stage that there is');
select throws_ok($$select get_upload((s ->> 'stage_id')::uuid, tests.u(3)) from d$$, 'SD410', 'stage_expired', 'it is no upload of data');
create temp table da as select commit_asset((s ->> 'stage_id')::uuid, tests.u(3), 10, 'e', tests.hash('big')) as a from d;
select is((select a ->> 'object_key' from da), (select s ->> 'object_key' from d), 'the copy becomes the asset');
select is((select array_agg(o.kind || ' ' || o.state order by o.kind) from objects o, d where o.stage_id = (s ->> 'stage_id')::uuid), array['asset stored', 'incoming deleting'], 'and what was put goes');
select is((select get_asset_upload((s ->> 'stage_id')::uuid, tests.u(3)) -> 'answer' from d), (select a || '{"duplicate": true}' from da), 'a lost answer can be asked for again');
create temp table d2 as select stage_asset(tests.u(3), 'big.png', 'big.png', 'big.png', 10, tests.hash('bigger'), p_direct => true) as s;
select is((select abandon_upload((s ->> 'stage_id')::uuid, tests.u(3)) ->> 'abandoned' from d2), 'true', 'a stage is given up');
select is((select count(*) from objects o, d2 where o.stage_id = (s ->> 'stage_id')::uuid and o.state = 'deleting'), 2::bigint, 'with both objects');
select throws_ok($$select get_asset_upload((s ->> 'stage_id')::uuid, tests.u(3)) from d2$$, 'SD410', 'stage_expired', 'and is no stage any more');
reset role;
insert into user_limits (user_id, stored_bytes_max) values (tests.u(3), 15);
set local role service_role;
select throws_ok($$select stage_asset(tests.u(3), 'other.png', 'other.png', 'other.png', 10, tests.hash('more'), p_direct => true)$$, 'SD429', 'quota_exceeded', 'what may not be stored is refused before it is put');
reset role;
delete from user_limits where user_id = tests.u(3);
set local role service_role;

-- lost by the store
select is(get_asset(tests.u(3), 'big.png') -> 'missed', 'false', 'an asset is there');
insert into store_findings (object_key, kind, detail) select s ->> 'object_key', 'lost', 'gone' from d;
select throws_ok($$select stage_asset(tests.u(3), 'big.png', 'big.png', 'big.png', 10, tests.hash('big'))$$, 'SD409', 'already_stored', 'a first look changes nothing');
update store_findings set confirmed_at = clock_timestamp();
select is(get_asset(tests.u(3), 'big.png') -> 'missed', 'true', 'a second one misses it');
select is(list_assets(tests.u(3)) -> 'assets', '[]', 'it is in no list of what is there');
create temp table h as select tests.asset(3, 'big.png', 'big') as a;
select is((select row(a -> 'healed', a -> 'replaced', a -> 'duplicate')::text from h), row('true'::jsonb, 'false'::jsonb, 'false'::jsonb)::text, 'the same bytes heal it');
select is((select state from objects o, d where o.object_key = s ->> 'object_key'), 'deleting', 'the old object goes');
select is((select asset_bytes from user_usage where user_id = tests.u(3)), 10::bigint, 'and is counted once');

select * from finish();
rollback;
