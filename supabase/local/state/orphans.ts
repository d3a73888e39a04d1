import { join } from "node:path";
import type { GuardedChild } from "../parts/watchdog.ts";

/**
 * Ends the children that a killed predecessor left behind on this state folder. A pid is only touched when
 * its command line names the folder: the number may belong to somebody else by now.
 */
export async function reapOrphans(stateDir: string): Promise<string[]> {
  const path = join(stateDir, "children.json");
  let children: GuardedChild[];
  try {
    children = JSON.parse(await Deno.readTextFile(path));
  } catch {
    children = [];
  }
  const postmaster = await postmasterPid(join(stateDir, "postgres", "data"));
  if (postmaster && !children.some((child) => child.pid === postmaster)) {
    children.push({ name: "postgres", pid: postmaster, signal: "INT" });
  }
  const ours = [];
  for (const child of children) {
    if ((await commandLine(child.pid))?.includes(stateDir)) ours.push(child);
  }
  await Promise.all(ours.map((child) => end(child, stateDir)));
  await Deno.remove(path).catch(() => {});
  return ours.map((child) => `${child.name} (${child.pid})`);
}

/** The pid in postmaster.pid, when there is such a file. */
async function postmasterPid(dataDir: string): Promise<number | undefined> {
  const text = await Deno.readTextFile(join(dataDir, "postmaster.pid")).catch(() => "");
  const pid = Number(text.split("\n", 1)[0]);
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

/** The command line of a running process, or undefined when there is none with that pid. */
async function commandLine(pid: number): Promise<string | undefined> {
  try {
    const text = await Deno.readTextFile(`/proc/${pid}/cmdline`);
    return text === "" ? undefined : text.replaceAll("\0", " "); // empty: a zombie
  } catch {
    if (Deno.build.os === "linux") return undefined;
  }
  const { success, stdout } = await new Deno.Command("ps", {
    args: ["-ww", "-o", "command=", "-p", String(pid)],
    stderr: "null",
  }).output();
  return success ? new TextDecoder().decode(stdout).trim() : undefined;
}

async function end(child: GuardedChild, stateDir: string): Promise<void> {
  for (const [signal, waitMs] of [[`SIG${child.signal}`, 8_000], ["SIGKILL", 5_000]] as const) {
    try {
      Deno.kill(child.pid, signal as Deno.Signal);
    } catch {
      return;
    }
    const until = performance.now() + waitMs;
    while (performance.now() < until) {
      if (!(await commandLine(child.pid))?.includes(stateDir)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
