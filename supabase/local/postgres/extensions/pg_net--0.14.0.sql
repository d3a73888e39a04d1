-- Stand-in of pg_net: the same schema, tables, function signatures and rights; supabase/local/net sends the
-- requests after commit. Written from pg_net's documentation; no code is shared with it.
\echo Use "CREATE EXTENSION pg_net" to load this file. \quit

create schema if not exists net;

create domain net.http_method as text check (value in ('GET', 'POST', 'DELETE'));

-- Unlogged, as the real ones: a crash forgets what was queued (pg_net is at most once).
create unlogged table net.http_request_queue (
  id bigserial primary key,
  method net.http_method not null,
  url text not null,
  headers jsonb,
  body bytea,
  timeout_milliseconds integer not null
);

create unlogged table net._http_response (
  id bigint,
  status_code integer,
  content_type text,
  headers jsonb,
  content text,
  timed_out boolean,
  error_msg text,
  created timestamptz not null default now()
);
create index _http_response_created_idx on net._http_response (created);

create function net.stand_in_notify() returns trigger language plpgsql set search_path = '' as $$
begin
  perform pg_catalog.pg_notify('sediment_stand_in_net', '');
  return null;
end $$;
create trigger stand_in_notify after insert on net.http_request_queue
  for each statement execute function net.stand_in_notify();

create function net.stand_in_url(url text, params jsonb) returns text
language sql immutable set search_path = '' as $$
  select url || coalesce(
    (select case when position('?' in url) > 0 then '&' else '?' end ||
        string_agg(net.stand_in_encode(key) || '=' || net.stand_in_encode(value), '&')
      from jsonb_each_text(coalesce(params, '{}'::jsonb))), '')
$$;

-- Percent-encoding of everything but RFC 3986's unreserved characters.
create function net.stand_in_encode(value text) returns text
language sql immutable set search_path = '' as $$
  select coalesce(string_agg(
    case when chunk.c ~ '^[A-Za-z0-9._~-]$' then chunk.c
      else regexp_replace(upper(encode(convert_to(chunk.c, 'UTF8'), 'hex')), '(..)', '%\1', 'g') end,
    '' order by chunk.n), '')
  from regexp_split_to_table(value, '') with ordinality as chunk(c, n)
$$;

create function net.http_post(
  url text,
  body jsonb default '{}'::jsonb,
  params jsonb default '{}'::jsonb,
  headers jsonb default '{"Content-Type": "application/json"}'::jsonb,
  timeout_milliseconds integer default 5000
) returns bigint language plpgsql security definer set search_path = '' as $$
declare
  v_type text;
  v_id bigint;
begin
  select header.value into v_type from jsonb_each_text(coalesce(headers, '{}'::jsonb)) as header
  where lower(header.key) = 'content-type' limit 1;
  if v_type is null then
    headers := coalesce(headers, '{}'::jsonb) || '{"Content-Type": "application/json"}'::jsonb;
  elsif v_type <> 'application/json' then
    raise exception 'Content-Type header must be "application/json"';
  end if;
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values ('POST', net.stand_in_url(http_post.url, params), headers, convert_to(body::text, 'UTF8'),
    http_post.timeout_milliseconds)
  returning id into v_id;
  return v_id;
end $$;

create function net.http_get(
  url text,
  params jsonb default '{}'::jsonb,
  headers jsonb default '{}'::jsonb,
  timeout_milliseconds integer default 5000
) returns bigint language sql security definer set search_path = '' as $$
  insert into net.http_request_queue (method, url, headers, timeout_milliseconds)
  values ('GET', net.stand_in_url(url, params), headers, timeout_milliseconds) returning id
$$;

create function net.http_delete(
  url text,
  params jsonb default '{}'::jsonb,
  headers jsonb default '{}'::jsonb,
  timeout_milliseconds integer default 5000,
  body jsonb default null
) returns bigint language sql security definer set search_path = '' as $$
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values ('DELETE', net.stand_in_url(url, params), headers, convert_to(body::text, 'UTF8'), timeout_milliseconds)
  returning id
$$;

-- As hosted: the API's roles may use the schema, postgres may look at the queue and the answers.
grant usage on schema net to postgres, anon, authenticated, service_role;
grant all on net.http_request_queue, net._http_response to postgres with grant option;
grant usage on sequence net.http_request_queue_id_seq to postgres with grant option;
