-- The first object key of an upload: of its own stage, which has the upload's id (sediment.stage_uploads).
create or replace function sediment.upload_key(u public.uploads)
returns text
language sql
stable
set search_path = ''
as $$
  select case when u.object_key like '.%'
    then concat('battle_data/', u.dataset_id, '/', u."table", '/', u.period_tag, '/', u.id, u.object_key)
    else u.object_key end
$$;
