-- The private bucket. Its limit is the one of the hosted free plan; a limit set by hand is kept.
insert into storage.buckets (id, name, public, file_size_limit)
values ('sediment', 'sediment', false, 52428800)
on conflict (id) do nothing;
