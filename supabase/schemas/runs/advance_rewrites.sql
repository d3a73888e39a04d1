-- Each minute: marks the next files of the tables that are to be written anew, as many as rewrite_bytes_per_hour gives a
-- minute, and one at least. Twenty tables have a turn, each with an even share of what is left: one of each dataset before the
-- second of any, and those whose last turn is longest ago, so that no dataset waits for another's to end. Of a table where a hundred wait to be written none are added:
-- workers who are slower than that get no backlog. Fragments that wait for more are left to the merge that takes them.
-- Where nothing of that is to be marked, outputs of tables that have come into the lake are (sediment.advance_lake).
-- Returns {marked: files, bytes, ended: tables}.
create or replace function sediment.advance_rewrites()
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '30s'
as $$
declare
  v_ahead constant integer := 100;
  v_most_looked constant integer := 5000;
  v_turns constant integer := 20;
  v_turn integer := 0;
  v_picked jsonb;
  v_lake jsonb;
  v_share bigint;
  v_left bigint := (select s.rewrite_bytes_per_hour / 60 from public.service_settings s);
  v_marked bigint := 0;
  v_bytes bigint := 0;
  v_ended integer := 0;
  v_room bigint;
  v_looked record;
  v_page record;
  v_whole boolean;
  v_now timestamptz;
  v_settings jsonb;
  v_grown bigint;
  v_waits timestamptz;
  x public.rewrites;
begin
  v_picked := (
    select jsonb_agg(jsonb_build_object('dataset', p.dataset_id, 'table', p."table") order by p.n) from (
      select o.dataset_id, o."table", row_number() over (order by o.of_dataset, o.looked_at nulls first, o.asked_at) as n
      from (select r.dataset_id, r."table", r.looked_at, r.asked_at, row_number() over (
          partition by r.dataset_id order by r.looked_at nulls first, r.asked_at) as of_dataset
        from public.rewrites r where r.ended_at is null) o
      order by n limit v_turns) p);
  for x in
    select r.* from jsonb_array_elements(v_picked) with ordinality as p(picked, n)
    join public.rewrites r on r.dataset_id = (p.picked ->> 'dataset')::uuid and r."table" = p.picked ->> 'table'
    where r.ended_at is null order by p.n
    for update of r skip locked
  loop
    exit when v_left <= 0 and v_marked > 0;
    v_now := clock_timestamp();
    v_share := greatest(v_left / (jsonb_array_length(v_picked) - v_turn), 1);
    v_turn := v_turn + 1;
    update public.rewrites r set looked_at = v_now where r.dataset_id = x.dataset_id and r."table" = x."table";
    if x.made_before is null then
      continue when exists (select 1 from public.partitions p
        where p.lease_expires_at > v_now and p.dataset_id = x.dataset_id and p."table" = x."table"
          and p.claimed_at <= x.asked_at);
      x.made_before := v_now;
    end if;
    v_room := v_ahead - sediment.files_to_rewrite(x, true, v_ahead);
    continue when v_room <= 0;

    v_settings := sediment.settings_of(x.dataset_id, x."table");
    v_grown := ceil(0.75 * (v_settings ->> 'target_file_bytes')::bigint);
    v_waits := v_now - make_interval(secs => (v_settings ->> 'max_age_seconds')::integer);
    select coalesce(array_agg(l.id), '{}') as ids, array_agg(l.period_tag) as tags, array_agg(l.seq_min) as seqs,
      coalesce(array_agg(l.byte_length), '{}') as sizes, coalesce(array_agg(l.older), '{}') as older
    into strict v_looked from (
      select f.id, f.period_tag, f.seq_min, f.byte_length,
        f.state = 'active' and f.rewrite is null and f.uploaded_at < x.made_before
          and (f.level > 0 or f.byte_length >= v_grown or f.uploaded_at < v_waits) as older
      from public.battle_files f
      where f.dataset_id = x.dataset_id and f."table" = x."table" and f.removed_version is null
        and (f.period_tag, f.seq_min) > (x.after_period_tag, x.after_seq)
        and (x.period_tag is null or f.period_tag = x.period_tag)
      order by f.period_tag, f.seq_min limit v_most_looked) l;
    select * into strict v_page
    from sediment.take_older(v_looked.sizes, v_looked.older, v_room, v_share, v_marked = 0);
    v_whole := v_page.whole and cardinality(v_looked.ids) < v_most_looked;

    perform public.mark_for_rewrite((
      select coalesce(jsonb_agg(jsonb_build_object('id', v_looked.ids[k.place], 'anew', true,
        'reason', 'the table''s settings may have changed since') order by k.place), '[]')
      from unnest(v_page.taken) as k(place)));
    v_left := v_left - v_page.bytes;
    v_bytes := v_bytes + v_page.bytes;
    v_marked := v_marked + cardinality(v_page.taken);
    v_ended := v_ended + v_whole::integer;
    update public.rewrites r
    set made_before = x.made_before, files = r.files + cardinality(v_page.taken), bytes = r.bytes + v_page.bytes,
      after_period_tag = coalesce(v_looked.tags[v_page.reached], r.after_period_tag),
      after_seq = coalesce(v_looked.seqs[v_page.reached], r.after_seq), ended_at = case when v_whole then clock_timestamp() end
    where r.dataset_id = x.dataset_id and r."table" = x."table";
  end loop;
  if v_marked = 0 then
    v_lake := sediment.advance_lake(v_left);
    v_marked := (v_lake ->> 'marked')::bigint;
    v_bytes := (v_lake ->> 'bytes')::bigint;
  end if;
  return jsonb_build_object('marked', v_marked, 'bytes', v_bytes, 'ended', v_ended);
end $$;
