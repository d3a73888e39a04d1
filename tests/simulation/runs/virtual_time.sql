-- Time, chance and new ids of the simulation, in place of the server's, so that a seed replays exactly. Every
-- function and default of ours and of pgmq is compiled again with these in place of clock_timestamp(), now(),
-- random() and gen_random_uuid(); nothing else of them changes.
create schema if not exists simulation;
create sequence if not exists simulation.ticks;
create sequence if not exists simulation.ids;
create sequence if not exists simulation.chances;

-- functions that run as their owner look at the time too
grant usage on schema simulation to public;
grant usage on simulation.ticks, simulation.ids, simulation.chances to public;

-- A microsecond passes at each look; seconds pass when the simulation says so.
create or replace function simulation.clock() returns timestamptz language sql volatile as $$
  select timestamptz '2026-11-22 00:00:00Z'
    + make_interval(secs => current_setting('simulation.now')::float8 + nextval('simulation.ticks') * 1e-6)
$$;

create or replace function simulation.chance() returns float8 language sql volatile as $$
  select (('x' || substr(md5(current_setting('simulation.seed') || '/' || nextval('simulation.chances')), 1, 7))
    ::bit(28)::integer)::float8 / (1 << 28)
$$;

create or replace function simulation.uuid() returns uuid language sql volatile as $$
  select overlay(overlay(md5(current_setting('simulation.seed') || '/' || nextval('simulation.ids'))
    placing '4' from 13) placing '8' from 17)::uuid
$$;

create or replace function simulation.virtual(p_text text) returns text language sql immutable as $$
  select regexp_replace(regexp_replace(regexp_replace(p_text,
    '(pg_catalog\.)?\m(clock_timestamp|now|transaction_timestamp|statement_timestamp)\(\)|\mCURRENT_TIMESTAMP\M',
    'simulation.clock()', 'g'),
    '(pg_catalog\.)?\mrandom\(\)', 'simulation.chance()', 'g'),
    '(pg_catalog\.)?\mgen_random_uuid\(\)', 'simulation.uuid()', 'g')
$$;

do $$
declare v record;
begin
  for v in
    select pg_get_functiondef(p.oid) as source
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
    where n.nspname in ('public', 'sediment', 'pgmq') and l.lanname in ('sql', 'plpgsql') and p.prokind = 'f'
  loop
    if simulation.virtual(v.source) <> v.source then
      execute simulation.virtual(v.source);
    end if;
  end loop;
  for v in
    select format('%I.%I', n.nspname, c.relname) as name, a.attname as column,
      pg_get_expr(d.adbin, d.adrelid) as source
    from pg_attrdef d join pg_class c on c.oid = d.adrelid join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
    where n.nspname in ('public', 'sediment', 'pgmq') and a.attgenerated = ''
  loop
    if simulation.virtual(v.source) <> v.source then
      execute format('alter table %s alter column %I set default %s', v.name, v.column,
        simulation.virtual(v.source));
    end if;
  end loop;
end $$;
