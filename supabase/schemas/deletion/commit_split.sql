-- Puts the copies of an object's slices behind their rows: same bytes, same rows, at every version that shows them, and
-- no version comes of it, as of a healing. A worker that has read the old object can't commit any more: it names the
-- object of each input. When no row names it the object is deleted at once; nobody has a URL of it, since slices have none
-- of the store's. A row that has left meanwhile, or was healed, needs no copy: that one is given up.
--   p_copies: [{file, object_key (as stage_splits has planned it), etag|null}], those that were written
--   p_missing: the object itself is gone from the store, and all bytes with it: nothing is left to be split
-- Returns {copied, left: slices that are in it still}.
create or replace function public.commit_split(p_object_key text, p_copies jsonb, p_missing boolean default false)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_copied bigint := 0;
  v_left bigint;
  o public.objects;
begin
  if jsonb_typeof(p_copies) is distinct from 'array' then
    perform sediment.fail('invalid_request', 400, 'p_copies is not an array');
  end if;
  -- partitions by key, the dataset, then objects
  perform 1 from public.partitions p
  where (p.dataset_id, p."table", p.period_tag) in (
    select f.dataset_id, f."table", f.period_tag from public.battle_files f where f.object_key = p_object_key)
  order by p.dataset_id, p."table", p.period_tag
  for no key update;
  perform 1 from public.datasets d
  where d.id = (select x.dataset_id from public.objects x where x.object_key = p_object_key)
  for no key update;
  select * into o from public.objects x where x.object_key = p_object_key for no key update;
  if not found then
    perform sediment.fail('invalid_request', 400, format('nobody planned %s', p_object_key));
  end if;
  if p_missing then
    update public.objects x set split_at = null where x.object_key = p_object_key and x.state = 'stored';
  end if;

  with copies as (
    select c.file, c.object_key, c.etag from jsonb_to_recordset(p_copies) as c(file bigint, object_key text, etag text)
  ), stored as (
    update public.objects x
    set state = 'stored', etag = nullif(c.etag, ''), expires_at = null, updated_at = clock_timestamp()
    from copies c
    join public.battle_files f on f.id = c.file and f.object_key = p_object_key
    where x.object_key = c.object_key and x.state = 'staged' and x.kind = 'fragment' and x.size = f.byte_length
    returning c.file, x.object_key, x.etag
  ), moved as (
    update public.battle_files f set object_key = s.object_key, start_byte = 0, etag = s.etag
    from stored s where f.id = s.file
    returning f.id
  )
  select count(*) into strict v_copied from moved m;
  perform sediment.discard_object(x.object_key, 'a copy that nobody needs any more')
  from public.objects x
  where x.object_key in (select c.object_key from jsonb_to_recordset(p_copies) as c(object_key text))
    and x.state = 'staged';

  select count(*) into strict v_left from public.battle_files f where f.object_key = p_object_key;
  if v_left > 0 then
    -- the bytes of these are not what they were: they come again by a healing, or the rows go
    update public.objects x set split_at = clock_timestamp() + interval '1 hour'
    where x.object_key = p_object_key and x.split_at is not null;
  else
    perform sediment.retire_object(p_object_key, coalesce(o.delete_reason, 'its slices are in objects of their own'), '0');
  end if;
  return jsonb_build_object('copied', v_copied, 'left', v_left);
end $$;
