import type { Cost } from "./measure.ts";

/** Scripts that need nothing of the workspace. */
const alone = new Set(["./ours.ts", "./turn_output.ts", "./peers/duckdb_wasm.ts"]);

/**
 * Runs a script of this folder in a process of its own, and gives the JSON of its last line. Throws what it said when it
 * failed or took longer than `limitMs`.
 */
export async function inProcess<Result = Cost>(
  script: string,
  argument: string,
  limitMs?: number,
): Promise<Result> {
  // without the workspace's configuration: its npm packages cost 15 MB, and an isolate gets a bundle; duckdb-wasm is
  // not among them
  const plain = alone.has(script) ? ["--no-config"] : [];
  const { code, signal, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-lock",
      ...plain,
      decodeURIComponent(new URL(script, import.meta.url).pathname),
      argument,
    ],
    stdout: "piped",
    stderr: "piped",
    ...(limitMs !== undefined && { signal: AbortSignal.timeout(limitMs) }),
  }).output();
  if (signal === "SIGTERM") throw new Error(`ended after ${limitMs! / 1000} s`);
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr) || `ended by ${signal}`);
  return JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!);
}

/** Lines of a job's list: size and path of each file. */
export function listOf(files: readonly string[]): string {
  return files.map((path) => `${Deno.statSync(path).size} ${path}`).join("\n");
}
