-- Hides a message until a time. Never by 0: pgmq would show it to a second reader within this transaction's
-- own moment. Only the columns that all versions have are named.
create or replace function sediment.queue_hide(p_queue text, p_msg_id bigint, p_until timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform m.msg_id
  from pgmq.set_vt(('compaction_' || p_queue)::text, p_msg_id::bigint,
    greatest(1, ceil(extract(epoch from p_until - clock_timestamp())))::integer) as m;
end $$;
