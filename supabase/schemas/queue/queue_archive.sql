-- Takes a message off its queue for good; it stays readable in pgmq's archive.
create or replace function sediment.queue_archive(p_queue text, p_msg_id bigint)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform archived.done
  from pgmq.archive(('compaction_' || p_queue)::text, p_msg_id::bigint) as archived(done);
end $$;
