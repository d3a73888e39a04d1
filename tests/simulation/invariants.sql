-- The invariants of the catalog (docs/catalog.md), as far as SQL alone can see: one row a violation, none when
-- all hold. Holds between any two transactions; nothing here assumes that the work is done. What needs the bytes
-- or the object store (rows as a multiset, objects that exist) the caller compares itself.
--   $1 grace: how long due debt may be without a message, and a lease past its end, before that counts (I4 says a
--      minute: give what the sweep needs)
with grace as (
  select clock_timestamp() - $1::interval as since
), messages as (
  select m.queue, m.msg_id, m.vt, m.message, m.message ->> 'metricId' as run
  from sediment.queue_messages m
), acknowledged as ( -- the data files of every acknowledged upload, as its answer named them, also of those forgotten
  select u.id as upload_id, u.dataset_id, f."table", f.period_tag, f.row_count as rows, sediment.upload_version(u) as version,
    f.seq
  from public.uploads u, sediment.upload_slices(u) as f
  union all
  select u.id, u.dataset_id, f ->> 'table', f ->> 'period_tag', (f ->> 'row_count')::bigint, u.version, (f ->> 'seq')::bigint
  from public.forgotten_uploads u, jsonb_array_elements(u.slices) f
), deduped as (
  select p.dataset_id, p."table", p.period_tag,
    jsonb_array_length(sediment.settings_of(p.dataset_id, p."table") -> 'dedupe_keys') > 0 as yes
  from public.partitions p
), kept as ( -- every version that list_files answers for
  select v.dataset_id, v.version from public.dataset_versions v join public.datasets d on d.id = v.dataset_id
  where v.version >= d.oldest_kept_version
), shown as ( -- rows by partition and kept version: what is listed, what was acknowledged
  select k.dataset_id, k.version, p."table", p.period_tag, p.yes,
    (select coalesce(sum(f.row_count), 0) from public.battle_files f
      where f.dataset_id = k.dataset_id and f."table" = p."table" and f.period_tag = p.period_tag
        and f.added_version <= k.version and (f.removed_version is null or f.removed_version > k.version)
        and not sediment.is_marked(f, k.version)) as listed,
    (select coalesce(sum(a.rows), 0) from acknowledged a
      where a.dataset_id = k.dataset_id and a."table" = p."table" and a.period_tag = p.period_tag
        and a.version <= k.version and not exists (
          select 1 from public.deletions x where x.dataset_id = a.dataset_id and x.version > a.version
            and x.version <= k.version and x.upload_id is null and (x."table" is null or x."table" = a."table")
            and (x.period_tag is null or x.period_tag = a.period_tag))
        and not exists (
          select 1 from public.deleted_slices x where x.dataset_id = a.dataset_id and x."table" = a."table"
            and x.period_tag = a.period_tag and x.seq = a.seq and x.version <= k.version
            -- the file that held it ended by its age, and is counted there
            and not exists (select 1 from public.ended_rows e where e.dataset_id = x.dataset_id
              and e."table" = x."table" and e.period_tag = x.period_tag and e.version = x.version))) as sent,
    exists (select 1 from public.deleted_slices x where x.dataset_id = k.dataset_id and x."table" = p."table"
      and x.period_tag = p.period_tag and x.version <= k.version) as fewer,
    (select coalesce(sum(e.rows), 0) from public.ended_rows e
      where e.dataset_id = k.dataset_id and e."table" = p."table" and e.period_tag = p.period_tag
        and e.version <= k.version and not exists (
          select 1 from public.deletions x where x.dataset_id = e.dataset_id and x.version > e.version
            and x.version <= k.version and x.upload_id is null and (x."table" is null or x."table" = e."table")
            and (x.period_tag is null or x.period_tag = e.period_tag))) as ended
  from kept k join deduped p on p.dataset_id = k.dataset_id
)

-- I1 Every row of every acknowledged upload is in exactly one visible data file, at every kept version until deleted.
select 'I1' as invariant, format('dataset %s version %s %s/%s lists %s rows of %s', s.dataset_id, s.version, s."table",
  s.period_tag, s.listed, s.sent) as what
