-- Stand-in of the schema that Supabase Storage keeps: buckets and objects with their policies, as users' SQL knows
-- them, with the names and guards of a hosted project. The bytes and the API are supabase/local/storage.
create schema storage authorization supabase_storage_admin;
grant usage on schema storage to postgres with grant option;
grant usage on schema storage to anon, authenticated, service_role;

create table storage.buckets (
  id text primary key,
  name text not null unique,
  owner uuid,
  owner_id text,
  public boolean default false,
  avif_autodetection boolean default false,
  file_size_limit bigint,
  allowed_mime_types text[],
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);

create table storage.objects (
  id uuid primary key default gen_random_uuid(),
  bucket_id text references storage.buckets (id),
  name text,
  owner uuid,
  owner_id text,
  version text,
  metadata jsonb,
  user_metadata jsonb,
  path_tokens text[] generated always as (string_to_array(name, '/')) stored,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  last_accessed_at timestamptz default now()
);
create index idx_objects_bucket_id_name on storage.objects (bucket_id, name collate "C");
create index idx_objects_bucket_id_name_lower on storage.objects (bucket_id, lower(name) collate "C");
-- The last one: of indexes that cost the same, as all do on an empty table, the planner takes the newest, and plans
-- made then are kept until the first ANALYZE. By the others it would read the whole bucket for each key.
create unique index bucketid_objname on storage.objects (bucket_id, name);

alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;
alter table storage.buckets owner to supabase_storage_admin;
alter table storage.objects owner to supabase_storage_admin;
grant all on storage.buckets, storage.objects to postgres with grant option;
grant all on storage.buckets, storage.objects to anon, authenticated, service_role;

create function storage.update_updated_at_column() returns trigger language plpgsql as $$
begin
  new.updated_at := now();
  return new;
end $$;
create trigger update_objects_updated_at before update on storage.objects
  for each row execute function storage.update_updated_at_column();

-- A row that SQL deletes leaves its bytes without a name, so only the API may, as hosted.
create function storage.protect_delete() returns trigger language plpgsql as $$
begin
  if current_setting('storage.allow_delete_query', true) is distinct from 'true' then
    raise exception 'Direct deletion from storage tables is not allowed. Use the Storage API instead.'
      using errcode = '42501', hint = 'set storage.allow_delete_query = ''true'' if you mean it.';
  end if;
  return null;
end $$;
create trigger protect_buckets_delete before delete on storage.buckets
  for each statement execute function storage.protect_delete();
create trigger protect_objects_delete before delete on storage.objects
  for each statement execute function storage.protect_delete();

create function storage.foldername(name text) returns text[] language sql immutable as $$
  select (string_to_array(name, '/'))[:cardinality(string_to_array(name, '/')) - 1]
$$;
create function storage.filename(name text) returns text language sql immutable as $$
  select (string_to_array(name, '/'))[cardinality(string_to_array(name, '/'))]
$$;
create function storage.extension(name text) returns text language sql immutable as $$
  select reverse(split_part(reverse(storage.filename(name)), '.', 1))
$$;
create function storage.operation() returns text language sql stable as $$
  select current_setting('storage.operation', true)
$$;
create function storage.get_size_by_bucket() returns table (size bigint, bucket_id text) language sql stable as $$
  select sum((o.metadata ->> 'size')::bigint)::bigint, o.bucket_id from storage.objects o group by o.bucket_id
$$;

-- One level of a bucket, whatever the case of its letters: by name folders and files are mixed, by a time the
-- folders come first. Every key below the prefix is read: enough for a laptop.
create function storage.search(
  prefix text, bucketname text, limits int default 100, levels int default 1, offsets int default 0,
  search text default '', sortcolumn text default 'name', sortorder text default 'asc'
) returns table (
  name text, id uuid, updated_at timestamptz, created_at timestamptz, last_accessed_at timestamptz, metadata jsonb
) language sql stable as $$
  with below as (
    select o.*, o.path_tokens[levels] as entry, cardinality(o.path_tokens) > levels as deeper
    from storage.objects o, lower(coalesce(prefix, '') || coalesce(search, '')) as start
    where o.bucket_id = bucketname
      and lower(o.name) collate "C" >= start and lower(o.name) collate "C" < start || chr(1114111)
  ), entries as (
    select entry, id, updated_at, created_at, last_accessed_at, metadata from below where not deeper
    union all
    select distinct entry, null::uuid, null::timestamptz, null::timestamptz, null::timestamptz, null::jsonb
    from below where deeper
  ), placed as (
    select *, (case when id is null or sortcolumn not in ('updated_at', 'created_at', 'last_accessed_at')
      then lower(entry)
      else to_char(case sortcolumn when 'updated_at' then updated_at when 'created_at' then created_at
        else last_accessed_at end at time zone 'UTC', 'YYYYMMDDHH24MISSUS') end) collate "C" as place
    from entries
  )
  select entry, id, updated_at, created_at, last_accessed_at, metadata from placed
  order by sortcolumn in ('updated_at', 'created_at', 'last_accessed_at') and id is not null,
    case when sortorder = 'desc' then null else place end,
    case when sortorder = 'desc' then place end desc,
    entry collate "C"
  limit least(limits, 1500) offset offsets
$$;
