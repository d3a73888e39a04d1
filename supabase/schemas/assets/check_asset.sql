-- Refuses asset keys that leave their folder or hide in it, extensions that are not listed, and sizes over the
-- user's limit.
create or replace function sediment.check_asset(
  p_user uuid, p_key text, p_relative_path text, p_file_name text, p_size bigint
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_limits record;
  v_path text;
  v_extension text;
begin
  foreach v_path in array array[p_key, p_relative_path, p_file_name] loop
    if sediment.is_asset_path(v_path) is not true then
      perform sediment.fail('invalid_name', 400,
        'a key, path or file name is empty, too long, leaves its folder or hides characters',
        'at most 1024 bytes in NFC, segments other than . and .., no drive letter, no control or direction characters');
    end if;
  end loop;
  if p_file_name ~ '/' then
    perform sediment.fail('invalid_name', 400, 'the file name holds a slash');
  end if;

  select coalesce(l.asset_bytes_max, s.asset_bytes_max) as bytes,
    coalesce(l.asset_extensions, s.asset_extensions) as extensions
  into strict v_limits
  from public.service_settings s left join public.user_limits l on l.user_id = p_user;
  foreach v_path in array array[p_key, p_file_name] loop
    v_extension := lower(substring(v_path from '\.([A-Za-z0-9]{1,16})$'));
    if v_extension is null or v_extension <> all (v_limits.extensions) then
      perform sediment.fail('invalid_name', 400,
        format('the extension %s is not allowed', coalesce(v_extension, 'is missing or')),
        array_to_string(v_limits.extensions, ', '));
    end if;
  end loop;
  if p_size > v_limits.bytes then
    perform sediment.fail('body_too_large', 413, format('the asset has %s bytes', p_size),
      format('at most %s bytes', v_limits.bytes));
  end if;
end $$;
