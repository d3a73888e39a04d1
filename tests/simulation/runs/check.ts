/** The invariants of docs/catalog.md, looked at from outside: the catalog's rows, the store's objects. */
import { decodeRows, keyOf, lastOfEach, latest } from "./rows.ts";
import type { Owner } from "./actors.ts";
import { checkDebt } from "./watch_debt.ts";
import { familyOf, firstNames } from "./naming.ts";
import type { World } from "./world.ts";

interface VisibleFile {
  object_key: string;
  start_byte: number;
  byte_length: number;
  table: string;
}

const inSql = await Deno.readTextFile(new URL("../invariants.sql", import.meta.url));

/**
 * The invariants as SQL says them, by the simulation's clock.
 *
 * @param grace how long what is due may stay undone
 */
async function checkInSql(world: World, grace: string): Promise<void> {
  const [{ query }] = await world.database.sql`select simulation.virtual(${inSql}) as query`;
  for (const { invariant, what } of await world.database.sql.unsafe(query, [grace])) {
    world.violations.push(`${invariant}: ${what}`);
  }
}

/** What must hold at every moment: I1 at kept versions, I2, I3. */
export async function checkAlways(world: World, owners: Owner[], all: boolean): Promise<void> {
  const { sql } = world.database;
  for (const { dataset, user } of owners) {
    const [kept] = await sql`
      select version, oldest_kept_version, deletion_version from public.datasets where id = ${dataset}`;
    if (!kept) continue;
    const newest = Number(kept.version);
    const oldest = Number(kept.oldest_kept_version);
    const versions = all
      ? Array.from({ length: newest - oldest + 1 }, (_, n) => oldest + n)
      : [...new Set([newest, oldest, world.checks.whole(oldest, newest)])];
    const ledger = await sql`
      select id, hash, "table", period_tag as period, version, answer -> 'files' as files
      from simulation.ledger where dataset = ${dataset} order by version`;
    const known = await sql`
      select content_hash as hash, "table", period_tag as period from public.uploads
      where dataset_id = ${dataset}`;
    const asked = await deletionsOf(world, dataset);
    const deletions = asked.filter(({ pending }) => !pending);
    const names = await firstNames(world, dataset);
    for (const version of versions) {
      // who was deleted, whose dataset was, or who has handed it over, reads nothing any more: the service does
      const reader = world.deleting || world.guests.length > 0 ? null : user;
      await checkRows(world, { dataset, user: reader }, version, ledger, deletions, names);
      for (const period of world.periods) {
        await checkWinners(world, dataset, period, version, ledger, deletions);
      }
    }
    checkLedger(world, dataset, known, ledger, asked, newest, names);
  }
  await checkObjects(world);
  await checkInSql(world, "1000 hours");
  await checkDebt(world, all);
}

/** An object as it was put: what was lost or changed behind the service's back is still listed, and can be healed. */
function asStored(world: World, key: string): { bytes: Uint8Array } | undefined {
  const bytes = world.decayed.get(key);
  return bytes === undefined ? world.store.objects.get(key) : { bytes };
}

/** I1: the rows that a version shows are the rows of the uploads acknowledged up to it, each once. */
async function checkRows(
  world: World,
  { dataset, user }: { dataset: string; user: string | null },
  version: number,
  ledger: Record<string, unknown>[],
  deletions: Deletion[],
  names: Map<string, string>,
): Promise<void> {
  const expected = new Map<string, number>();
  for (const entry of ledger) {
    const { hash, version: added, table, period } = entry;
    if (Number(added) > version) continue;
    const upload = world.uploads.find((u) =>
      u.hash === hash && u.dataset === dataset && (names.get(u.table) ?? u.table) === table &&
      u.period === period
    );
    if (!upload) world.violations.push(`I3: the ledger holds ${hash}, which nobody sent`);
    for (const row of upload?.rows ?? []) {
      if (deletions.some((deletion) => isDeleted(deletion, row, entry, version))) continue;
      if (isEnded(world, dataset, row, Number(added), version)) continue;
      expected.set(row, (expected.get(row) ?? 0) + 1);
    }
  }
  let cursor: string | null = null;
  const files: VisibleFile[] = [];
  do {
    const page: { files: VisibleFile[]; next_cursor: string | null } = await world.catalog
      .listFiles({
        user,
        dataset,
        version,
        cursor,
        limit: 7,
      });
    files.push(...page.files);
    cursor = page.next_cursor;
  } while (cursor);
  for (const file of files) {
    const object = asStored(world, file.object_key);
    if (!object) {
      world.violations.push(`I2: version ${version} shows ${file.object_key}, which is not stored`);
      return;
    }
    const end = file.start_byte + file.byte_length;
    for (const row of decodeRows(object.bytes.subarray(file.start_byte, end)).rows) {
      if (!row.startsWith(`${familyOf(file.table)}/`)) {
        world.violations.push(`I1: table ${file.table} shows the row ${row}`);
      }
      if (familyOf(file.table) === latest && expected.has(row)) continue; // see checkWinners
      const left = (expected.get(row) ?? 0) - 1;
      if (left < 0) {
        world.violations.push(`I1: version ${version} shows ${row} more often than it was sent`);
        return;
      }
      expected.set(row, left);
    }
  }
  for (const [row, left] of expected) {
    if (left === 0 || row.startsWith(`${latest}/`)) continue;
    world.violations.push(`I1: version ${version} lacks ${row}`);
    return;
  }
}

