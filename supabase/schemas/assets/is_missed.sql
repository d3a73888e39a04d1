-- Whether the check of the store has found twice that an object is gone or has changed.
create or replace function sediment.is_missed(p_object_key text)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (select 1 from public.store_findings f
    where f.object_key = p_object_key and f.kind in ('lost', 'changed') and f.confirmed_at is not null)
$$;
