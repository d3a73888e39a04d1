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
    await world.scheduler.pass(
      name,
      `set min_inputs ${inputs} and max_age ${age}`,
      async () =>
        void await world.database.sql`
          insert into public.table_settings (dataset_id, "table", min_inputs, max_age_seconds)
          values (${dataset}, 'battles', ${inputs}, ${age})
          on conflict (dataset_id, "table") do update
          set min_inputs = excluded.min_inputs, max_age_seconds = excluded.max_age_seconds`,
      () => new SedimentError("catalog_failed", "set: injected"),
      () => Promise.resolve(),
    ).catch((thrown) => {
      if (!(thrown instanceof SedimentError)) throw thrown;
    });
  }
}
