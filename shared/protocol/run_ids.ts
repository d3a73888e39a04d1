/** The id of a run in answers: `run_id`, beside the names that clients of the documents read. */

/** A partition's run, named `run_id` too. */
export function withRunId<T extends { metricId: string }>(run: T): T & { run_id: string } {
  return { ...run, run_id: run.metricId };
}

/** The answer of an upload, with its runs named `run_id` too. */
export function withRunIds<T extends { metricId: string; runs: { metricId: string }[] }>(
  answer: T,
) {
  return { ...withRunId(answer), runs: answer.runs.map(withRunId) };
}
