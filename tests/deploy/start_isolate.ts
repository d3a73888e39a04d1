/** Starts `isolate.ts` in a process of its own. */
import { fileURLToPath } from "node:url";
import type { IsolateOrder } from "./isolate.ts";

/** A running isolate. */
export interface Isolate extends AsyncDisposable {
  url: string;
}

/**
 * Starts one and waits until it serves.
 *
 * @param deno the program and its first arguments. @default this Deno
 * @throws with what the process said, when it ended instead
 */
export async function startIsolate(
  order: IsolateOrder,
  deno: { program: string; args: string[] } = { program: Deno.execPath(), args: [] },
): Promise<Isolate> {
  const child = new Deno.Command(deno.program, {
    args: [
      ...deno.args,
      ...["run", "-A", "--no-lock", "--no-check", "--quiet"],
      // A bundle needs nothing of the checkout, and must not find it.
      ...(order.edge ? ["--no-config"] : []),
      fileURLToPath(new URL("./isolate.ts", import.meta.url)),
    ],
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`${JSON.stringify(order)}\n`));
  const said = new Response(child.stderr).text();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the isolate did not start: ${await said}`);
    text += value;
  }
  return {
    url: `http://127.0.0.1:${Number(text)}`,
    async [Symbol.asyncDispose]() {
      await writer.close();
      await child.status;
      await reader.cancel();
      await said;
    },
  };
}
