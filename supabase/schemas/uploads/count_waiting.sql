-- What a partition has waiting once an upload's files have come to it, and when that is to be looked at: at once (due_at is
-- p_now or before) where a plan would act, or where that can't be known: what waits was not counted, the partition is dead,
-- or plans have come to go by something else. A partition that has a message is looked at anyway; while one is leased, what
-- comes is counted by itself, and the run's end adds what it left. The caller holds the partition's lock.
create or replace function sediment.count_waiting(
  x public.partitions, p_files sediment.commit_file[], p_now timestamptz,
  out tier_files integer[], out tier_oldest timestamptz[], out due_at timestamptz, out tier_groups jsonb
)
language plpgsql
stable
set search_path = ''
as $$
declare
  s record;
  f sediment.commit_file;
  v_grown bigint;
  v_edge bigint;
  v_tier integer;
  v_rewritten boolean := false;
begin
  tier_files := x.tier_files;
  tier_oldest := x.tier_oldest;
  due_at := x.due_at;
  -- counting in groups costs too much for many: what can't be known makes a run
  tier_groups := case when cardinality(p_files) <= 20 then x.tier_groups end;
  if x.msg_id is not null and x.lease_expires_at is null then
    return;
  end if;

  select coalesce(t.min_inputs, d.min_inputs, y.min_inputs) as min_inputs,
    coalesce(t.max_age_seconds, d.max_age_seconds, y.max_age_seconds) as max_age_seconds,
    coalesce(t.target_file_bytes, d.target_file_bytes, y.target_file_bytes) as target_file_bytes,
    coalesce(t.healthy_row_group_bytes, d.healthy_row_group_bytes, y.healthy_row_group_bytes) as healthy_row_group_bytes,
    cardinality(coalesce(t.dedupe_keys, d.dedupe_keys)) > 0 as dedupes,
    y.max_object_bytes, y.plan_changed_at, y.planner_version, l.id is not null as in_lake
  into strict s
  from public.service_settings y
  left join public.table_settings t on t.dataset_id = x.dataset_id and t."table" = x."table"
  left join public.table_settings d on d.dataset_id = x.dataset_id and d."table" = '*'
  left join public.lake_tables l on l.name = x."table" and l.withdrawn_at is null
  where y.id;
  v_grown := ceil(0.75 * least(s.target_file_bytes, x.output_cap_bytes));
  foreach f in array p_files loop
    -- Full grown it is a barrier at most, unless its row groups are to be made larger; that may be below the target already,
    -- where the store takes no object of that size.
    v_rewritten := v_rewritten or f.row_group_count > 1
      and f.uncompressed_bytes < s.healthy_row_group_bytes * f.row_group_count
      and f.byte_length >= least(v_grown, s.max_object_bytes / 4, 4194304);
    continue when f.byte_length >= v_grown and not s.in_lake;
    v_tier := 1;
    v_edge := 32768;
    while f.byte_length >= v_edge loop
      v_tier := v_tier + 1;
      v_edge := v_edge * least(greatest(s.min_inputs, 2), 8);
    end loop;
    -- an empty list would begin at the tier that it is given first
    if cardinality(tier_oldest) > 0 is not true then
      tier_oldest := array[null]::timestamptz[];
    end if;
    if tier_files = '{}' then
      tier_files := array[0];
    end if;
    -- what is full grown waits for its age alone
    if tier_files is not null and f.byte_length < v_grown then
      tier_files[v_tier] := coalesce(tier_files[v_tier], 0) + 1;
    end if;
    -- the clock may have been set back since the others came
    tier_oldest[v_tier] := least(tier_oldest[v_tier], p_now);
    if tier_groups is not null then
      tier_groups := sediment.count_in_group(tier_groups, f.schema_fingerprint, v_tier, f.byte_length < v_grown, p_now,
        s.dedupes and cardinality(p_files) = 1);
    end if;
  end loop;
  if v_rewritten then
    tier_files := null;
  end if;

  if x.msg_id is not null then
    return;
  elsif x.dead_since is not null or (x.last_considered_at < s.plan_changed_at
    and x.plan_digest is distinct from sediment.plan_digest(x.dataset_id, x."table", s.planner_version))
  then
    due_at := p_now;
  else
    due_at := least(x.due_at, sediment.next_look(tier_files, tier_oldest, s.min_inputs, s.max_age_seconds, p_now,
      s.in_lake, tier_groups));
  end if;
end $$;