/** I1 where the last writer of a key wins: whoever reads the files in upload order sees the last of each. */
async function checkWinners(
  world: World,
  dataset: string,
  period: string,
  version: number,
  ledger: Record<string, unknown>[],
  deletions: Deletion[],
): Promise<void> {
  const rowsOf = async (files: Promise<Record<string, unknown>[]>) => {
    const rows: string[] = [];
    for (const { object_key, start_byte, byte_length } of await files) {
      const object = asStored(world, String(object_key));
      if (!object) return null; // told by checkRows, where it matters
      const start = Number(start_byte);
      rows.push(...decodeRows(object.bytes.subarray(start, start + Number(byte_length))).rows);
    }
    return rows;
  };
  const { sql } = world.database;
  const shown = await rowsOf(sql`
    select object_key, start_byte, byte_length from public.battle_files f
    where dataset_id = ${dataset} and "table" = ${latest} and period_tag = ${period} and added_version <= ${version}
      and (removed_version is null or removed_version > ${version}) and not sediment.is_marked(f, ${version})
    order by seq_min`);
  const came = ledger
    .filter((entry) => Number(entry.version) <= version && entry.period === period)
    .flatMap((entry) =>
      (entry.files as { table: string; ordinal: number }[])
        .filter(({ table }) => table === latest)
        .map(({ ordinal }) => ({ entry, ordinal }))
    )
    // an upload is a version here, and its slices of a partition come in its order
    .toSorted((one, other) =>
      Number(one.entry.version) - Number(other.entry.version) || one.ordinal - other.ordinal
    )
    .flatMap(({ entry, ordinal }) =>
      world.uploads.find((upload) =>
        upload.dataset === dataset && upload.hash === entry.hash && upload.period === period
      )?.rows.filter((row) => row.startsWith(`${latest}/`) && row.includes(`.${ordinal}:`))
        .map((row) => ({
          row,
          by: deletions.find((deletion) => isDeleted(deletion, row, entry, version)),
        })) ?? []
    );
  if (shown === null) return;
  const found = new Map(lastOfEach(shown).map((row) => [keyOf(row), row]));
  const keys = Map.groupBy(came, ({ row }) => keyOf(row));
  for (const key of new Set([...keys.keys(), ...found.keys()])) {
    const rows = keys.get(key) ?? [];
    const last = rows.findLastIndex(({ by }) => by === undefined);
    const row = found.get(key);
    if (row === rows[last]?.row) continue;
    // What a deleted row had overwritten may be gone, and then an older one, or none, is the last.
    const overwritten = rows.slice(last + 1).some(({ by }) => by!.upload !== null);
    const older = row === undefined ||
      rows.slice(0, last).some((one) => one.row === row && one.by === undefined);
    if (last >= 0 && overwritten && older) continue;
    world.violations.push(
      `I1: version ${version}: of ${key} shows ${row}, not ${rows[last]?.row}`,
    );
    return;
  }
}

