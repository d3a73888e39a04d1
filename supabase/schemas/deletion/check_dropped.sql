-- Whether a merge left out what it had to: rows of each upload that is being deleted and of which an input may hold some,
-- and of no other. Called with the partition locked, which a deletion of an upload locks too.
--   p_seqs: of which uploads the inputs may hold rows
--   p_dropped: {seq: rows left out}, or null
-- Returns the rows that were left out. Raises inputs_changed: what was asked for since the claim is to be left out, too;
-- merge_rows_differ.
create or replace function sediment.check_dropped(p public.partitions, p_seqs int8multirange, p_dropped jsonb)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_dropped constant jsonb := coalesce(nullif(p_dropped, 'null'), '{}');
  v_wrong record;
begin
  for v_wrong in
    select coalesce(s.seq, d.key::bigint) as seq, s.seq is null as unasked, d.key is null as forgotten
    from (
      select x.seq, x.rows from public.deleted_slices x
      where x.dataset_id = p.dataset_id and x."table" = p."table" and x.period_tag = p.period_tag
        and x.version is null and p_seqs @> x.seq
    ) s
    full join jsonb_each_text(v_dropped) d on d.key = s.seq::text
    where s.seq is null or d.key is null or d.value::bigint not between 0 and s.rows
    order by 1
  loop
    if v_wrong.forgotten then
      perform sediment.fail('inputs_changed', 409,
        format('upload %s is being deleted, and the output would hold its rows', v_wrong.seq));
    end if;
    perform sediment.fail('merge_rows_differ', 500, case when v_wrong.unasked
      then format('rows of upload %s were left out, which nobody asked for', v_wrong.seq)
      else format('of upload %s more rows were left out than it had', v_wrong.seq) end);
  end loop;
  return (select coalesce(sum(d.value::bigint), 0) from jsonb_each_text(v_dropped) d);
end $$;
