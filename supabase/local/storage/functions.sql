-- What the Storage stand-in asks of the database for each object: one call and one round trip each, where the real
-- API has a transaction of several. Made anew at every start, so that they are always those of this code.
--
-- A function acts as the caller: its role, under row-level security, and the claims of its token, until the end of
-- the statement. What the API itself does once the caller may (the row of an upload) is done as service_role.
drop schema if exists storage_stand_in cascade;
create schema storage_stand_in;

create function storage_stand_in.act_as(p_role text, p_claims text, p_operation text)
returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', p_claims, true),
    set_config('request.jwt.claim.role', p_role, true),
    set_config('request.jwt.claim.sub', coalesce(p_claims::jsonb ->> 'sub', ''), true),
    set_config('storage.operation', p_operation, true),
    set_config('storage.allow_delete_query', 'true', true),
    set_config('role', p_role, true);
end $$;

-- owner is a uuid column and owner_id is what a token's sub says, which need not be one.
create function storage_stand_in.uuid_or_null(p_text text) returns uuid language sql immutable as $$
  select case when pg_input_is_valid(p_text, 'uuid') then p_text::uuid end
$$;

-- Whether the caller may write this row: written and rolled back. Raises 42501 (policy), 23505 (taken), 23503.
create function storage_stand_in.may_upload(
  p_role text, p_claims text, p_operation text, p_bucket text, p_key text, p_owner text, p_upsert boolean
) returns void language plpgsql as $$
declare
  v_owner uuid := storage_stand_in.uuid_or_null(p_owner);
begin
  perform storage_stand_in.act_as(p_role, p_claims, p_operation);
  begin
    if p_upsert then
      insert into storage.objects as o (bucket_id, name, owner, owner_id, version)
      values (p_bucket, p_key, v_owner, p_owner, '1')
      on conflict (bucket_id, name) do update
      set version = excluded.version, owner = coalesce(excluded.owner, o.owner),
        owner_id = coalesce(excluded.owner_id, o.owner_id);
    else
      insert into storage.objects (bucket_id, name, owner, owner_id, version)
      values (p_bucket, p_key, v_owner, p_owner, '1');
    end if;
    raise sqlstate 'SD200';
  exception when sqlstate 'SD200' then null;
  end;
end $$;

-- Points a key at bytes that are there, and tells which it pointed at before.
create function storage_stand_in.put(
  p_operation text, p_bucket text, p_key text, p_owner text, p_version text, p_metadata jsonb, p_user_metadata jsonb,
  out id uuid, out previous text
) language plpgsql as $$
declare
  v_owner uuid := storage_stand_in.uuid_or_null(p_owner);
begin
  perform storage_stand_in.act_as('service_role', '{"role":"service_role"}', p_operation);
  -- Two first uploads of one key: the second must see the first's version, or its bytes are never removed.
  perform pg_advisory_xact_lock(hashtextextended(p_bucket || '/' || p_key, 0));
  select o.version into previous from storage.objects o where o.bucket_id = p_bucket and o.name = p_key for update;
  insert into storage.objects as o (bucket_id, name, owner, owner_id, version, metadata, user_metadata)
  values (p_bucket, p_key, v_owner, p_owner, p_version, p_metadata, p_user_metadata)
  on conflict (bucket_id, name) do update
  set version = excluded.version, metadata = excluded.metadata, user_metadata = excluded.user_metadata,
    owner = coalesce(excluded.owner, o.owner), owner_id = coalesce(excluded.owner_id, o.owner_id)
  returning o.id into put.id;
end $$;

create function storage_stand_in.find(p_role text, p_claims text, p_operation text, p_bucket text, p_key text)
returns setof storage.objects language plpgsql as $$
begin
  perform storage_stand_in.act_as(p_role, p_claims, p_operation);
  return query select * from storage.objects o where o.bucket_id = p_bucket and o.name = p_key;
end $$;

create function storage_stand_in.remove(p_role text, p_claims text, p_operation text, p_bucket text, p_keys text[])
returns setof storage.objects language plpgsql as $$
begin
  perform storage_stand_in.act_as(p_role, p_claims, p_operation);
  return query delete from storage.objects o where o.bucket_id = p_bucket and o.name = any (p_keys) returning o.*;
end $$;

-- Whether the caller sees the object and may write its row under the other name: written and rolled back.
create function storage_stand_in.may_move(
  p_role text, p_claims text, p_operation text, p_bucket text, p_key text, p_to_bucket text, p_to_key text, p_owner text
) returns boolean language plpgsql as $$
declare
  v_owner uuid := storage_stand_in.uuid_or_null(p_owner);
  v_moved boolean := false;
begin
  perform storage_stand_in.act_as(p_role, p_claims, p_operation);
  begin
    update storage.objects o
    set bucket_id = p_to_bucket, name = p_to_key, version = '1', owner = coalesce(v_owner, o.owner),
      owner_id = coalesce(p_owner, o.owner_id)
    where o.bucket_id = p_bucket and o.name = p_key;
    v_moved := found;
    raise sqlstate 'SD200';
  exception when sqlstate 'SD200' then null;
  end;
  return v_moved;
end $$;

-- Gives the row that points at a version another name and other bytes; null when it is gone or was replaced.
create function storage_stand_in.move(
  p_operation text, p_bucket text, p_key text, p_from_version text, p_to_bucket text, p_to_key text, p_owner text,
  p_version text, p_metadata jsonb
) returns uuid language plpgsql as $$
declare
  v_owner uuid := storage_stand_in.uuid_or_null(p_owner);
  v_id uuid;
begin
  perform storage_stand_in.act_as('service_role', '{"role":"service_role"}', p_operation);
  update storage.objects o
  set bucket_id = p_to_bucket, name = p_to_key, version = p_version, metadata = p_metadata,
    owner = coalesce(v_owner, o.owner), owner_id = coalesce(p_owner, o.owner_id)
  where o.bucket_id = p_bucket and o.name = p_key and o.version = p_from_version
  returning o.id into v_id;
  return v_id;
end $$;