from shown s where case when s.yes then s.listed > s.sent - s.ended 
    or (s.listed = 0 and s.sent > 0 and s.ended = 0 and not s.fewer)
  else s.listed <> s.sent - s.ended end
union all
select 'I1', format('dataset %s says %s rows, %s files, %s bytes and shows %s, %s, %s', d.id, d.row_count, d.file_count,
  d.file_size_bytes, t.rows, t.files, t.bytes)
from public.datasets d cross join lateral (
  select coalesce(sum(f.row_count), 0) as rows, count(*) as files, coalesce(sum(f.byte_length), 0) as bytes
  from public.battle_files f where f.dataset_id = d.id and f.removed_version is null) t
where (d.row_count, d.file_count, d.file_size_bytes) is distinct from (t.rows, t.files, t.bytes)
union all
select 'I1', format('dataset %s at version %s says %s and shows %s', k.dataset_id, k.version, k.says, t.shows)
from (select x.dataset_id, x.version, sediment.version_totals(d, x.version) as says
  from kept x join public.datasets d on d.id = x.dataset_id) k
cross join lateral (
  select jsonb_build_object('files', count(*), 'rows', coalesce(sum(f.row_count), 0),
    'bytes', coalesce(sum(f.byte_length), 0), 'uncompressed_bytes', coalesce(sum(f.uncompressed_bytes), 0)) as shows
  from public.battle_files f where f.dataset_id = k.dataset_id and f.added_version <= k.version
    and (f.removed_version is null or f.removed_version > k.version) and not sediment.is_marked(f, k.version)) t
where k.says <> t.shows
union all
select 'I1', format('dataset %s has versions %s to %s, and is at %s', d.id, min(v.version), max(v.version), d.version)
from public.datasets d left join public.dataset_versions v on v.dataset_id = d.id and v.version >= d.oldest_kept_version
group by d.id, d.version, d.oldest_kept_version
having coalesce(max(v.version), 0) <> d.version
  or count(v.version) <> d.version - greatest(d.oldest_kept_version, 1) + 1
union all
select 'I1', format('dataset %s: version %s was committed before version %s', v.dataset_id, v.version, v.version - 1)
from (select x.*, lag(x.committed_at) over (partition by x.dataset_id order by x.version) as before
  from public.dataset_versions x) v
where v.committed_at <= v.before
union all
select 'I1', format('files %s and %s of %s/%s/%s hold the same uploads', f.id, g.id, f.dataset_id, f."table", f.period_tag)
from public.battle_files f join public.battle_files g on g.dataset_id = f.dataset_id and g."table" = f."table"
  and g.period_tag = f.period_tag and g.id > f.id and g.seq_min = f.seq_min and g.removed_version is null
where f.removed_version is null

-- I2 Nothing visible at a kept version is deleted; what is shown is stored.
union all
select 'I2', format('file %s is visible and its object %s is %s', f.id, o.object_key, o.state)
from public.battle_files f join public.datasets d on d.id = f.dataset_id join public.objects o on o.object_key = f.object_key
where o.state <> 'stored' and (f.removed_version is null or f.removed_version > d.oldest_kept_version)
union all
select 'I2', format('asset %s of %s has an object that is %s', a.key, a.user_id, o.state)
from public.assets a join public.objects o on o.object_key = a.object_key where o.state <> 'stored'
union all
select 'I2', format('object %s is %s and nothing will delete it', o.object_key, o.state)
from public.objects o where o.state = 'deleting' and o.delete_after is null
union all
select 'I2', format('object %s is stored and belongs to nothing', o.object_key)
from public.objects o
where o.state = 'stored'
  and not exists (select 1 from public.battle_files f where f.object_key = o.object_key)
  and not exists (select 1 from public.assets a where a.object_key = o.object_key)

-- I3 An upload is acknowledged once, and its answer stands.
union all
select 'I3', format('upload %s has no answer', u.id) from public.uploads u
where num_nulls(sediment.upload_version(u), sediment.upload_answer(u) ->> 'metricId', sediment.upload_answer(u) -> 'runs') > 0
union all
select 'I3', format('%s is a name of table %s and a table of its own', n.name, n."table")
from public.table_names n join public.partitions p on p.dataset_id = n.dataset_id and p."table" = n.name
where n.name <> n."table"
union all
select 'I3', format('file %s comes from upload %s, which nobody acknowledged', f.id, f.upload_id)
from public.battle_files f where f.upload_id is not null
  and not exists (select 1 from public.uploads u where u.id = f.upload_id)
  and not exists (select 1 from public.forgotten_uploads u where u.id = f.upload_id)
