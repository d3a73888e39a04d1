/** Trying again, in the breaker's name, the part that failed: one request of the kind that it was. */
import { asSedimentError, SedimentError } from "../../errors.ts";
import type { Probe } from "../../catalog/run_results.ts";
import { callCatalog } from "./call_catalog.ts";
import type { CompactionPorts } from "./ports.ts";

/** Milliseconds for the store's answer: a store that hangs has not come back. */
const answerMs = 20_000;

type Ports = Pick<CompactionPorts, "catalog" | "store">;

/**
 * Makes a probe and tells the catalog.
 *
 * @returns whether claims go on
 * @throws SedimentError what the catalog's call throws; then the probe's time runs out
 */
export async function makeProbe(ports: Ports, probe: Probe, signal: AbortSignal): Promise<boolean> {
  const failure = await tryPart(ports.store, probe, signal);
  const answer = await callCatalog(signal, (options) =>
    ports.catalog.finishProbe({
      token: probe.token,
      passed: failure === null,
      code: failure?.code ?? null,
      message: failure?.message ?? null,
    }, options));
  return answer.state === "closed";
}

async function tryPart(
  store: Ports["store"],
  { part, keys, write_key }: Probe,
  turn: AbortSignal,
): Promise<SedimentError | null> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), answerMs);
  const signal = AbortSignal.any([turn, timeout.signal]);
  try {
    if (part === "store_read") await readOne(store, keys, signal);
    if (part === "store_write") {
      await store.put(write_key!, new Uint8Array(1), { upsert: true, signal });
      await store.deleteMany([write_key!], { signal });
    }
    // of the catalog the call that tells of the probe is one itself
    return null;
  } catch (thrown) {
    return asSedimentError(thrown);
  } finally {
    clearTimeout(timer);
  }
}

/** One of several must be there: a store without any of them is another than the uploads went to. */
async function readOne(store: Ports["store"], keys: string[], signal: AbortSignal): Promise<void> {
  if (keys.length === 0) return void await store.list("", { limit: 1, signal });
  let missing: unknown;
  for (const key of keys) {
    try {
      return void await store.getRange(key, 0, 1, { signal });
    } catch (thrown) {
      missing = thrown;
    }
  }
  throw missing;
}
