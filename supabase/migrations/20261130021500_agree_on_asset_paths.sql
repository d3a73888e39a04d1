-- One rule of asset paths, for the uploader, the functions and SQL.
set local lock_timeout = '5s';

-- Whether a path stays in its folder and shows what it is, also after compatibility normalisation, by which U+FF0E
-- becomes a dot. What shared/protocol/asset_path.ts says; a test compares the two. Null for null.
create or replace function sediment.is_asset_path(p_path text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_hidden constant text := '['
    '\u0000-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ue000-\uf8ff\ufeff\ufff9-\ufffb'
    '\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f\U000f0000-\U0010ffff]';
  v_compatible constant text := normalize(p_path, NFKC);
begin
  return octet_length(p_path) between 1 and 1024
    and p_path is nfc normalized
    and p_path !~ v_hidden
    and strpos(v_compatible, '\') = 0
    and v_compatible !~ '^[A-Za-z]:'
    -- '', '.' and '..' as a segment, also within white space
    and v_compatible !~ '(^|/)[ \u1680]*\.{0,2}[ \u1680]*(/|$)'
    -- no character becomes a slash
    and length(p_path) - length(translate(p_path, '/', ''))
      = length(v_compatible) - length(translate(v_compatible, '/', ''));
end $$;

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

revoke all on function sediment.is_asset_path(text) from public, anon, authenticated;
grant execute on function sediment.is_asset_path(text) to service_role;
