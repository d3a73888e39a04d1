/**
 * Runs a script in a process of its own and gives the JSON that it prints: `deno test --parallel` runs its files in one
 * process, whose memory says nothing of one of them. Also for Deno 2.1, which would look for newer packages than
 * node_modules has, without the lock.
 *
 * @param script its `import.meta.url`
 * @throws with what it said, when it failed
 */
export async function runAlone<Result>(script: string, args: string[]): Promise<Result> {
  const options = ["-A", "--no-check", "--no-lock", "--node-modules-dir=manual", "--quiet"];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...options, script, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}
