-- The type of a lake's column that has files of both, by the rules of merges (shared/parquet/merge/union/leaf_union.ts):
-- without loss, or null.
create or replace function sediment.lake_union(p_one text, p_other text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_types text[] := array[p_one, p_other];
  v_decimal boolean;
  v_digits integer[] := '{}'::integer[];
  v_scale integer[] := '{}'::integer[];
  v_type text;
  v_bits integer[];
  v_signed boolean[];
  v_most integer;
begin
  if p_one = p_other then
    return p_one;
  end if;
  if v_types <@ array['varchar', 'json'] then
    return 'varchar';
  end if;
  if v_types <@ array['float32', 'float64'] then
    return 'float64';
  end if;
  v_decimal := p_one like 'decimal(%' or p_other like 'decimal(%';
  if v_decimal then
    foreach v_type in array v_types loop
      v_digits := v_digits || case when v_type like 'decimal(%' then substring(v_type from '\((\d+)')::integer
        else case v_type when 'int8' then 3 when 'int16' then 5 when 'int32' then 10 when 'int64' then 19
          when 'uint8' then 3 when 'uint16' then 5 end end;
      v_scale := v_scale || case when v_type like 'decimal(%' then substring(v_type from ',(\d+)')::integer else 0 end;
    end loop;
    v_most := greatest(v_digits[1] - v_scale[1], v_digits[2] - v_scale[2]) + greatest(v_scale[1], v_scale[2]);
    return case when array_position(v_digits, null) is null and v_most <= 38
      then format('decimal(%s,%s)', v_most, greatest(v_scale[1], v_scale[2])) end;
  end if;
  v_bits := array[substring(p_one from '^u?int(\d+)$')::integer, substring(p_other from '^u?int(\d+)$')::integer];
  v_signed := array[p_one like 'i%', p_other like 'i%'];
  if v_bits[1] is not null and v_bits[2] is not null then
    if v_signed[1] = v_signed[2] then
      return case when v_signed[1] then '' else 'u' end || 'int' || greatest(v_bits[1], v_bits[2]);
    end if;
    -- an unsigned number needs the next wider signed one
    v_most := greatest(v_bits[1] * case when v_signed[1] then 1 else 2 end, v_bits[2] * case when v_signed[2] then 1 else 2 end);
    return case when v_most <= 64 then 'int' || v_most end;
  end if;
  v_most := coalesce(v_bits[1], v_bits[2]);
  v_type := case when v_bits[1] is null then p_one else p_other end;
  return case when v_type = 'float64' and v_most <= 32 or v_type = 'float32' and v_most <= 16 then v_type end;
end $$;
