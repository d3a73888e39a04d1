/** `sediment status`: where a run is. */
import type { RunStatus } from "./answers.ts";
import { onInterrupt } from "./on_interrupt.ts";
import { openProject } from "./open.ts";
import type { Command } from "./options.ts";
import { bytes, createTerminal, fromNow } from "./terminal.ts";
import { statusOf, waitForRun } from "./wait_for_run.ts";

/** `sediment status` */
export const status: Command = {
  name: "status",
  says: "where a compaction run is",
  synopsis: "RUN",
  teaches:
    `Prints status, step, progress and the planner's decision of a run: the metricId of an upload's answer,
or the instanceId of a compaction request. Exit code 0 for success, 3 while it goes on, 1 for an error.`,
  examples: [["sediment status 7d0c… --wait", "until it has ended"]],
  options: { wait: { says: "until the run has ended" } },
  arity: [1, 1],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const project = await openProject(input);
    const [run] = input.positionals;
    const interrupted = new AbortController();
    onInterrupt(() => interrupted.abort());
    const now = input.is("wait")
      ? await waitForRun(project, run, interrupted.signal)
      : await statusOf(project, run);
    if (input.is("json")) terminal.out(JSON.stringify(now));
    else for (const line of linesOf(now, terminal.paint)) terminal.out(line);
    return now.status === "success" ? 0 : now.status === "error" ? 1 : 3;
  },
};

function linesOf(run: RunStatus, paint: ReturnType<typeof createTerminal>["paint"]): string[] {
  const colour = { success: "green", error: "red" }[run.status] ?? "yellow";
  const { output, error } = run;
  const rows: [string, unknown][] = [
    ["run", run.instanceId],
    ["status", paint(run.status, colour as "green")],
    ["what", [run.operation, run.table, run.period_tag].filter(Boolean).join(" ")],
    ["step", run.step],
    ["decision", (run.decision as { says?: string } | null)?.says ?? run.decision],
    ["attempts", run.attempts],
    ["queued", run.queued_at && fromNow(run.queued_at)],
    ["ended", run.completed_at && fromNow(run.completed_at)],
    ["next try", run.next_attempt_at && fromNow(run.next_attempt_at)],
    ["files", output && `${output.files_before} → ${output.files_after}`],
    ["row groups", output && `${output.row_groups_before} → ${output.row_groups_after}`],
    ["bytes", output && `${bytes(output.bytes_before ?? 0)} → ${bytes(output.bytes_after ?? 0)}`],
    ["error", error && `${error.code}: ${error.message} (${error.step})`],
  ];
  return rows.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) =>
      `${name.padEnd(11)} ${typeof value === "object" ? JSON.stringify(value) : value}`
    );
}
