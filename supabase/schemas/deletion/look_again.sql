-- Files have left a partition otherwise than by a merge. Where the last writer wins those at their sides are neighbours now,
-- and may be merged; where groups of schemas are told apart, or as many wait as a plan would merge and none did, it may be
-- that they were kept apart by one that has left, and what a worker has read may do so at its run's end: it is looked at
-- again. The caller holds the partition's lock.
create or replace function sediment.look_again(p_dataset uuid, p_table text, p_period_tag text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_settings constant jsonb := sediment.settings_of(p_dataset, p_table);
begin
  update public.partitions x
  set due_at = case when x.msg_id is null then clock_timestamp() else x.due_at end,
    -- a worker has read what is there; a message that waits sees it
    demand_seq = x.demand_seq + (x.lease_expires_at is not null)::integer,
    tier_files = case when x.lease_expires_at is null then x.tier_files end
  where x.dataset_id = p_dataset and x."table" = p_table and x.period_tag = p_period_tag and x.dead_since is null
    and (x.tier_groups is not null or x.lease_expires_at is not null
      or jsonb_array_length(v_settings -> 'dedupe_keys') > 0
      or sediment.next_look(x.tier_files, x.tier_oldest, (v_settings ->> 'min_inputs')::integer,
        (v_settings ->> 'max_age_seconds')::integer, clock_timestamp()) <= clock_timestamp());
end $$;
