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
