/** `deno task simulate [NAME] [options]`: the simulations by name. */
const simulations: Record<string, string> = {
  guards: "the guards of runs, each taken out, until a seed misses it",
  runs: "uploads, compaction, vacuum and redrives over the real catalog, with faults at every call",
  uploader: "the uploader's pending store and retries, with crashes at every file-system call",
};

// Options alone are those of runs.
const optionsOnly = Deno.args[0]?.startsWith("--") && !Deno.args.includes("--help");
const [name, ...args] = optionsOnly ? ["runs", ...Deno.args] : Deno.args;
if (!name || !(name in simulations)) {
  console.error("deno task simulate [NAME] --seeds N [--seed S] [--json]\n");
  for (const [known, what] of Object.entries(simulations)) {
    console.error(`  ${known.padEnd(9)} ${what}`);
  }
  Deno.exit(name === undefined || name === "--help" ? 0 : 2);
}
const path = name === "guards" ? "./runs/guards.ts" : `./${name}/main.ts`;
const file = new URL(path, import.meta.url);
try {
  await Deno.stat(file);
} catch {
  console.error(`${name}: no scenarios yet`);
  Deno.exit(0);
}
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", file.pathname, ...args],
}).spawn().status;
Deno.exit(code);
