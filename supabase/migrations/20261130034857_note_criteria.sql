-- Statements that name their rows, which hosted connections of PostgREST demand; files of before, whose schemas are not known,
-- are listed for `deno task settle:schemas`.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION public.finish_probe(p_token bigint, p_passed boolean, p_code text DEFAULT NULL::text, p_message text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  b public.circuit_breaker;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
begin
  select * into strict b from public.circuit_breaker x for no key update;
  if b.state = 'open' and b.probe_token = p_token and b.probe_until is not null then
    select * into strict s from public.service_settings;
    if p_passed and b.probes_passed >= 1 then
      update public.circuit_breaker x
      set state = 'closed', closed_at = v_now, probe_at = null, probe_until = null, suspect = null,
        suspect_at = null, probes_passed = 0, probes_failed = 0
      where x.id
      returning * into strict b;
      perform sediment.raise_alert('breaker_closed', format('Sediment goes on: %s answers again after %s',
        b.part, date_trunc('second', v_now - b.opened_at)), jsonb_build_object('part', b.part));
    else
      update public.circuit_breaker x
      set probe_until = null,
        probes_passed = case when p_passed then x.probes_passed + 1 else 0 end,
        probes_failed = case when p_passed then x.probes_failed else x.probes_failed + 1 end,
        error_code = case when p_passed then x.error_code else coalesce(left(p_code, 100), x.error_code) end,
        error_message = case when p_passed then x.error_message
          else coalesce(left(p_message, 2000), x.error_message) end,
        probe_at = v_now + make_interval(secs => case when p_passed then s.breaker_probe_seconds
          else least(s.backoff_cap_seconds, (0.75 + random() / 4) * s.breaker_probe_seconds
            * power(2, least(x.probes_failed, 10))) end)
      where x.id
      returning * into strict b;
    end if;
    if b.probe_key is not null then
      perform sediment.discard_object(b.probe_key, 'a probe');
    end if;
  end if;
  return jsonb_build_object('state', b.state, 'probe_at', b.probe_at);
end $function$;

CREATE OR REPLACE FUNCTION public.list_tables(p_user uuid, p_dataset uuid, p_version bigint DEFAULT NULL::bigint, p_limit integer DEFAULT 5000, p_cursor text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  d public.datasets;
  v_cursor jsonb := sediment.decode_cursor(p_cursor);
  v_version bigint;
  v_committed timestamptz;
  v_limit integer := least(greatest(coalesce(p_limit, 5000), 1), 10000);
  v_partitions jsonb;
  v_schemas jsonb;
  v_next jsonb;
begin
  if v_cursor is not null and (v_cursor - array['v', 't', 'p', 's', 'd'] <> '{}'
    or v_cursor ->> 'd' is distinct from p_dataset::text
    or coalesce(v_cursor ->> 'v', '') !~ '^\d{1,18}$' or coalesce(v_cursor ->> 's', '') !~ '^\d{1,18}$'
    or v_cursor ->> 't' is null or v_cursor ->> 'p' is null)
  then
    perform sediment.fail('invalid_cursor', 400, 'the cursor belongs to another list');
  end if;
  d := sediment.own_dataset(p_user, p_dataset);
  v_version := sediment.readable_version(d, coalesce((v_cursor ->> 'v')::bigint, p_version));
  select v.committed_at into v_committed from public.dataset_versions v
  where v.dataset_id = d.id and v.version = v_version;

  -- What is visible now comes in index order; what was removed since is as much as compaction did meanwhile.
  with page as (
    (select f."table", f.period_tag, f.seq_min, f.state, f.row_count, f.byte_length, f.uncompressed_bytes,
        f.uploaded_at, f.schema_fingerprint,
        coalesce(f.schema_digest, f.schema_fingerprint) as digest
      from public.battle_files f
      where f.dataset_id = d.id and f.removed_version is null and f.added_version <= v_version
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
    union all
    (select f."table", f.period_tag, f.seq_min, f.state, f.row_count, f.byte_length, f.uncompressed_bytes,
        f.uploaded_at, f.schema_fingerprint,
        coalesce(f.schema_digest, f.schema_fingerprint) as digest
      from public.battle_files f
      where f.dataset_id = d.id and f.removed_version > v_version and f.added_version <= v_version
        and (v_cursor is null or (f."table", f.period_tag, f.seq_min)
          > (v_cursor ->> 't', v_cursor ->> 'p', (v_cursor ->> 's')::bigint))
      order by f."table", f.period_tag, f.seq_min limit v_limit + 1)
  ), numbered as (
    select p.*, row_number() over (order by p."table", p.period_tag, p.seq_min) as place from page p
  ), known as (
    select x.schema_fingerprint as fingerprint, s.schema, x.place,
      sum(octet_length(s.schema::text)) over (order by x.place) as bytes
    from (
      -- of several schemas of one fingerprint that of the first file whose is known stands for all
      select distinct on (n.schema_fingerprint) n.schema_fingerprint, n.digest, n.place
      from numbered n
      where n.place <= v_limit and exists (select 1 from public.file_schemas k where k.digest = n.digest)
      order by n.schema_fingerprint, n.place
    ) x
    join public.file_schemas s on s.digest = x.digest
  ), cut as (
    select least(v_limit + 1, min(k.place)) as place from known k where k.bytes > 1048576 and k.place > 1
  ), kept as (
    select n.* from numbered n cross join cut c where n.place < c.place
  ), by_schema as (
    select k."table", k.period_tag, k.schema_fingerprint, min(k.place) as place, count(*) as files,
      sum(k.row_count) as rows, sum(k.byte_length) as bytes, sum(k.uncompressed_bytes) as uncompressed,
      count(*) filter (where k.state = 'quarantined') as quarantined, max(k.uploaded_at) as last
    from kept k group by k."table", k.period_tag, k.schema_fingerprint
  ), by_period as (
    select jsonb_build_object('table', b."table", 'period_tag', b.period_tag, 'files', sum(b.files),
        'rows', sum(b.rows), 'bytes', sum(b.bytes), 'uncompressed_bytes', sum(b.uncompressed),
        'quarantined_files', sum(b.quarantined), 'last_uploaded_at', max(b.last),
        'schemas', jsonb_agg(jsonb_build_object('fingerprint', b.schema_fingerprint, 'files', b.files, 'rows', b.rows)
          order by b.place)) as one,
      min(b.place) as place
    from by_schema b group by b."table", b.period_tag
  )
  select
    (select coalesce(jsonb_agg(p.one order by p.place), '[]') from by_period p),
    (select coalesce(jsonb_object_agg(k.fingerprint, k.schema), '{}') from known k, cut c where k.place < c.place),
    (select jsonb_build_object('d', d.id, 'v', v_version, 't', k."table", 'p', k.period_tag, 's', k.seq_min)
      from kept k where exists (select 1 from numbered n cross join cut c where n.place >= c.place)
      order by k.place desc limit 1)
  into strict v_partitions, v_schemas, v_next;

  return jsonb_build_object('dataset_id', d.id, 'version', v_version, 'committed_at', v_committed,
    'partitions', v_partitions, 'schemas', v_schemas,
    'next_cursor', case when v_next is not null then sediment.encode_cursor(v_next) end);
end $function$;

CREATE OR REPLACE FUNCTION public.list_unsettled_outputs(p_after bigint DEFAULT 0, p_limit integer DEFAULT 100, p_inputs bigint[] DEFAULT NULL::bigint[])
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 100), 1), 1000);
begin
  if p_inputs is not null then
    return jsonb_build_object('more', false, 'files', coalesce((
      select jsonb_agg(jsonb_build_object('id', i.id, 'output', o.id, 'object_key', i.object_key,
        'start_byte', i.start_byte, 'byte_length', i.byte_length, 'level', i.level, 'seq_min', i.seq_min)
        order by o.id, i.seq_min)
      from public.battle_files o
      join public.battle_files i on i.dataset_id = o.dataset_id and i.removed_version = o.added_version
        and i."table" = o."table" and i.period_tag = o.period_tag
        and i.seq_min >= o.seq_min and i.seq_max <= o.seq_max
      where o.id = any (p_inputs[1:v_limit]) and o.level > 0), '[]'));
  end if;
  return (
    with page as (
      select f.* from public.battle_files f
      where f.id > p_after and f.removed_version is null and f.schema_digest is null
        and f.rewrite is null and f.state = 'active'
        and (f.level > 0
          or not exists (select 1 from public.file_schemas s where s.digest = f.schema_fingerprint))
      order by f.id limit v_limit + 1
    ), kept as (
      select * from page order by id limit v_limit
    )
    select jsonb_build_object('more', (select count(*) > v_limit from page), 'files', coalesce(jsonb_agg(
      jsonb_build_object('id', k.id, 'output', null, 'object_key', k.object_key, 'start_byte', k.start_byte,
        'byte_length', k.byte_length, 'level', k.level, 'seq_min', k.seq_min) order by k.id), '[]'))
    from kept k);
