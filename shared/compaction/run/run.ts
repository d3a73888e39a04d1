/** One run: plan a claimed partition, then write and commit its outputs one by one. */
import { asSedimentError, SedimentError } from "../../errors.ts";
import type { OutputFile } from "../../catalog/run_results.ts";
import type { MergeResult } from "../../parquet/merge/merge_plan.ts";
import { callCatalog } from "./call_catalog.ts";
import { checkClaim } from "./check_claim.ts";
import { passesControl } from "./control.ts";
import { dedupes } from "../plan/data_file.ts";
import { plannerVersion } from "../plan/planner_version.ts";
import { failureClass } from "./failure_class.ts";
import { giveUp } from "./give_up.ts";
import { Lease } from "./lease.ts";
import { deletedRows, hasGap, mergeInputs } from "./output/merge_inputs.ts";
import { groupsAfter, hasNextChoice, type MadeFile, waitingIn } from "../plan/waiting.ts";
import { outputRow } from "./output_row.ts";
import type { Plan, PlannedOutput } from "../plan/plan.ts";
import { debtOf, planClaim, progressOf } from "./plan_claim.ts";
import { planRemake } from "./plan_remake.ts";
import type { Claim, CompactionPorts, InputFile, RunCatalog } from "./ports.ts";
import type { RunOptions } from "./run_options.ts";
import { emptyReport, type RunReport } from "./run_report.ts";
import { runStep, StepError, type StepName } from "./steps.ts";

/** Works on one claim. Never throws: what went wrong is told to the catalog and is in the report. */
export async function runClaim(
  ports: CompactionPorts,
  claim: Claim,
  options: RunOptions,
): Promise<RunReport> {
  const report = emptyReport(claim);
  using lease = new Lease(options.signal, claim.lease_seconds, options.claimedAt);
  try {
    await new Run(ports, claim, options, lease, report).work();
  } catch (thrown) {
    const step = thrown instanceof StepError ? thrown.step : "validate-dataset";
    const error = thrown instanceof StepError ? thrown.error : asSedimentError(thrown);
    await giveUp(ports, claim, report, step, error, options.signal);
  }
  return report;
}

class Run {
  private ordinal: number;
  /** Whether the partition has files that this run has not looked at. */
  private unseen = false;
  /** Whether a quarantine left a file alone that the plan had company for: to be planned again. */
  private outdated = false;
  private readonly made: MadeFile[] = [];
  /** What the plan goes by. */
  private settings: Claim["settings"];
  private readonly stepsMs: Partial<Record<StepName, number>> = {};

  constructor(
    private readonly ports: CompactionPorts,
    private readonly claim: Claim,
    private readonly options: RunOptions,
    private readonly lease: Lease,
    private readonly report: RunReport,
  ) {
    this.ordinal = claim.outputs_committed;
    this.settings = claim.settings;
  }

  async work(): Promise<void> {
    const { claim } = this;
    await this.step("validate-dataset", () => Promise.try(() => checkClaim(claim)));
    const { plan, unseen, settings } = await this.step(
      "list-fragments",
      () => planClaim(this.ports, claim, this.options.budget, this.lease.signal),
    );
    this.unseen = unseen;
    this.settings = settings;
    this.report.decision = plan.decision;
    if (plan.outputs.length > 0) await this.tellProgress("list-fragments", plan, 0);
    await this.passControl();
    const remade = await this.remake(plan);
    let done = 0;
    while (
      done < plan.outputs.length &&
      (done === 0 && !remade || this.options.mayGoOn(plan.outputs[done].cost))
    ) {
      const before = this.ordinal;
      if (done > 0) await this.tellProgress("update-metadata", plan, done);
      if (await this.writeOutput(plan, done++)) return;
      // A commit extends the lease; an output that came to nothing did not.
      if (this.ordinal === before) await this.renew();
    }
    await this.close(plan, done);
  }

  /** Shows where the run is, and with the first call what it is going to do. */
  private async tellProgress(
    step: StepName,
    plan: Plan<InputFile>,
    done: number,
  ): Promise<void> {
    await this.call(step, "recordStep", {
      step: "merge",
      ...(done === 0 && { result: { decision: plan.decision } }),
      progress: progressOf(plan, done),
    });
  }

  /** Shows that a sound file passes here, where the claim asks for that, before one is tried that may kill. */
  private async passControl(): Promise<void> {
    const { controls = [] } = this.claim;
    if (controls.length === 0) return;
    const passed = await this.step(
      "merge",
      () => passesControl(this.ports, controls, this.claim, this.lease.signal),
    );
    if (passed) await this.call("update-metadata", "passControl", {});
  }

