-- The current object of each asset key of a user. Replacing is one update of this row: readers see the old
-- object or the new one, and the old one is deleted only when no URL signed for it is alive.
create table if not exists public.assets (
  user_id uuid not null,
  key text not null check (length(key) between 1 and 1024),
  relative_path text not null,
  file_name text not null,
  object_key text not null references public.objects (object_key),
  size bigint not null check (size >= 0),
  content_hash text not null,
  etag text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (user_id, key)
);

create index if not exists assets_object on public.assets (object_key);
