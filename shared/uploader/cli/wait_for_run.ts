/** Waits until a run has ended. */
import { setTimeout as sleep } from "node:timers/promises";
import { type RunStatus, runStatus } from "./answers.ts";
import { getJson } from "./api.ts";
import type { Project } from "./open.ts";
import type { Terminal } from "./terminal.ts";

/** A queued run that is not to be looked at for this long waits for more files, and may do so for days. */
const patientMs = 60_000;

/** How a run stands: `not_due` has nothing to do before more files come, or theirs grow old. */
function endOf(run: RunStatus, now = Date.now()): "success" | "error" | "not_due" | null {
  if (run.status === "success" || run.status === "error" || run.status === "not_due") {
    return run.status;
  }
  // A run that waits after a failed attempt has an error; its next attempt is still its own.
  const next = typeof run.next_attempt_at === "string" ? Date.parse(run.next_attempt_at) : NaN;
  const waits = run.status === "queued" && !run.error && next - now > patientMs;
  return waits || run.step === "not_due" || run.state === "not_due" ? "not_due" : null;
}

/** Asks until the run has ended or the signal fires. */
export async function waitForRun(
  project: Project,
  run: string,
  signal: AbortSignal,
  onStatus?: (status: RunStatus) => void,
): Promise<RunStatus> {
  for (let wait = 250;; wait = Math.min(wait * 1.5, 5000)) {
    const status = await statusOf(project, run);
    onStatus?.(status);
    if (endOf(status) !== null || signal.aborted) return status;
    await sleep(wait, undefined, { signal }).catch(() => {});
  }
}

/** The status of a run. */
export async function statusOf(project: Project, run: string): Promise<RunStatus> {
  return await getJson(project, `compaction/status/${encodeURIComponent(run)}`, runStatus);
}

/** What became of runs that were waited for. */
export interface Waited {
  failed: number;
  /** Not ended when the signal fired. */
  left: number;
}

/** Waits until runs have ended or are not due, and says how they ended. */
export async function waitForRuns(
  runs: Set<string>,
  project: Project,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Waited> {
  const bar = terminal.bar("compact", runs.size);
  let done = 0, notDue = 0;
  const failed: string[] = [];
  for (const run of runs) {
    if (signal.aborted) break;
    const end = endOf(await waitForRun(project, run, signal));
    if (end === null) break;
    if (end === "error") failed.push(run);
    if (end === "not_due") notDue++;
    bar.set(++done);
  }
  const well = done - failed.length - notDue;
  const waits = notDue > 0 ? ` · ${notDue} wait for more files` : "";
  bar.end(`compacted ${well} of ${runs.size} runs${waits}`);
  for (const run of failed) terminal.say(`run ${run} failed: sediment status ${run}`);
  return { failed: failed.length, left: runs.size - done };
}
