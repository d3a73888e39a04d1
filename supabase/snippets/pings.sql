-- The pings of the last day by function, what they were answered, then the latest ones. A time-out alone is no fault: a ping
-- does not wait for the work.
select p.path, coalesce(r.status_code::text, case when r.timed_out then 'timed out' when r.id is null then 'no answer (kept)'
  else left(r.error_msg, 60) end) as answer, count(*) as pings, max(p.sent_at) as last_sent_at
from public.pings p left join net._http_response r on r.id = p.id
group by 1, 2 order by 1, 4 desc;

select p.id, p.path, p.sent_at, r.created - p.sent_at as took, r.status_code, r.timed_out, r.error_msg,
  left(r.content, 300) as answer
from public.pings p left join net._http_response r on r.id = p.id
order by p.sent_at desc limit 50;

-- Those that pg_net has not sent yet: the tick sends no others meanwhile.
select q.id, q.url, q.timeout_milliseconds from net.http_request_queue q order by q.id limit 50;
