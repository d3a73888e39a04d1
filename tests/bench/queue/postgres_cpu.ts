/** What PostgreSQL spends. */

/** CPU of a process and its children, also of those that have ended, from /proc (Linux; ticks of 10 ms). */
export async function cpuMs(postmaster: number): Promise<number> {
  let ticks = 0;
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
    // proc(5): state is the first field here, then ppid; utime, stime, cutime, cstime
    if (Number(name) === postmaster) ticks += fields[11] + fields[12] + fields[13] + fields[14];
    else if (fields[1] === postmaster) ticks += fields[11] + fields[12];
  }
  return ticks * 10;
}

/** CPU of one process alone, in milliseconds; 0 where there is no /proc. */
export async function ownCpuMs(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
  return ((fields[11] ?? 0) + (fields[12] ?? 0)) * 10;
}
