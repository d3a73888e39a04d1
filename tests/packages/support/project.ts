/** An empty project in which the packages are installed as their users install them. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPackages } from "../../../packages/build.ts";
import { root } from "../../../packages/entries.ts";

/** A folder with node_modules. */
export interface Project {
  folder: string;
  write(name: string, text: string): Promise<void>;
  run(command: string, args: string[], env?: Record<string, string>): Promise<Ran>;
}

/** What a command came to. */
export interface Ran {
  code: number;
  out: string;
  err: string;
}

/** Runs a command. */
export async function run(
  command: string,
  args: string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, cwd, env }).output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

/**
 * Packs both packages and installs them; null, with a line that says so, where npm's registry can't be reached for what
 * they depend on.
 */
export async function withProject(test: (project: Project) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sediment-packages-"));
  try {
    const { client, cli } = await buildPackages(join(folder, "dist"));
    const project = join(folder, "project");
    await mkdir(project);
    await writeFile(join(project, "package.json"), '{"type":"module","private":true}');
    const { imports } = JSON.parse(await readFile(join(root, "deno.json"), "utf8"));
    const others = ["apache-arrow", "hyparquet-writer"].map((name) => imports[name].slice(4));
    const args = ["install", "--no-audit", "--no-fund", client.tarball, cli.tarball, ...others];
    const installed = await run("npm", args, project);
    if (installed.code !== 0) {
      console.log(`skipped: npm can't install what the packages depend on: ${installed.err}`);
      return;
    }
    await test({
      folder: project,
      write: (name, text) => writeFile(join(project, name), text),
      run: (command, args, env) => run(command, args, project, env),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The blocks of code of a section of docs/client.md, one after the other. */
export async function documented(heading: string): Promise<string> {
  const path = fileURLToPath(new URL("../../../docs/client.md", import.meta.url));
  const text = await readFile(path, "utf8");
  const [, section = ""] = text.split(`\n## ${heading}\n`);
  const blocks = section.split("\n## ")[0].matchAll(/```js\n([^]*?)```/g);
  const code = [...blocks].map(([, block]) => block).join("");
  if (code === "") throw new Error(`docs/client.md has no code below "${heading}"`);
  return code;
}
