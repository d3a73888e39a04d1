-- The lost output of a claimed partition that is to be remade next, if any: {file, row_count, schema_fingerprint,
-- schema|null, inputs: [as sediment.list_inputs has them]}. One that can't be any more, since vacuum has come to its
-- inputs, is planned no further. The caller holds the partition's lock.
create or replace function sediment.list_remake(p public.partitions)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  f public.battle_files;
  v_ids bigint[];
begin
  for f in
    select * from public.battle_files x
    where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
      and x.removed_version is null and x.remake_at <= clock_timestamp()
      -- what is deleted is remade for nobody
      and not sediment.is_marked(x, 9223372036854775807)
    order by x.remake_at limit 10
  loop
    v_ids := sediment.retired_inputs(f);
    if v_ids is null then
      update public.battle_files x set remake_at = null where x.id = f.id;
      continue;
    end if;
    return jsonb_build_object('file', f.id, 'row_count', f.row_count, 'schema_fingerprint',
        sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest),
      'schema', (select s.schema from public.file_schemas s
        where s.digest = coalesce(f.schema_digest, f.schema_fingerprint)),
      'inputs', (select jsonb_agg(jsonb_build_object(
        'id', i.id, 'object_key', i.object_key, 'start_byte', i.start_byte, 'byte_length', i.byte_length,
        'level', i.level, 'seq_min', i.seq_min, 'seq_max', i.seq_max, 'row_count', i.row_count,
        'row_group_count', i.row_group_count, 'uncompressed_bytes', i.uncompressed_bytes,
        'value_count', i.value_count, 'merge_facts', i.merge_facts, 'schema_fingerprint',
        sediment.fingerprint_of(i.schema_fingerprint, i.schema_digest),
        'state', i.state, 'checksum', i.checksum, 'etag', sediment.etag_of(i.etag, i.object_key), 'uploaded_at', i.uploaded_at, 'rewrite', null,
        'lake_version', i.lake_version,
        'provenance', case when i.provenance_length is not null then jsonb_build_object('start', i.provenance_start,
          'length', i.provenance_length) end,
        -- uploads whose rows the output was written without, since they were deleted
        'drop', (select jsonb_agg(s.seq order by s.seq) from public.deleted_slices s
          where s.dataset_id = p.dataset_id and s."table" = p."table" and s.period_tag = p.period_tag
            and sediment.seqs_of(i) @> s.seq and not sediment.seqs_of(f) @> s.seq))
        order by i.seq_min) from public.battle_files i where i.id = any (v_ids)));
  end loop;
  return null;
end $$;
