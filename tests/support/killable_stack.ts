/**
 * A stack in a process of its own that can be killed with all its parts: from outside at any time, or by
 * itself in the middle of a call. Run as a script it is that process.
 */
import { fileURLToPath } from "node:url";
import { startStack } from "../../supabase/local/stack.ts";

/** Where and how it dies by itself. */
export interface Death {
  /** The SQL function at whose call it dies. */
  at: string;
  /** Whether the call had its effect; its answer is never seen. */
  when: "before" | "after";
}

/** How it starts. */
export interface KillableOptions {
  stateDir: string;
  /** 0: any free one. */
  port: number;
  death?: Death;
  cron?: boolean;
  env?: Record<string, string>;
}

/** A running one. */
export interface KillableStack {
  url: string;
  port: number;
  publishableKey: string;
  secretKey: string;
  adminDbUrl: string;
  /** Resolves when all of its processes are gone. */
  dead: Promise<void>;
  /** kill -9 of every process. */
  kill(): Promise<void>;
}

/** Starts one and waits until it answers. */
export async function startKillable(options: KillableOptions): Promise<KillableStack> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", fileURLToPath(import.meta.url), JSON.stringify(options)],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = process.stdout.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the stack ended with ${(await process.status).code}`);
    text += new TextDecoder().decode(value);
  }
  const { pids, ...address } = JSON.parse(text);
  const dead = process.status.then(async () => {
    await reader.cancel();
    // Whoever killed the first of them may have left the others.
    for (const pid of pids) killNow(pid);
  });
  return {
    ...address,
    dead,
    async kill() {
      for (const pid of [process.pid, ...pids]) killNow(pid);
      await dead;
    },
  };
}

function killNow(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}

if (import.meta.main) {
  const options: KillableOptions = JSON.parse(Deno.args[0]);
  const stack = await startStack({
    stateDir: options.stateDir,
    port: options.port,
    cron: options.cron ?? true,
    tickSeconds: 0.5,
    cronSeconds: { sediment_sweep: 1, sediment_leases: 1 },
    env: options.env,
    // The death below is at a request: each catalog call is to be one.
    catalog: "postgrest",
  });
  const pids = Object.values(stack.pids);
  if (options.death !== undefined) {
    const { at, when } = options.death;
    const real = globalThis.fetch;
    globalThis.fetch = async (input, init) => {
      const url = input instanceof Request ? input.url : String(input);
      // Most calls go by call_quietly or call_long_quietly, which name the function in their bodies.
      const body = /\/rest\/v1\/rpc\/call_(long_)?quietly$/.test(url) ? String(init?.body) : "";
      const called = url.endsWith(`/rest/v1/rpc/${at}`) || body.includes(`"p_function":"${at}"`);
      if (!called) return await real(input, init);
      if (when === "after") await real(input, init);
      for (const pid of [...pids, Deno.pid]) Deno.kill(pid, "SIGKILL");
      return await new Promise(() => {});
    };
  }
  const { url, port, publishableKey, secretKey, adminDbUrl } = stack;
  console.log(JSON.stringify({ url, port, publishableKey, secretKey, adminDbUrl, pids }));
}
