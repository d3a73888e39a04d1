-- watch_troubles: each trouble is made, told once, mended and told to be over
begin;
\ir helpers/fixtures.sql
select plan(19);
truncate incidents, deletions cascade;
create function tests.told() returns text language sql as $$
  select string_agg(a.class, ' ' order by a.id) from public.alerts a $$;
grant execute on all functions in schema tests to service_role;
set local role service_role;
select is(sediment.watch_troubles(true), '{"opened": [], "closed": []}', 'where nothing is wrong nobody is told');
select tests.upload(1, 100, 'a' || i) from generate_series(1, 3) i;

-- quarantine
update battle_files set state = 'quarantined', quarantine_code = 'corrupt_page', quarantined_at = clock_timestamp() where seq_min = 1;
select is(sediment.watch_troubles(true) -> 'opened', '["quarantine"]', 'a file that was set aside is told of');
select is(sediment.watch_troubles(true), '{"opened": [], "closed": []}', 'once');
select matches((select summary from incidents where name = 'quarantine'), 'corrupt_page', 'with why');
update battle_files set quarantined_at = clock_timestamp() - interval '2 hours' where seq_min = 1;
select is(sediment.watch_troubles(true) -> 'closed', '["quarantine"]', 'and is over when none has come for a window');

-- lag
select tests.make_due();
update partitions set ready_at = clock_timestamp() - interval '14 minutes' where msg_id is not null;
select is(sediment.watch_troubles(true) -> 'opened', '[]', 'what waits a while is no lag');
update partitions set ready_at = clock_timestamp() - interval '16 minutes' where msg_id is not null;
update circuit_breaker set state = 'open', opened_at = clock_timestamp(), part = 'store_read', error_code = 'store_failed', error_message = 'x', probe_at = clock_timestamp() where true;
select is(sediment.watch_troubles(true) -> 'opened', '[]', 'nor what a breaker holds up, which tells of itself');
update circuit_breaker set state = 'closed' where true;
select is(sediment.watch_troubles(true) -> 'opened', '["lag_over"]', 'what has no worker for longer than it may is');
select tests.claim();
select is(sediment.watch_troubles(true) -> 'closed', '["lag_over"]', 'until a worker has it');

-- deletions
insert into deletions (kind, user_id, dataset_id, "table", version, state, requested_at)
values ('table', tests.u(1), tests.u(100), 'gone', 1, 'marked', clock_timestamp() - interval '2 hours');
select is(sediment.watch_troubles(true) -> 'opened', '["deletions_overdue"]', 'a deletion that nobody carries out is told of');
update deletions set state = 'removed' where true;
select is(sediment.watch_troubles(true) -> 'closed', '["deletions_overdue"]', 'until it is');
insert into objects (object_key, kind, state, put_deadline, delete_after) values ('old', 'fragment', 'deleting', now(), clock_timestamp() - interval '25 hours');
select is(sediment.watch_troubles(true) -> 'opened', '["deletions_overdue"]', 'so is an object that outlives its time by a day');
delete from objects where object_key = 'old';
select is(sediment.watch_troubles(true) -> 'closed', '["deletions_overdue"]', 'until it is gone');

-- quotas
insert into user_limits (user_id, stored_bytes_max) values (tests.u(1), 320);
select is(sediment.watch_troubles(false) -> 'opened', '[]', 'quotas are looked at now and then');
select is(sediment.watch_troubles(true) -> 'opened', '["quota_near"]', 'and one that is nearly used up is told of');
select matches((select summary from incidents where name = 'quota_near'), tests.u(1)::text, 'with whose it is');
select is(sediment.watch_troubles(false) -> 'closed', '[]', 'in between it stays');
update user_limits set stored_bytes_max = 3200 where true;
select is(sediment.watch_troubles(true) -> 'closed', '["quota_near"]', 'and is over when there is room again');
select is(tests.told(), 'quarantine_opened quarantine_closed lag_over_opened lag_over_closed deletions_overdue_opened deletions_overdue_closed deletions_overdue_opened deletions_overdue_closed quota_near_opened quota_near_closed', 'each was told once when it began and once when it ended');
select * from finish();
rollback;
