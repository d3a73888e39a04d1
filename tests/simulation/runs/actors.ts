/** Who acts in a seed: uploaders, workers, the clockwork, people with requests. */
import { createHash } from "node:crypto";
import type { Catalog } from "../../../shared/catalog/catalog.ts";
import type { InputFile } from "../../../shared/catalog/run_results.ts";
import { failureClass } from "../../../shared/compaction/run/failure_class.ts";
import { takeTurn } from "../../../shared/compaction/run/turn.ts";
import { vacuum } from "../../../shared/compaction/upkeep/vacuum.ts";
import { SedimentError } from "../../../shared/errors.ts";
import type { UploadPorts } from "../../../shared/uploads/ports.ts";
import { receiveUpload, uploadAtOnce } from "../../../shared/uploads/receive_upload.ts";
import { stageUpload } from "../../../shared/uploads/stage_upload.ts";
import type { UploadRequest } from "../../../shared/uploads/upload_request.ts";
import {
  deadlyMerge,
  encodeRows,
  inspectRows,
  keepApart,
  latest,
  mergeAllRows,
  mergeRows,
} from "./rows.ts";
import { advanceLake, pruneLake } from "./lake.ts";
import { laterName, respelled } from "./naming.ts";
import type { Random } from "./random.ts";
import type { ClientUpload, World } from "./world.ts";

/** Few, so that many meet on one. The last is one where the last writer of a key wins. */
const tables = ["battles", "items", latest];

/** A user with a dataset. */
export interface Owner {
  user: string;
  dataset: string;
}

interface Body {
  request: UploadRequest;
  bytes: Uint8Array;
  upload: ClientUpload;
}

/** Sends `count` uploads, one after the other, each until it is acknowledged or given up. */
export async function uploader(world: World, name: string, owner: Owner, count: number) {
  const ports: UploadPorts = {
    catalog: world.catalogOf(name),
    store: world.storeOf(name),
    inspect: inspectRows,
  };
  const sent: Body[] = [];
  for (let n = 0; n < count; n++) {
    // Some are sent again by a client that does not know that they arrived; some race with themselves.
    const again = sent.length > 0 && world.random.chance(world.deleting ? 0.4 : 0.2);
    const body = again ? world.random.pick(sent) : newBody(world, owner, `${name}.${n}`);
    if (!again) {
      sent.push(body);
      world.uploads.push(body.upload);
    }
    if (world.random.chance(0.15)) {
      const twin = `${name}-twin-${n}`;
      const twinPorts = { ...ports, catalog: world.catalogOf(twin), store: world.storeOf(twin) };
      world.scheduler.start(twin, () => send(world, twinPorts, owner, body));
    }
    await send(world, ports, owner, body);
  }
}

/** Puts bodies in time and commits them when their stages are long swept: those are to be begun anew. */
export async function latecomer(world: World, name: string, owner: Owner, count: number) {
  const catalog = world.catalogOf(name);
  const clock = world.clockOf(name);
  const commitUpload: Catalog["commitUpload"] = async (args) => {
    await clock.sleep(8_000_000);
    await attempt(() => catalog.sweep({}));
    return await catalog.commitUpload(args);
  };
  const ports: UploadPorts = {
    catalog: new Proxy(catalog, {
      get: (target, method: keyof Catalog) =>
        method === "commitUpload" ? commitUpload : target[method],
    }),
    store: world.storeOf(name),
    inspect: inspectRows,
  };
  for (let n = 0; n < count; n++) {
    const body = newBody(world, owner, `${name}.${n}`);
    world.uploads.push(body.upload);
    await attempt(() =>
      uploadAtOnce(ports, owner.user, body.request, body.bytes, { ttlSeconds: 120 })
    );
  }
}

async function send(world: World, ports: UploadPorts, owner: Owner, body: Body): Promise<void> {
  const user = world.guests.length > 0 && world.random.chance(0.6)
    ? world.random.pick(world.guests)
    : owner.user;
  const twoRequests = world.random.chance(0.5);
  let again = false;
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      let answer;
      const request = await respelled(world, body.request);
      if (twoRequests) {
        const { staged } = await stageUpload(ports, user, request, {
          ttlSeconds: 120,
          again,
        });
        answer = await receiveUpload(ports, staged, body.bytes);
        // A lost answer is asked for again with the same token.
        if (world.random.chance(0.2)) {
          const second = await receiveUpload(ports, staged, body.bytes);
          await sameAnswer(world, body, answer, second);
        }
      } else {
        answer = await uploadAtOnce(ports, user, request, body.bytes, {
          ttlSeconds: 120,
          again,
        });
      }
      if (body.upload.acknowledged) await sameAnswer(world, body, body.upload.answer, answer);
      body.upload.acknowledged = true;
      body.upload.answer ??= answer;
      body.upload.again = async () =>
        await uploadAtOnce(
          { catalog: world.catalog, store: world.store, inspect: inspectRows },
          await ownerOf(world, owner.dataset),
          body.request,
          body.bytes,
          { ttlSeconds: 120 },
        );
      return;
    } catch (thrown) {
      if (!(thrown instanceof SedimentError)) throw thrown;
      if (world.deleting && ["dataset_deleted", "user_deleted"].includes(thrown.code)) return;
      if (world.deleting && thrown.code === "upload_deleted") {
        // A late retry stops here; who wants the rows back says so.
        if (again || world.random.chance(0.5)) return;
        again = true;
        continue;
      }
      if (world.guests.length > 0 && thrown.code === "dataset_forbidden") return;
      const outage = failureClass(thrown) === "environment";
      if (!outage && thrown.code !== "stage_expired") {
        world.violations.push(`an upload was refused: ${thrown.code}: ${thrown.message}`);
        return;
      }
    }
  }
}

