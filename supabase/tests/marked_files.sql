-- What row security shows of files that are deleted and wait for their slice.
begin;
\ir helpers/fixtures.sql
select plan(7);
set local role service_role;
select tests.upload(1, 100, 'a', 'port', '0'), tests.upload(1, 100, 'b', 'ship', '0'), tests.upload(1, 100, 'c', 'ship', '1');
select tests.upload(2, 200, 'd', 'port', '0'), tests.upload(1, 300, 'e', 'port', '0');
insert into dataset_members (dataset_id, user_id, role, invited_by) values (tests.u(100), tests.u(3), 'reader', tests.u(1));
select delete_data(tests.u(1), tests.u(100), p_period_tag => '0');
select delete_data(tests.u(1), tests.u(300));
select delete_data(tests.u(2), tests.u(200), 'port');
select tests.upload(1, 100, 'f', 'port', '0');
reset role;
create function tests.shown() returns text[] language sql as $$
  select array_agg(f."table" || '/' || f.period_tag || '/' || f.seq_min order by f."table", f.period_tag, f.seq_min) from public.battle_files f
$$;
grant execute on function tests.shown() to authenticated, service_role;
set local role service_role;
select is(cardinality(tests.shown()), 6, 'no slice has come to any file');
set local role authenticated;
select tests.sign_in(1);
select is(tests.shown(), '{port/0/2,ship/1/1}', 'an owner is shown by PostgREST what no deletion covers, and what came since');
select tests.sign_in(3);
select is(tests.shown(), '{port/0/2,ship/1/1}', 'so is a member');
select tests.sign_in(2);
select is(tests.shown(), null, 'and another owner nothing of what they have deleted');
reset role;
set local role service_role;
select is(sediment.has_marks(tests.u(100)), true, 'that is by the mark');
do $$ begin while (advance_deletions(10000) ->> 'more')::boolean loop null; end loop; end $$;
set local role authenticated;
select tests.sign_in(1);
select is(tests.shown(), '{port/0/2,ship/1/1}', 'afterwards the same is there');
select tests.sign_in(2);
select is(tests.shown(), null, 'and gone');
select * from finish();
rollback;
