/** Somebody who changes what plans go by while work goes on. */
import type { Owner } from "./actors.ts";
import { Random } from "./random.ts";
import type { World } from "./world.ts";
import { SedimentError } from "../../../shared/errors.ts";

/** Changes the settings of a dataset's table now and then. */
export async function operator(world: World, name: string, owners: Owner[], rounds: number) {
  const random = new Random(world.seed * 2_741 + 11);
  for (let round = 0; round < rounds; round++) {
    await world.clockOf(name).sleep(1_000 * random.whole(0, 20));
    const { dataset } = random.pick(owners);
    const [inputs, age] = [random.whole(2, 4), random.pick([60, 600, 3_000])];
    let isSet = false;
    // in some seeds only while a worker plans by what was there before
    const waits = world.seed % 35 === 24 ? 40 : 1;
    for (let look = 1; look <= waits && !isSet; look++) {
      await world.scheduler.pass(
        name,
        `set min_inputs ${inputs} and max_age ${age}`,
        async () => {
          const set = await world.database.sql`
          insert into public.table_settings (dataset_id, "table", min_inputs, max_age_seconds)
          select ${dataset}::uuid, 'battles', ${inputs}::integer, ${age}::integer
          where ${
            look === waits
          }::boolean or exists (select 1 from public.partitions p where p.dataset_id = ${dataset}
            and p."table" = 'battles' and p.lease_expires_at is not null)
          on conflict (dataset_id, "table") do update
          set min_inputs = excluded.min_inputs, max_age_seconds = excluded.max_age_seconds
          returning true`;
          isSet = set.length > 0;
        },
        () => new SedimentError("catalog_failed", "set: injected"),
        () => Promise.resolve(),
      ).catch((thrown) => {
        if (!(thrown instanceof SedimentError)) throw thrown;
      });
    }
  }
}
