-- Takes messages off compaction_dlq: the dead letters are written already, this only raises the alerts, one an
-- error class and window. Every message that is read is archived, whatever it holds: a broken one must not come
-- back for ever. Returns {drained, alerts: number of new ones, more}.
create or replace function public.drain_dead_letters(p_limit integer default 5)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 5), 1), 100);
  v_ids bigint[];
  v_letters bigint[];
  v_window integer;
  v_start timestamptz;
  v_new integer;
begin
  select coalesce(array_agg(m.msg_id), '{}'),
    coalesce(array_agg((m.message ->> 'deadLetterId')::bigint)
      filter (where m.message ->> 'deadLetterId' ~ '^\d{1,18}$'), '{}')
  into strict v_ids, v_letters
  from pgmq.read('compaction_dlq'::text, 60::integer, v_limit::integer) as m;

  select s.alert_window_seconds into strict v_window from public.service_settings s;
  v_start := to_timestamp(floor(extract(epoch from clock_timestamp()) / v_window) * v_window);

  -- by class, in order: two drains that meet on the same classes take the rows in the same order
  with classes as (
    select l.error_code as class, count(*)::integer as occurrences, max(l.id) as letter
    from public.dead_letters l where l.id = any (v_letters) and l.alerted_at is null
    group by l.error_code
  ), raised as (
    insert into public.alerts as a (class, window_start, dead_letter_id, occurrences, payload)
    select c.class, v_start, c.letter, c.occurrences, jsonb_build_object('class', c.class,
      'message', l.error_message, 'step', l.error_step, 'dataset_id', l.dataset_id, 'table', l."table",
      'period_tag', l.period_tag, 'run_id', l.run_id, 'attempts', l.attempts, 'at', l.last_failed_at)
    from classes c join public.dead_letters l on l.id = c.letter
    order by c.class
    on conflict (class, window_start) do update set occurrences = a.occurrences + excluded.occurrences
    returning (xmax = 0) as is_new
  )
  select count(*) filter (where r.is_new) into strict v_new from raised r;
  update public.dead_letters l set alerted_at = clock_timestamp()
  where l.id = any (v_letters) and l.alerted_at is null;

  perform archived.id from pgmq.archive('compaction_dlq'::text, v_ids::bigint[]) as archived(id);
  return jsonb_build_object('drained', cardinality(v_ids), 'alerts', v_new, 'more', cardinality(v_ids) = v_limit);
end $$;
