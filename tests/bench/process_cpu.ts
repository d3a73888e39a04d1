/** CPU time of a process and all below it, from /proc (Linux), summed by the program's name. */

/** Milliseconds of user and system time by name; a child that was waited for counts with its parent. */
export async function cpuOfTree(root: number): Promise<Record<string, number>> {
  const processes = new Map<number, { parent: number; name: string; ms: number }>();
  for await (const { name: pid } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
    if (!stat) continue;
    // "pid (comm) state ppid …"; comm may hold spaces and parentheses. Ticks are hundredths of a second.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
    processes.set(Number(pid), {
      parent: fields[1]!,
      name: stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")),
      ms: (fields[11]! + fields[12]! + fields[13]! + fields[14]!) * 10,
    });
  }
  const isBelow = (pid: number | undefined): boolean =>
    pid === root || (pid !== undefined && pid > 1 && isBelow(processes.get(pid)?.parent));
  const sums: Record<string, number> = {};
  for (const [pid, { name, ms }] of processes) {
    if (isBelow(pid)) sums[name] = (sums[name] ?? 0) + ms;
  }
  return sums;
}

/** What was spent since, each by `count`; names that spent nothing to speak of are left out. */
export function spentEach(
  before: Record<string, number>,
  after: Record<string, number>,
  count: number,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after)
      .map(([name, ms]) => [name, Number(((ms - (before[name] ?? 0)) / count).toFixed(2))] as const)
      .filter(([, ms]) => ms >= 0.01),
  );
}