end $function$;

CREATE OR REPLACE FUNCTION sediment.claim_probe()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  b public.circuit_breaker;
  v_now timestamptz := clock_timestamp();
  v_seconds constant integer := 60;
  v_keys text[];
  v_key text;
begin
  if (select x.state from public.circuit_breaker x) is distinct from 'open' then
    return null;
  end if;
  select * into b from public.circuit_breaker x for no key update skip locked;
  if not found or b.state <> 'open' or b.probe_at > v_now or b.probe_until > v_now then
    return jsonb_build_object('probe', null);
  end if;

  if b.part = 'store_read' then
    select coalesce(array_agg(x.object_key), '{}') into strict v_keys from (
      select f.object_key from public.battle_files f
      where f.removed_version is null and f.state = 'active' order by f.id desc limit 3) x;
  elsif b.part = 'store_write' then
    v_key := format('probes/%s.bin', gen_random_uuid());
    insert into public.objects (object_key, kind, size, expires_at, put_deadline)
    values (v_key, 'probe', 1, v_now + make_interval(secs => v_seconds),
      v_now + make_interval(secs => (select s.max_put_seconds from public.service_settings s)));
  end if;
  update public.circuit_breaker x
  set probe_token = x.probe_token + 1, probe_until = v_now + make_interval(secs => v_seconds), probe_key = v_key
  where x.id
  returning * into strict b;
  return jsonb_build_object('probe', jsonb_build_object('token', b.probe_token, 'part', b.part, 'seconds', v_seconds,
    'keys', to_jsonb(coalesce(v_keys, '{}')), 'write_key', v_key));
