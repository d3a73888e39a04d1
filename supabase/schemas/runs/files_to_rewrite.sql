-- How many files of a table are marked by a rewrite and not written anew yet, as far as p_limit: of partitions with a live
-- message, or of those without, which have been planned and were left alone.
create or replace function sediment.files_to_rewrite(p_rewrite public.rewrites, p_live boolean, p_limit integer)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (select count(*) from (
    select 1 from public.battle_files f
    join public.partitions p
      on p.dataset_id = f.dataset_id and p."table" = f."table" and p.period_tag = f.period_tag
    where f.dataset_id = p_rewrite.dataset_id and f."table" = p_rewrite."table" and f.rewrite is not null
      and f.removed_version is null and f.state = 'active' and (f.rewrite ->> 'anew')::boolean
      and (p.msg_id is not null) = p_live
    limit p_limit) x);
end $$;
