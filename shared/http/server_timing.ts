/** Where the time of a request went, for `Server-Timing` (W3C): benches and browsers' network panels show it. */

/** Collects durations by name. */
export interface ServerTiming {
  /** Does something and adds how long it took. */
  measure<T>(name: string, action: () => Promise<T>): Promise<T>;
  /** The same object with some of its methods measured under a name. */
  measured<T extends object>(port: T, names: Partial<Record<keyof T, string>>): T;
  /** The header's value. */
  toString(): string;
}

/** An empty one. */
export function createServerTiming(): ServerTiming {
  const durations = new Map<string, number>();
  const timing: ServerTiming = {
    async measure(name, action) {
      const begun = performance.now();
      try {
        return await action();
      } finally {
        durations.set(name, (durations.get(name) ?? 0) + performance.now() - begun);
      }
    },
    measured(port, names) {
      const copy = Object.create(port);
      for (const [method, name] of Object.entries(names) as [keyof typeof port, string][]) {
        const call = port[method] as (...args: unknown[]) => Promise<unknown>;
        copy[method] = (...args: unknown[]) => timing.measure(name, () => call.apply(port, args));
      }
      return copy;
    },
    toString() {
      return [...durations].map(([name, ms]) => `${name};dur=${ms.toFixed(2)}`).join(", ");
    },
  };
  return timing;
}
