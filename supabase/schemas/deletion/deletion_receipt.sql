-- A deletion as whoever asked for it is told: {deletion_id, kind, user_id, dataset_id|null, table|null, period_tag|null, upload_id|null,
-- version|null, purge, state: 'pending'|'marked'|'removed'|'purging'|'purged', done, files, rows, bytes, assets, objects_left, requested_at,
-- removed_at|null, purged_at|null}. The version is the first without it, null while that is pending. objects_left: of a purge, those that the store
-- has not been told to delete yet, or has not answered for. A user's receipt counts all of their datasets.
create or replace function sediment.deletion_receipt(x public.deletions)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_sum record;
  v_left bigint := 0;
begin
  select coalesce(sum(y.files), 0) as files, coalesce(sum(y.rows), 0) as rows, coalesce(sum(y.bytes), 0) as bytes,
    coalesce(sum(y.assets), 0) as assets, array_agg('deletion ' || y.id) as reasons
  into strict v_sum
  from public.deletions y where y.id = x.id or y.parent_id = x.id;
  if x.purge then
    select count(*) into strict v_left from public.objects o
    where (o.delete_after is not null and o.state = 'deleting' or o.split_at is not null)
      and o.delete_reason = any (v_sum.reasons);
  end if;
  return jsonb_build_object('deletion_id', x.id, 'kind', x.kind, 'user_id', x.user_id, 'dataset_id', x.dataset_id,
    'table', sediment.name_of(x.dataset_id, x."table"), 'period_tag', x.period_tag, 'upload_id', x.upload_id,
    'version', case when x.state <> 'pending' then x.version end, 'purge', x.purge, 'state', x.state,
    'done', case when x.purge then x.state = 'purged' and v_left = 0 else x.state not in ('pending', 'marked') end,
    'files', v_sum.files, 'rows', v_sum.rows, 'bytes', v_sum.bytes, 'assets', v_sum.assets, 'objects_left', v_left,
    'requested_at', x.requested_at, 'removed_at', x.removed_at, 'purged_at', x.purged_at);
end $$;
