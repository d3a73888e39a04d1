/**
 * The second mode: the same actors on connections of their own, truly at once. One scheduler runs SQL calls one
 * after another and so can't see two of them meet. What four connections did in which order nobody knows: a race
 * is not replayed, it is run often; deadlocks are counted by PostgreSQL.
 */
import postgres from "postgres";
import type { Catalog } from "../../../shared/catalog/catalog.ts";
import { createSqlCatalog } from "../../../shared/catalog/sql_catalog.ts";
import type { Clock } from "../../../shared/compaction/clock.ts";
import type { ObjectStore } from "../../../shared/storage/object_store.ts";
import { clockwork, people, uploader, worker } from "./actors.ts";
import { checkAlways } from "./check.ts";
import type { SimulatedDatabase } from "./database.ts";
import { calm } from "./faults.ts";
import { makeOwners, type SeedReport } from "./seed.ts";
import { World } from "./world.ts";

/** A world without gates: calls go through as they come, each actor's on one of four connections. */
class RaceWorld extends World {
  readonly #connections: postgres.Sql[];
  calls = 0;

  constructor(database: SimulatedDatabase, seed: number) {
    super(database, seed, calm);
    this.#connections = Array.from(
      { length: 4 },
      () => postgres(database.url, { max: 1, onnotice: () => {} }),
    );
  }

  override catalogOf(_actor: string): Catalog {
    const catalog = createSqlCatalog(this.random.pick(this.#connections));
    return new Proxy(catalog, {
      get: (target, method: keyof Catalog) => {
        this.calls++;
        return target[method];
      },
    });
  }

  override storeOf(_actor: string): ObjectStore {
    return this.store;
  }

  override clockOf(_actor: string): Clock {
    return {
      now: () => new Date(),
      sleep: () => new Promise((resolve) => setTimeout(resolve, 2)),
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#connections.map((sql) => sql.end()));
  }
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
  } catch (thrown) {
    violations.push(`an exception: ${(thrown as Error).stack ?? thrown}`);
  } finally {
    // What a connection counted is certain to be told when it ends.
    await world.close();
  }
  const met = await deadlocks(database) - before;
  if (met > 0) violations.push(`${met} deadlocks`);
  const { calls, uploads } = world;
  return { seed, steps: calls, faults: 0, uploads: uploads.length, violations, trace: [] };
}

async function deadlocks({ sql }: SimulatedDatabase): Promise<number> {
  const [row] = await sql`select pg_stat_clear_snapshot(), deadlocks::int from pg_stat_database
    where datname = current_database()`;
  return row.deadlocks;
}