union all
select 'I3', format('upload %s and its data files do not fit: %s', u.id, t.files)
from public.uploads u cross join lateral (
  select count(*) as files from public.battle_files f where f.upload_id = u.id) t
where t.files > (select count(*) from sediment.upload_slices(u))

-- I4 Run, files, partition and message change together; debt has a live message; no lease outlives its end.
union all
select 'I4', format('partition %s/%s/%s has message %s %s, which is not in the queue', p.dataset_id, p."table", p.period_tag, p.queue, p.msg_id)
from public.partitions p
where p.msg_id is not null and not exists (
  select 1 from messages m where m.queue = p.queue and m.msg_id = p.msg_id and m.run = p.run_id::text)
union all
select 'I4', format('message %s %s of run %s is nobody''s', m.queue, m.msg_id, m.run)
from messages m
where m.message ->> 'table' is not null and not exists (
  select 1 from public.partitions p where p.queue = m.queue and p.msg_id = m.msg_id)
union all
select 'I4', format('partition %s/%s/%s: run %s is %s, leased: %s', p.dataset_id, p."table", p.period_tag, p.run_id, r.status,
  p.lease_expires_at is not null)
from public.partitions p left join public.processing_metrics r on r.id = p.run_id
where p.run_id is not null
  -- the run of an upload has a row from the claim on
  and coalesce(r.status, 'queued') <> case when p.lease_expires_at is null then 'queued' else 'running' end
union all
select 'I4', format('run %s waits behind another and is %s', p.next_run_id, r.status)
from public.partitions p left join public.processing_metrics r on r.id = p.next_run_id
where p.next_run_id is not null and r.status <> 'queued'
union all
select 'I4', format('run %s is %s and no partition knows it', r.id, r.status)
from public.processing_metrics r
where r.operation = 'compaction' and r.completed_at is null and not exists (
  select 1 from public.partitions p where r.id in (p.run_id, p.next_run_id))
union all
select 'I4', format('partition %s/%s/%s has demand %s, seen %s, no message, and no run is kept for it', p.dataset_id, p."table", p.period_tag, p.demand_seq, p.done_seq)
from public.partitions p
where p.demand_seq > p.done_seq and p.msg_id is null and p.next_run_id is null and p.dead_since is null
union all
select 'I4', format('upload %s was told of run %s, and nobody knows it', u.id, r.id)
from public.uploads u cross join lateral unnest(coalesce(u.run_ids, array[u.metric_id])) as r(id), public.service_settings s
where u.created_at > clock_timestamp() - make_interval(secs => least(s.history_seconds, s.idle_history_seconds))
  and not exists (select 1 from public.processing_metrics m where m.id = r.id)
  and not exists (select 1 from public.partitions p where coalesce(p.next_run_id, p.run_id) = r.id)
union all
select 'I4', format('partition %s/%s/%s has debt that is never due', p.dataset_id, p."table", p.period_tag)
from public.partitions p
where p.debt_oldest is not null and p.msg_id is null and p.due_at is null
union all
select 'I4', format('partition %s/%s/%s has debt since %s that is due since %s', p.dataset_id, p."table", p.period_tag, p.debt_oldest, p.due_at)
from public.partitions p, grace g where p.msg_id is null and p.due_at < g.since
union all
select 'I4', format('partition %s/%s/%s has a lease that ended at %s', p.dataset_id, p."table", p.period_tag, p.lease_expires_at)
from public.partitions p, grace g where p.lease_expires_at < g.since
union all
select 'I4', format('message %s %s shows %s before the partition is ready', p.queue, p.msg_id, p.ready_at - m.vt)
from public.partitions p join messages m on m.queue = p.queue and m.msg_id = p.msg_id
where m.vt < p.ready_at - interval '10 milliseconds'
union all
select 'I4', format('partition %s/%s/%s has %s files of debt since %s', p.dataset_id, p."table", p.period_tag, p.debt_files, p.debt_oldest)
from public.partitions p
where p.debt_oldest is not null and p.debt_files = 0 or p.msg_id is not null and p.debt_files > 0 and p.debt_oldest is null
union all
select 'I4', format('file %s is from the future of upload order %s', f.id, p.last_seq)
from public.battle_files f join public.partitions p on p.dataset_id = f.dataset_id and p."table" = f."table" and p.period_tag = f.period_tag
where f.seq_max > p.last_seq

