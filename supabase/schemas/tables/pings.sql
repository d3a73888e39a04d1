-- Which function a ping went to: pg_net forgets the request when it has sent it, and keeps the answer under its id.
create table if not exists public.pings (
  id bigint primary key,
  path text not null,
  sent_at timestamptz not null default clock_timestamp()
);

comment on table public.pings is 'Where the pings of the last day went, by the ids of pg_net.';

create index if not exists pings_sent_at on public.pings (sent_at);
