-- Each minute, where nobody else's tables are to be written anew: marks the next outputs of tables of the lake that were
-- written before they were in it, p_bytes of them and one at least. One table after the other, and of it one dataset after
-- the other. While a hundred wait to be written none are added. Uploads need no mark: a plan takes them when they are old
-- enough. A run that is at work since before may go by the settings of before: it is waited for.
-- Returns {marked: files, bytes}.
create or replace function sediment.advance_lake(p_bytes bigint)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_ahead constant integer := 100;
  v_most_looked constant integer := 5000;
  v_datasets constant integer := 2000;
  v_stopped boolean := false;
  v_room integer;
  v_left bigint := p_bytes;
  v_seen integer := 0;
  v_marked integer := 0;
  v_dataset uuid;
  v_looked record;
  v_page record;
  t public.lake_tables;
begin
  select * into t from public.lake_tables x
  where x.settled_dataset_id is not null order by x.settling_since nulls first, x.id limit 1
  for no key update skip locked;
  if not found then
    return '{"marked": 0, "bytes": 0}'::jsonb;
  end if;
  t.settling_since := coalesce(t.settling_since, clock_timestamp());
  v_room := v_ahead - (select count(*) from (
    select 1 from public.battle_files f
    join public.partitions p on p.dataset_id = f.dataset_id and p."table" = f."table" and p.period_tag = f.period_tag
    where f.rewrite is not null and f.removed_version is null and f."table" = t.name and p.msg_id is not null
    limit v_ahead) x);

  for v_dataset in
    select d.id from public.datasets d where d.id >= t.settled_dataset_id order by d.id limit v_datasets
  loop
    v_seen := v_seen + 1;
    if v_dataset > t.settled_dataset_id then
      t.settled_dataset_id := v_dataset;
      t.settled_period_tag := '';
      t.settled_seq := -1;
    end if;
    continue when not exists (select 1 from public.partitions p where p.dataset_id = v_dataset and p."table" = t.name);
    v_stopped := v_room <= 0 or (v_left <= 0 and v_marked > 0) or exists (select 1 from public.partitions p
      where p.dataset_id = v_dataset and p."table" = t.name and p.lease_expires_at is not null
        and p.claimed_at <= t.settling_since);
    exit when v_stopped;
    select coalesce(array_agg(l.id), '{}') as ids, array_agg(l.period_tag) as tags, array_agg(l.seq_min) as seqs,
      coalesce(array_agg(l.byte_length), '{}') as sizes, coalesce(array_agg(l.older), '{}') as older
    into strict v_looked from (
      select f.id, f.period_tag, f.seq_min, f.byte_length,
        f.state = 'active' and f.rewrite is null and f.level > 0 and f.lake_version is null as older
      from public.battle_files f
      where f.dataset_id = v_dataset and f."table" = t.name and f.removed_version is null
        and (f.period_tag, f.seq_min) > (t.settled_period_tag, t.settled_seq)
      order by f.period_tag, f.seq_min limit v_most_looked) l;
    select * into strict v_page
    from sediment.take_older(v_looked.sizes, v_looked.older, v_room, v_left, v_marked = 0);

    perform public.mark_for_rewrite((
      select coalesce(jsonb_agg(jsonb_build_object('id', v_looked.ids[k.place], 'reason', 'its table is in the lake')
        order by k.place), '[]')
      from unnest(v_page.taken) as k(place)));
    v_marked := v_marked + cardinality(v_page.taken);
    v_room := v_room - cardinality(v_page.taken);
    v_left := v_left - v_page.bytes;
    t.settled_period_tag := coalesce(v_looked.tags[v_page.reached], t.settled_period_tag);
    t.settled_seq := coalesce(v_looked.seqs[v_page.reached], t.settled_seq);
    v_stopped := not v_page.whole or cardinality(v_looked.ids) >= v_most_looked;
    exit when v_stopped;
  end loop;
  update public.lake_tables x
  set settled_dataset_id = case when v_stopped or v_seen = v_datasets then t.settled_dataset_id end, settling_since = t.settling_since,
    settled_period_tag = t.settled_period_tag, settled_seq = t.settled_seq
  where x.id = t.id;
  return jsonb_build_object('marked', v_marked, 'bytes', p_bytes - v_left);
end $$;
