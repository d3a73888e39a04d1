-- A bound of a file's column (shared/parquet/inspect/file_statistics.ts) as a text that DuckDB casts to the column's type in the
-- lake, whatever it is widened to; null where none is told. Of fractions there is no upper one: NaN is above all, and what others
-- wrote leaves it out of bounds.
--   p_leaf: of the file's schema; p_upper: whether no value may be above it, else below
create or replace function sediment.lake_bound(p_bound jsonb, p_leaf jsonb, p_upper boolean)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_day constant numeric := 86400000000000;
  v_text constant text := p_bound #>> '{}';
  v_logical constant text := p_leaf ->> 'logical';
  v_type constant text := sediment.lake_type(p_leaf ->> 'type', v_logical, p_leaf ->> 'spelling');
  v_nanos numeric;
  v_days integer;
  v_rest bigint;
begin
  if v_text is null or v_type is null then
    return null;
  end if;
  if v_type in ('float32', 'float64') then
    return case when not p_upper then v_text end;
  end if;
  if v_type ~ '^u?int\d+$' or v_type = 'varchar' then
    return v_text;
  end if;
  if v_type like 'decimal(%' then
    return (v_text || 'e-' || substring(v_type from ',(\d+)'))::numeric::text;
  end if;
  if v_type = 'date' then
    v_nanos := v_text::numeric * v_day;
  elsif v_type like 'timestamp%' then
    v_nanos := v_text::numeric * case when v_logical like '%(MILLIS,%' then 1000000 when v_logical like '%(MICROS,%' then 1000 else 1 end;
    if v_type <> 'timestamp_ns' then
      v_nanos := case when p_upper then ceil(v_nanos / 1000) else floor(v_nanos / 1000) end * 1000;
    end if;
  else
    return null;
  end if;
  -- the years that all write in the same way
  if v_nanos < -719162 * v_day or v_nanos >= 2932897 * v_day then
    return null;
  end if;
  v_days := floor(v_nanos / v_day);
  v_rest := v_nanos - v_days * v_day;
  return to_char(date '1970-01-01' + v_days, 'YYYY-MM-DD') || case when v_type = 'date' then '' else
    ' ' || concat_ws(':', lpad((v_rest / 3600000000000)::text, 2, '0'), lpad((v_rest / 60000000000 % 60)::text, 2, '0'),
      lpad((v_rest / 1000000000 % 60)::text, 2, '0')) || '.' || left(lpad((v_rest % 1000000000)::text, 9, '0'),
      case when v_type = 'timestamp_ns' then 9 else 6 end) || case when v_type = 'timestamptz' then '+00' else '' end end;
end $$;
