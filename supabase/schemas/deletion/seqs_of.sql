-- The uploads, by their seq, of which a data file may hold rows.
create or replace function sediment.seqs_of(f public.battle_files)
returns int8multirange
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce(f.seqs, int8multirange(int8range(f.seq_min, f.seq_max, '[]')));
end $$;
