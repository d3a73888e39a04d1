-- What the files on deletions share, beside fixtures.sql.

-- carries a deletion out, a few files a slice, and gives its receipt
create function tests.slices(p_receipt jsonb) returns jsonb language plpgsql as $$
begin
  for i in 1 .. 200 loop
    exit when not (advance_deletions(3, (p_receipt ->> 'deletion_id')::uuid) ->> 'more')::boolean;
  end loop;
  return deletion_status(null, (p_receipt ->> 'deletion_id')::uuid);
end $$;

-- table/period/upload order of what a version lists
create function tests.listed(p_dataset integer, p_version bigint default null) returns text[] language sql as $$
  select coalesce(array_agg(concat_ws('/', f ->> 'table', f ->> 'period_tag', f ->> 'seq_min')), '{}')
  from jsonb_array_elements(list_files(null, tests.u(p_dataset), p_version => p_version) -> 'files') f
$$;

