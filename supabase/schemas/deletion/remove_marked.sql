-- A slice of a deletion that is marked: takes the files of some of its partitions out, as of the version of the mark,
-- and ends what runs there. Every file that was added before the mark goes, and no other: what was uploaded since stays. One that
-- an earlier mark covers goes as of that one, whichever slice is first: no version between them shows it.
-- Locks as all do: partitions by key, the dataset, the queue. Returns the number of files.
create or replace function sediment.remove_marked(x public.deletions, p_limit integer)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_at_once constant integer := 20;
  p public.partitions;
  v_parts public.partitions[];
  v_removed record;
  v_files bigint := 0;
  v_rows bigint := 0;
  v_bytes bigint := 0;
  v_uncompressed bigint := 0;
  v_whole public.partitions[] := '{}'::public.partitions[];
  v_pending boolean;
begin
  select coalesce(array_agg(y.z), '{}') into strict v_parts from (
    select z from public.partitions z
    where z.dataset_id = x.dataset_id and (z."table", z.period_tag) > (x.after_table, x.after_period_tag)
      and (x."table" is null or z."table" = x."table") and (x.period_tag is null or z.period_tag = x.period_tag)
    order by z."table", z.period_tag limit v_at_once
    for no key update
  ) y;
  perform 1 from public.datasets d where d.id = x.dataset_id for no key update;

  foreach p in array v_parts loop
    exit when v_files >= p_limit;
    with removed as (
      update public.battle_files f
      set removed_version = (
        select min(z.version) from public.deletions z
        where z.dataset_id = x.dataset_id and z.state = 'marked' and z.version > f.added_version
          and (z."table" is null or z."table" = f."table") and (z.period_tag is null or z.period_tag = f.period_tag))
      where f.id = any (array(
        select y.id from public.battle_files y
        where y.dataset_id = p.dataset_id and y."table" = p."table" and y.period_tag = p.period_tag
          and y.removed_version is null and y.added_version < x.version
        order by y.seq_min limit p_limit - v_files))
      returning f.row_count, f.byte_length, f.uncompressed_bytes
    )
    select count(*) as files, coalesce(sum(r.row_count), 0) as rows, coalesce(sum(r.byte_length), 0) as bytes,
      coalesce(sum(r.uncompressed_bytes), 0) as uncompressed
    into strict v_removed from removed r;
    v_files := v_files + v_removed.files;
    v_rows := v_rows + v_removed.rows;
    v_bytes := v_bytes + v_removed.bytes;
    v_uncompressed := v_uncompressed + v_removed.uncompressed;
    exit when v_files >= p_limit; -- there may be more in this one
    v_whole := v_whole || p;
  end loop;

  update public.datasets d
  set file_count = d.file_count - v_files, row_count = d.row_count - v_rows,
    file_size_bytes = d.file_size_bytes - v_bytes, uncompressed_bytes = d.uncompressed_bytes - v_uncompressed,
    compression_ratio = round((d.uncompressed_bytes - v_uncompressed)::numeric
      / nullif(d.file_size_bytes - v_bytes, 0), 3),
    retired_bytes = d.retired_bytes + v_bytes, updated_at = clock_timestamp()
  where d.id = x.dataset_id;
  select exists (select 1 from public.deleted_slices s where s.dataset_id = x.dataset_id and s.version is null)
  into strict v_pending;
  foreach p in array v_whole loop
    if v_pending then
      perform sediment.settle_slices(p.dataset_id, p."table", p.period_tag, x.version);
    end if;
    -- also what is known of files that wait, by which later ones are counted
    if p.msg_id is not null or p.debt_oldest is not null or p.due_at is not null or p.dead_since is not null
      or p.demand_seq > p.done_seq or p.tier_groups is not null or p.tier_files is distinct from '{}'
    then
      perform sediment.end_partition_run(p);
    end if;
  end loop;

  update public.deletions y
  set files = y.files + v_files, rows = y.rows + v_rows, bytes = y.bytes + v_bytes,
    after_table = case when cardinality(v_whole) > 0 then v_whole[cardinality(v_whole)]."table" else y.after_table end,
    after_period_tag = case when cardinality(v_whole) > 0 then v_whole[cardinality(v_whole)].period_tag
      else y.after_period_tag end
  where y.id = x.id;
  if cardinality(v_whole) = cardinality(v_parts) and cardinality(v_parts) < v_at_once then
    update public.deletions y
    set state = 'removed', removed_at = clock_timestamp(),
      removed_through = (select d.version from public.datasets d where d.id = x.dataset_id), after_table = '', after_period_tag = '', after_hash = ''
    where y.id = x.id;
  end if;
  return v_files;
end $$;
