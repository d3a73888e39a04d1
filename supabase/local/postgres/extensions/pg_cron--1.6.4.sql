-- Stand-in of pg_cron 1.6: the same schema, tables, function signatures and rights; supabase/local/cron runs
-- the jobs. Written from pg_cron's README and from what a hosted project grants; no code is shared with it.
\echo Use "CREATE EXTENSION pg_cron" to load this file. \quit

create schema cron;

create sequence cron.jobid_seq;
create sequence cron.runid_seq;

create table cron.job (
  jobid bigint primary key default nextval('cron.jobid_seq'),
  schedule text not null,
  command text not null,
  nodename text not null default 'localhost',
  nodeport integer not null default coalesce(inet_server_port(), 5432),
  database text not null default current_database(),
  username text not null default current_user,
  active boolean not null default true,
  jobname text,
  constraint jobname_username_uniq unique (jobname, username)
);

create table cron.job_run_details (
  jobid bigint,
  runid bigint primary key default nextval('cron.runid_seq'),
  job_pid integer,
  database text,
  username text,
  command text,
  status text,
  return_message text,
  start_time timestamptz,
  end_time timestamptz
);

alter table cron.job enable row level security;
create policy cron_job_policy on cron.job using (username = current_user);
alter table cron.job_run_details enable row level security;
create policy cron_job_run_details_policy on cron.job_run_details using (username = current_user);

-- The runner listens for this; statement-level, delivered at commit.
create function cron.stand_in_notify() returns trigger language plpgsql set search_path = '' as $$
begin
  perform pg_catalog.pg_notify('sediment_stand_in_cron', '');
  return null;
end $$;
create trigger stand_in_notify after insert or update or delete or truncate on cron.job
  for each statement execute function cron.stand_in_notify();

-- 'N seconds' with N in 1..59, or five fields of the characters that pg_cron knows. The runner parses the
-- five fields fully; a pattern that it can't read is recorded as a failed run.
create function cron.stand_in_check_schedule(schedule text) returns void
language plpgsql immutable set search_path = '' as $$
begin
  if schedule ~* '^\s*([1-9]|[1-5][0-9])\s+seconds?\s*$' then return; end if;
  if schedule ~* '^\s*@(hourly|daily|midnight|weekly|monthly|yearly|annually|reboot)\s*$' then return; end if;
  if schedule ~* '^\s*[0-9*/,-]+\s+[0-9*/,-]+\s+[0-9*/,$-]+\s+[0-9a-z*/,-]+\s+[0-9a-z*/,-]+\s*$' then return; end if;
  raise exception 'invalid schedule: %', schedule
    using hint = 'Use cron format (e.g. 5 4 * * *), or interval format ''[1-59] seconds''';
end $$;

-- cron.job is read-only to users, as hosted; this definer writes it for a role that the session may act as.
create function cron.stand_in_put_job(
  p_user text, p_name text, p_schedule text, p_command text, p_database text, p_username text, p_active boolean
) returns bigint language plpgsql security definer set search_path = '' as $$
declare
  v_user text := coalesce(p_username, p_user);
  v_id bigint;
begin
  if not pg_catalog.pg_has_role(session_user, v_user, 'member') then
    raise exception 'must be a member of role "%" to create a job for it', v_user using errcode = '42501';
  end if;
  perform cron.stand_in_check_schedule(p_schedule);
  insert into cron.job as j (schedule, command, database, username, active, jobname)
  values (p_schedule, p_command, coalesce(p_database, pg_catalog.current_database()), v_user,
    coalesce(p_active, true), p_name)
  on conflict on constraint jobname_username_uniq do update
    set schedule = excluded.schedule, command = excluded.command, database = excluded.database,
      active = excluded.active
  returning j.jobid into v_id;
  return v_id;
end $$;

create function cron.schedule(schedule text, command text) returns bigint
language sql set search_path = '' as $$
  select cron.stand_in_put_job(current_user::text, null, schedule, command, null, null, true)
$$;

create function cron.schedule(job_name text, schedule text, command text) returns bigint
language sql set search_path = '' as $$
  select cron.stand_in_put_job(current_user::text, job_name, schedule, command, null, null, true)
$$;

create function cron.schedule_in_database(
  job_name text, schedule text, command text, database text, username text default null,
  active boolean default true
) returns bigint language sql set search_path = '' as $$
  select cron.stand_in_put_job(current_user::text, job_name, schedule, command, database, username, active)
$$;

create function cron.alter_job(
  job_id bigint, schedule text default null, command text default null, database text default null,
  username text default null, active boolean default null
) returns void language plpgsql security definer set search_path = '' as $$
declare
  v_job cron.job;
begin
  select * into v_job from cron.job j where j.jobid = job_id for update;
  if not found or not pg_catalog.pg_has_role(session_user, v_job.username, 'member') then
    raise exception 'Job % does not exist or you don''t own it', job_id;
  end if;
  if alter_job.username is not null and not pg_catalog.pg_has_role(session_user, alter_job.username, 'member') then
    raise exception 'must be a member of role "%"', alter_job.username using errcode = '42501';
  end if;
  if alter_job.schedule is not null then perform cron.stand_in_check_schedule(alter_job.schedule); end if;
  update cron.job j set schedule = coalesce(alter_job.schedule, j.schedule),
    command = coalesce(alter_job.command, j.command), database = coalesce(alter_job.database, j.database),
    username = coalesce(alter_job.username, j.username), active = coalesce(alter_job.active, j.active)
  where j.jobid = job_id;
end $$;

create function cron.stand_in_drop_job(p_user text, p_id bigint, p_name text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  if not pg_catalog.pg_has_role(session_user, p_user, 'member') then
    raise exception 'must be a member of role "%"', p_user using errcode = '42501';
  end if;
  delete from cron.job j where (j.jobid = p_id or j.jobname = p_name) and j.username = p_user;
  if not found then
    raise exception 'could not find valid entry for job ''%''', coalesce(p_name, p_id::text);
  end if;
  return true;
end $$;

create function cron.unschedule(job_id bigint) returns boolean language sql set search_path = '' as $$
  select cron.stand_in_drop_job(current_user::text, job_id, null)
$$;

create function cron.unschedule(job_name text) returns boolean language sql set search_path = '' as $$
  select cron.stand_in_drop_job(current_user::text, null, job_name)
$$;

-- As hosted: postgres may pass its rights on; cron.job itself only changes through the functions.
grant usage on schema cron to postgres with grant option;
grant select on cron.job to postgres with grant option;
grant all on cron.job_run_details to postgres with grant option;
grant usage on sequence cron.jobid_seq, cron.runid_seq to postgres with grant option;
