/** By how much the process's memory peaked above what it had, in bytes; 0 where Linux does not tell. */
export async function peakAbove(step: () => Promise<void>): Promise<number> {
  if (Deno.build.os !== "linux") {
    await step();
    return 0;
  }
  // proc(5): 5 sets the peak back to what the process has now
  await Deno.writeTextFile("/proc/self/clear_refs", "5");
  const before = peak();
  await step();
  return peak() - before;
}

function peak(): number {
  const status = Deno.readTextFileSync("/proc/self/status");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) * 1024;
}
