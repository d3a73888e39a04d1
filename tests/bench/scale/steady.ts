/**
 * Whether what is merged and forgotten keeps up with what comes, in a catalog as it is after years: what some seconds bring of
 * uploads, then the workers' runs and the upkeep of these seconds, one after the other, each as long as it takes. After each
 * step what it brought is made as old as what is forgotten, so that the next one's upkeep has as much to forget as came.
 */
import { randomBytes } from "node:crypto";
import postgres, { type Sql } from "postgres";
import { groupUploads } from "../../../shared/catalog/group_uploads.ts";
import { systemClock } from "../../../shared/clock.ts";
import { takeTurn } from "../../../shared/compaction/run/turn.ts";
import { vacuum, type VacuumPorts } from "../../../shared/compaction/upkeep/vacuum.ts";
import { createSqlCatalog } from "../../support/sql_catalog.ts";
import { cpuMs } from "../queue/postgres_cpu.ts";
import { merge, store } from "../queue/stand_ins.ts";

/** What the arrivals of some seconds took: of PostgreSQL's CPU, in seconds, and what was left to forget after it. */
export interface Step {
  /** How long such arrivals take to come. */
  seconds: number;
  uploads: number;
  runs: number;
  /** Uploads, workers' runs, the minutely jobs, and the vacuum's share of an hour: a part of all datasets, and what they drop. */
  cpu: { uploads: number; runs: number; jobs: number; vacuum: number; all: number };
  /** The same by the clock, beside whatever else the machine does. */
  wall: { uploads: number; runs: number; jobs: number; vacuum: number };
  /** Files and objects that it dropped. */
  files_dropped: number;
  objects_deleted: number;
  /** Rows that should be gone. */
  left: { runs: number; keys: number; archived: number; objects: number };
}

const uploadsPerDay = 10_000_000;
const inputs = 4, workers = 4;

/**
 * See the module's head.
 *
 * @param datasets that the catalog has
 * @param seconds that a step's arrivals take to come
 */
export async function steady(
  url: string,
  datasets: number,
  steps: number,
  seconds: number,
  tell: (step: Step) => void,
): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const pool = postgres(url, { max: workers, onnotice: () => {} });
  try {
    await sql`update public.service_settings set uploads_per_minute = null, upload_bytes_per_day = null,
      stored_bytes_max = null, datasets_max = null, tables_max = null, partitions_max = null, partitions_per_minute = null,
      schemas_per_minute = null, open_stages_max = null where id`;
    await visitAll(sql);
    const [{ pid }] = await sql`select pg_backend_pid() as pid`;
    const postmaster = Number(
      (await Deno.readTextFile(`/proc/${pid}/stat`)).split(") ")[1].split(" ")[1],
    );
    const cost = async (work: () => Promise<unknown>) => {
      const begun = performance.now(), spent = await cpuMs(postmaster);
      await work();
      return {
        cpu: rounded(await cpuMs(postmaster) - spent),
        wall: rounded(performance.now() - begun),
      };
    };
    const uploads = Math.round(uploadsPerDay / 86_400 * seconds / inputs) * inputs;
    for (let step = 1; step <= steps; step++) {
      const [{ now: begun }] = await sql`select clock_timestamp()::text as now`;
      const arriving = await cost(() => arrive(pool, datasets, step, uploads));
      const working = await cost(() => work(pool, uploads / inputs));
      const jobs = await cost(async () => {
        await sql`select public.sweep(2000), public.expire_leases(), public.tick()`;
        await sql`select public.prune_history(10000, 20)`;
        await sql`select sediment.fold_metrics()`;
      });
      let dropped = { files_dropped: 0, objects_deleted: 0 };
      const vacuuming = await cost(async () => {
        const ports = { catalog: createSqlCatalog(sql), store, clock: systemClock };
        dropped = await vacuum(ports as unknown as VacuumPorts, { seconds: 60 });
      });
      const parts = { uploads: arriving, runs: working, jobs, vacuum: vacuuming };
      const of = (kind: "cpu" | "wall") =>
        Object.fromEntries(
          Object.entries(parts).map(([name, part]) => [name, part[kind]]),
        ) as Step["wall"];
      const cpu = of("cpu");
      tell({
        seconds,
        uploads,
        runs: uploads / inputs,
        cpu: { ...cpu, all: rounded(1000 * (cpu.uploads + cpu.runs + cpu.jobs + cpu.vacuum)) },
        wall: of("wall"),
        files_dropped: dropped.files_dropped,
        objects_deleted: dropped.objects_deleted,
        left: await left(sql),
      });
      await age(sql, begun, Math.ceil(datasets * seconds / 3600), step);
    }
  } finally {
    await Promise.all([sql.end(), pool.end()]);
  }
}

