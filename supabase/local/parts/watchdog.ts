/**
 * No child outlives this process. A small shell process reads the pids of the children from a pipe; when the
 * pipe ends (this process was stopped or killed, -9 included) it ends those that are still listed. What it
 * can't do (it was killed as well), the next start on the state folder does, from `children.json`. A temporary state
 * folder goes with the last child.
 */
import { join } from "node:path";

const script = `
trap '' INT TERM HUP
pids=''
while read -r op pid signal; do
  if [ "$op" = + ]; then pids="$pids $pid:$signal"; else
    kept=''; for p in $pids; do [ "\${p%:*}" = "$pid" ] || kept="$kept $p"; done; pids=$kept
  fi
done
for p in $pids; do kill -s "\${p#*:}" "\${p%:*}" 2>/dev/null; done
n=0
while [ $n -lt 10 ]; do
  alive=''
  for p in $pids; do kill -0 "\${p%:*}" 2>/dev/null && alive="$alive $p"; done
  [ -n "$alive" ] || break
  sleep 1; n=$((n + 1))
done
for p in $alive; do kill -s KILL "\${p%:*}" 2>/dev/null; done
[ -z "$1" ] || rm -rf -- "$1"
`;

/** A child that must not outlive us. */
export interface GuardedChild {
  name: string;
  pid: number;
  /** The signal that ends it in good order. */
  signal: "INT" | "TERM";
}

export interface Watchdog {
  readonly pid: number;
  guard(child: GuardedChild): Promise<void>;
  /** The child has ended by itself or by us. */
  release(pid: number): Promise<void>;
  /** Ends the watchdog; what is still guarded is ended by it. */
  close(): Promise<void>;
}

/**
 * Starts the watchdog of a state folder.
 *
 * @param temporary whether the folder goes when this process has ended, in whatever way
 */
export function startWatchdog(stateDir: string, temporary: boolean): Watchdog {
  const process = new Deno.Command("sh", {
    args: ["-c", script, "sediment-watchdog", temporary ? stateDir : ""],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
    cwd: "/",
    // Its own session: Ctrl-C in the terminal must reach us alone.
    detached: true,
  }).spawn();
  const writer = process.stdin.getWriter();
  const children: GuardedChild[] = [];
  const tell = async (line: string) => {
    await writer.write(new TextEncoder().encode(line));
    const path = join(stateDir, "children.json");
    await Deno.writeTextFile(`${path}.new`, JSON.stringify(children), { mode: 0o600 });
    await Deno.rename(`${path}.new`, path);
  };
  return {
    pid: process.pid,
    async guard(child) {
      children.push(child);
      await tell(`+ ${child.pid} ${child.signal}\n`);
    },
    async release(pid) {
      const index = children.findIndex((child) => child.pid === pid);
      if (index >= 0) children.splice(index, 1);
      await tell(`- ${pid}\n`);
    },
    async close() {
      await writer.close().catch(() => {});
      await process.status;
    },
  };
}
