-- Leaves out the files for which a table has no place: readers fetch the rows of all that it shows. A file that takes the place
-- of one that a reader has seen is shown always: only what is new to its partition is left out, the last first. They come again
-- as others leave (sediment.readmit_lake_files).
--   p_added: what a publication is to show; p_snapshot: its own, at which what it takes out has ended by now
--   p_most, p_most_of_user: files of a table; and of them those of one user's datasets
-- Returns p_added, with a reason for each that is left out.
create or replace function sediment.bound_lake_files(
  p_added sediment.lake_news[], p_snapshot bigint, p_most integer default 100000, p_most_of_user integer default 50000
)
returns sediment.lake_news[]
language plpgsql
set search_path = ''
-- whoever calls it finds files by index; here thousands of them meet each other
set enable_hashjoin = on
set enable_nestloop = off
as $$
declare
  v_added sediment.lake_news[] := p_added;
  v_relation bigint;
  v_shown bigint;
begin
  -- as far as is known here: what purges take out is counted still, until it matters
  update public.lake_relations r set shown_files = r.shown_files + s.came - s.went
  from (
    select x.relation_id, sum(x.came)::integer as came, sum(x.went)::integer as went from (
      select n.relation_id, 1 as came, 0 as went from unnest(p_added) n where n.reason is null
      union all
      select l.relation_id, 0, 1 from public.lake_files l where l.end_snapshot = p_snapshot) x
    group by x.relation_id) s
  where r.id = s.relation_id;

  for v_relation in
    select r.id from public.lake_relations r
    where r.shown_files > p_most_of_user and r.id in (select n.relation_id from unnest(p_added) n where n.reason is null)
    order by r.id
  loop
    select count(*) into strict v_shown from public.lake_files l where l.relation_id = v_relation and l.end_snapshot is null;
    v_added := array(
      with of_users as materialized (
        select d.user_id, count(*) as files
        from public.lake_files l cross join lateral (select x.user_id from public.datasets x where x.id = l.dataset_id offset 0) d
        where l.relation_id = v_relation and l.end_snapshot is null group by d.user_id
      ), gone as materialized (
        -- once, not for each new file: a table that is shown anew ends them all
        select distinct l.dataset_id, l.period_tag from public.lake_files l
        where l.end_snapshot = p_snapshot and l.relation_id = v_relation
      ), news as materialized (
        select n.*, d.user_id, g.dataset_id is not null as replaces
        from unnest(v_added) with ordinality as n(battle_file, relation_id, dataset_id, period_tag, object_key, bytes, row_count,
          schema_digest, lake_version, mapping_id, reason, place)
        left join lateral (select x.user_id from public.datasets x where x.id = n.dataset_id offset 0) d on true
        left join gone g on g.dataset_id = n.dataset_id and g.period_tag = n.period_tag
        where n.relation_id = v_relation and n.reason is null
      ), shared as (
        select n.place, n.replaces, not n.replaces and coalesce(u.files, 0)
          + row_number() over (partition by n.user_id order by n.replaces desc, n.place) > p_most_of_user as is_over
        from news n left join of_users u on u.user_id = n.user_id
      ), placed as (
        select s.place, s.is_over or not s.replaces
          and v_shown + row_number() over (order by s.is_over, s.replaces desc, s.place) > p_most as is_over
        from shared s
      )
      select row(n.battle_file, n.relation_id, n.dataset_id, n.period_tag, n.object_key, n.bytes, n.row_count, n.schema_digest,
        n.lake_version, n.mapping_id, case when p.is_over
          then format('the table shows %s files, or %s of one user', p_most, p_most_of_user) else n.reason end)::sediment.lake_news
      from unnest(v_added) with ordinality as n(battle_file, relation_id, dataset_id, period_tag, object_key, bytes, row_count,
        schema_digest, lake_version, mapping_id, reason, place)
      left join placed p on p.place = n.place
      order by n.place);
    update public.lake_relations r
    set shown_files = v_shown + (select count(*) from unnest(v_added) n where n.relation_id = v_relation and n.reason is null)
    where r.id = v_relation;
  end loop;
  return v_added;
end $$;