end $function$;

CREATE OR REPLACE FUNCTION sediment.note_plan_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.service_settings s set plan_changed_at = clock_timestamp() where s.id;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION sediment.trip_breaker(p_partition text, p_part text, p_code text, p_message text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  b public.circuit_breaker;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
begin
  select * into b from public.circuit_breaker x for no key update skip locked;
  if not found or b.state = 'open' then
    return;
  end if;
  select * into strict s from public.service_settings;
  if b.suspect is null or b.suspect = p_partition or b.part is distinct from p_part
    or b.suspect_at < v_now - make_interval(secs => s.breaker_window_seconds)
  then
    update public.circuit_breaker x
    set suspect = p_partition, suspect_at = v_now, part = p_part, error_code = p_code,
      error_message = left(p_message, 2000)
    where x.id;
    return;
  end if;
  update public.circuit_breaker x
  set state = 'open', opened_at = v_now, part = p_part, error_code = p_code, error_message = left(p_message, 2000),
    suspect = null, suspect_at = null, probes_passed = 0, probes_failed = 0, probe_until = null,
    probe_at = v_now + make_interval(secs => s.breaker_probe_seconds)
  where x.id;
  perform sediment.raise_alert('breaker_opened', format('Sediment stopped compaction: %s (%s) at two partitions, now %s',
    p_code, p_part, left(p_message, 500)), jsonb_build_object('message', left(p_message, 2000), 'part', p_part));
end $function$;
