/**
 * The second mode: the same actors on connections of their own, truly at once. One scheduler runs SQL calls one
 * after another and so can't see two of them meet. What four connections did in which order nobody knows: a race
 * is not replayed, it is run often; deadlocks are counted by PostgreSQL. Calls fail before and after they are done, are
 * made twice at once on two connections, and lose their connection in the middle.
 */
import postgres from "postgres";
import type { Catalog } from "../../../shared/catalog/catalog.ts";
import { createSqlCatalog } from "../../support/sql_catalog.ts";
import type { Clock } from "../../../shared/clock.ts";
import { SedimentError } from "../../../shared/errors.ts";
import { clockwork, people, uploader, worker } from "./actors.ts";
import { checkAlways } from "./check.ts";
import type { SimulatedDatabase } from "./database.ts";
import { calm } from "./faults.ts";
import { makeOwners, type SeedReport } from "./seed.ts";
import { takeTurn } from "../../../shared/compaction/run/turn.ts";
import { keepApart, mergeRows } from "./rows.ts";
import { World } from "./world.ts";

/** A world without gates: calls go through as they come, each actor's on one of four connections. */
class RaceWorld extends World {
  readonly #connections: postgres.Sql[];
  readonly #rate: number;
  calls = 0;
  faults = 0;

  constructor(database: SimulatedDatabase, seed: number) {
    super(database, seed, calm);
    this.#rate = this.random.pick([0, 0.03, 0.1]);
    this.#connections = Array.from(
      { length: 4 },
      () => postgres(database.url, { max: 1, onnotice: () => {} }),
    );
  }

  override catalogOf(_actor: string): Catalog {
    const own = this.random.whole(0, 3);
    const call = (connection: number, method: keyof Catalog, args: unknown, options: unknown) =>
      callOn(this.#connections[connection]!, method, args, options);
    return new Proxy({} as Catalog, {
      get: (_, method: keyof Catalog) => async (args: unknown, options: unknown) => {
        this.calls++;
        switch (this.#fault(["before", "after", "twice", "cut"])) {
          case "before":
            throw lost(method);
          case "after":
            await call(own, method, args, options);
            throw lost(method);
          case "twice": {
            const [first, second] = await Promise.allSettled([
              call(own, method, args, options),
              call((own + 1) % 4, method, args, options),
            ]);
            const heard = this.random.chance(0.5) ? first : second;
            if (heard.status === "rejected") throw heard.reason;
            return heard.value;
          }
          case "cut":
            return await this.#cut(method, args);
          default:
            return await call(own, method, args, options);
        }
      },
    });
  }

  protected override async storeCall<T>(
    _actor: string,
    call: string,
    effect: () => Promise<T>,
  ): Promise<T> {
    const fault = this.#fault(["before", "after"]);
    if (fault === "before") throw lost(call, "store_failed");
    const answer = await effect();
    if (fault === "after") throw lost(call, "store_failed");
    return answer;
  }

  protected override inTime(): Promise<void> {
    return Promise.resolve();
  }

  /** Makes a call whose connection the server ends at some moment: done or not, who knows. */
  async #cut(method: keyof Catalog, args: unknown): Promise<unknown> {
    const name = `race-cut-${this.faults}`;
    const sql = postgres(this.database.url, {
      max: 1,
      onnotice: () => {},
      connection: { application_name: name },
    });
    try {
      await sql`select 1`;
      const answer = callOn(sql, method, args, {}).catch(() => Promise.reject(lost(method)));
      answer.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, this.random.whole(0, 3)));
      await this.database.sql`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = ${name} and datname = current_database()`;
      // A driver that never hears of it must not hold the race.
      const silence = new Promise((_, reject) => setTimeout(() => reject(lost(method)), 500));
      return await Promise.race([answer, silence]);
    } finally {
      await sql.end({ timeout: 0 });
    }
  }

  #fault<F extends string>(faults: F[]): F | undefined {
    if (!this.random.chance(this.#rate)) return undefined;
    this.faults++;
    return this.random.pick(faults);
  }

  override clockOf(_actor?: string): Clock {
    return {
      now: () => Date.now(),
      monotonic: () => performance.now(),
      random: () => this.random.next(),
      sleep: () => new Promise((resolve) => setTimeout(resolve, 2)),
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#connections.map((sql) => sql.end()));
  }
}

function callOn(sql: postgres.Sql, method: keyof Catalog, args: unknown, options: unknown) {
  const catalog = createSqlCatalog(sql);
  return (catalog[method] as (...args: unknown[]) => Promise<unknown>)(args, options);
}

function lost(call: string, code: "catalog_failed" | "store_failed" = "catalog_failed") {
  return new SedimentError(code, `${call}: injected`);
}

/** Runs a race; its violations count a deadlock as one. */
export async function race(database: SimulatedDatabase, seed: number): Promise<SeedReport> {
  await database.reset(seed);
  const world = new RaceWorld(database, seed);
  const { scheduler, violations } = world;
  const before = await deadlocks(database);
  try {
    const owners = await makeOwners(world, 1);
    for (let n = 0; n < 4; n++) {
      scheduler.start(`uploader-${n}`, () => uploader(world, `uploader-${n}`, owners[0]!, 12));
      scheduler.start(`worker-${n}`, () => worker(world, `worker-${n}`, "current", 25));
    }
    scheduler.start("clockwork", () => clockwork(world, "clockwork", 25));
    scheduler.start("people", () => people(world, "people", owners, 15));
    await scheduler.idle();
    await checkAlways(world, owners, true);
    await comeToRest(world);
    await checkAlways(world, owners, true);
  } catch (thrown) {
    violations.push(`an exception: ${(thrown as Error).stack ?? thrown}`);
  } finally {
    // What a connection counted is certain to be told when it ends.
    await world.close();
  }
  const met = await deadlocks(database) - before;
  if (met > 0) violations.push(`${met} deadlocks`);
  const { calls, faults, uploads } = world;
  return { seed, steps: calls, faults, uploads: uploads.length, violations, trace: [] };
}

/** Whatever waits is due, leases of lost claims are over, and one worker goes on: then nothing may be left. */
async function comeToRest(world: RaceWorld): Promise<void> {
  const { sql } = world.database;
  const catalog = createSqlCatalog(sql);
  // demand that no plan would act on waits for company in the run that is kept for it
  const waiting = () =>
    sql`select "table", run_id, next_run_id, demand_seq, done_seq, lease_expires_at, last_decision
      from public.partitions where dead_since is null
        and (msg_id is not null or lease_expires_at is not null
          or demand_seq > done_seq and next_run_id is null)`;
  for (let round = 0; round < 40 && (await waiting()).length > 0; round++) {
    await sql`update public.partitions set lease_expires_at = clock_timestamp()
      where lease_expires_at is not null`;
    await catalog.expireLeases({});
    await catalog.sweep({});
    await sql`update public.partitions set ready_at = clock_timestamp() where msg_id is not null`;
    for (const queue of ["manual", "realtime", "scheduled"]) {
      await sql`update ${sql(`pgmq.q_compaction_${queue}`)} set vt = clock_timestamp()`;
    }
    await takeTurn(
      { catalog, store: world.store, clock: world.clockOf(), merge: mergeRows, unite: keepApart },
      { worker: "calm", leaseSeconds: 60, turnSeconds: 60, turnBytes: 10_000_000 },
    );
  }
  const left = await waiting();
  if (left.length > 0) world.violations.push(`I4: left behind: ${JSON.stringify(left)}`);
}

async function deadlocks({ sql }: SimulatedDatabase): Promise<number> {
  const [row] = await sql`select pg_stat_clear_snapshot(), deadlocks::int from pg_stat_database
    where datname = current_database()`;
  return row.deadlocks;
}
