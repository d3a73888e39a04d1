/**
 * How often somebody may ask, counted in this isolate alone: for what is cheap to answer once and costs no row. A bucket
 * of tokens for each that fills evenly; what is refused waits a moment first, so that asking again at once is no use.
 */
import { SedimentError } from "../errors.ts";

/** Bounds of a {@link RateLimit}. */
export interface RateLimitOptions {
  /** Which limit it is, for whoever meets it. */
  name: string;
  perMinute: number;
  /** Asked at once after a pause. @default a tenth of a minute's, at least 10 */
  burst?: number;
  /** Ms that a refusal waits. @default 1000 */
  refusalMs?: number;
  /** Ms since whenever. @default performance.now */
  now?: () => number;
}

/** A limit on askers that are told apart by a word. */
export interface RateLimit {
  /** @throws SedimentError `rate_limited` with the seconds until it makes sense again */
  spend(asker: string): Promise<void>;
}

/** Askers that are remembered, and refusals that wait at once; beyond, those forgotten begin anew or are not waited for. */
const mostAskers = 10_000, mostWaiting = 1_000;

/** Nobody has asked yet. */
export function createRateLimit(options: RateLimitOptions): RateLimit {
  const { name, perMinute, refusalMs = 1000, now = () => performance.now() } = options;
  const burst = options.burst ?? Math.max(10, perMinute / 10);
  const perMs = perMinute / 60_000;
  const buckets = new Map<string, { tokens: number; at: number }>();
  let waiting = 0;

  function take(asker: string): boolean {
    const at = now();
    const known = buckets.get(asker);
    const filled = known === undefined ? burst : known.tokens + (at - known.at) * perMs;
    const tokens = Math.min(burst, filled);
    const taken = tokens >= 1;
    buckets.delete(asker);
    buckets.set(asker, { tokens: taken ? tokens - 1 : tokens, at });
    if (buckets.size > mostAskers) buckets.delete(buckets.keys().next().value!);
    return taken;
  }

  return {
    async spend(asker) {
      if (take(asker)) return;
      if (waiting < mostWaiting) {
        waiting++;
        await new Promise((resolve) => setTimeout(resolve, refusalMs));
        waiting--;
      }
      throw new SedimentError("rate_limited", `over ${perMinute} ${name} a minute`, {
        expected: `at most ${perMinute} ${name} a minute`,
        retryAfterSeconds: Math.max(1, Math.ceil(10 / perMs / 1000)),
        extra: { limit: name },
      });
    },
  };
}
