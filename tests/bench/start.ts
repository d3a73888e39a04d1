/**
 * `deno task bench start [--runs N] [--json]`: how long the embedded Supabase takes from the command to "up",
 * with a new state folder (cold) and on an old one (warm), and the memory of all its processes. The PostgreSQL
 * tree is in the cache (a first run of all, before the measured ones, sees to that), as after any earlier start.
 */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { median } from "./median.ts";
import { memoryOfTree, type ProcessMemory } from "./process_memory.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    runs: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
});
const runs = Number(values.runs);
const entry = fileURLToPath(new URL("../../supabase/local/start.ts", import.meta.url));

interface Run {
  /** Milliseconds from spawn to the line that says it is up. */
  total: number;
  /** Milliseconds at which each part was ready, counted inside. */
  timings: Record<string, number>;
  memory: ProcessMemory[];
}

await withState(start); // fills the cache

const cold: Run[] = [];
const warm: Run[] = [];
for (let i = 0; i < runs; i++) {
  await withState(async (stateDir) => {
    cold.push(await start(stateDir));
    warm.push(await start(stateDir));
  });
}
report();

async function withState<T>(run: (stateDir: string) => Promise<T>): Promise<T> {
  const stateDir = await Deno.makeTempDir({ prefix: "sediment-bench-" });
  try {
    return await run(stateDir);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
}

async function start(stateDir: string): Promise<Run> {
  const begun = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", entry, "--state", stateDir, "--port", "0", "--json"],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the stack did not start");
    text += value;
  }
  const total = performance.now() - begun;
  const { timings, pid } = JSON.parse(text);
  // Idle for a moment: what a stack that waits for work holds.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const memory = Deno.build.os === "linux" ? await memoryOfTree(pid) : [];
  child.kill("SIGINT");
  while (!(await reader.read()).done);
  await child.status;
  return { total, timings, memory };
}

function report() {
  const seconds = (list: Run[]) => median(list.map((run) => run.total)) / 1000;
  const parts = (list: Run[]) =>
    Object.fromEntries(
      Object.keys(list[0].timings).map((part) => [
        part,
        Math.round(median(list.map((run) => run.timings[part]))),
      ]),
    );
  const memory = byName(cold[cold.length - 1].memory);
  const result = {
    runs,
    cold_seconds: round(seconds(cold)),
    warm_seconds: round(seconds(warm)),
    cold_parts_ms: parts(cold),
    warm_parts_ms: parts(warm),
    memory_mb: memory,
    memory_total_mb: {
      rss: round(sum(memory.map((row) => row.rss))),
      pss: round(sum(memory.map((row) => row.pss))),
    },
  };
  if (values.json) return console.log(JSON.stringify(result));
  console.log(`start, median of ${runs} (cold: new state folder; warm: the same again)

  cold   ${result.cold_seconds} s   target 3 s   parts ${JSON.stringify(result.cold_parts_ms)}
  warm   ${result.warm_seconds} s   target 1 s   parts ${JSON.stringify(result.warm_parts_ms)}

memory after a cold start, idle            RSS MB   PSS MB`);
  for (const { name, processes, rss, pss } of memory) {
    const label = processes > 1 ? `${name} (${processes} processes)` : name;
    console.log(`  ${label.padEnd(38)} ${String(rss).padStart(8)} ${String(pss).padStart(8)}`);
  }
  const { rss, pss } = result.memory_total_mb;
  console.log(
    `  ${"all (target 400)".padEnd(38)} ${String(rss).padStart(8)} ${String(pss).padStart(8)}`,
  );
}

function byName(list: ProcessMemory[]) {
  return [...Map.groupBy(list, (process) => process.name)].map(([name, group]) => ({
    name,
    processes: group.length,
    rss: round(sum(group.map((process) => process.rss)) / 1e6),
    pss: round(sum(group.map((process) => process.pss)) / 1e6),
  })).sort((a, b) => b.pss - a.pss);
}

function sum(list: number[]): number {
  return list.reduce((total, value) => total + value, 0);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
