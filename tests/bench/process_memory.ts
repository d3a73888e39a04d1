/** Memory of a process and all below it, from /proc (Linux). */

export interface ProcessMemory {
  pid: number;
  name: string;
  /** Resident bytes; pages shared between processes count in each. */
  rss: number;
  /** Proportional share: a page that n processes share counts 1/n in each, so these add up. */
  pss: number;
}

/** The process and its descendants; children that moved to a session of their own included. */
export async function memoryOfTree(root: number): Promise<ProcessMemory[]> {
  const parents = new Map<number, number>();
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    if (!stat) continue;
    // "pid (comm) state ppid …"; comm may hold spaces and parentheses.
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
  }
  const isBelow = (pid: number | undefined): boolean =>
    pid === root || (pid !== undefined && pid > 1 && isBelow(parents.get(pid)));
  const found = [];
  for (const pid of parents.keys()) {
    if (isBelow(pid)) found.push(await memoryOf(pid));
  }
  return found.filter((process) => process !== undefined);
}

async function memoryOf(pid: number): Promise<ProcessMemory | undefined> {
  try {
    const name = (await Deno.readTextFile(`/proc/${pid}/comm`)).trim();
    const rollup = await Deno.readTextFile(`/proc/${pid}/smaps_rollup`).catch(() =>
      Deno.readTextFile(`/proc/${pid}/status`)
    );
    const kilobytes = (key: string) =>
      Number(rollup.match(new RegExp(`^${key}:\\s+(\\d+) kB`, "m"))?.[1] ?? NaN) * 1024;
    const rss = Number.isNaN(kilobytes("Rss")) ? kilobytes("VmRSS") : kilobytes("Rss");
    const pss = kilobytes("Pss");
    return { pid, name, rss, pss: Number.isNaN(pss) ? rss : pss };
  } catch {
    return undefined; // it has ended
  }
}
