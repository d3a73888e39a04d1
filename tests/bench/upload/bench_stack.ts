/** The embedded stack as a process of its own, which is what `deno task bench upload` loads. */
import { join } from "node:path";
import { repositoryRoot } from "../../../supabase/local/parts/npm_packages.ts";
import type { CatalogWay } from "../../../supabase/local/stack.ts";

/** Where a stack is, and its process. */
export interface Address {
  url: string;
  publishableKey: string;
  secretKey: string;
  /** Of the database, for its owner. */
  adminDbUrl: string;
  pid: number;
}

/**
 * Starts a new stack, gives its address to an action and removes it.
 *
 * @param tree the checkout whose stack it is, with its migrations and functions
 */
export async function withStack(
  catalog: CatalogWay,
  action: (stack: Address) => Promise<void>,
  tree = repositoryRoot,
): Promise<void> {
  const stateDir = await Deno.makeTempDir({ prefix: "sediment-bench-" });
  // PostgreSQL runs as another user when this one is root.
  await Deno.chmod(stateDir, 0o711);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", join(tree, "supabase/local/start.ts")],
      ...["--state", stateDir, "--port", "0", "--json", "--no-cron", "--catalog", catalog],
    ],
    // Of another tree, also its deno.json is the one that is meant.
    cwd: tree,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let text = "";
    while (!text.includes("\n")) {
      const { value, done } = await output.read();
      if (done) throw new Error("the stack did not start");
      text += value;
    }
    await action(JSON.parse(text));
  } finally {
    child.kill("SIGINT");
    await child.status;
    await output.cancel();
    await Deno.remove(stateDir, { recursive: true });
  }
}
