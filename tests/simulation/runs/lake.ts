/** Tables that come into the lake and go out of it while work goes on, and what must be of their files in the end. */
import { SedimentError } from "../../../shared/errors.ts";
import { Random } from "./random.ts";
import { latest } from "./rows.ts";
import type { World } from "./world.ts";

/** Approves tables for the lake, and takes one out now and then. */
export async function approver(world: World, name: string, rounds: number): Promise<void> {
  const random = new Random(world.seed * 1_213 + 7);
  for (let round = 0; round < rounds; round++) {
    await world.clockOf(name).sleep(1_000 * random.whole(0, 40));
    const table = random.pick(["battles", "items", latest]);
    const verb = random.chance(0.8) ? "approve" : "withdraw";
    await world.scheduler.pass(
      name,
      `${verb} ${table}`,
      async () =>
        void await world.database.sql`select ${world.database.sql(`${verb}_lake_table`)}(${table})`,
      () => new SedimentError("catalog_failed", `${verb}: injected`),
      () => Promise.resolve(),
    ).catch((thrown) => {
      // one that was never in it
      if (!(thrown instanceof SedimentError) && !/not_found/.test(String(thrown))) throw thrown;
    });
  }
}

/** All tables come into the lake once all is at rest: what is there by then was written before. */
export async function approveAll({ database: { sql } }: World): Promise<void> {
  for (const table of ["battles", "items", latest]) await sql`select approve_lake_table(${table})`;
}

/** What the clockwork does each minute for outputs that were written before their table was in the lake. */
export async function advanceLake({ database }: World): Promise<void> {
  await database.sql`select sediment.advance_rewrites()`;
}

/** What the clockwork does with snapshots that are too old. */
export async function pruneLake({ database }: World): Promise<void> {
  await database.sql`select sediment.prune_lake(10000)`;
}

/** I16, once nothing is left to do: no file of a table of the lake is as it was uploaded, or as it was before. */
export async function checkSettled(world: World): Promise<void> {
  const left = await world.database.sql`
    select f.id, f."table", f.level, f.rewrite, p.last_decision, p.token,
      concat_ws('/', f.dataset_id, f."table", f.period_tag) as partition
    from public.battle_files f
    join public.lake_tables t on t.name = f."table" and t.withdrawn_at is null
    join public.partitions p
      on p.dataset_id = f.dataset_id and p."table" = f."table" and p.period_tag = f.period_tag
    where f.removed_version is null and f.state = 'active' and f.lost_since is null and f.lake_version is null
      and f.apart is null and p.dead_since is null and p.left_alone_files = 0
    order by f.id`;
  // a worker that went by the files of an earlier claim has said that there are no others
  const told = left.filter(({ partition, token }) =>
    world.misjudged.get(partition) !== Number(token)
  );
  if (told.length > 0) {
    world.violations.push(`I16: not settled: ${JSON.stringify(told.slice(0, 3))} (${told.length})`);
  }
}
