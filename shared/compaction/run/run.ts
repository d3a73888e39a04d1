/** One run: plan a claimed partition, then write and commit its outputs one by one. */
import { asSedimentError, SedimentError } from "../../errors.ts";
import type { OutputFile } from "../../catalog/run_results.ts";
import type { SchemaJson } from "../../parquet/format/schema_json.ts";
import type { MergeResult } from "../../parquet/merge/merge_plan.ts";
import { checkClaim } from "./check_claim.ts";
import { passesControl } from "./control.ts";
import { dedupes } from "../plan/data_file.ts";
import { plannerVersion } from "../plan/planner_version.ts";
import { giveUp } from "./give_up.ts";
import { Lease } from "./lease.ts";
import { isSameOutput, mergeRemake } from "./merge_remake.ts";
import { deletedRows, hasGap, mergeInputs } from "./output/merge_inputs.ts";
import { groupFingerprints } from "./group_fingerprints.ts";
import { hasNextChoice, type MadeFile, nextDueAfter } from "../plan/waiting.ts";
import { uniteLater, waitingAfter } from "../plan/waiting_groups.ts";
import { outputRow } from "./output_row.ts";
import type { Plan, PlannedOutput } from "../plan/plan.ts";
import { debtOf, planClaim, progressOf } from "./plan_claim.ts";
import { planRemake } from "./plan_remake.ts";
import type { Claim, CompactionPorts, InputFile } from "./ports.ts";
import { quarantineInputs, setInputsApart } from "./reject_inputs.ts";
import type { RunOptions } from "./run_options.ts";
import { emptyReport, type RunReport } from "./run_report.ts";
import { RunSteps } from "./run_steps.ts";
import { StepError, type StepName } from "./steps.ts";

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
  /** Whether it met what can't be merged: the next plan is without it, for now or for good. */
  private metBadInputs = false;
  private readonly made: MadeFile[] = [];
  /** What the plan goes by. */
  private settings: Claim["settings"];
  /** Of the files, and of what was made of them. */
  private schemas: Record<string, SchemaJson> = {};
  private readonly steps: RunSteps;

  constructor(
    private readonly ports: CompactionPorts,
    private readonly claim: Claim,
    private readonly options: RunOptions,
    private readonly lease: Lease,
    private readonly report: RunReport,
  ) {
    this.ordinal = claim.outputs_committed;
    this.settings = claim.settings;
    this.steps = new RunSteps(ports, claim, lease);
  }

  async work(): Promise<void> {
    const { claim } = this;
    await this.steps.step("validate-dataset", () => Promise.try(() => checkClaim(claim)));
    const { plan, unseen, settings, schemas } = await this.steps.step(
      "list-fragments",
      () => planClaim(this.ports, claim, this.options.budget, this.lease.signal),
    );
    this.unseen = unseen;
    this.settings = settings;
    this.schemas = { ...schemas };
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
    await this.steps.call(step, "recordStep", {
      step: "merge",
      ...(done === 0 && { result: { decision: plan.decision } }),
      progress: progressOf(plan, done),
    });
  }

  /** Shows that a sound file passes here, where the claim asks for that, before one is tried that may kill. */
  private async passControl(): Promise<void> {
    const { controls = [] } = this.claim;
    if (controls.length === 0) return;
    const passed = await this.steps.step(
      "merge",
      () => passesControl(this.ports, controls, this.claim, this.lease.signal),
    );
    if (passed) await this.steps.call("update-metadata", "passControl", {});
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
    const { signal } = this.lease;
    const merged = await mergeRemake(this.ports, this.steps, this.claim, planned, key, signal);
    if (merged === null) return true;
    const { result, output } = merged;
    try {
      this.options.spend(planned.bytes, planned.cost, this.ports.clock.monotonic() - begun);
      if (!isSameOutput(merged, planned, remake)) return true;
      const put = await this.steps.step("merge", () => output.put());
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
    const { result, output, cut } = await this.steps.step(
      "merge",
      () => mergeInputs(this.ports, this.claim, planned, key, this.lease.signal),
    );
    try {
      this.options.spend(planned.bytes, planned.cost, this.ports.clock.monotonic() - begun);
      await quarantineInputs(this.steps, this.report, result, planned.inputs);
      const apart = await setInputsApart(this.steps, result, planned.inputs);
      // What is left after a quarantine may be a single file, which is no merge.
      const bad = result.rejected.some(({ apart }) => !apart);
      this.metBadInputs ||= bad;
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
      const put = await this.steps.step("merge", () => output.put());
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
    const { object_key } = await this.steps.call("update-metadata", "stageOutput", {
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

  private async renew(): Promise<void> {
    const since = performance.now();
    const seconds = this.options.leaseSeconds;
    const { lease_seconds } = await this.steps.call("update-metadata", "renewLease", { seconds });
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
      this.made.push(madeFile(inputs, output));
      if (output !== null) {
        const { schema_fingerprint, schema } = output;
        this.schemas = { [schema_fingerprint]: schema as SchemaJson, ...this.schemas };
      }
    }
    const whole = last && debt.files === 0 && !this.unseen && !this.outdated;
    const { settings } = this;
    const now = new Date(this.claim.claimed_at);
    const groupAgain = groupFingerprints(
      plan,
      this.ports,
      settings,
      this.schemas,
      this.metBadInputs,
    );
    const goesOn = whole && (hasNextChoice(plan.groups, this.made, settings, now) ||
      uniteLater(plan.groups, this.made, settings, groupAgain));
    const due = [plan.nextDueAt, whole ? nextDueAfter(plan.groups, this.made, settings, now) : null]
      .filter((at) => at !== null).sort((a, b) => a.getTime() - b.getTime()).at(0) ?? null;
    const since = performance.now();
    const answer = await this.steps.call("update-metadata", "commitCompaction", {
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
        next_due_at: (goesOn ? now : due)?.toISOString() ?? null,
        unseen: this.unseen,
        ...(whole && { waiting: waitingAfter(plan.groups, this.made, settings, groupAgain) }),
        planner: plannerVersion,
        left_alone: plan.leftAlone,
        steps_ms: this.steps.ms,
        ...(dropped !== undefined && { dropped }),
        ...(plan.outputs.length > 0 && { progress: progressOf(plan, done) }),
      },
    });
    this.ordinal++;
    // A replay says what was left of the lease when the commit was made: no more than there is since this call.
    if (answer.lease_seconds !== null) this.lease.extend(answer.lease_seconds, since);
    return answer;
  }
}

/** An output as the next plan sees it: as old as its first upload is in its order, though it does not age. */
function madeFile(inputs: InputFile[], output: OutputFile | null): MadeFile {
  return {
    inputs: new Set(inputs.map(({ id }) => Number(id))),
    file: output && {
      byte_length: output.size,
      level: 1,
      uploaded_at: "",
      seq_min: Math.min(...inputs.map(({ seq_min }) => seq_min)),
      schema_fingerprint: output.schema_fingerprint,
      // the catalog keeps this mark for the output
      apart: inputs.every(({ apart }) => apart?.kind === "values") ? inputs[0]!.apart : null,
    },
  };
}
