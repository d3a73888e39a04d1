/**
 * `deno task fuzz [--count N] [--seed S] [--from INDEX] [--only INDEX] [--keep FOLDER]`: mutates Parquet files and
 * checks that each mutant is refused by name or merged to the rows that DuckDB reads, alone and between sound files,
 * within 128 MB and ten times the clean file's time. Exits 1 when one is not.
 */
import { parseArgs } from "node:util";
import { type Finding, fuzz } from "./fuzz/fuzz_run.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "50000" },
    seed: { type: "string", default: "1" },
    from: { type: "string", default: "0" },
    only: { type: "string" },
    keep: { type: "string" },
  },
});

let told = 0, toldDisputed = 0;
const report = await fuzz({
  seed: Number(values.seed),
  from: Number(values.only ?? values.from),
  count: values.only === undefined ? Number(values.count) : 1,
  onProgress(done, { outcomes, wrong, disputed }) {
    // told at once: a long run may be stopped
    for (; told < wrong.length; told++) {
      const { index, file, what, verdict } = wrong[told];
      console.log(`wrong: #${index} ${file}: ${what}: ${verdict.detail.slice(0, 400)}`);
    }
    for (; toldDisputed < disputed.length; toldDisputed++) {
      const { index, file, what, verdict: { outcome, detail } } = disputed[toldDisputed];
      if (outcome !== "merged alone") continue;
      console.log(`${outcome}: #${index} ${file}: ${what}: ${detail.split("\n")[0].slice(0, 150)}`);
    }
    if (done % 1000 === 0) console.log(done, JSON.stringify(outcomes), memory());
  },
});

function memory(): string {
  return `${Math.round(Deno.memoryUsage().rss / 2 ** 20)} MB`;
}

async function show(title: string, findings: Finding[]): Promise<void> {
  if (findings.length === 0) return;
  console.log(`\n${title}: ${findings.length}`);
  for (const { index, file, what, verdict, bytes } of findings.slice(0, 40)) {
    console.log(`  #${index} ${file}: ${what}`);
    const detail = verdict.detail.split("\n")[0].slice(0, 300);
    console.log(`      ${verdict.outcome}, ${verdict.ms.toFixed(0)} ms: ${detail}`);
    if (values.keep !== undefined) {
      await Deno.mkdir(values.keep, { recursive: true });
      await Deno.writeFile(`${values.keep}/${report.seed}-${index}.parquet`, bytes);
    }
  }
}

console.log(`\nseed ${report.seed}: ${report.mutants} mutants`, report.outcomes, memory());
console.log("refusals name", report.places);
const unread = Object.values(report.unreadable).reduce((sum, n) => sum + n, 0);
const share = (100 * unread / report.accepted).toFixed(2);
console.log(
  `${report.accepted} accepted at upload, ${unread} of them (${share} %) not read by DuckDB`,
);
console.log(report.unreadable);
console.log(`a mutant made the process grow by ${Math.round(report.growth / 2 ** 20)} MB at most`);
if (report.oracleCrashes > 0) console.log(`DuckDB crashed or hung ${report.oracleCrashes} times`);
await show("disputed between readers", report.disputed);
await show("slow", report.slow);
await show("wrong", report.wrong);
Deno.exit(report.wrong.length + report.slow.length > 0 ? 1 : 0);
