/**
 * `deno task simulate uploader --seeds N [--seed S] [--json] [--break NAME] [--trace]`: seeds S … S+N−1 of
 * the random scenario and, for each tenth, of the named ones (auth-loop, poison).
 */
import { runSeed, scenarios, type SeedResult } from "./seed.ts";
import { type Sabotage, sabotages } from "./sabotage.ts";

const help = `deno task simulate uploader [--seeds N] [--seed S] [--json] [--break NAME] [--trace]

  --seeds N     how many seeds to run (50)
  --seed S      the first of them (1); one seed replays exactly
  --trace       print what happened, also when nothing is wrong
  --break NAME  take out a guard: ${Object.keys(sabotages).join(", ")}
`;

const options = {
  seeds: 50,
  seed: 1,
  json: false,
  trace: false,
  sabotage: null as Sabotage | null,
};
const args = [...Deno.args];
while (args.length > 0) {
  const arg = args.shift()!;
  if (arg === "--help") {
    console.log(help);
    Deno.exit(0);
  } else if (arg === "--json") options.json = true;
  else if (arg === "--trace") options.trace = true;
  else if (arg === "--seeds" || arg === "--seed") {
    const value = Number(args.shift());
    if (!Number.isSafeInteger(value) || value < 1) fail(`${arg} wants a whole number above 0`);
    options[arg.slice(2) as "seeds"] = value;
  } else if (arg === "--break") {
    const name = args.shift() ?? "";
    if (!(name in sabotages)) fail(`--break wants one of ${Object.keys(sabotages).join(", ")}`);
    options.sabotage = name as Sabotage;
  } else fail(`unknown option ${arg}`);
}

const total = {
  seeds: options.seeds,
  steps: 0,
  faults: 0,
  crashes: 0,
  interrupts: 0,
  requests: 0,
  stored: 0,
  violations: 0,
};
const started = performance.now();
for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
  await take(await runSeed(seed, options.sabotage));
  if (seed % 10 !== 0) continue;
  for (const run of Object.values(scenarios)) await take(await run(seed, options.sabotage));
}
const seconds = Math.round((performance.now() - started) / 100) / 10;
console.log(
  options.json
    ? JSON.stringify({ ...total, seconds })
    : `${total.seeds} seeds, ${total.steps} steps, ${total.faults} faults (${total.crashes} crashes), ` +
      `${total.interrupts} pushes ended by Ctrl-C, ` +
      `${total.requests} requests, ${total.stored} stored: ${total.violations} violations, ${seconds} s`,
);
Deno.exit(total.violations === 0 ? 0 : 1);

async function take(result: SeedResult): Promise<void> {
  total.steps += result.steps;
  total.faults += result.faults;
  total.crashes += result.crashes;
  total.interrupts += result.interrupts;
  total.requests += result.requests;
  total.stored += result.stored;
  total.violations += result.violations.length;
  if (result.violations.length > 0 || options.trace) {
    console.error(`\nseed ${result.seed} (${result.scenario})`);
    const shown = options.trace ? result.trace : result.trace.slice(-40);
    for (const line of shown) console.error(`  ${line}`);
    for (const violation of result.violations) console.error(`  VIOLATION ${violation}`);
    const replay = `deno task simulate uploader --seeds 1 --seed ${result.seed} --trace`;
    console.error(`  replay: ${replay}${options.sabotage ? ` --break ${options.sabotage}` : ""}`);
  } else if (!options.json && Deno.stderr.isTerminal()) {
    await Deno.stderr.write(new TextEncoder().encode(`\rseed ${result.seed} `));
  }
}

function fail(why: string): never {
  console.error(`${why}\n\n${help}`);
  Deno.exit(2);
}
