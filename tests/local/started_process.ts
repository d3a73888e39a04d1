/** `deno task start` as a process of its own, for tests that kill it. */
import { TextLineStream } from "./text_lines.ts";
import { fileURLToPath } from "node:url";

const entry = fileURLToPath(new URL("../../supabase/local/start.ts", import.meta.url));

export interface StartedProcess {
  process: Deno.ChildProcess;
  /** What `--json` printed. */
  info: {
    url: string;
    dbUrl: string;
    publishableKey: string;
    secretKey: string;
    cronKey: string;
    pid: number;
    pids: Record<string, number>;
  };
  /** Everything it has said on stderr, complete once it has ended. */
  stderr: Promise<string>;
}

/** Starts it and waits until it is up; throws what it said when it ends before. */
export async function startProcess(stateDir: string, args: string[] = []): Promise<StartedProcess> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", entry, "--state", stateDir, "--port", "0", "--json"],
      ...["--no-functions", "--no-migrations", ...args],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const stderr = new Response(process.stderr).text();
  const lines = process.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(
    new TextLineStream(),
  )
    .getReader();
  const { value } = await lines.read();
  if (!value) throw new Error(`start ended with ${(await process.status).code}: ${await stderr}`);
  void (async () => {
    while (!(await lines.read()).done);
  })();
  return { process, info: JSON.parse(value), stderr };
}

/** Pids of all processes whose command line or environment names the folder. */
export function processesOf(stateDir: string): number[] {
  const pids = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
    try {
      if (Deno.readTextFileSync(`/proc/${name}/cmdline`).includes(stateDir)) {
        pids.push(Number(name));
      }
    } catch {
      // It has just ended.
    }
  }
  return pids;
}