/** Who owns a dataset by now. */
async function ownerOf(world: World, dataset: string): Promise<string> {
  const [row] = await world.database.sql`select user_id from public.datasets where id = ${dataset}`;
  return String(row.user_id);
}

async function sameAnswer(world: World, body: Body, first: unknown, second: unknown) {
  const told = (answer: unknown) => {
    const { duplicate: _duplicate, healed: _healed, ...rest } = answer as Record<string, unknown>;
    return JSON.stringify(rest);
  };
  if (told(first) === told(second)) return;
  // What was deleted and came again was acknowledged twice, each time with an answer of its own.
  const { dataset, hash, table, period } = body.upload;
  const [{ acknowledged }] = await world.database.sql`
    select count(*)::int as acknowledged from simulation.ledger l
    where l.dataset = ${dataset} and l.hash = ${hash} and l."table" = ${table} and l.period_tag = ${period}`;
  if (world.deleting && acknowledged > 1) return;
  world.violations.push(
    `I3: upload ${body.upload.hash} got two answers: ${told(first)}, ${told(second)}`,
  );
}

function newBody(world: World, owner: Owner, id: string): Body {
  const { random } = world;
  const periodTag = world.deleting ? world.periods[random.pick([0, 0, 0, 1])]! : world.periods[0]!;
  const slices: UploadRequest["slices"] = [];
  const parts: Uint8Array[] = [];
  const rows: string[] = [];
  const concatenated = random.chance(world.deleting ? 0.5 : 0.3);
  const names = concatenated ? [random.pick(tables), random.pick(tables)] : [random.pick(tables)];
  let at = 0;
  // a name that the table may get later: until then it is a table of its own
  const sentAs = names.map((table) =>
    world.naming?.chance(0.3) && table !== latest ? laterName(table, world.naming) : table
  );
  for (const [ordinal, table] of names.entries()) {
    const own = Array.from(
      { length: random.whole(1, 4) },
      (_, n) =>
        table === latest
          ? `${table}/${random.pick(["a", "b", "c", "d"])}@${id}.${ordinal}:${n}`
          : `${table}/${id}.${ordinal}:${n}`,
    );
    const bytes = encodeRows(
      {
        schema: random.chance(0.8) ? "schema-a" : otherSchema(world, own.length),
        rows: own,
        ...(random.chance(0.05) ? { bad: true as const } : {}),
        ...(random.chance(world.killing) ? { kills: true as const } : {}),
      },
      random.pick([0, 300, 900, 2500]),
    );
    slices.push({
      table: sentAs[ordinal]!,
      start: at,
      length: bytes.byteLength,
      format: "parquet",
    });
    at += bytes.byteLength;
    parts.push(bytes);
    rows.push(...own);
  }
  const bytes = new Uint8Array(at);
  for (const [index, part] of parts.entries()) bytes.set(part, slices[index]!.start);
  const hash = createHash("sha256").update(bytes).digest("hex");
  return {
    bytes,
    request: {
      datasetId: owner.dataset,
      table: sentAs[0]!,
      periodTag,
      size: at,
      contentHash: hash,
      concatenated,
      slices,
    } as UploadRequest,
    upload: {
      dataset: owner.dataset,
      table: sentAs[0]!,
      period: periodTag,
      hash,
      rows,
      acknowledged: false,
    },
  };
}

/** Where workers tell groups there is a third schema, which a run that told the first two apart has not met. */
function otherSchema({ tellsGroups, lake }: World, rows: number): string {
  return tellsGroups && !lake && rows > 2 ? "schema-c" : "schema-b";
}

/** What kind of worker takes turns: all of them must be harmless. */
export type WorkerKind =
  | "current"
  /** Goes on with the files of an earlier claim, as one does that keeps its plan. */
  | "stale"
  /** Runs the code of before, which knows no dedupe tables. */
  | "old";

