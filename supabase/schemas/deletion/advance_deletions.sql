-- One bounded slice of what is to be deleted: one deletion a call, since its locks are held to the end of the transaction. Users
-- take turns, whoever has much to delete, and of one the deletion that has waited longest goes on. What somebody else is at
-- is left to them. One whose slice fails stands in no other's way: its error is raised when nothing else is to be done.
--   p_deletion: only this one, with the datasets of its user
-- Returns {advanced: id|null, more}: call again while more.
create or replace function public.advance_deletions(p_limit integer default 2000, p_deletion uuid default null)
returns jsonb
language plpgsql
set search_path = ''
set statement_timeout = '60s'
as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 2000), 1), 10000);
  v_grace interval := (select make_interval(secs => s.deleted_upload_seconds) from public.service_settings s);
  v_now timestamptz := clock_timestamp();
  x public.deletions;
  v_done boolean;
  v_waiting uuid[] := '{}'::uuid[];
  v_state text;
  v_message text;
  v_detail text;
  v_hint text;
begin
  for x in
    select y.* from public.deletions y left join public.datasets d on d.id = y.dataset_id
    where y.forgotten_at is null and (p_deletion is null or p_deletion in (y.id, y.parent_id))
      and (y.state = 'marked' or y.purge and y.state in ('removed', 'purging')
        or y.kind <> 'user' and y.state <> 'pending' and y.requested_at + v_grace <= v_now and d.oldest_kept_version >= y.version)
      -- of an upload in the lake: the files that it was rewritten from are shown until the next publication, with others' rows
      and not (y.kind = 'upload' and y.purge and y.state = 'removed' and y.removed_at > v_now - interval '1 hour'
        and exists (select 1 from public.lake_pending n where n.dataset_id = y.dataset_id and n.version <= y.version))
      -- a user who only waits for what is at their datasets would stand before it, and a hundred of them before everything
      and not (y.kind = 'user'
        and exists (select 1 from public.deletions z
          where z.parent_id = y.id and (z.state = 'marked' or z.purge and z.state <> 'purged'))
        and not exists (select 1 from public.datasets t where t.user_id = y.user_id and t.deleted_at is null)
        and not exists (select 1 from public.assets a where a.user_id = y.user_id))
    -- those that wait for the store come last, so that they are in nobody's way
    order by y.state <> 'marked', y.state = 'purging',
      (select max(z.advanced_at) from public.deletions z where z.user_id = y.user_id), y.advanced_at, y.requested_at
    limit 100
    for no key update of y skip locked
  loop
    v_done := true;
    begin
      if x.kind = 'user' then
        v_done := sediment.remove_user(x, v_limit);
      elsif x.state = 'marked' then
        perform sediment.remove_marked(x, v_limit);
      elsif x.purge and x.state = 'removed' then
        perform sediment.purge_removed(x, v_limit);
      elsif x.state = 'purging' then
        v_done := sediment.split_purged(x, v_limit);
      else
        perform sediment.forget_deleted(x, v_limit);
      end if;
    exception when others then
      if not sediment.is_data_error(sqlstate) then
        raise;
      end if;
      get stacked diagnostics v_state = returned_sqlstate, v_message = message_text, v_detail = pg_exception_detail,
        v_hint = pg_exception_hint;
      v_detail := concat_ws(': ', 'deletion ' || x.id, nullif(v_detail, ''));
      update public.deletions y set advanced_at = v_now where y.id = x.id;
      v_done := false;
    end;
    if v_done then
      update public.deletions y set advanced_at = v_now where y.id = x.id;
      return jsonb_build_object('advanced', x.id, 'more', true);
    end if;
    v_waiting := v_waiting || x.id;
  end loop;
  -- a hundred that wait for the store or for their datasets must not stand before the next hundred for ever
  if cardinality(v_waiting) = 100 then
    update public.deletions y set advanced_at = v_now where y.id = any (v_waiting);
  elsif v_state is not null then
    raise exception using errcode = v_state, message = v_message, detail = v_detail, hint = v_hint;
  end if;
  -- the store's part is a worker's: the hourly vacuum would come late
  if p_deletion is null and (
    exists (select 1 from public.objects o where o.split_at <= v_now and o.state = 'stored')
    or exists (
      select 1 from (
        select o.delete_reason from public.objects o
        where o.delete_after <= v_now and o.state = 'deleting' order by o.delete_after desc limit 100) y
      where y.delete_reason like 'deletion %'))
  then
    perform public.wake_vacuum();
  end if;
  return jsonb_build_object('advanced', null, 'more', false);
end $$;
