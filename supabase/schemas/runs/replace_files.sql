-- The heart of a compaction's commit: the inputs leave, the output comes, at one new version. The caller holds
-- the partition's lock and has checked the token. Returns {version, file_id} and what was replaced.
create or replace function sediment.replace_files(
  p public.partitions, p_run uuid, p_n integer, p_token bigint, p_inputs bigint[], p_output jsonb,
  p_input_keys text[], p_dropped jsonb default null
)
returns jsonb
language plpgsql
set search_path = ''
-- inputs are found by their ids, whatever the statistics say: a partition may hold many times as many files
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_in record;
  v_out record;
  v_dedupe boolean;
  v_pending int8multirange;
  v_dropped bigint := 0;
  v_marks constant boolean := sediment.has_marks(p.dataset_id);
  v_version public.dataset_versions;
  v_removed bigint;
  v_now timestamptz := clock_timestamp();
  v_file bigint;
begin
  select count(distinct f.id) as files, coalesce(sum(f.byte_length), 0)::bigint as bytes,
    coalesce(sum(f.row_count), 0)::bigint as rows, coalesce(sum(f.row_group_count), 0)::bigint as row_groups,
    coalesce(sum(f.uncompressed_bytes), 0)::bigint as uncompressed, max(f.level) as level,
    min(f.seq_min) as seq_min, max(f.seq_max) as seq_max,
    max(coalesce(f.youngest_at, f.uploaded_at)) as youngest_at,
    -- where a value of each does not fit a wider type, one of the output does not either
    case when bool_and(f.apart ->> 'kind' = 'values') then (array_agg(f.apart order by f.id))[1] end as apart,
    range_agg(sediment.seqs_of(f)) as seqs
  into strict v_in
  from unnest(p_inputs) as i(id)
  cross join lateral (select * from public.battle_files x where x.id = i.id offset 0) f
  where f.removed_version is null and f.state = 'active'
    and f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag;
  if v_in.files <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs are visible and sound', v_in.files, cardinality(p_inputs)));
  end if;

  -- What was read is what is there: an input that was healed since holds other bytes.
  if p_input_keys is not null and exists (
    select 1 from unnest(p_inputs, p_input_keys) as i(id, key)
    cross join lateral (select x.object_key from public.battle_files x where x.id = i.id offset 0) f
    where f.object_key is distinct from i.key)
  then
    perform sediment.fail('inputs_changed', 409, 'an input is in another object than the one that was read');
  end if;

  select * into v_out from jsonb_to_record(p_output) as t(object_key text, size bigint, etag text,
    row_count bigint, row_group_count integer, uncompressed_bytes bigint, value_count bigint,
    merge_facts jsonb, schema_fingerprint text, stats jsonb, checksum text, provenance_start bigint,
    provenance_length integer, lake_version smallint);
  v_pending := sediment.pending_seqs(p.dataset_id, p."table", p.period_tag);
  if v_pending is not null or p_dropped is not null then
    v_dropped := sediment.check_dropped(p, v_in.seqs, p_dropped);
  end if;
  -- of sediment.settings_of this one
  v_dedupe := coalesce(cardinality(coalesce(
    (select t.dedupe_keys from public.table_settings t where t.dataset_id = p.dataset_id and t."table" = p."table"),
    (select t.dedupe_keys from public.table_settings t where t.dataset_id = p.dataset_id and t."table" = '*'))), 0) > 0;
  if (case when v_dedupe then coalesce(v_out.row_count, 0) <= v_in.rows - v_dropped
        and (v_out.row_count > 0 or v_in.rows = v_dropped)
      else coalesce(v_out.row_count, 0) = v_in.rows - v_dropped end) is not true
  then
    perform sediment.fail('merge_rows_differ', 500,
      format('the inputs hold %s rows, the output %s, and %s were left out', v_in.rows, coalesce(v_out.row_count, 0),
        v_dropped));
  end if;
  -- Last writer wins only holds when nothing that was written in between stays outside: all inputs are in between, so
  -- what is there is counted. One that is written anew by itself is where it was.
  if v_dedupe and v_in.files > 1 and v_in.files < (
    select count(*) from public.battle_files f
    where f.dataset_id = p.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
      and f.removed_version is null and f.seq_min <= v_in.seq_max and f.seq_max >= v_in.seq_min
      -- what is about to be deleted is in nobody's way, as it is in no list of inputs
      and not (v_marks and sediment.is_marked(f, 9223372036854775807)))
  then
    perform sediment.fail('inputs_not_adjacent', 409,
      format('a file between upload %s and %s is not among the inputs', v_in.seq_min, v_in.seq_max));
  end if;

  v_version := (sediment.next_versions(array[row(p.dataset_id,
    case when p_output is null then 0 else 1 end - v_in.files, coalesce(v_out.size, 0) - v_in.bytes,
    coalesce(v_out.row_count, 0) - v_in.rows, coalesce(v_out.uncompressed_bytes, 0) - v_in.uncompressed,
    coalesce(v_out.etag, ''))::sediment.dataset_change]))[1];
  perform sediment.refuse_marked_inputs(p, p_run, p_inputs);

  update public.datasets d set retired_bytes = d.retired_bytes + v_in.bytes where d.id = p.dataset_id;
  update public.battle_files f set removed_version = v_version.version
  from unnest(p_inputs) as i(id)
  where f.id = any (array[i.id]) and f.removed_version is null;
  get diagnostics v_removed = row_count;
  if v_removed <> cardinality(p_inputs) then
    perform sediment.fail('inputs_changed', 409,
      format('%s of %s inputs were still visible', v_removed, cardinality(p_inputs)));
  end if;

  if p_output is not null then
    perform sediment.store_output(p_run, p_n, p_token, p_output);
    insert into public.battle_files (dataset_id, "table", period_tag, run_id, ordinal, object_key, start_byte,
      byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes,
      value_count, merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at,
      checksum, schema_digest, youngest_at, apart, input_count, provenance_start, provenance_length, seqs, lake_version)
    select p.dataset_id, p."table", p.period_tag, p_run, p_n, v_out.object_key, 0, v_out.size, v_out.etag,
      v_in.level + 1, v_in.seq_min, v_in.seq_max, v_out.row_count, v_out.row_group_count,
      v_out.uncompressed_bytes, v_out.value_count, v_out.merge_facts, v_out.schema_fingerprint, v_out.stats,
      v_version.version, r.user_id, v_now, v_out.checksum, sediment.schema_digest(p_output -> 'schema'),
      v_in.youngest_at, v_in.apart, v_in.files, v_out.provenance_start, v_out.provenance_length,
      -- each of them apart costs 17 bytes; of very many it is said roughly, and more files are looked into
      case when (select count(*) from unnest(v_in.seqs)) > 1000 then int8multirange(range_merge(v_in.seqs))
        else v_in.seqs end - coalesce(v_pending, '{}'), v_out.lake_version
    from public.processing_metrics r where r.id = p_run
    returning id into strict v_file;
  end if;

  if v_pending is not null then
    update public.deletions x
    set rows = x.rows + s.rows, files = x.files + 1
    from (
      select y.deletion_id, sum(t.value::bigint) as rows from jsonb_each_text(coalesce(nullif(p_dropped, 'null'), '{}')) t
      join public.deleted_slices y on y.dataset_id = p.dataset_id and y."table" = p."table"
        and y.period_tag = p.period_tag and y.seq = t.key::bigint
      group by y.deletion_id
    ) s
    where x.id = s.deletion_id;
    perform sediment.settle_slices(p.dataset_id, p."table", p.period_tag, v_version.version);
  end if;

  update public.processing_metrics r
  set attempts = 0, -- a committed output is progress: the next failure is a first one again
    files_before = r.files_before + v_in.files, files_after = r.files_after + (v_file is not null)::integer,
    row_groups_before = r.row_groups_before + v_in.row_groups,
    row_groups_after = r.row_groups_after + coalesce(v_out.row_group_count, 0),
    rows_before = r.rows_before + v_in.rows, rows_after = r.rows_after + coalesce(v_out.row_count, 0),
    bytes_before = r.bytes_before + v_in.bytes, bytes_after = r.bytes_after + coalesce(v_out.size, 0)
  where r.id = p_run;
  return jsonb_build_object('version', v_version.version, 'file_id', v_file);
end $$;
