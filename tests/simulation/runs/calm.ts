/** The world without faults: time passes, and what is due is done. */
import type { Clock } from "../../../shared/clock.ts";
import { takeTurn, type TurnReport } from "../../../shared/compaction/run/turn.ts";
import { deadlyMerge, keepApart, mergeRows } from "./rows.ts";
import type { World } from "./world.ts";

/** Sets how long replaced files are kept, seconds. */
export async function keepFor({ database: { sql } }: World, seconds: number): Promise<void> {
  await sql`update public.service_settings set retention_seconds = ${seconds} where id`;
}

/** Time passes by little, and what is due is done without faults. */
export async function workOff(world: World, rounds: number): Promise<void> {
  const { catalog, database } = world;
  for (let round = 0; round < rounds; round++) {
    await database.advance(70);
    await catalog.expireLeases({});
    await catalog.sweep({});
    await calmTurn(world, "calm");
  }
}

/** The world's time, for a worker that meets no fault. */
export function clockOf({ database }: World): Clock {
  const now = () => database.now().getTime();
  return {
    now,
    monotonic: now,
    random: () => 0.5,
    sleep: (ms) => database.advance(ms / 1000),
  };
}

/** A turn without faults, but for files that kill: then null. */
export async function calmTurn(world: World, worker: string): Promise<TurnReport | null> {
  const { catalog, store } = world;
  const clock = clockOf(world);
  const death = Promise.withResolvers<null>();
  const merge = deadlyMerge(mergeRows, () => {
    death.resolve(null);
    return new Promise<never>(() => {});
  });
  return await Promise.race([
    takeTurn({ catalog, store, clock, merge, unite: keepApart }, {
      worker,
      leaseSeconds: 60,
      turnSeconds: 60,
      turnBytes: 10_000_000,
    }),
    death.promise,
  ]);
}
