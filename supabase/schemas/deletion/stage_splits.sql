-- Hands out objects that hold bytes of deleted slices beside slices that are there, the longest due first: each of the
-- latter is to be copied to a key of its own, which is planned here, and then commit_split is told. One of which nobody
-- says that it is done is handed out again after ten minutes, with other keys. Never waits for a lock.
--   p_dataset: only this one's
-- Returns {splits: [{object_key, etag|null, copies: [{file, start_byte, byte_length, checksum|null, object_key}]}],
-- more}. Call again while more.
create or replace function public.stage_splits(p_limit integer default 10, p_dataset uuid default null)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '60s'
as $$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 10), 1), 100);
  v_deadline constant timestamptz := clock_timestamp()
    + make_interval(secs => (select s.max_put_seconds from public.service_settings s));
  o public.objects;
  v_seen integer := 0;
  v_copies jsonb;
  v_splits jsonb := '[]'::jsonb;
begin
  for o in
    select * from public.objects x
    where x.split_at <= clock_timestamp() and x.state = 'stored' and (p_dataset is null or x.dataset_id = p_dataset)
    order by x.split_at limit v_limit
    for no key update skip locked
  loop
    v_seen := v_seen + 1;
    with slices as (
      select f.id, f."table", f.period_tag, f.start_byte, f.byte_length, f.checksum,
        format('battle_data/%s/%s/%s/%s.parquet', f.dataset_id, f."table", f.period_tag, gen_random_uuid()) as object_key
      from public.battle_files f where f.object_key = o.object_key
    ), planned as (
      insert into public.objects (object_key, kind, size, expires_at, put_deadline, dataset_id, "table", period_tag,
        staged_version, details)
      select s.object_key, 'fragment', s.byte_length, v_deadline, v_deadline, o.dataset_id, s."table", s.period_tag,
        (select d.version from public.datasets d where d.id = o.dataset_id),
        jsonb_build_object('copy_of', o.object_key, 'start_byte', s.start_byte)
      from slices s
    )
    select jsonb_agg(jsonb_build_object('file', s.id, 'start_byte', s.start_byte, 'byte_length', s.byte_length,
      'checksum', s.checksum, 'object_key', s.object_key) order by s.start_byte)
    into v_copies from slices s;
    update public.objects x
    set split_at = clock_timestamp() + interval '10 minutes', updated_at = clock_timestamp()
    where x.object_key = o.object_key;
    if v_copies is not null then -- else whoever dropped its last row has had it deleted
      v_splits := v_splits || jsonb_build_object('object_key', o.object_key, 'etag', o.etag, 'copies', v_copies);
    end if;
  end loop;
  return jsonb_build_object('splits', v_splits, 'more', v_seen = v_limit);
end $$;
