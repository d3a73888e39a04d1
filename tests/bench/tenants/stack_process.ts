/** The embedded stack without the functions, and what a process that serves them needs, as one line of JSON. */
import { startStack } from "../../../supabase/local/stack.ts";
import type { StackReport } from "./start_stack.ts";

const [stateDir] = Deno.args;
const stack = await startStack({ stateDir, port: 0, functions: false, cron: false, quiet: true });
const { url, publishableKey, adminDbUrl, functionsEnv } = stack;
console.log(
  JSON.stringify({ url, publishableKey, adminDbUrl, functionsEnv } satisfies StackReport),
);
Deno.addSignalListener("SIGINT", async () => {
  await stack.stop();
  Deno.exit(0);
});
