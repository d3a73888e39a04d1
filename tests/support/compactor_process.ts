/**
 * A compactor in a process of its own, as on a server that can lose power: it takes turn after turn until it is
 * killed. Run as a script it is that process.
 */
import { fileURLToPath } from "node:url";
import type { Stack } from "../../supabase/local/stack.ts";

/** A running one. */
export interface CompactorProcess {
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /**
   * Kills it when it holds more memory than that, as a host with a limit does, or when it is no longer wanted. Resolves
   * to whether it died of its memory. Linux.
   */
  diesAbove(bytes: number, unwanted: () => boolean): Promise<boolean>;
}

/** Starts one and waits until it is about to take its first turn. */
export async function startCompactor(
  stack: Stack,
  env: Record<string, string>,
): Promise<CompactorProcess> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", fileURLToPath(import.meta.url)],
    env: {
      SUPABASE_URL: stack.url,
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: stack.secretKey }),
      SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: stack.publishableKey }),
      SUPABASE_JWKS: JSON.stringify(stack.jwks),
      ...env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = process.stdout.getReader();
  const { done } = await reader.read();
  if (done) throw new Error(`the compactor ended with ${(await process.status).code}`);
  const running: CompactorProcess = {
    async kill() {
      process.kill("SIGKILL");
      await process.status;
      await reader.cancel();
    },
    async diesAbove(bytes, unwanted) {
      let over = false;
      while (!over && !unwanted()) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        // the most that it ever had: a look now and then would miss a peak
        const status = await Deno.readTextFile(`/proc/${process.pid}/status`);
        over = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024 > bytes;
      }
      await running.kill();
      return over;
    },
  };
  return running;
}

if (import.meta.main) {
  const { createApp } = await import("../../functions/main.ts");
  const env = Deno.env.toObject();
  const app = createApp(env);
  const apikey = JSON.parse(env.SUPABASE_SECRET_KEYS).default;
  console.log("ready");
  while (true) {
    const turn = new Request("http://compactor/compactor", { method: "POST", headers: { apikey } });
    await (await app.fetch(turn)).text().catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