/** Uploads of a table in groups of four, each group of a partition that is new, of datasets that lie apart. */
async function arrive(
  pool: Sql,
  datasets: number,
  step: number,
  uploads: number,
): Promise<void> {
  const catalog = groupUploads(createSqlCatalog(pool));
  const numbers = Array.from({ length: uploads }, (_, n) => n).values();
  await Promise.all(Array.from({ length: 16 }, async () => {
    for (const n of numbers) {
      const number = 1 + (Math.floor(n / inputs) * 7919 + step * 104_729) % datasets;
      const one = {
        user: uuidOf(number % 1000),
        size: 8600,
        contentHash: randomBytes(32).toString("hex"),
      };
      const { stage_id } = await catalog.stageUpload({
        ...one,
        dataset: uuidOf(number),
        table: "t",
        periodTag: `steady${step}`,
        offsetsDigest: "",
        idempotencyKey: one.contentHash,
      });
      await catalog.commitUpload({
        ...one,
        stage: stage_id!,
        etag: "e",
        files: [{
          ordinal: 0,
          table: "t",
          period_tag: `steady${step}`,
          start_byte: 0,
          byte_length: 8600,
          row_count: 50,
          row_group_count: 1,
          uncompressed_bytes: 20_000,
          schema_fingerprint: "f",
          schema: { name: "root", children: [] },
          stats: {},
        }] as never,
      });
    }
  }));
}

/** Turns of workers until so many runs have ended. */
async function work(pool: Sql, runs: number): Promise<void> {
  let ended = 0;
  const ports = { catalog: createSqlCatalog(pool), store, merge, clock: systemClock };
  await Promise.all(Array.from({ length: workers }, async (_, n) => {
    while (ended < runs) {
      const turn = await takeTurn(ports, {
        worker: `bench-${n}`,
        leaseSeconds: 300,
        turnSeconds: 1,
        turnBytes: Infinity,
        budget: { cpuMs: Infinity, memoryMb: Infinity },
      });
      if (turn.runs.length === 0) return;
      ended += turn.runs.length;
    }
  }));
}

/**
 * Makes what the step brought as old as what is forgotten: runs, keys, messages, the versions of the datasets that were
 * written to; and as many of all datasets due for the vacuum as are due in that time when each is once an hour.
 */
async function age(sql: Sql, since: string, due: number, step: number): Promise<void> {
  await sql`update public.processing_metrics set queued_at = queued_at - interval '100 days',
    started_at = started_at - interval '100 days', completed_at = completed_at - interval '100 days'
    where completed_at >= ${since}`;
  await sql`update public.idempotency_keys set created_at = created_at - interval '2 days' where created_at >= ${since}`;
  await sql`update pgmq.a_compaction_realtime set archived_at = archived_at - interval '100 days'
    where archived_at >= ${since}`;
  await sql`update public.objects set put_deadline = now() - interval '1 day', updated_at = updated_at - interval '100 days'
    where state in ('deleting', 'tombstone') and updated_at >= ${since}`;
  await sql`update public.dataset_versions set committed_at = committed_at - interval '30 days'
    where committed_at >= ${since}`;
  await visitAll(sql);
  // no URL that was signed before is alive, and the vacuum sees them with the next step and the one after that
  await sql`update public.datasets set vacuumed_at = now() - interval '2 hours', oldest_kept_at = now() - interval '30 days'
    where version_committed_at >= ${since} or oldest_kept_version > vacuumable_version
      or id in (select bench.u(n) from generate_series(${step}::int * ${due}::int, (${step}::int + 1) * ${due}::int) n)`;
}

/** As if the vacuum had just been everywhere. */
async function visitAll(sql: Sql): Promise<void> {
  await sql`update public.datasets set vacuumed_at = now() where vacuumed_at < now() - interval '5 minutes'`;
}

async function left(sql: Sql): Promise<Step["left"]> {
  const [row] = await sql`select
    (select count(*)::int from public.processing_metrics
      where completed_at < now() - interval '90 days' and queued_at < now() - interval '90 days') as runs,
    (select count(*)::int from public.idempotency_keys where created_at < now() - interval '1 day') as keys,
    (select count(*)::int from pgmq.a_compaction_realtime where archived_at < now() - interval '30 days') as archived,
    (select count(*)::int from public.objects where delete_after <= now()
      or state = 'tombstone' and delete_after is null and updated_at < now() - interval '90 days') as objects`;
  return row as unknown as Step["left"];
}

const uuidOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

/** Seconds. @param ms milliseconds */
const rounded = (ms: number) => Math.round(ms / 10) / 100;