  /**
   * Remakes a lost output of the partition, where the claim names one, from the files that it had replaced. What does not
   * come out as it was is left for a later try (`stage_output` has set its time) and keeps nothing else from its turn.
   *
   * @returns whether it took time of the turn
   */
  private async remake(plan: Plan<InputFile>): Promise<boolean> {
    const { remake } = this.claim;
    if (!remake) return false;
    const planned = planRemake(remake, this.claim, this.ports.store.startUpload !== undefined);
    const key = await this.stage(planned, remake.file);
    const begun = this.ports.clock.monotonic();
    // Whatever the settings are by now: an output that has all rows of its inputs had left none out.
    const rows = planned.inputs.reduce((sum, { row_count }) => sum + row_count, 0);
    const claim = rows !== remake.row_count
      ? this.claim
      : { ...this.claim, settings: { ...this.claim.settings, dedupe_keys: [] } };
    const merged = await this.step(
      "merge",
      () => mergeInputs(this.ports, claim, planned, key, this.lease.signal),
    ).catch((thrown) => {
      // What took the output may have taken all of its inputs, and what fails for this output alone is no reason to give the
      // partition up.
      if (
        thrown instanceof StepError &&
        (thrown.error.extra?.all_missed === true || failureClass(thrown.error) !== "environment")
      ) return null;
      throw thrown;
    });
    if (merged === null) return true;
    const { result, output } = merged;
    try {
      this.options.spend(planned.bytes, planned.cost, this.ports.clock.monotonic() - begun);
      const same = result.merged.length === planned.inputs.length &&
        result.rowCount === remake.row_count &&
        result.schemaFingerprint === remake.schema_fingerprint;
      if (!same) return true;
      const put = await this.step("merge", () => output.put());
      const row = outputRow(result, { object_key: key, size: output.byteLength, ...put });
      await this.commit(plan, 0, false, planned.inputs, row, remake.file);
      this.report.remade++;
      // it has its place in a plan again
      this.outdated = true;
      return true;
    } finally {
      await output.discard();
    }
  }

  /** Writes and commits one output; true when that commit ended the run. */
  private async writeOutput(plan: Plan<InputFile>, index: number): Promise<boolean> {
    const planned = plan.outputs[index]!;
    const key = await this.stage(planned);
    const begun = this.ports.clock.monotonic();
    const { result, output, cut } = await this.step(
      "merge",
      () => mergeInputs(this.ports, this.claim, planned, key, this.lease.signal),
    );
    try {
      this.options.spend(planned.bytes, planned.cost, this.ports.clock.monotonic() - begun);
      await this.quarantine(result, planned.inputs);
      const apart = await this.setApart(result, planned.inputs);
      // What is left after a quarantine may be a single file, which is no merge.
      const bad = result.rejected.some(({ apart }) => !apart);
      if (result.merged.length < (planned.inputs.length === 1 ? 1 : 2)) {
        // what was set apart is planned otherwise from now on
        this.outdated ||= apart || (bad && result.merged.length > 0);
        return false;
      }
      this.outdated ||= apart || cut;
      if (dedupes(this.claim.settings) && hasGap(planned.inputs, result)) {
        throw new SedimentError(
          "inputs_changed",
          "A bad file lay between the inputs: to be planned again",
        );
      }
      if (result.rowCount === 0 && deletedRows(result) > 0) {
        return await this.commitOutput(plan, index, result, null);
      }
      const put = await this.step("merge", () => output.put());
      const row = outputRow(result, { object_key: key, size: output.byteLength, ...put });
      return await this.commitOutput(plan, index, result, row);
    } finally {
      await output.discard();
    }
  }

  /** The key of the run's next output: the catalog knows it before there is a byte, and of what it is made. */
  private async stage(
    { bytes, inputs }: PlannedOutput<InputFile>,
    remakes?: number,
  ): Promise<string> {
    const { object_key } = await this.call("update-metadata", "stageOutput", {
      n: this.ordinal,
      expectedBytes: bytes,
      // a worker that dies of a remake shall not have files narrowed down that nobody merges any more
      ...(remakes === undefined ? { inputs: inputs.map(({ id }) => Number(id)) } : { remakes }),
    });
    if (object_key !== null) return object_key;
    throw new SedimentError("internal", `Commit ${this.ordinal} of the run was made before`);
  }

  /** Commits an output that was put, or that no row of the inputs is left; true when that ended the run. */
  private async commitOutput(
    plan: Plan<InputFile>,
    index: number,
    { merged, rowCount, deletedRows }: MergeResult,
    row: OutputFile | null,
  ): Promise<boolean> {
    const { report } = this;
    const done = index + 1;
    const last = done === plan.outputs.length || !this.options.mayGoOn(plan.outputs[done].cost);
    const ids = new Set(merged);
    const inputs = plan.outputs[index].inputs.filter(({ id }) => ids.has(String(id)));
    const dropped = deletedRows && Object.fromEntries(deletedRows);
    const answer = await this.commit(plan, done, last, inputs, row, undefined, dropped);
    report.outcome = "merged";
    report.outputs++;
    report.files_merged += merged.length;
    report.rows += rowCount;
    report.bytes_in += plan.outputs[index].bytes;
    report.bytes_out += row?.size ?? 0;
    if (last) report.requeued = answer.requeued === true;
    return last;
  }

  private async quarantine(result: MergeResult, inputs: InputFile[]): Promise<void> {
    const keys = new Map(inputs.map((input) => [String(input.id), input.object_key]));
    for (const { id, error, apart } of result.rejected) {
      if (apart) continue;
      const { state } = await this.call("update-metadata", "quarantineFile", {
        file: Number(id),
        code: error.code,
        reason: error.message,
        objectKey: keys.get(id) ?? null,
      });
      if (state === "quarantined") this.report.quarantined++;
    }
  }

