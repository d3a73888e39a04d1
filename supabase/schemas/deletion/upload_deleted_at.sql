-- When the last rows of an acknowledged upload were deleted; null while any of its slices is there. A slice is deleted
-- by a deletion of its scope that came to be at a later version than the slice.
create or replace function sediment.upload_deleted_at(u public.uploads)
returns timestamptz
language sql
stable
set search_path = ''
as $$
  select case when bool_and(x.at is not null) then max(x.at) end
  from sediment.upload_slices(u) as f
  cross join lateral (
    select min(d.requested_at) as at from public.deletions d
    where d.dataset_id = u.dataset_id and d.version > sediment.upload_version(u)
      and (d.upload_id is null or d.upload_id = u.id)
      and (d."table" is null or d."table" = f."table")
      and (d.period_tag is null or d.period_tag = f.period_tag)) x
$$;