/** I3: what a client was told is in the ledger, and there once, until its user has deleted all of it and sends it again. */
function checkLedger(
  world: World,
  dataset: string,
  known: Record<string, unknown>[],
  ledger: Record<string, unknown>[],
  deletions: Deletion[],
  newest: number,
  names: Map<string, string>,
): void {
  for (const upload of world.uploads) {
    if (!upload.acknowledged || upload.dataset !== dataset) continue;
    const same = (row: Record<string, unknown>) =>
      row.hash === upload.hash && row.table === (names.get(upload.table) ?? upload.table) &&
      row.period === upload.period;
    const found = known.filter(same).length;
    if (found === 1) continue;
    const last = ledger.findLast(same);
    const gone = last !== undefined &&
      upload.rows.every((row) =>
        deletions.some((deletion) => isDeleted(deletion, row, last, newest))
      );
    if (found === 0 && gone) continue;
    world.violations.push(`I3: ${upload.hash} is in the ledger ${found} times`);
  }
}

/** A scope of a dataset that was deleted at a version, or a slice of an upload. */
interface Deletion {
  version: number;
  table: string | null;
  period: string | null;
  upload: string | null;
  /** Of an upload: which of its slices. */
  ordinal: number | null;
  /** Whether its rows are there still, until they are written anew. */
  pending: boolean;
}

async function deletionsOf(world: World, dataset: string): Promise<Deletion[]> {
  const rows = await world.database.sql`
    select version, "table", period_tag as period, null as upload, null as ordinal,
      false as pending from public.deletions
    where dataset_id = ${dataset} and upload_id is null
    union all
    -- of what had ended by its age, or was deleted before, there is no slice
    select coalesce(s.version, x.version), f.value ->> 'table', f.value ->> 'period_tag', x.upload_id,
      (f.value ->> 'ordinal')::int, s.seq is not null and s.version is null
    from public.deletions x join simulation.ledger l on l.id = x.upload_id
    cross join lateral jsonb_array_elements(l.answer -> 'files') with ordinality as f(value, n)
    left join public.deleted_slices s on s.deletion_id = x.id and s."table" = f.value ->> 'table'
      and s.period_tag = f.value ->> 'period_tag' and s.seq = l.seqs[f.n]
    where x.dataset_id = ${dataset}`;
  return rows.map(({ version, ...scope }) => ({ version: Number(version), ...scope } as Deletion));
}

/** Whether a row of an upload is gone at a version by its age. */
function isEnded(world: World, dataset: string, row: string, added: number, version: number) {
  return world.ended.some((end) =>
    end.dataset === dataset && end.row === row && end.version > added && end.version <= version
  );
}

/** Whether a row of an acknowledged upload is gone at a version, by this deletion. */
function isDeleted(
  deletion: Deletion,
  row: string,
  { id, version: added, period }: Record<string, unknown>,
  version: number,
): boolean {
  return deletion.version > Number(added) && deletion.version <= version &&
    (deletion.table === null || row.startsWith(`${deletion.table}/`)) &&
    (deletion.period === null || deletion.period === period) &&
    (deletion.upload === null ||
      deletion.upload === id && row.includes(`.${deletion.ordinal}:`));
}

/**
 * I12: after a purge no object holds a row of it, but one that is broken and that nobody has healed.
 *
 * @param atRest that nothing is left of any; else of those that are said to be done, in what is stored for good
 */
export async function checkPurged(world: World, atRest: boolean): Promise<void> {
  const { sql } = world.database;
  const onTheirWay = new Set<string>();
  if (!atRest) {
    const keys = await sql`
      select object_key as key from public.objects where state <> 'stored' or split_at is not null`;
    for (const { key } of keys) onTheirWay.add(String(key));
  }
  const purges = await sql`
    select dataset_id as dataset, version, "table", period_tag as period, upload_id as upload from public.deletions
    where purge and kind <> 'user' and (state = 'purged' or ${atRest} and state <> 'pending')`;
  for (const { dataset, version, table, period, upload } of purges) {
    const deleted = upload === null
      ? [{ version: Number(version), table, period, upload, ordinal: null, pending: false }]
      : (await deletionsOf(world, dataset)).filter((slice) =>
        slice.upload === upload && !slice.pending
      );
    const deletion = { version: Number(version) };
    const ledger = await sql`
      select id, hash, "table", period_tag as period, version from simulation.ledger where dataset = ${dataset}`;
    const gone = new Set(
      ledger.flatMap((entry) =>
        world.uploads.find((upload) =>
          upload.hash === entry.hash && upload.dataset === dataset &&
          upload.table === entry.table &&
          upload.period === entry.period
        )?.rows.filter((row) =>
          deleted.some((one) => isDeleted(one, row, entry, deletion.version))
        ) ?? []
      ),
    );
    // what came again afterwards is there by right
    for (const entry of ledger.filter(({ version }) => Number(version) > deletion.version)) {
      for (const { hash, rows } of world.uploads) {
        if (hash === entry.hash) rows.forEach((row) => gone.delete(row));
      }
    }
    for (const [key, { bytes }] of world.store.objects) {
      const text = new TextDecoder().decode(bytes);
      const row = [...gone].find((row) => text.includes(`"${row}"`));
      if (row === undefined || !key.includes(String(dataset))) continue;
      // of what is broken the other slices can't be copied
      if (onTheirWay.has(key) || world.decayed.has(key)) continue;
      world.violations.push(`I12: ${row} was purged at version ${version}, and ${key} holds it`);
    }
  }
}

