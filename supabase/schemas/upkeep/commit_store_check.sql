-- Says how a slice of the check of the store went, and how far it came.
--   p_list: null, or {cursor|null, after, ended}; p_read: null, or {after, ended, bytes}
--   p_found: [{object_key, kind, detail, files: ids of the visible files whose own bytes were looked at and are gone or
--     changed}] that is not as the catalog says; p_sound: keys that were found to be
--   p_probed: whether an object of which nothing bad is known could be read after that; null: there is none
--   p_intact: ids of files of p_sound whose bytes are what they were; p_etags: {key: ETag} of those that have another one
-- A finding counts once a second look, second_look_seconds after the first, has confirmed it; then what follows from it
-- follows by itself (sediment.miss_files, sediment.readmit_files). The incident opens with the first and closes with the last.
-- Returns {open: findings that are confirmed, set_aside: files}. Raises lease_lost.
create or replace function public.commit_store_check(
  p_token bigint, p_list jsonb default null, p_read jsonb default null, p_found jsonb default '[]', p_sound text[] default '{}',
  p_probed boolean default null, p_intact bigint[] default '{}', p_etags jsonb default '{}'
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  c public.store_check;
  s public.service_settings;
  v_now timestamptz := clock_timestamp();
  v_most constant integer := 10000;
  v_set_aside integer;
  v_open bigint;
  v_kinds jsonb;
begin
  select * into strict c from public.store_check x for no key update;
  if c.token is distinct from p_token or c.leased_until is null then
    perform sediment.fail('lease_lost', 409, format('the check of the store is at slice %s, not %s', c.token, p_token));
  end if;
  select * into strict s from public.service_settings;

  insert into public.store_findings as f (object_key, kind, detail, found_at, looked_at)
  select n.object_key, n.kind, left(n.detail, 1000), v_now, v_now
  from jsonb_to_recordset(p_found) as n(object_key text, kind text, detail text)
  where exists (select 1 from public.store_findings x where x.object_key = n.object_key)
    or (select count(*) from public.store_findings) < v_most
  order by n.object_key
  on conflict (object_key) do update
  set kind = excluded.kind, detail = excluded.detail, looked_at = v_now,
    confirmed_at = coalesce(f.confirmed_at,
      -- a slice takes minutes: what it says was seen at any time since it began
      case when f.found_at <= coalesce(c.begun_at, v_now) - make_interval(secs => s.second_look_seconds) then v_now end);
  update public.objects o set etag = n.value, updated_at = v_now
  from jsonb_each_text(p_etags) n
  where o.object_key = n.key and o.object_key = any (p_sound) and o.state = 'stored' and o.etag is distinct from n.value;
  perform sediment.readmit_files(p_sound, p_intact, p_etags);
  -- what was found to be as it should, but for files that stay aside; and what has gone its way since: healed, remade, deleted
  delete from public.store_findings f
  where f.object_key = any (p_sound) and not exists (
      select 1 from public.battle_files x where x.object_key = f.object_key and x.removed_version is null
        and x.state = 'quarantined' and x.quarantine_code in ('object_missing', 'object_changed'))
    or case when f.kind in ('lost', 'changed') then not exists (
      select 1 from public.objects o where o.object_key = f.object_key and o.state = 'stored')
    else exists (select 1 from public.objects o where o.object_key = f.object_key and o.state in ('staged', 'stored')) end;
  update public.store_findings f set looked_at = v_now where f.object_key = any (p_sound);
  v_set_aside := sediment.miss_files(p_found, p_probed);

  update public.store_check x
  set leased_until = null, tries = 0,
    list_cursor = case when p_list is null then x.list_cursor else p_list ->> 'cursor' end,
    after_key = case when p_list is null then x.after_key when (p_list ->> 'ended')::boolean then '' else p_list ->> 'after' end,
    passes = x.passes + coalesce((p_list ->> 'ended')::boolean, false)::integer,
    pass_started_at = case when (p_list ->> 'ended')::boolean then null else x.pass_started_at end,
    pass_ended_at = case when (p_list ->> 'ended')::boolean then v_now else x.pass_ended_at end,
    read_after = case when p_read is null then x.read_after when (p_read ->> 'ended')::boolean then 0
      else (p_read ->> 'after')::bigint end,
    reads = x.reads + coalesce((p_read ->> 'ended')::boolean, false)::integer,
    -- what was read is paid for in time: so many bytes a day; and a store of few is not read over and over
    read_at = case when p_read is null then x.read_at else v_now + case when (p_read ->> 'ended')::boolean
      then make_interval(secs => s.store_check_interval_seconds) else interval '0' end + make_interval(secs =>
        86400.0 * (p_read ->> 'bytes')::bigint / greatest(s.store_check_bytes_per_day, 1048576)) end
  where x.id;

  select coalesce(sum(k.n), 0), coalesce(jsonb_object_agg(k.kind, k.n), '{}') into strict v_open, v_kinds from (
    select f.kind, count(*) as n from public.store_findings f where f.confirmed_at is not null group by f.kind) k;
  if v_open > 0 then
    perform sediment.open_incident('store_findings', format('Sediment: %s of the store are not as the catalog says: %s',
      v_open, (select string_agg(format('%s %s', e.value, e.key), ', ' order by e.key) from jsonb_each(v_kinds) e)),
      jsonb_build_object('counts', v_kinds));
  elsif exists (select 1 from public.incidents i where i.name = 'store_findings' and i.state = 'open') then
    perform sediment.close_incident('store_findings', 'Sediment: the store is as the catalog says again');
  end if;
  return jsonb_build_object('open', v_open, 'set_aside', v_set_aside);
end $$;