union all
select 'I4', format('%s workers hold leases, and slots are %s', t.n, t.slots)
from (select count(*) as n, greatest(s.max_workers, 1) as slots from public.partitions p, public.service_settings s
  where p.lease_expires_at > clock_timestamp() group by s.max_workers) t where t.n > t.slots

-- I5 Only the newest token commits, once; no object is shared by two.
union all
select 'I5', format('output %s of run %s was committed with token %s, the partition is at %s', c.ordinal, c.run_id, c.token, p.token)
from public.run_commits c join public.processing_metrics r on r.id = c.run_id
join public.partitions p on p.dataset_id = r.dataset_id and p."table" = r."table" and p.period_tag = r.period_tag
where c.token > p.token
union all
select 'I5', format('file %s of run %s has no commit, or another''s object', f.id, f.run_id)
from public.battle_files f left join public.run_commits c on c.run_id = f.run_id and c.ordinal = f.ordinal
where exists (select 1 from public.processing_metrics r where r.id = f.run_id) -- else its history is forgotten
  and (c.file_id is distinct from f.id or c.object_key is distinct from f.object_key)
  -- one that was remade has the object of the commit that did it, which may be a later one of the same run
  and not exists (select 1 from public.objects o
    left join public.run_commits m on m.run_id = o.run_id and m.ordinal = o.run_ordinal and m.token = o.token
    where o.object_key = f.object_key and (o.run_id, o.run_ordinal) is distinct from (f.run_id, f.ordinal)
      and (m.file_id = f.id and m.object_key = f.object_key
        or not exists (select 1 from public.processing_metrics r where r.id = o.run_id)))
union all
select 'I5', format('object %s is stored under token %s, committed with %s', o.object_key, o.token, c.token)
from public.objects o left join public.run_commits c on c.object_key = o.object_key
where o.kind = 'compacted' and o.state = 'stored'
  and exists (select 1 from public.processing_metrics r where r.id = o.run_id) and o.token is distinct from c.token
union all
select 'I5', format('run %s says %s commits and has %s', r.id, r.commits, t.n)
from public.processing_metrics r cross join lateral (select count(*) as n from public.run_commits c where c.run_id = r.id) t
where r.commits <> t.n

-- I6 A bad fragment is set aside with its reason, and stays listed.
union all
select 'I6', format('file %s is %s, reason %s, removed at %s', f.id, f.state, f.quarantine_reason, f.removed_version)
from public.battle_files f
where (f.state = 'quarantined') <> (f.quarantine_code is not null)
  -- a merge takes none of them; a deletion and an end by age do
  or (f.state = 'quarantined' and f.removed_version is not null
    and not exists (select 1 from public.deletions x where x.dataset_id = f.dataset_id and x.version = f.removed_version)
    and not exists (select 1 from public.ended_rows e where e.dataset_id = f.dataset_id and e.version = f.removed_version))

-- I7 Every message ends archived as success or recorded in the dead letters; nothing loops, nothing vanishes.
union all
select 'I7', format('run %s is %s without a dead letter', r.id, r.status)
from public.processing_metrics r
where r.operation = 'compaction' and r.status in ('failure', 'dlq_failure', 'timeout')
  and not exists (select 1 from public.dead_letters l where l.run_id = r.id)
union all
select 'I7', format('run %s has ended and its message %s %s is still there', r.id, m.queue, m.msg_id)
from messages m join public.processing_metrics r on r.id::text = m.run
where r.completed_at is not null and r.operation = 'compaction'
union all
select 'I7', format('run %s has made %s attempts', r.id, r.attempts)
from public.processing_metrics r, public.service_settings s where r.attempts > s.max_attempts
union all
select 'I7', format('partition %s/%s/%s is dead without an open dead letter', p.dataset_id, p."table", p.period_tag)
from public.partitions p
where p.dead_since is not null and not exists (
  select 1 from public.dead_letters l where l.dataset_id = p.dataset_id and l."table" = p."table"
    and l.period_tag = p.period_tag and l.resolved_at is null)