/** I2: an object exists only if `objects` names it; what it names as stored exists. */
async function checkObjects(world: World): Promise<void> {
  const known = await world.database.sql`select object_key, state, size from public.objects`;
  const states = new Map(known.map((row) => [row.object_key, row]));
  for (const key of world.store.objects.keys()) {
    if (!states.has(key)) world.violations.push(`I2: nobody planned the object ${key}`);
  }
  for (const { object_key, state, size } of known) {
    if (state !== "stored") continue;
    const object = asStored(world, object_key);
    if (!object) world.violations.push(`I2: ${object_key} is stored, says the catalog`);
    else if (object.bytes.byteLength !== Number(size)) {
      world.violations.push(`I2: ${object_key} has ${object.bytes.byteLength} bytes, not ${size}`);
    }
  }
}

/** Only what is broken, kills, or was lost for good is set aside; also before anybody sends it again, which would heal it. */
export async function checkSetAside(world: World): Promise<void> {
  const found = await world.database.sql`
    select id, object_key, quarantine_code, quarantine_reason from public.battle_files
    where state = 'quarantined' and quarantine_code <> 'invalid_parquet'
      and quarantine_code <> 'worker_died'
      and not (quarantine_code in ('object_missing', 'object_changed')
        and object_key = any (${[...world.decayed.keys()]}))`;
  if (found.length > 0) {
    world.violations.push(
      `I9: a file was set aside that is sound: ${
        JSON.stringify(found.slice(0, 3))
      } (${found.length})`,
    );
  }
}

/** I10: no output is missed while all that it had replaced is kept and sound. */
export async function checkRemade(world: World): Promise<void> {
  const found = await world.database.sql`
    select f.id, f.object_key, f.quarantine_code, f.remake_at, f.remake_tries, p.last_decision
    from public.battle_files f
    join public.partitions p on p.dataset_id = f.dataset_id and p."table" = f."table" and p.period_tag = f.period_tag
    where f.removed_version is null and f.level > 0 and f.quarantine_code in ('object_missing', 'object_changed')
      and f.quarantined_at < ${world.calmSince} and sediment.retired_inputs(f) is not null
      -- what is deleted is remade for nobody
      and not sediment.is_marked(f, 9223372036854775807)
      -- a worker that knows no keys had made it of all rows, which the simulation's merge does not
      and not (f."table" = ${latest} and ${world.oldWorkers})
      and p.isolation is null and p.dead_since is null and p.lease_expires_at is null and not exists (
        select 1 from public.battle_files i
        where i.id = any (sediment.retired_inputs(f)) and i.object_key = any (${[
    ...world.decayed.keys(),
  ]}))`;
  if (found.length > 0) {
    world.violations.push(`I10: an output was not remade: ${JSON.stringify(found.slice(0, 3))}`);
  }
}

