/** Ends what is too old each time that it looks: the clockwork looks at a dataset every ten minutes, and a storm is as short. */
import { SedimentError } from "../../../shared/errors.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

/**
 * Has ages looked at in all datasets, again and again.
 *
 * @param random its own, so that what others do is as without it but for the order
 */
export async function ager(
  world: World,
  name: string,
  rounds: number,
  random: Random,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await world.clockOf(name).sleep(1_000 * random.whole(5, 40));
    await world.database.sql`update public.age_walks set walked_at = '-infinity' where true`;
    try {
      await world.catalogOf(name).endAged({ partitions: 200, limit: 50 });
    } catch (thrown) {
      if (!(thrown instanceof SedimentError)) throw thrown;
    }
  }
}
