/** Waits until a run has ended. */
import { setTimeout as sleep } from "node:timers/promises";
import { getJson } from "./api.ts";
import type { Project } from "./open.ts";
import type { Terminal } from "./terminal.ts";

/** The status of a run, as the service gives it. */
export type RunStatus = Record<string, unknown> & { status: string };

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
    if (status.status === "success" || status.status === "error" || signal.aborted) return status;
    await sleep(wait, undefined, { signal }).catch(() => {});
  }
}

/** The status of a run. */
export async function statusOf(project: Project, run: string): Promise<RunStatus> {
  return await getJson(project, `compaction/status/${encodeURIComponent(run)}`) as RunStatus;
}

/** Waits until runs have ended, and says how many ended well. */
export async function waitForRuns(
  runs: Set<string>,
  project: Project,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const bar = terminal.bar("compact", runs.size);
  let done = 0;
  const failed: string[] = [];
  for (const run of runs) {
    if (signal.aborted) break;
    const status = await waitForRun(project, run, signal);
    if (status.status === "error") failed.push(run);
    bar.set(++done);
  }
  bar.end(`compacted ${done - failed.length} of ${runs.size} runs`);
  for (const run of failed) terminal.say(`run ${run} failed: sediment status ${run}`);
}
