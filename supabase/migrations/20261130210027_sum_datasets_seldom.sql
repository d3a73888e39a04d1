-- What many datasets hold together is added up each tenth minute, and told from the sample.
set local lock_timeout = '5s';
set local check_function_bodies = off;

ALTER TABLE "public"."metric_samples" ADD COLUMN "dataset_count" bigint;

CREATE OR REPLACE FUNCTION public.read_overview(p_user uuid, p_seconds integer DEFAULT 86400)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_top constant integer := 1000;
  v_datasets constant uuid[] := case when p_user is not null then sediment.datasets_of(p_user, 'reader') end;
  v_health constant jsonb := case when p_user is null then public.catalog_health() end;
  v_totals jsonb;
  v_debt jsonb;
  v_counts jsonb;
begin
  -- a user's and everybody's are two questions: one plan for both would read everybody's
  if p_user is null then
    v_totals := sediment.sums_of_all(false);
    select jsonb_build_object('partitions', count(*), 'files', coalesce(sum(x.debt_files), 0),
      'bytes', coalesce(sum(x.debt_bytes), 0), 'oldest', min(x.debt_oldest))
    into strict v_debt from (
      select p.debt_files, p.debt_bytes, p.debt_oldest from public.partitions p
      where p.debt_oldest is not null order by p.debt_oldest limit 10000) x;
    v_counts := jsonb_build_object(
      'running', (select count(*) from public.partitions p where p.lease_expires_at > v_now),
      'dead_partitions', (select count(*) from (
        select 1 from public.partitions p where p.dead_since is not null limit v_top) x),
      'dead_letters', (select count(*) from (
        select 1 from public.dead_letters l where l.resolved_at is null limit v_top) x),
      'quarantined_files', (select count(*) from (
        select 1 from public.battle_files f where f.state = 'quarantined' and f.removed_version is null limit v_top) x),
      'left_alone_files', (select coalesce(sum(x.left_alone_files), 0) from (
        select p.left_alone_files from public.partitions p where p.left_alone_files > 0 limit v_top) x));
  else
    select jsonb_build_object('datasets', count(*), 'files', coalesce(sum(d.file_count), 0),
      'rows', coalesce(sum(d.row_count), 0), 'bytes', coalesce(sum(d.file_size_bytes), 0))
    into strict v_totals from public.datasets d where d.id = any (v_datasets) and d.deleted_at is null;
    select jsonb_build_object('partitions', count(*), 'files', coalesce(sum(x.debt_files), 0),
      'bytes', coalesce(sum(x.debt_bytes), 0), 'oldest', min(x.debt_oldest))
    into strict v_debt from (
      select p.debt_files, p.debt_bytes, p.debt_oldest from public.partitions p
      where p.dataset_id = any (v_datasets) and p.debt_oldest is not null limit 10000) x;
    v_counts := jsonb_build_object(
      'running', (select count(*) from public.partitions p
        where p.dataset_id = any (v_datasets) and p.msg_id is not null and p.lease_expires_at > v_now),
      'dead_partitions', (select count(*) from (select 1 from public.partitions p
        where p.dataset_id = any (v_datasets) and p.dead_since is not null limit v_top) x),
      'dead_letters', (select count(*) from (select 1 from public.dead_letters l
        where l.dataset_id = any (v_datasets) and l.resolved_at is null limit v_top) x),
      'quarantined_files', (select count(*) from (select 1 from public.battle_files f
        where f.dataset_id = any (v_datasets) and f.state = 'quarantined' and f.removed_version is null limit v_top) x),
      'left_alone_files', (select coalesce(sum(x.left_alone_files), 0) from (select p.left_alone_files
        from public.partitions p where p.dataset_id = any (v_datasets) and p.left_alone_files > 0 limit v_top) x));
  end if;

  return jsonb_build_object('scope', case when p_user is null then 'deployment' else 'user' end,
    'totals', v_totals, 'debt', v_debt,
    'health', case when p_user is null then jsonb_build_object('ok', v_health -> 'ok', 'reasons', (
      select coalesce(jsonb_agg(jsonb_build_object('code', r, 'detail', v_health #>> array['details', r])), '[]')
      from jsonb_array_elements_text(v_health -> 'reasons') r)) end,
    'incidents', (select coalesce(jsonb_agg(jsonb_build_object('name', i.name, 'opened_at', i.opened_at,
      'summary', i.summary) order by i.opened_at), '[]')
      from public.incidents i where p_user is null and i.state = 'open'),
    'warnings', (select count(*) from (select 1 from public.setting_warnings w where p_user is null limit 100) x),
    'queues', (select coalesce(jsonb_agg(jsonb_build_object('queue', q.queue, 'messages', q.messages, 'due', q.due,
      'oldest_due_at', q.oldest_due_at)), '[]') from public.queue_status q where p_user is null),
    'workers', case when p_user is null then jsonb_build_object('busy', v_counts -> 'running',
      'max', (select s.max_workers from public.service_settings s)) end,
    'samples', case when p_user is not null then sediment.dataset_samples(v_datasets, p_seconds) else (
      select coalesce(jsonb_agg(to_jsonb(s) order by s.at), '[]') from public.metric_samples s
      where s.at >= v_now - make_interval(secs => p_seconds)
        -- of more than two days the first of each hour, or a month of them would be minutes
        and (p_seconds <= 172800 or not exists (select 1 from public.metric_samples e
          where e.at < s.at and e.at >= date_trunc('hour', s.at)))) end)
    || v_counts;
end $function$;

CREATE OR REPLACE FUNCTION sediment.sample_metrics()
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_at constant timestamptz := date_trunc('minute', v_now);
  -- of many datasets each tenth minute: they are read for it
  v_all constant jsonb := sediment.sums_of_all(extract(minute from v_at)::integer % 10 = 0);
begin
  insert into public.metric_samples as s (at, uploads, upload_bytes, merges, files_merged, lag_seconds, debt_partitions,
    debt_oldest_seconds, dead_letters, row_count, file_count, stored_bytes, dataset_count)
  select v_at, coalesce(sum(t.events) filter (where t.metric = 'uploads' and t.label = 'stored'), 0),
    coalesce(sum(t.amount) filter (where t.metric = 'uploads' and t.label = 'stored'), 0),
    coalesce(sum(t.events) filter (where t.metric = 'merge_lag_seconds'), 0),
    coalesce(sum(t.events) filter (where t.metric = 'merged_files' and t.label = 'input'), 0),
    coalesce(sum(t.amount) filter (where t.metric = 'merge_lag_seconds'), 0),
    (select count(*) from (select 1 from public.partitions p where p.debt_oldest is not null limit 10000) x),
    (select coalesce(greatest(extract(epoch from v_now - min(p.debt_oldest)), 0), 0) from public.partitions p
      where p.debt_oldest is not null),
    (select count(*) from (select 1 from public.dead_letters l where l.resolved_at is null limit 10000) x),
    (v_all ->> 'rows')::bigint, (v_all ->> 'files')::bigint, (v_all ->> 'bytes')::double precision, (v_all ->> 'datasets')::bigint
  from public.metric_totals t
  on conflict (at) do update
  set uploads = excluded.uploads, upload_bytes = excluded.upload_bytes, merges = excluded.merges,
    files_merged = excluded.files_merged, lag_seconds = excluded.lag_seconds, debt_partitions = excluded.debt_partitions,
    debt_oldest_seconds = excluded.debt_oldest_seconds, dead_letters = excluded.dead_letters,
    row_count = excluded.row_count, file_count = excluded.file_count, stored_bytes = excluded.stored_bytes,
    dataset_count = excluded.dataset_count;
  delete from public.metric_samples s
  where s.at < v_now - interval '31 days'
    or s.at < v_now - interval '25 hours' and exists (select 1 from public.metric_samples e
      where e.at < s.at and e.at >= date_trunc('hour', s.at));
  return v_at;
end $function$;

CREATE OR REPLACE FUNCTION sediment.sums_of_all(p_exact boolean, p_many integer DEFAULT 50000)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_sums jsonb;
begin
  if not p_exact and (select c.reltuples > p_many from pg_catalog.pg_class c where c.oid = 'public.datasets'::regclass) then
    select jsonb_build_object('datasets', s.dataset_count, 'files', s.file_count, 'rows', s.row_count, 'bytes', s.stored_bytes)
    into v_sums
    from public.metric_samples s
    where s.at > v_now - interval '20 minutes' and s.dataset_count is not null
    order by s.at desc limit 1;
    if found then
      return v_sums;
    end if;
  end if;
  select jsonb_build_object('datasets', count(*), 'files', coalesce(sum(d.file_count), 0),
    'rows', coalesce(sum(d.row_count), 0), 'bytes', coalesce(sum(d.file_size_bytes), 0))
  into strict v_sums from public.datasets d where d.deleted_at is null;
  return v_sums;
end $function$;

revoke all on function "sediment"."sums_of_all"(boolean, integer) from public, anon, authenticated, service_role;

REVOKE ALL ON FUNCTION "sediment"."sums_of_all"(boolean, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."sums_of_all"(boolean, integer) TO "service_role";
