/** The embedded stack in a process of its own, so that its memory is its own. */
import { fileURLToPath } from "node:url";

/** What `deno task start --json` prints, as far as it is used. */
export interface StartReport {
  url: string;
  publishableKey: string;
  adminDbUrl: string;
}

/** A stack on a temporary folder. */
export interface StackProcess extends AsyncDisposable {
  report: StartReport;
  /** Resident memory of the process that serves the functions, MB. */
  memoryMb(): number;
}

/** Starts one; disposing stops it and removes its folder. */
export async function startStackProcess(): Promise<StackProcess> {
  const state = await Deno.makeTempDir({ prefix: "sediment-bench-" });
  const start = fileURLToPath(new URL("../../../supabase/local/start.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", start, "--port", "0", "--state", state, "--json"],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const report = await firstJson(child.stdout);
  return {
    report,
    memoryMb() {
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1000;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGINT");
      await child.status;
      await Deno.remove(state, { recursive: true }).catch(() => {});
    },
  };
}

async function firstJson(stdout: ReadableStream<Uint8Array>): Promise<StartReport> {
  let text = "";
  const reader = stdout.pipeThrough(
    new TextDecoderStream() as unknown as ReadableWritablePair<string, Uint8Array>,
  ).getReader();
  while (true) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the stack did not start: ${text}`);
    text += value;
    const line = text.split("\n").find((one) => one.startsWith('{"url"'));
    if (line === undefined || !text.slice(text.indexOf(line)).includes("\n")) continue;
    void (async () => {
      while (!(await reader.read()).done);
    })();
    return JSON.parse(line);
  }
}
