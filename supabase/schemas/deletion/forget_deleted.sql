-- A slice of the last part of a deletion, when a late retry can't come any more and no kept version shows its rows: each
-- upload of the dataset of which all rows were deleted leaves the ledger; where only some were, the bytes of these leave the
-- object that others share with them. Returns the number of uploads looked at.
create or replace function sediment.forget_deleted(x public.deletions, p_limit integer)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_seen bigint := 0;
  v_uploads uuid[] := '{}'::uuid[];
  u public.uploads;
begin
  for u in
    select * from public.uploads y
    where y.dataset_id = x.dataset_id
      and (y."table", y.period_tag, y.content_hash) > (x.after_table, x.after_period_tag, x.after_hash)
    order by y."table", y.period_tag, y.content_hash limit p_limit
  loop
    v_seen := v_seen + 1;
    continue when sediment.upload_version(u) >= x.version;
    if sediment.upload_deleted_at(u) is not null then
      -- of one that is pending rows are shown still
      if not exists (select 1 from public.deletions y where y.upload_id = u.id and y.state = 'pending') then
        perform sediment.forget_upload(u);
      end if;
    elsif sediment.has_slices(u) then
      v_uploads := v_uploads || u.id;
    end if;
  end loop;
  perform sediment.plan_splits(v_uploads, 'deletion ' || x.id);
  update public.deletions y
  set after_table = coalesce(u."table", y.after_table), after_period_tag = coalesce(u.period_tag, y.after_period_tag),
    after_hash = coalesce(u.content_hash, y.after_hash),
    forgotten_at = case when v_seen < p_limit then clock_timestamp() end
  where y.id = x.id;
  return v_seen;
end $$;
