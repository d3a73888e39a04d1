-- Visible outputs of before, when one user's schema could stand for another's of the same fingerprint: their schema is not
-- known by its digest. And uploaded files of before whose schema is not known at all. In order of id, after p_after.
--   p_inputs: of these outputs rather the files that they replaced, as far as they are kept
-- Returns {files: [{id, output|null, object_key, start_byte, byte_length, level, seq_min}], more}; output is the one of
-- p_inputs that a file went into.
create or replace function public.list_unsettled_outputs(
  p_after bigint default 0, p_limit integer default 100, p_inputs bigint[] default null
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 100), 1), 1000);
begin
  if p_inputs is not null then
    return jsonb_build_object('more', false, 'files', coalesce((
      select jsonb_agg(jsonb_build_object('id', i.id, 'output', o.id, 'object_key', i.object_key,
        'start_byte', i.start_byte, 'byte_length', i.byte_length, 'level', i.level, 'seq_min', i.seq_min)
        order by o.id, i.seq_min)
      from public.battle_files o
      join public.battle_files i on i.dataset_id = o.dataset_id and i.removed_version = o.added_version
        and i."table" = o."table" and i.period_tag = o.period_tag
        and i.seq_min >= o.seq_min and i.seq_max <= o.seq_max
      where o.id = any (p_inputs[1:v_limit]) and o.level > 0), '[]'));
  end if;
  return (
    with page as (
      select f.* from public.battle_files f
      where f.id > p_after and f.removed_version is null and f.schema_digest is null
        and f.rewrite is null and f.state = 'active'
        and (f.level > 0
          or not exists (select 1 from public.file_schemas s where s.digest = f.schema_fingerprint))
      order by f.id limit v_limit + 1
    ), kept as (
      select * from page order by id limit v_limit
    )
    select jsonb_build_object('more', (select count(*) > v_limit from page), 'files', coalesce(jsonb_agg(
      jsonb_build_object('id', k.id, 'output', null, 'object_key', k.object_key, 'start_byte', k.start_byte,
        'byte_length', k.byte_length, 'level', k.level, 'seq_min', k.seq_min) order by k.id), '[]'))
    from kept k);
end $$;
