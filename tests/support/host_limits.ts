import { type HostLimits, hostLimits } from "../../shared/compression/host_limits.ts";

/** Takes limits for the host's, until it is disposed: what is done on hosts that aren't this one. */
export function assumeHostLimits(limits: HostLimits): Disposable {
  const found = hostLimits();
  const own = { ...found };
  Object.assign(found, limits);
  return { [Symbol.dispose]: () => void Object.assign(found, own) };
}
