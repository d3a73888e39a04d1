/** `deno task simulate [NAME] [options]`: the simulations by name. */
import { runNamed } from "../support/run_named.ts";

const simulation = (path: string, what: string) => ({ file: new URL(path, import.meta.url), what });

// Options alone are those of runs.
const optionsOnly = Deno.args[0]?.startsWith("--") && !Deno.args.includes("--help");
await runNamed("deno task simulate [NAME] --seeds N [--seed S] [--json]", {
  field: {
    ...simulation(
      "./runs/main.ts",
      "runs in an environment that fails: outages, lost and changed objects, files that kill, clocks apart",
    ),
    args: ["--field"],
  },
  guards: simulation(
    "./runs/guards.ts",
    "the guards of runs, each taken out, until a seed misses it",
  ),
  runs: simulation(
    "./runs/main.ts",
    "uploads, compaction, vacuum and redrives over the real catalog, with faults at every call",
  ),
  uploader: simulation(
    "./uploader/main.ts",
    "the uploader's pending store and retries, with crashes at every file-system call",
  ),
}, optionsOnly ? ["runs", ...Deno.args] : Deno.args);
