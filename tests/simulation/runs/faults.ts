/** Which calls fail, and how. Each seed has a temper of its own: some are calm, some are storms. */
import type { Fault, FaultPlan } from "./scheduler.ts";
import type { Random } from "./random.ts";

/** No faults: how the end of every seed runs, so that what is due can come to its end. */
export const calm: FaultPlan = () => "none";

/** The plan of a seed. */
export function temper(random: Random): FaultPlan {
  const rate = random.pick([0, 0.02, 0.05, 0.1, 0.2]);
  const weights: [Fault, number][] = [
    ["before", random.whole(1, 4)],
    ["after", random.whole(1, 4)],
    ["die-before", random.whole(0, 2)],
    ["die-after", random.whole(0, 3)],
    ["late", random.whole(0, 4)],
    ["slow", random.whole(0, 2)],
    ["twice", random.whole(0, 2)],
  ];
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  return (_actor, call, chance) => {
    if (call.startsWith("sleep")) return "none";
    // Around the commit is where a guard that is missing shows: it is hit more often.
    const here = /^(commit|put |finish )/.test(call) ? Math.min(1, rate * 3) : rate;
    if (!chance.chance(here)) return "none";
    let at = chance.next() * total;
    for (const [fault, weight] of weights) {
      at -= weight;
      if (at < 0) return fault;
    }
    return "none";
  };
}
