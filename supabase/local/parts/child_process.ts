/** A long-running child whose output goes to a log file and that the watchdog knows. */
import type { Watchdog } from "./watchdog.ts";

export interface ChildProcess {
  name: string;
  pid: number;
  /** Whether it has ended, wanted or not. */
  readonly ended: boolean;
  /** Resolves when it has ended; `wanted` when stop() was called before. */
  done: Promise<{ wanted: boolean; status: Deno.CommandStatus }>;
  /** Ends it in good order, by force after a while; safe to call again. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  name: string;
  /** Builds the command, so that it can run as another user. */
  command?: (program: string, args: string[], options: Deno.CommandOptions) => Deno.Command;
  program: string;
  args: string[];
  env: Record<string, string>;
  logFile: string;
  signal: "INT" | "TERM";
  watchdog: Watchdog;
}

/** Starts a child in its own session (Ctrl-C reaches only us), its output appended to a file. */
export async function spawnLogged(options: ChildOptions): Promise<ChildProcess> {
  const command = options.command ??
    ((program, args, rest) => new Deno.Command(program, { ...rest, args }));
  // The shell opens the log and becomes the program: no pipe of ours that breaks when we die.
  const process = command("sh", [
    "-c",
    'exec "$@" >>"$SEDIMENT_LOG" 2>&1',
    "sh",
    options.program,
    ...options.args,
  ], {
    env: { ...options.env, SEDIMENT_LOG: options.logFile },
    stdin: "null",
    stdout: "null",
    stderr: "null",
    cwd: "/",
    detached: true,
  }).spawn();
  await options.watchdog.guard({ name: options.name, pid: process.pid, signal: options.signal });

  let wanted = false;
  let ended = false;
  const done = process.status.then(async (status) => {
    ended = true;
    await options.watchdog.release(process.pid).catch(() => {});
    return { wanted, status };
  });
  const send = (signal: Deno.Signal) => {
    try {
      if (!ended) process.kill(signal);
    } catch {
      // It has just ended.
    }
  };
  return {
    name: options.name,
    pid: process.pid,
    get ended() {
      return ended;
    },
    done,
    async stop() {
      wanted = true;
      send(`SIG${options.signal}`);
      const force = setTimeout(() => send("SIGQUIT"), 8_000);
      const kill = setTimeout(() => send("SIGKILL"), 12_000);
      await done;
      clearTimeout(force);
      clearTimeout(kill);
    },
  };
}

/** The last lines of a log file, for an error. */
export async function logTail(path: string, lines = 12): Promise<string> {
  const text = await Deno.readTextFile(path).catch(() => "");
  return text.trimEnd().split("\n").slice(-lines).join("\n");
}
