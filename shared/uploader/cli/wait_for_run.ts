/** Waits until a run has ended. */
import { setTimeout as sleep } from "node:timers/promises";
import { getJson } from "./api.ts";
import type { Project } from "./open.ts";

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
