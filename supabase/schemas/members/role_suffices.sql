-- Whether a role may do what needs another: an owner all, a writer what a reader may. A stranger's is null.
create or replace function sediment.role_suffices(p_role text, p_needed text)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select coalesce(array_position(array['reader', 'writer', 'owner'], p_role)
    >= array_position(array['reader', 'writer', 'owner'], p_needed), false)
$$;
