-- What a run reads in vain again is looked at by the check of the store; what is deleted is not remade.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION sediment.list_remake(p public.partitions)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  f public.battle_files;
  v_ids bigint[];
begin
  for f in
    select * from public.battle_files x
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
      and x.removed_version is null and x.remake_at <= clock_timestamp()
      -- what is deleted is remade for nobody
      and not sediment.is_marked(x, 9223372036854775807)
    order by x.remake_at limit 10
  loop
    v_ids := sediment.retired_inputs(f);
    if v_ids is null then
      update public.battle_files x set remake_at = null where x.id = f.id;
      continue;
    end if;
    return jsonb_build_object('file', f.id, 'row_count', f.row_count, 'schema_fingerprint',
        sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest),
      'schema', (select s.schema from public.file_schemas s
        where s.digest = coalesce(f.schema_digest, f.schema_fingerprint)),
      'inputs', (select jsonb_agg(jsonb_build_object(
        'id', i.id, 'object_key', i.object_key, 'start_byte', i.start_byte, 'byte_length', i.byte_length,
        'level', i.level, 'seq_min', i.seq_min, 'seq_max', i.seq_max, 'row_count', i.row_count,
        'row_group_count', i.row_group_count, 'uncompressed_bytes', i.uncompressed_bytes,
        'value_count', i.value_count, 'merge_facts', i.merge_facts, 'schema_fingerprint',
        sediment.fingerprint_of(i.schema_fingerprint, i.schema_digest),
        'state', i.state, 'checksum', i.checksum, 'etag', sediment.etag_of(i.etag, i.object_key), 'uploaded_at', i.uploaded_at, 'rewrite', null,
        'provenance', case when i.provenance_length is not null then jsonb_build_object('start', i.provenance_start,
          'length', i.provenance_length) end,
        -- uploads whose rows the output was written without, since they were deleted
        'drop', (select jsonb_agg(s.seq order by s.seq) from public.deleted_slices s
          where s.dataset_id = p.dataset_id and s."table" = p."table" and s.period_tag = p.period_tag
            and sediment.seqs_of(i) @> s.seq and not sediment.seqs_of(f) @> s.seq))
        order by i.seq_min) from public.battle_files i where i.id = any (v_ids)));
  end loop;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION sediment.return_run(p public.partitions, p_code text, p_message text, p_step text, p_part text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  r public.processing_metrics;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_retry_at timestamptz;
begin
  select * into strict s from public.service_settings;
  update public.processing_metrics x
  set status = 'queued', attempts = greatest(x.attempts - 1, 0), given_back = x.given_back + 1, error_code = p_code,
    error_message = left(p_message, 2000), error_step = p_step, last_failed_at = v_now,
    first_failed_at = coalesce(x.first_failed_at, v_now)
  where x.id = p.run_id
  returning * into strict r;
  v_retry_at := v_now + make_interval(secs => greatest(1, (0.5 + random() / 2) * least(
    s.backoff_cap_seconds, s.backoff_base_seconds * power(2, least(r.given_back, 20) - 1))));
  perform sediment.requeue_run(p, v_retry_at);
  if p_part = 'store_read' and r.given_back > 1 then
    perform sediment.suspect_inputs(p);
  end if;
  if p_part is not null then
    perform sediment.trip_breaker(format('%s/%s/%s', p.dataset_id, p."table", p.period_tag), p_part, p_code, p_message);
  end if;
  return jsonb_build_object('status', 'retry', 'retry_at', v_retry_at, 'dead_letter_id', null);
end $function$;

CREATE OR REPLACE FUNCTION sediment.suspect_inputs(p public.partitions)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  v_most constant integer := 5;
  v_suspected integer;
begin
  if exists (select 1 from public.circuit_breaker b where b.state = 'open') then
    return;
  end if;
  select count(*) into strict v_suspected
  from public.store_findings n cross join public.service_settings s
  where n.kind in ('lost', 'changed') and n.found_at > v_now - make_interval(secs => s.breaker_window_seconds);
  insert into public.store_findings (object_key, kind, detail, found_at, looked_at)
  select f.object_key, 'lost', 'a run did not find it', v_now, v_now
  from public.battle_files f
  where f.id = any (p.staged_inputs) and f.removed_version is null and f.state = 'active'
    and not exists (select 1 from public.store_findings n where n.object_key = f.object_key)
  group by f.object_key
  order by min(f.seq_min), f.object_key limit greatest(0, v_most - v_suspected)
  on conflict (object_key) do nothing;
end $function$;

revoke all on function "sediment"."suspect_inputs"(public.partitions) from public, anon, authenticated, service_role;

REVOKE ALL ON FUNCTION "sediment"."suspect_inputs"(public.partitions) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."suspect_inputs"(public.partitions) TO "service_role";
