-- Deletes the rows of one upload. Slices that lie in files of their own are gone with the next version. Rows that merges have
-- taken into outputs go with the rewrite of these: the receipt is pending until the last of them. Where the catalog doesn't
-- know the upload's place in its partition, or an output doesn't say which rows came from which upload, it is
-- provenance_unknown, and nothing is deleted; a period, table or dataset still can be. Asked again it gives the first receipt;
-- p_purge can be added later.
--   p_user: null for the service itself, else the owner
--   p_purge: as of delete_data; of what is merged when the rewrite is done
--   p_merged: also what was merged; callers of before know no pending receipts
-- Returns the receipt (sediment.deletion_receipt). Raises not_found, upload_deleted, provenance_unknown, rate_limited.
create or replace function public.delete_upload(
  p_user uuid, p_upload uuid, p_purge boolean default false, p_merged boolean default false
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  x public.deletions;
  u public.uploads;
  d public.datasets;
  v_slices record;
  v_version bigint;
  v_key record;
begin
  select * into x from public.deletions y where y.upload_id = p_upload;
  if found and (p_user is null or sediment.dataset_role(p_user, x.dataset_id) = 'owner') then
    if coalesce(p_purge, false) and not x.purge then
      x := sediment.purge_later(x.id);
      perform sediment.spend_request(p_user);
    end if;
    return sediment.deletion_receipt(x);
  end if;
  select * into u from public.uploads y where y.id = p_upload;
  if not found or p_user is not null and sediment.dataset_role(p_user, u.dataset_id) is distinct from 'owner' then
    perform sediment.fail('not_found', 404, format('there is no upload %s', p_upload));
  end if;

  -- partitions by key, then the dataset: from here on no merge takes the files, and no other deletion marks them
  perform 1 from public.partitions p
  where p.dataset_id = u.dataset_id and (p."table", p.period_tag) in (
    select s."table", s.period_tag from sediment.upload_slices(u) as s)
  order by p."table", p.period_tag
  for no key update;
  select * into strict d from public.datasets y where y.id = u.dataset_id for no key update;
  if d.deletion_version > sediment.upload_version(u) and sediment.upload_deleted_at(u) is not null then
    perform sediment.fail('upload_deleted', 410,
      format('upload %s was deleted on %s', u.id, sediment.upload_deleted_at(u)));
  end if;

  with slices as materialized (
    select a."table", a.period_tag, a.row_count as rows,
      own.id, own.row_count, own.byte_length, own.uncompressed_bytes, coalesce(a.seq, was.seq_min) as seq
    from sediment.upload_slices(u) as a
    left join public.battle_files was on coalesce(was.upload_id, was.run_id) = u.id and was.ordinal = a.ordinal
    left join public.battle_files own on own.id = was.id and own.removed_version is null
    where not exists (
      select 1 from public.deletions y where y.dataset_id = u.dataset_id
        and y.version > sediment.upload_version(u) and y.upload_id is null
        and (y."table" is null or y."table" = a."table")
        and (y.period_tag is null or y.period_tag = a.period_tag))
  ), outputs as (
    select s."table", s.period_tag, s.seq, f.id, f.provenance_length is not null as known
    from slices s
    join public.battle_files f on f.dataset_id = u.dataset_id and f."table" = s."table" and f.period_tag = s.period_tag
      and f.removed_version is null and f.level > 0 and sediment.seqs_of(f) @> s.seq
    where s.id is null
  )
  select count(s.id) as files, coalesce(sum(s.row_count), 0)::bigint as rows,
    coalesce(sum(s.byte_length), 0)::bigint as bytes, coalesce(sum(s.uncompressed_bytes), 0)::bigint as uncompressed,
    array_agg(s.id) filter (where s.id is not null) as ids,
    coalesce(bool_or(s.id is null), false) as merged,
    coalesce(bool_or(s.id is null and s.seq is null), false)
      or exists (select 1 from outputs o where not o.known) as unknown,
    jsonb_agg(jsonb_build_object('table', s."table", 'period_tag', s.period_tag, 'seq', s.seq, 'rows', s.rows,
      'pending', exists (select 1 from outputs o
        where (o."table", o.period_tag, o.seq) = (s."table", s.period_tag, s.seq))))
      -- what ended by its age is gone already
      filter (where s.id is not null or exists (select 1 from outputs o
        where (o."table", o.period_tag, o.seq) = (s."table", s.period_tag, s.seq))) as slices,
    exists (select 1 from outputs) as pending
  into strict v_slices from slices s;
  if v_slices.merged and (v_slices.unknown or not coalesce(p_merged, false)) then
    perform sediment.fail('provenance_unknown', 422,
      format('rows of upload %s were merged with those of others, and can''t be told from them', u.id),
      'its period, its table or its dataset');
  end if;

  v_version := ((sediment.next_versions(array[row(u.dataset_id, -v_slices.files, -v_slices.bytes, -v_slices.rows,
    -v_slices.uncompressed, null)::sediment.dataset_change]))[1]).version;
  update public.battle_files f set removed_version = v_version where f.id = any (v_slices.ids);
  insert into public.deletions (kind, user_id, requested_by, dataset_id, upload_id, version, purge, state, files, rows,
    bytes, removed_at)
  values ('upload', d.user_id, p_user, d.id, u.id, v_version, coalesce(p_purge, false),
    case when v_slices.pending then 'pending' else 'removed' end, v_slices.files, v_slices.rows, v_slices.bytes,
    case when not v_slices.pending then clock_timestamp() end)
  returning * into strict x;
  update public.datasets y
  set deletion_version = v_version, retired_bytes = y.retired_bytes + v_slices.bytes
  where y.id = d.id;
  if x.purge and not v_slices.pending then
    perform sediment.end_versions(d.id, v_version);
  end if;
  insert into public.deleted_slices (dataset_id, "table", period_tag, seq, deletion_id, rows, version)
  select d.id, s."table", s.period_tag, s.seq, x.id, s.rows, case when not s.pending then v_version end
  from jsonb_to_recordset(v_slices.slices)
    as s("table" text, period_tag text, seq bigint, rows bigint, pending boolean);
  perform sediment.look_again(d.id, k."table", k.period_tag) from (
    select distinct s."table", s.period_tag
    from jsonb_to_recordset(v_slices.slices) as s("table" text, period_tag text, pending boolean)
    where not s.pending) k;
  for v_key in
    select distinct s."table", s.period_tag
    from jsonb_to_recordset(v_slices.slices) as s("table" text, period_tag text, pending boolean)
    where s.pending order by 1, 2
  loop
    update public.partitions p set demand_seq = p.demand_seq + 1
    where p.dataset_id = d.id and p."table" = v_key."table" and p.period_tag = v_key.period_tag;
    perform sediment.wake_partition(d.id, v_key."table", v_key.period_tag, 'realtime', 'request', 0);
  end loop;
  perform sediment.spend_request(p_user);
  return sediment.deletion_receipt(x);
end $$;