-- I12 What was deleted is in no version made after it, and nothing of it comes back.
union all
select 'I12', format('file %s was there before deletion %s of it, and is shown after it', f.id, x.id)
from public.deletions x join public.battle_files f on f.dataset_id = x.dataset_id and f.added_version < x.version
  and (x.upload_id is null or x.upload_id = f.upload_id) and (x."table" is null or x."table" = f."table") and (x.period_tag is null or x.period_tag = f.period_tag)
where x.state not in ('pending', 'marked') and (f.removed_version is null or f.removed_version > x.version)
  -- a slice that another deletion has marked is that one's to take out
  and not (x.upload_id is not null and sediment.is_marked(f, x.version))
union all
select 'I12', format('upload %s of %s/%s is gone since version %s, and output %s may have rows of it', s.seq, s."table",
  s.period_tag, s.version, f.id)
from public.deleted_slices s join public.battle_files f on f.dataset_id = s.dataset_id and f."table" = s."table"
  and f.period_tag = s.period_tag and f.level > 0 and sediment.seqs_of(f) @> s.seq
where s.version is not null and (f.removed_version is null or f.removed_version > s.version)
  and not sediment.is_marked(f, s.version)
union all
select 'I12', format('upload %s of %s/%s is pending, and no file may have rows of it', s.seq, s."table", s.period_tag)
from public.deleted_slices s
where s.version is null and not exists (
  select 1 from public.battle_files f where f.dataset_id = s.dataset_id and f."table" = s."table"
    and f.period_tag = s.period_tag and f.removed_version is null and sediment.seqs_of(f) @> s.seq)
  -- a wider deletion that is at its partition settles it when the last of its files is out
  and not exists (select 1 from public.deletions x where x.dataset_id = s.dataset_id and x.state = 'marked'
    and (x."table" is null or x."table" = s."table") and (x.period_tag is null or x.period_tag = s.period_tag))
union all
select 'I12', format('upload %s of %s/%s is deleted, and nothing writes output %s anew', s.seq, s."table", s.period_tag, f.id)
from public.deleted_slices s join public.deletions x on x.id = s.deletion_id join public.battle_files f
  on f.dataset_id = s.dataset_id and f."table" = s."table" and f.period_tag = s.period_tag and f.level > 0
  and f.removed_version is null and f.state = 'active' and sediment.seqs_of(f) @> s.seq
  join public.partitions p on p.dataset_id = s.dataset_id and p."table" = s."table" and p.period_tag = s.period_tag, grace g
where s.version is null and x.requested_at <= g.since and p.msg_id is null and p.due_at is null
union all
select 'I12', format('deletion %s is %s, and file %s of it is in the catalog', x.id, x.state, f.id)
from public.deletions x join public.battle_files f on f.dataset_id = x.dataset_id and f.added_version < x.version
  and (x.upload_id is null or x.upload_id = f.upload_id) and (x."table" is null or x."table" = f."table") and (x.period_tag is null or x.period_tag = f.period_tag)
where x.state in ('purging', 'purged')
union all
select 'I12', format('upload %s was staged before deletion %s of it, and acknowledged after', u.id, x.id)
from public.uploads u join public.objects o on o.object_key = sediment.upload_key(u) and o.stage_id = u.id
  cross join lateral sediment.upload_slices(u) as f
  join public.deletions x on x.dataset_id = u.dataset_id and x.version > o.staged_version
    and x.version < sediment.upload_version(u) and x.upload_id is null
    and (x."table" is null or x."table" = f."table") and (x.period_tag is null or x.period_tag = f.period_tag)
union all
select 'I12', format('deletion %s is %s, and nobody goes on with it', x.id, x.state)
from public.deletions x, grace g
where x.requested_at <= g.since and (x.state = 'marked' or x.purge and x.state = 'removed'
  or x.state = 'purging' and not exists (
    select 1 from public.objects o where o.split_at is not null and o.dataset_id = x.dataset_id))
