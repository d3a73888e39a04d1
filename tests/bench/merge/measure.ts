/** CPU and memory of this process. */
import process from "node:process";

/** What a run cost. */
export interface Cost {
  /** User and system time of all threads, in ms. */
  cpuMs: number;
  wallMs: number;
  /** The process's largest resident set, in MB (of its whole life). */
  peakMb: number;
}

/** Runs something and gives its cost beside its result. */
export async function measured<T>(run: () => Promise<T>): Promise<{ result: T; cost: Cost }> {
  const before = process.cpuUsage();
  const start = performance.now();
  const result = await run();
  const cpu = process.cpuUsage(before);
  return {
    result,
    cost: {
      cpuMs: (cpu.user + cpu.system) / 1000,
      wallMs: performance.now() - start,
      peakMb: peakMb(),
    },
  };
}

/** VmHWM where there is /proc, else what is resident now. */
function peakMb(): number {
  try {
    const status = Deno.readTextFileSync("/proc/self/status");
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) * 1024 / 1e6;
  } catch {
    return Deno.memoryUsage().rss / 1e6;
  }
}
