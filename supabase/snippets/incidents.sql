-- What is wrong now, and was last; then the alerts that told of it, and whether they arrived.
select i.name, i.state, i.opened_at, i.closed_at, coalesce(i.closed_at, now()) - i.opened_at as lasted, i.summary, i.details
from public.incidents i order by i.state desc, i.opened_at desc;

select a.id, a.class, a.state, a.attempts, a.occurrences, a.created_at, a.sent_at, a.last_error, a.payload ->> 'summary' as summary
from public.alerts a order by a.created_at desc limit 50;

-- Whether alerts arrive: POST /compaction/alerts/test with the secret key.
