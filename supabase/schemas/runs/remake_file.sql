-- Puts a remade output behind the row of the one that was lost: same rows, same row of the catalog, no version. It swaps
-- the object for the newly staged one, with facts and totals, and lifts the quarantine. The caller holds the partition's
-- lock and has checked the token. Returns {version: null, file_id}. Raises inputs_changed (the output is not missed any
-- more, or these are not the files that it replaced), merge_rows_differ, lease_lost.
create or replace function sediment.remake_file(
  p public.partitions, p_run uuid, p_n integer, p_token bigint, p_file bigint, p_inputs bigint[], p_output jsonb,
  p_input_keys text[]
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  f public.battle_files;
  v_out record;
begin
  select * into f from public.battle_files x
  where x.id = p_file and x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
    and x.removed_version is null and x.state = 'quarantined'
    and x.quarantine_code in ('object_missing', 'object_changed');
  if not found then
    perform sediment.fail('inputs_changed', 409, format('output %s is not missed any more', p_file));
  end if;
  if (select array_agg(i.id order by i.id) from unnest(p_inputs) as i(id)) is distinct from
    (select array_agg(i.id order by i.id) from unnest(sediment.retired_inputs(f)) as i(id))
  then
    perform sediment.fail('inputs_changed', 409, format('these are not the files that output %s replaced', p_file));
  end if;
  if p_input_keys is null or exists (
    select 1 from unnest(p_inputs, p_input_keys) as i(id, key)
    join public.battle_files x on x.id = i.id where x.object_key is distinct from i.key)
  then
    perform sediment.fail('inputs_changed', 409, 'an input is in another object than the one that was read');
  end if;

  select * into v_out from jsonb_to_record(p_output) as t(object_key text, size bigint, etag text, row_count bigint,
    row_group_count integer, uncompressed_bytes bigint, value_count bigint, merge_facts jsonb, schema_fingerprint text,
    stats jsonb, checksum text, provenance_start bigint, provenance_length integer,
    lake_version smallint);
  if (v_out.row_count, v_out.schema_fingerprint) is distinct from (f.row_count, sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest)) then
    perform sediment.fail('merge_rows_differ', 500, format('output %s held %s rows of schema %s, the remade one %s of %s',
      p_file, f.row_count, sediment.fingerprint_of(f.schema_fingerprint, f.schema_digest), v_out.row_count, v_out.schema_fingerprint));
  end if;

  perform 1 from public.datasets d where d.id = p.dataset_id for no key update;
  perform sediment.refuse_marked_inputs(p, p_run, array[p_file]);
  perform sediment.store_output(p_run, p_n, p_token, p_output);
  update public.battle_files x
  set object_key = v_out.object_key, byte_length = v_out.size, etag = v_out.etag,
    row_group_count = v_out.row_group_count, uncompressed_bytes = v_out.uncompressed_bytes,
    value_count = v_out.value_count, merge_facts = v_out.merge_facts, stats = v_out.stats, checksum = v_out.checksum,
    provenance_start = v_out.provenance_start, provenance_length = v_out.provenance_length,
    lake_version = v_out.lake_version,
    schema_digest = sediment.schema_digest(p_output -> 'schema'), lost_since = null, state = 'active',
    quarantine_code = null, quarantine_reason = null, quarantined_at = null, remake_at = null, remake_tries = 0
  where x.id = f.id;
  update public.datasets d
  set file_size_bytes = d.file_size_bytes + v_out.size - f.byte_length,
    uncompressed_bytes = d.uncompressed_bytes + v_out.uncompressed_bytes - f.uncompressed_bytes
  where d.id = p.dataset_id;
  -- whoever holds a URL of an object whose bytes changed may still read it
  perform sediment.retire_object(f.object_key, 'its output was remade', sediment.signed_url_life());
  update public.processing_metrics r set attempts = 0 where r.id = p_run;
  return jsonb_build_object('version', null, 'file_id', f.id);
end $$;
