-- Refuses to commit what was staged before its dataset, table or period was deleted. Called with the datasets' rows
-- locked: a deletion that had been first is seen here, and one that comes later finds a lower version in what this
-- transaction writes. Raises dataset_deleted, user_deleted; of a group that is nobody's own error, and each of its calls
-- goes alone.
create or replace function sediment.refuse_deleted_stages(p_calls sediment.commit_call[])
returns void
language plpgsql
set search_path = ''
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_call record;
begin
  for v_call in
    select c.n, c.stage, c.user_id, c.dataset_id, c."table", c.period_tag, c.files,
      coalesce(o.staged_version, 0) as staged_version, d.deletion_version, z.id is not null as by_user
    from unnest(p_calls) as c
    join public.datasets d on d.id = any (array[c.dataset_id])
    join public.objects o on o.object_key = any (array[c.object_key])
    left join public.deletions z on z.user_id = any (array[c.user_id]) and z.kind = 'user'
    where d.deletion_version > coalesce(o.staged_version, 0) or z.id is not null
  loop
    if v_call.by_user then
      perform sediment.refuse_deleted_user(v_call.user_id);
    end if;
    if exists (
      select 1 from public.deletions x
      where x.dataset_id = v_call.dataset_id and x.version > v_call.staged_version and x.upload_id is null
        and ((x."table" is null or x."table" = v_call."table")
            and (x.period_tag is null or x.period_tag = v_call.period_tag)
          or jsonb_typeof(v_call.files) = 'array' and exists (
            select 1 from jsonb_array_elements(v_call.files) f
            where (x."table" is null or x."table" = f ->> 'table')
              and (x.period_tag is null or x.period_tag = f ->> 'period_tag'))))
    then
      perform sediment.fail('dataset_deleted', 410,
        format('stage %s was opened before what it was for was deleted', v_call.stage), 'a new upload');
    end if;
  end loop;
end $$;
