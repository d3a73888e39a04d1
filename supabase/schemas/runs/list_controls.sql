-- Files of the service that a worker is to merge before it tries one that is alone in its partition and of which a worker
-- died: when one of them passes and the next worker dies of that file again, it is the file. A few of some that are
-- visible and sound as far as is known, outputs of ours first: they have been merged before. Any of them will do but those that
-- workers were given before they died (sediment.lose_worker); after nine of these there are none, since it may be the workers.
-- Returns [as the files of sediment.list_inputs].
create or replace function sediment.list_controls(p public.partitions)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  return (select coalesce(jsonb_agg(jsonb_build_object(
    'id', c.id, 'object_key', c.object_key, 'start_byte', c.start_byte, 'byte_length', c.byte_length,
    'level', c.level, 'seq_min', c.seq_min, 'seq_max', c.seq_max, 'row_count', c.row_count,
    'row_group_count', c.row_group_count, 'uncompressed_bytes', c.uncompressed_bytes, 'value_count', c.value_count,
    'merge_facts', c.merge_facts, 'schema_fingerprint', sediment.fingerprint_of(c.schema_fingerprint, c.schema_digest), 'state', c.state,
    'checksum', c.checksum, 'etag', sediment.etag_of(c.etag, c.object_key), 'uploaded_at', c.uploaded_at, 'rewrite', null,
    'lake_version', c.lake_version)), '[]')
    from (
      select x.* from (
        select f.* from public.battle_files f
        where f.removed_version is null and f.state = 'active' and f.lost_since is null
          and not coalesce(p.isolation -> 'passed_over', '[]') @> to_jsonb(f.id)
        order by f.id desc limit 50) x
      where (x.dataset_id, x."table", x.period_tag) is distinct from (p.dataset_id, p."table", p.period_tag)
        -- it is to be light for any worker
        and x.uncompressed_bytes <= 16777216
        and jsonb_array_length(coalesce(p.isolation -> 'passed_over', '[]')) < 9
      order by (x.level > 0) desc, random() limit 3) c);
end $$;