/** What must hold once everything that was due has been done: I2's other half, I4, I6, I7. */
export async function checkAtRest(world: World): Promise<void> {
  await checkInSql(world, "2 hours");
  const { sql } = world.database;
  const expectNone = async (what: string, rows: Promise<Record<string, unknown>[]>) => {
    const found = await rows;
    if (found.length > 0) {
      world.violations.push(`${what}: ${JSON.stringify(found.slice(0, 3))} (${found.length})`);
    }
  };
  await expectNone(
    "I4: a lease is left",
    sql`select "table", run_id, token, lease_expires_at from public.partitions
        where lease_expires_at is not null`,
  );
  await expectNone(
    "I4: debt without a live message, a time at which it is due, or a reason",
    sql`select "table", debt_files, due_at, dead_since, last_decision from public.partitions
        where debt_oldest is not null and msg_id is null and due_at is null`,
  );
  await expectNone(
    "I4: demand that no run has seen, and none is kept for",
    sql`select "table", demand_seq, done_seq from public.partitions
        where demand_seq > done_seq and dead_since is null and next_run_id is null`,
  );
  await expectNone(
    "I4: a live message that is not in its queue",
    sql`select p."table", p.queue, p.msg_id from public.partitions p where p.msg_id is not null
        and not exists (select 1 from sediment.queue_messages m
          where m.queue = p.queue and m.msg_id = p.msg_id)`,
  );
  await expectNone(
    "I7: a message is left that is no partition's",
    sql`select m.queue, m.msg_id, m.message from sediment.queue_messages m
        where m.queue in ('manual', 'realtime', 'scheduled') and not exists (
          select 1 from public.partitions p where p.queue = m.queue and p.msg_id = m.msg_id)`,
  );
  await expectNone(
    "I7: a run has not ended",
    sql`select id, "table", status, operation, attempts from public.processing_metrics
        where status in ('queued', 'running') and completed_at is null and not exists (
          select 1 from public.partitions p where p.run_id = id or p.next_run_id = id)`,
  );
  await expectNone(
    "I7: a run ended in the dead letters without a letter",
    sql`select r.id, r.status from public.processing_metrics r
        where r.status in ('dlq_failure', 'timeout') and not exists (
          select 1 from public.dead_letters l where l.run_id = r.id)`,
  );
  await expectNone(
    "I2: a staged object was never swept",
    // but of the last look at a partition that is dead, and copies of what stays beside deleted slices, which are planned
    // anew while they can't be made
    sql`select o.object_key, o.state from public.objects o where o.state in ('staged', 'deleting')
        and not (o.kind = 'fragment' and o.stage_id is null and o.put_deadline > simulation.clock())
        and not exists (select 1 from public.partitions p
          where p.dead_looks > 0 and o.token is not null
          and o.dataset_id = p.dataset_id and o."table" = p."table" and o.put_deadline > simulation.clock())`,
  );
  // Only workers that died or were too slow may dead-letter a run: bad files are set aside, a lost answer is asked for again,
  // and what the environment breaks off is given back.
  await expectNone(
    "I6, I7, I9: a run was dead-lettered for something that is no work's fault",
    sql`select "table", run_id, error_code, error_message, error_step, attempts
        from public.dead_letters where error_code not in
          ('lease_expired', 'run_timeout', 'worker_died', 'aborted', 'inputs_changed',
           ${world.oldWorkers ? "inputs_not_adjacent" : ""})`,
  );
  await checkSetAside(world);
  // In a storm two workers in a row may die by chance; in the calm after it they die of files alone.
  const killers =
    await sql`select id, object_key, start_byte, byte_length, quarantine_reason, "table"
    from public.battle_files where quarantine_code = 'worker_died'
      and quarantined_at > ${world.calmSince}
      -- leases of workers that the storm has killed run out in the calm: but one such death accuses nobody
      and (quarantine_reason ~ 'the last: worker (calm|quiet) ' or quarantine_reason ~ '^1 workers')`;
  for (const file of killers) {
    const from = Number(file.start_byte);
    const bytes = asStored(world, file.object_key)?.bytes
      .subarray(from, from + Number(file.byte_length));
    if (bytes !== undefined && decodeRows(bytes).kills) continue;
    world.violations.push(`I11: file ${file.id} kills nobody: ${file.quarantine_reason}`);
  }
  await expectNone(
    "I11: workers died of a file that nobody found",
    sql`select p."table", p.last_decision, p.staged_inputs from public.partitions p
        where p.dead_since is not null and p.last_decision = 'gave up: lease_expired'`,
  );
  await expectNone(
    "I11: a partition is narrowed down for ever",
    sql`select "table", isolation, last_decision from public.partitions
        where isolation is not null and dead_since is null and dead_looks = 0`,
  );
  await expectNone(
    "I9: the breaker is open though all is well",
    sql`select state, part, error_message, probe_at from public.circuit_breaker where state <> 'closed'`,
  );
  await expectNone(
    "I10: bytes that changed were merged",
    sql`select f.id, f.object_key from public.battle_files f
        where f.removed_version is not null and f.upload_id is not null
          and f.object_key = any (${[...world.decayed.keys()]}) and f.lost_since is not null`,
  );
  const tombstones = await sql`select object_key from public.objects where state = 'tombstone'`;
  for (const { object_key } of tombstones) {
    if (world.store.objects.has(object_key)) {
      world.violations.push(`I2: ${object_key} is a tombstone and still stored`);
    }
  }
}