/** Takes turns. */
export async function worker(
  world: World,
  name: string,
  kind: WorkerKind,
  turns: number,
): Promise<void> {
  const ports = {
    catalog: misled(world, world.catalogOf(name), kind),
    store: world.storeOf(name),
    clock: world.clockOf(name),
    merge: deadlyMerge(kind === "old" ? mergeAllRows : mergeRows, () => {
      world.scheduler.kill(name);
      // the platform wakes another
      const next = `${name}'`;
      if (turns > 1) world.scheduler.start(next, () => worker(world, next, kind, turns - 1));
      return new Promise<never>(() => {});
    }),
    unite: keepApart,
  };
  for (let turn = 0; turn < turns; turn++) {
    try {
      await takeTurn(ports, {
        worker: name,
        leaseSeconds: 60,
        turnSeconds: 60,
        turnBytes: world.random.pick([500, 5_000, 1_000_000]),
      });
    } catch (thrown) {
      if (!(thrown instanceof SedimentError)) throw thrown;
    }
    await ports.clock.sleep(1_000 * world.random.whole(1, 15));
  }
}

function misled(world: World, catalog: Catalog, kind: WorkerKind): Catalog {
  if (kind === "current") return catalog;
  if (kind === "old") world.oldWorkers = true;
  const kept = new Map<string, InputFile[]>();
  const claimCompaction: Catalog["claimCompaction"] = async (args) => {
    const claim = await catalog.claimCompaction(args);
    if (!claim.claimed) return claim;
    const misjudges = () =>
      world.misjudged.set(`${claim.dataset_id}/${claim.table}/${claim.period_tag}`, claim.token);
    if (kind === "old") {
      if (claim.settings.dedupe_keys!.length > 0) misjudges();
      return { ...claim, settings: { ...claim.settings, dedupe_keys: [] } };
    }
    const partition = `${claim.dataset_id}/${claim.table}`;
    const before = kept.get(partition);
    if (before !== undefined && world.random.chance(0.8)) {
      misjudges();
      return { ...claim, files: before };
    }
    kept.set(partition, claim.files);
    return claim;
  };
  // the code of before says nothing of what it leaves waiting
  const commitCompaction: Catalog["commitCompaction"] = (args) =>
    catalog.commitCompaction({ ...args, result: { ...args.result, waiting: undefined } });
  return new Proxy(catalog, {
    get: (target, method: keyof Catalog) => {
      if (method === "claimCompaction") return claimCompaction;
      return method === "commitCompaction" && kind === "old" ? commitCompaction : target[method];
    },
  });
}

/** What pg_cron and the DLQ handler do, in any order. */
export async function clockwork(world: World, name: string, rounds: number): Promise<void> {
  const catalog = world.catalogOf(name);
  const store = world.storeOf(name);
  const jobs: (() => Promise<unknown>)[] = [
    () => catalog.expireLeases({}),
    () => catalog.expireLeases({}),
    () => catalog.sweep({}),
    () => catalog.sweep({}),
    async () => {
      await catalog.pruneHistory({});
      if (world.lake) await pruneLake(world);
    },
    () => vacuum({ catalog, store, clock: world.clockOf(name) }, { seconds: 60 }),
    () => catalog.drainDeadLetters({}),
    () => catalog.triggerScheduled({}),
    ...(world.deleting
      ? [
        () => catalog.advanceDeletions({ limit: 2 }),
        () => catalog.endAged({ partitions: 3, limit: 2 }),
      ]
      : []),
    ...(world.lake ? [() => advanceLake(world)] : []),
  ];
  for (let round = 0; round < rounds; round++) {
    await attempt(world.random.pick(jobs));
    await world.clockOf(name).sleep(1_000 * world.random.whole(1, 60));
  }
}

/** Manual requests, redrives and second tries for quarantined files. */
export async function people(world: World, name: string, owners: Owner[], rounds: number) {
  const catalog = world.catalogOf(name);
  for (let round = 0; round < rounds; round++) {
    const { user, dataset } = world.random.pick(owners);
    const table = world.random.pick([...tables, null]);
    await attempt(world.random.pick([
      () => catalog.requestCompaction({ user, dataset, table }),
      () => catalog.requestCompaction({ user, dataset, table, priority: "scheduled" }),
      () => catalog.redriveDeadLetters({ user }),
      () => catalog.retryQuarantined({ user, dataset }),
    ]));
  }
}

