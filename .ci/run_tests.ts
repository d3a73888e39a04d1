/**
 * `deno run -A .ci/run_tests.ts deno task TASK`: runs this command; the task of deno.json is one `deno test`. Files in which a test failed are
 * run once more, alone and one after the other, and this second result decides: what fails only beside two hundred other
 * files on a busy machine is to be mended, and is no reason to hold a release back. Both results are printed.
 *
 * Ends with 1 when a file failed twice, and when the first run named no file: the runner crashed, or types didn't check.
 * The last line is `N passed, N failed, N skipped`: the first run's counts, with those of repeated files from their repetition.
 */
import { stripVTControlCharacters } from "node:util";

/** More than that many files are no matter of a busy machine. */
const mostFiles = 20;
/** So long may all repetitions take together; what is still to come then has failed. */
const repeatMs = 8 * 60_000;

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

interface Result {
  success: boolean;
  /** Undefined when the runner ended without a summary. */
  counts?: Counts;
  /** Names of the tests that failed, by file. */
  failures: Map<string, string[]>;
  /** Counts by file, without those that could not be loaded. */
  files: Map<string, Counts>;
}

/** Runs a command, shows what it says, and reads that and the JUnit report that it writes. */
async function run([program, ...args]: string[], signal?: AbortSignal): Promise<Result> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  const process = new Deno.Command(program, {
    args: [...args, `--junit-path=${report}`],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    signal,
  }).spawn();
  const [shown, read] = process.stdout.tee();
  const [text, , { success }] = await Promise.all([
    new Response(read).text(),
    shown.pipeTo(Deno.stdout.writable, { preventClose: true }),
    process.status,
  ]);
  const files = countsByFile(await Deno.readTextFile(report));
  await Deno.remove(report);
  return { success, ...readSummary(stripVTControlCharacters(text)), files };
}

/** The last summary in the text, and the list of failures above it. */
function readSummary(text: string): Pick<Result, "counts" | "failures"> {
  const failures = new Map<string, string[]>();
  const lines = text.split("\n");
  const end = lines.findLastIndex((line) => /^(ok|FAILED) \| \d+ passed/.test(line));
  if (end < 0) return { failures };
  const count = (what: string) => Number(new RegExp(`(\\d+) ${what}`).exec(lines[end])?.[1] ?? 0);
  const start = lines.slice(0, end).findLastIndex((line) => line.trim() === "FAILURES");
  for (const line of start < 0 ? [] : lines.slice(start + 1, end)) {
    // `name ... step => ./tests/a_test.ts:1:6`, or `./tests/a_test.ts (uncaught error)`
    const [, name, file] = /^(.*) => (\S+?):\d+:\d+$/.exec(line) ??
      /^()(\S+) \(uncaught error\)$/.exec(line) ?? [];
    if (file === undefined) continue;
    failures.set(file, [...failures.get(file) ?? [], name || "an error outside of its tests"]);
  }
  const counts = { passed: count("passed"), failed: count("failed"), skipped: count("ignored") };
  return { counts, failures };
}

/** Top-level tests of each file in a JUnit report. */
function countsByFile(xml: string): Map<string, Counts> {
  const suites = xml.matchAll(/<testsuite name="([^"]*)"[^>]*>(.*?)<\/testsuite>/gs);
  return new Map([...suites].map(([, file, suite]) => {
    const cases = [...suite.matchAll(/<testcase name="([^"]*)"[^>]*>(.*?)<\/testcase>/gs)];
    const names = cases.map(([, name]) => name);
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const [, name, result] of cases) {
      if (names.some((above) => name.startsWith(`${above} &gt; `))) continue; // a step of it
      if (result.includes("<skipped")) counts.skipped++;
      else if (/<(failure|error)\b/.test(result)) counts.failed++;
      else counts.passed++;
    }
    return [file, counts];
  }));
}

/** Repeats the files that failed, by the task's command without its files; returns what is counted in the end. */
async function repeat(first: Result, task: string): Promise<Counts> {
  const command: string = JSON.parse(await Deno.readTextFile("deno.json")).tasks[task];
  const [program, ...args] = command.replaceAll(/ (--parallel|tests\/\S*)/g, "").split(" ");
  // a task's `deno` is the one that runs it, which need not be on the path
  const again = [program === "deno" ? Deno.execPath() : program, ...args];
  const signal = AbortSignal.timeout(repeatMs);
  const counts = { ...first.counts!, failed: 0 };
  const lines: string[] = [];
  for (const [file, names] of first.failures) {
    console.log(`\n== once more, alone: ${file}`);
    const second = await run([...again, file], signal);
    const before = first.files.get(file);
    counts.passed += (second.counts?.passed ?? 0) - (before?.passed ?? 0);
    counts.skipped += (second.counts?.skipped ?? 0) - (before?.skipped ?? 0);
    if (!second.success) counts.failed += Math.max(1, second.counts?.failed ?? 0);
    lines.push(
      `!! ${file}`,
      ...names.map((name) => `!!   failed beside the others: ${name}`),
      second.success
        ? "!!   passed alone: it stands on the state of the machine. MEND IT"
        : `!!   failed alone too: ${
          [...second.failures.values()].flat().join("; ") || "no result"
        }`,
    );
    if (second.success && Deno.env.has("GITHUB_ACTIONS")) {
      lines.push(
        `::warning file=${file}::failed beside other tests, passed alone: ${names.join("; ")}`,
      );
    }
  }
  console.log(`\n!! Tests that failed, and how their files did alone:\n${lines.join("\n")}\n`);
  return counts;
}

const first = await run(Deno.args);
let counts = first.counts ?? { passed: 0, failed: 1, skipped: 0 };
if (!first.success) {
  const repeatable = first.failures.size > 0 && first.failures.size <= mostFiles;
  if (repeatable) counts = await repeat(first, Deno.args.at(-1)!);
  // A runner that fails and says of no test that it did must not look green.
  else counts.failed = Math.max(1, counts.failed);
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
Deno.exit(counts.failed === 0 ? 0 : 1);
