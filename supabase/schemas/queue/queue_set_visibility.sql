-- Hides a message until a time, or a part of a second longer. Never by 0: pgmq would show it to a second reader
-- within this transaction's own moment. pgmq 1.4 counts from the transaction's start, later versions from the
-- clock: where it fell short, the second call makes up for it. Only columns that all versions have are named.
create or replace function sediment.queue_set_visibility(p_queue text, p_msg_id bigint, p_until timestamptz)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_seconds integer := greatest(1, ceil(extract(epoch from p_until - clock_timestamp())))::integer;
  v_vt timestamptz;
begin
  select m.vt into v_vt
  from pgmq.set_vt(('compaction_' || p_queue)::text, p_msg_id::bigint, v_seconds::integer) as m;
  if v_vt < p_until then
    perform m.msg_id
    from pgmq.set_vt(('compaction_' || p_queue)::text, p_msg_id::bigint,
      (v_seconds + ceil(extract(epoch from p_until - v_vt)))::integer) as m;
  end if;
end $$;
