/** The command line, run as its user runs it. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Path of the CLI's entry point. */
const cli = fileURLToPath(new URL("../../../shared/uploader/cli/main.ts", import.meta.url));

/** What a run came to. */
export interface Ran {
  code: number;
  out: string;
  err: string;
}

/** Arguments of this Deno that run the CLI. */
export const cliArgs = (args: string[]) => ["run", "-A", "--no-check", "--quiet", cli, ...args];

/** What makes a run of the CLI one of a user whose files are all in this folder. */
export const cliEnv = (folder: string) => ({
  SEDIMENT_SESSION: join(folder, "session.json"),
  SEDIMENT_DATA: join(folder, "data"),
});

/** Runs `sediment …` in a folder, with a session file and pending folders of its own. */
export async function sediment(
  folder: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<Ran> {
  return await run(Deno.execPath(), cliArgs(args), folder, env);
}

/** Runs a line of bash in which `sediment` is the CLI. */
export async function shell(
  folder: string,
  line: string,
  env: Record<string, string> = {},
): Promise<Ran> {
  const words = [Deno.execPath(), ...cliArgs([])].map((word) => `'${word}'`).join(" ");
  return await run("bash", ["-c", `sediment() { ${words} "$@"; }\n${line}`], folder, env);
}

async function run(command: string, args: string[], cwd: string, env: Record<string, string>) {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd,
    env: { ...cliEnv(cwd), ...env },
  }).output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}
