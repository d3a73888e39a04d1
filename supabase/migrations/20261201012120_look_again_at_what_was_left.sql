-- Files that a plan has left may have been kept apart by one that has left since, also where no worker said so.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE OR REPLACE FUNCTION sediment.look_again(p_dataset uuid, p_table text, p_period_tag text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
end $function$;