  /** Tells the catalog what has no place beside others, so that no plan tries it again; gives whether that is new. */
  private async setApart({ rejected }: MergeResult, inputs: InputFile[]): Promise<boolean> {
    const files = rejected.flatMap(({ id, error, apart: kind }) => {
      const { id: file, object_key: key } = inputs.find((input) => String(input.id) === id)!;
      return kind ? [{ id: Number(file), object_key: key, kind, reason: error.message }] : [];
    });
    if (files.length === 0) return false;
    const { changed } = await this.call("update-metadata", "setApart", {
      files,
      planner: plannerVersion,
    });
    return changed > 0;
  }

  private async renew(): Promise<void> {
    const since = performance.now();
    const seconds = this.options.leaseSeconds;
    const { lease_seconds } = await this.call("update-metadata", "renewLease", { seconds });
    this.lease.extend(lease_seconds, since);
  }

  /** Ends the run without an output of its own. */
  private async close(plan: Plan<InputFile>, done: number): Promise<void> {
    const answer = await this.commit(plan, done, true, [], null);
    this.report.requeued = answer.requeued === true;
  }

  /** The run's next commit, and with it what the catalog keeps of the decision. */
  private async commit(
    plan: Plan<InputFile>,
    done: number,
    last: boolean,
    inputs: InputFile[],
    output: OutputFile | null,
    remakes?: number,
    dropped?: Record<string, number>,
  ) {
    const wrote = this.report.outputs > 0 || inputs.length > 0;
    const debt = debtOf(plan, done);
    if (remakes === undefined && inputs.length > 0) {
      const ids = new Set(inputs.map(({ id }) => Number(id)));
      this.made.push({ inputs: ids, bytes: output?.size ?? null });
    }
    const whole = last && debt.files === 0 && !this.unseen && !this.outdated;
    const { settings } = this;
    const now = new Date(this.claim.claimed_at);
    const goesOn = whole && hasNextChoice(plan.groups, this.made, settings, now);
    const since = performance.now();
    const answer = await this.call("update-metadata", "commitCompaction", {
      n: this.ordinal,
      inputs: inputs.map(({ id }) => Number(id)),
      inputKeys: inputs.map(({ object_key }) => object_key),
      output,
      last,
      ...(remakes !== undefined && { remakes }),
      result: {
        decision: plan.decision,
        debt,
        // The turn ends before the work does: the next worker goes on with it at once.
        more: debt.files > 0 || (this.unseen && wrote) || this.outdated,
        next_due_at: (goesOn ? now : plan.nextDueAt)?.toISOString() ?? null,
        unseen: this.unseen,
        ...(whole && { waiting: waitingIn(groupsAfter(plan.groups, this.made), settings) }),
        planner: plannerVersion,
        left_alone: plan.leftAlone,
        steps_ms: this.stepsMs,
        ...(dropped !== undefined && { dropped }),
        ...(plan.outputs.length > 0 && { progress: progressOf(plan, done) }),
      },
    });
    this.ordinal++;
    // A replay says what was left of the lease when the commit was made: no more than there is since this call.
    if (answer.lease_seconds !== null) this.lease.extend(answer.lease_seconds, since);
    return answer;
  }

  /** A step that is one call of the catalog under the claim's token. */
  private call<M extends TokenCall>(
    step: StepName,
    method: M,
    args: Omit<Parameters<RunCatalog[M]>[0], "run" | "token">,
  ): Promise<Awaited<ReturnType<RunCatalog[M]>>> {
    const { catalog } = this.ports;
    const full = { run: this.claim.run_id, token: this.claim.token, ...args };
    const made = (options: { signal: AbortSignal }) =>
      (catalog[method] as (args: unknown, options: unknown) => ReturnType<RunCatalog[M]>)(
        full,
        options,
      ) as Promise<Awaited<ReturnType<RunCatalog[M]>>>;
    return this.step(step, () => callCatalog(this.lease.signal, made), method);
  }

  /** @param call the catalog's method, where the step is nothing else; the log tells it */
  private async step<T>(name: StepName, action: () => Promise<T>, call?: TokenCall): Promise<T> {
    const begun = this.ports.clock.now();
    let ok = false;
    try {
      const result = await runStep(name, this.ports.clock, this.lease.signal, action);
      ok = true;
      return result;
    } finally {
      const ms = this.ports.clock.now() - begun;
      this.stepsMs[name] = (this.stepsMs[name] ?? 0) + ms;
      const { run_id, dataset_id, table, period_tag, attempt } = this.claim;
      this.ports.log?.(
        {
          event: "run_step",
          run_id,
          dataset_id,
          table,
          period_tag,
          attempt,
          step: name,
          call,
          ok,
          ms,
        },
      );
    }
  }
}

/** Calls that carry a token. */
type TokenCall =
  | "recordStep"
  | "stageOutput"
  | "commitCompaction"
  | "renewLease"
  | "quarantineFile"
  | "setApart"
  | "passControl";
