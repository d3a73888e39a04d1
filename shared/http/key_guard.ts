/**
 * What strangers may ask of keys. A look at a key is a call of the catalog by somebody of whom nothing is known: those that
 * this isolate has not seen good share one limit, so that guessing neither costs much nor keeps known holders out.
 */
import type { KeyGuard } from "../keys/ports.ts";
import { createRateLimit } from "./rate_limit.ts";

/** Keys that are remembered; of more the oldest begin anew. */
const mostKnown = 10_000;

/** @param perMinute looks at keys that are not known. @default 600 */
export function createKeyGuard(perMinute = 600): KeyGuard {
  const limit = createRateLimit({ name: "unknown_keys", perMinute });
  const known = new Set<string>();
  return {
    async admit(secretHash) {
      if (!known.has(secretHash)) await limit.spend("");
    },
    know(secretHash) {
      known.delete(secretHash);
      known.add(secretHash);
      if (known.size > mostKnown) known.delete(known.values().next().value!);
    },
    forget(secretHash) {
      known.delete(secretHash);
    },
  };
}
