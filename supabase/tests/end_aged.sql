-- end_aged: keep_rows_seconds, keep_periods
begin;
\ir helpers/fixtures.sql
select plan(24);
create function tests.age_all() returns integer language plpgsql as $$
declare v jsonb; v_files integer := 0;
begin
  for i in 1 .. 50 loop
    v := end_aged(2, 3);
    exit when not (v ->> 'more')::boolean;
    v_files := v_files + (v ->> 'files')::integer;
  end loop;
  update age_walks set walked_at = '-infinity';
  return v_files;
end $$;
create function tests.older(p_what interval) returns void language sql as $$
  update battle_files set uploaded_at = uploaded_at - p_what, youngest_at = youngest_at - p_what
$$;
create function tests.shown(p_dataset integer) returns text[] language sql as $$
  select coalesce(array_agg(concat_ws('/', f ->> 'table', f ->> 'period_tag', f ->> 'row_count')), '{}')
  from jsonb_array_elements(list_files(tests.u(1), tests.u(p_dataset)) -> 'files') f
$$;
set local role service_role;

select tests.upload(1, 100, 'o' || i, 'port', '0') from generate_series(1, 3) i;
select is(tests.age_all(), 0, 'nothing ends where no setting says so');
insert into table_settings (dataset_id, "table", keep_rows_seconds) values (tests.u(100), '*', 86400), (tests.u(100), 'ship', 86400 * 30);
select is(tests.age_all(), 0, 'nothing that is young');
reset role;
select tests.older('23 hours');
set local role service_role;
select tests.upload(1, 100, 'young', 'port', '0'), tests.upload(1, 100, 's', 'ship', '0');
select tests.compact(c) from (select tests.claim('w', 100, 'port') as c) x;
select is((select (uploaded_at, youngest_at) from battle_files where run_id is not null), (select row(o.uploaded_at, u.uploaded_at) from battle_files o, battle_files u, uploads l where o.run_id is not null and u.upload_id = l.id and l.content_hash = tests.hash('young')), 'an output is as young as the youngest of its rows');
reset role;
select tests.older('2 hours');
set local role service_role;
select is(tests.age_all(), 0, 'so it stays while that one is to stay');
reset role;
select tests.older('23 hours');
set local role service_role;
create temp table live as select tests.upload(1, 100, 'more' || i, 'port', '0') from generate_series(1, 2) i;
create temp table claimed as select tests.claim('w2', 100, 'port') as c;
create temp table versions as select version from datasets where id = tests.u(100);
select is(tests.age_all(), 1, 'and ends when that one is old');
select is(tests.shown(100), array['port/0/10', 'port/0/10', 'ship/0/10'], 'with it all rows of the file, and no other');
select is((select d.oldest_kept_version from datasets d where id = tests.u(100)), 0::bigint, 'older versions are kept as ever');
select is(jsonb_array_length(list_files(tests.u(1), tests.u(100), p_version => (select version from versions)) -> 'files'), 4, 'and show it still');
select is((select (row_count, file_count) from datasets where id = tests.u(100)), row(30::bigint, 3::bigint), 'the totals follow');
select throws_ok($$select tests.compact(c) from claimed$$, 'SD409', 'inputs_changed', 'a run that had read it plans anew');
select is((select jsonb_agg(jsonb_build_object('t', "table", 'r', rule, 'n', rows)) from ended_rows), '[{"n": 40, "r": "keep_rows_seconds", "t": "port"}]', 'what ended is written down');
select is(tests.stage(1, 100, 'o1', 'port', '0') -> 'duplicate', 'true', 'a late retry brings nothing back');

-- periods
select tests.upload(1, 200, 'd' || d, 'port', to_char(now() - make_interval(days => d), 'YYYY-MM-DD')) from generate_series(0, 4) d;
select tests.upload(1, 200, 'x', 'port', '0'), tests.upload(1, 200, 'y', 'port', '2024-13-45'), tests.upload(1, 200, 'z', 'port', '2999-01-01'), tests.upload(1, 200, 'q', 'ship', '2020-01-01');
insert into table_settings (dataset_id, "table", keep_periods) values (tests.u(200), 'port', 3);
select is(tests.age_all(), 2, 'of dates the newest so many stay');
select is((select array_agg(split_part(s, '/', 2) order by split_part(s, '/', 2)) from unnest(tests.shown(200)) s where s like 'port/%'),
  (select array_agg(t order by t) from (select to_char(now() - make_interval(days => d), 'YYYY-MM-DD') as t from generate_series(0, 2) d union all values ('0'), ('2024-13-45'), ('2999-01-01')) x), 'tags that are no date never end, and one of the far future pushes none out');
select is((select count(*) from unnest(tests.shown(200)) s where s like 'ship/%'), 1::bigint, 'nor does a table without the setting');
select is(tests.age_all(), 0, 'again there is nothing to end');
select is(sediment.date_of_tag('2024-02-30'), null, 'a day that is none is no date');
select is(sediment.date_of_tag('2024-02-29'), '2024-02-29'::date, 'a leap day is');
select is(sediment.date_of_tag('20240229'), null, 'other spellings are not');
select throws_ok($$update table_settings set keep_periods = 0$$, '23514', null, 'none to be kept is a deletion, not a setting');

-- a merge of a merge
select tests.upload(1, 300, 'm' || i, 'port', '0') from generate_series(1, 2) i;
reset role;
select tests.older('5 hours');
set local role service_role;
select tests.compact(tests.claim('w', 300, 'port'));
select tests.upload(1, 300, 'm3', 'port', '0');
reset role;
update battle_files set uploaded_at = uploaded_at - interval '9 hours' where upload_id = (select id from uploads where content_hash = tests.hash('m3'));
set local role service_role;
select tests.compact(tests.claim('w', 300, 'port'));
select is((select f.youngest_at from battle_files f where f.level = 2 and f.dataset_id = tests.u(300)),
  (select max(f.uploaded_at) from battle_files f where f.level = 0 and f.dataset_id = tests.u(300)), 'the youngest row''s time is kept through merges, not that of one');

-- a period that is being deleted is none that is kept
select tests.upload(1, 700, 'm' || d, 'port', to_char(now() - make_interval(days => d), 'YYYY-MM-DD')) from generate_series(0, 3) d;
insert into table_settings (dataset_id, "table", keep_periods) values (tests.u(700), 'port', 2);
select delete_data(null, tests.u(700), p_period_tag => to_char(now(), 'YYYY-MM-DD'));
select is(tests.age_all(), 1, 'of two that are kept the one that is being deleted is none');
select is(array_length(tests.shown(700), 1), 2, 'two are shown');
select advance_deletions();
select is(tests.age_all(), 0, 'and no more end when it is gone');

select * from finish();
rollback;
