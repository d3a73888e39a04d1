/** The embedded stack and the functions, each in a process of its own, so that the functions' memory is their own. */
import { fileURLToPath } from "node:url";
import type { User } from "./user.ts";

/** What is known of a running stack. */
export interface StackReport {
  url: string;
  publishableKey: string;
  adminDbUrl: string;
  /** The environment of the functions. */
  functionsEnv: Record<string, string>;
}

/** A stack on a temporary folder. */
export interface StackProcess extends AsyncDisposable {
  report: StackReport;
}

/** Starts one, without functions and without the schedule; disposing stops it and removes its folder. */
export async function startStackProcess(): Promise<StackProcess> {
  const state = await Deno.makeTempDir({ prefix: "sediment-bench-" });
  const child = run("./stack_process.ts", [state], {}, { stdout: "piped" });
  const report: StackReport = JSON.parse(await firstLine(child.stdout));
  return {
    report,
    async [Symbol.asyncDispose]() {
      child.kill("SIGINT");
      await child.status;
      await Deno.remove(state, { recursive: true }).catch(() => {});
    },
  };
}

/** A process that serves all functions and nothing else, as an isolate does for one of them. */
export interface FunctionsProcess extends AsyncDisposable {
  url: string;
  /** Resident memory, MB. */
  memoryMb(): number;
}

/** Starts one beside a stack. */
export async function startFunctionsProcess(
  { functionsEnv }: Pick<StackReport, "functionsEnv">,
): Promise<FunctionsProcess> {
  const { port } = freeAddress();
  const address = { DENO_SERVE_ADDRESS: `tcp:127.0.0.1:${port}` };
  const child = run("../../../functions/main.ts", [], { ...functionsEnv, ...address }, {});
  const url = `http://127.0.0.1:${port}/functions/v1`;
  while (!await answers(`${url}/battle-data/health`)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    memoryMb() {
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024 / 1e6;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

/** A hostile user. */
export interface HostileProcess extends AsyncDisposable {
  /** @returns how many answers there were of each status */
  attack(milliseconds: number): Promise<Record<number, number>>;
}

/** Has one ready that does nothing yet. */
export async function startHostileProcess(attack: string, user: User): Promise<HostileProcess> {
  const args = [attack, JSON.stringify(user)];
  const child = run("./hostile.ts", args, {}, { stdin: "piped", stdout: "piped" });
  const lines = linesOf(child.stdout);
  await lines.next();
  const orders = child.stdin.getWriter();
  return {
    async attack(milliseconds) {
      await orders.write(new TextEncoder().encode(String(milliseconds)));
      return JSON.parse((await lines.next()).value!);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

/** Isolates bound their heap; without a bound V8 lets garbage lie, and what is seen is not what is needed. */
const heap = ["--v8-flags=--max-old-space-size=160,--max-semi-space-size=4"];

function run(
  script: string,
  args: string[],
  env: Record<string, string>,
  { stdin = "null", stdout = "null" }: { stdin?: "piped" | "null"; stdout?: "piped" | "null" },
): Deno.ChildProcess {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", ...heap, path, ...args],
    env,
    stdin,
    stdout,
    stderr: stdout === "null" ? "null" : "inherit",
  }).spawn();
}

function freeAddress(): Deno.NetAddr {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr;
}

async function answers(url: string): Promise<boolean> {
  try {
    await (await fetch(url)).body?.cancel();
    return true;
  } catch {
    return false;
  }
}

async function firstLine(stdout: ReadableStream<Uint8Array>): Promise<string> {
  const lines = linesOf(stdout);
  const { done, value } = await lines.next();
  if (done) throw new Error("the stack did not start");
  void (async () => {
    while (!(await lines.next()).done);
  })();
  return value;
}

async function* linesOf(bytes: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of bytes) {
    text += decoder.decode(piece, { stream: true });
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
}