/** Deletes tables, periods, now and then a dataset or a user; goes on with it a little, or leaves it to the clockwork. */
export async function remover(world: World, name: string, owners: Owner[], rounds: number) {
  const catalog = world.catalogOf(name);
  const { random } = world;
  for (let round = 0; round < rounds; round++) {
    for (let pause = random.whole(1, 12); pause > 0; pause--) {
      await world.clockOf(name).sleep(1_000 * random.whole(0, 9));
      await attempt(() => catalog.endAged({ partitions: 200, limit: 50 }));
    }
    const { user, dataset } = random.pick(owners);
    const purge = random.chance(0.4);
    const table = random.pick([...tables, null]);
    const periodTag = table === null || random.chance(0.5)
      ? world.periods[random.pick([0, 0, 1])]!
      : null;
    const all = random.chance(0.12);
    if (random.chance(0.4)) {
      // what a worker has read and is about to merge, or what was merged long ago, or what came last
      const merged = random.chance(0.6);
      const read = random.chance(0.6)
        ? await world.database.sql`
          select distinct u.id, s.period_tag as period, s."table" from public.partitions p
          join public.battle_files f on f.id = any (p.staged_inputs) and f.level > 0 and f.removed_version is null
          join public.uploads u on u.dataset_id = p.dataset_id
          cross join lateral sediment.upload_slices(u) s
          where p.dataset_id = ${dataset} and s."table" = p."table" and s.period_tag = p.period_tag
            and sediment.seqs_of(f) @> s.seq order by 1, 2, 3`
        : [];
      const uploads = read.length > 0 ? read : await world.database.sql`
        select u.id, f.period_tag as period, f."table" from public.uploads u
        cross join lateral sediment.upload_slices(u) f
        where u.dataset_id = ${dataset} and (not ${merged} or not exists (
          select 1 from public.battle_files x where x.upload_id = u.id and x.removed_version is null))
        order by u.created_at desc, u.id, 3 limit ${merged ? 12 : 4}`;
      if (uploads.length === 0) continue;
      const { id, period, table } = random.pick([...uploads]);
      await attempt(() => catalog.deleteUpload({ user, upload: String(id), purge, merged: true }));
      // what waits for its rewrite goes with a wider scope, before anybody has come to it
      if (random.chance(0.3)) {
        await attempt(() => catalog.deleteData({ user, dataset, table, periodTag: period, purge }));
      }
      continue;
    }
    await attempt(() =>
      all && random.chance(0.3)
        ? catalog.deleteUser({ user, by: user, purge })
        : catalog.deleteData(
          all ? { user, dataset, purge } : { user, dataset, table, periodTag, purge },
        )
    );
    // what is left is for the clockwork
    for (let slice = random.pick([0, 0, 1, 3, 8]); slice > 0; slice--) {
      await attempt(() => catalog.advanceDeletions({ limit: random.pick([1, 2, 50]) }));
    }
  }
}

/**
 * Takes objects of uploads, or of outputs, away or changes a byte of them, as a store does that fails in silence.
 *
 * @param random an actor that came later brings its own, so that seeds go as they went before it
 */
export async function decay(
  world: World,
  name: string,
  rounds: number,
  kind: "fragment" | "compacted" = "fragment",
  random: Random = world.random,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await world.clockOf(name).sleep(1_000 * random.whole(10, kind === "fragment" ? 200 : 60));
    // a gate of its own: what it looks up takes time that is nobody's
    await world.scheduler.pass(
      name,
      "sleep and decay",
      () => decayOne(world, kind, random),
      () => new Error("never: sleeps have no faults"),
      () => Promise.resolve(),
    );
  }
}

async function decayOne(world: World, kind: string, random: Random): Promise<void> {
  const stored = await world.database.sql`
    select o.object_key as key from public.objects o
    where o.state = 'stored' and o.kind = ${kind} order by o.object_key`;
  const keys = stored.map(({ key }) => String(key)).filter((key) =>
    !world.decayed.has(key) && world.store.objects.has(key)
  );
  if (keys.length === 0) return;
  // bodies of several tables come again with slices that were deleted
  const shared = keys.filter((key) => key.endsWith(".bin"));
  const key = random.pick(
    world.deleting && shared.length > 0 && random.chance(0.6) ? shared : keys,
  );
  const object = world.store.objects.get(key)!;
  world.decayed.set(key, object.bytes.slice());
  if (random.chance(0.5)) await world.store.deleteMany([key]);
  else {
    // a letter of a row's name: the file can be read still
    const text = new TextDecoder().decode(object.bytes);
    const at = text.lastIndexOf(":") - 1;
    object.bytes[at] = object.bytes[at] === 57 ? 48 : object.bytes[at] + 1;
  }
}

/** Lets time jump, now and then backwards, as a clock that is put right does. */
export async function time(world: World, name: string, jumps: number): Promise<void> {
  for (let jump = 0; jump < jumps; jump++) {
    await world.clockOf(name).sleep(
      1_000 * world.random.pick([2, 20, 65, 700, 2_000, 8_000, -1, -50, -900]),
    );
  }
}

async function attempt(action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (thrown) {
    if (!(thrown instanceof SedimentError)) throw thrown;
  }
}
