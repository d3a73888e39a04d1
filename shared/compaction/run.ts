/** One run: plan a claimed partition, then write and commit its outputs one by one. */
import { asSedimentError, SedimentError } from "../errors.ts";
import { mergeOrderOf } from "./merge_order.ts";
import { openReaders } from "./object_readers.ts";
import { type Plan, planCompaction, type PlannedOutput } from "./plan.ts";
import type { MergeResult } from "../parquet/merge_plan.ts";
import type { SchemaJson } from "../parquet/schema.ts";
import type { Claim, CompactionPorts, InputFile } from "./ports.ts";
import { runStep, StepError, type StepName } from "./steps.ts";
import { uniteSchemas } from "./unite_schemas.ts";

/** What the turn tells a run. */
export interface RunOptions {
  /** Stops the run's work in the middle. */
  signal: AbortSignal;
  leaseSeconds: number;
  /** Asked before each further output; true ends the run with what is committed, the rest is queued again. */
  mayGoOn(): boolean;
  /** Told of the input bytes of each output. */
  spend(bytes: number): void;
}

/** What became of a run, for the worker's answer and its log. */
export interface RunReport {
  run_id: string;
  dataset_id: string;
  table: string;
  period_tag: string;
  /** `lost`: another worker holds the partition, or the run had ended. */
  outcome: "merged" | "nothing" | "failed" | "lost";
  decision?: string;
  outputs: number;
  files_merged: number;
  rows: number;
  bytes_in: number;
  bytes_out: number;
  quarantined: number;
  requeued?: boolean;
  error?: { code: string; step: string; message: string; permanent: boolean };
}

/** Files that a plan looks at: beyond, the oldest of them are waited for. */
const maxFiles = 20_000;

/** Milliseconds before the lease's end at which a merge is given up: its commit would be refused. */
const leaseMarginMs = 10_000;

/** Works on one claim. Never throws: what went wrong is told to the catalog and is in the report. */
export async function runClaim(
  ports: CompactionPorts,
  claim: Claim,
  options: RunOptions,
): Promise<RunReport> {
  const report: RunReport = {
    run_id: claim.run_id,
    dataset_id: claim.dataset_id,
    table: claim.table,
    period_tag: claim.period_tag,
    outcome: "nothing",
    outputs: 0,
    files_merged: 0,
    rows: 0,
    bytes_in: 0,
    bytes_out: 0,
    quarantined: 0,
  };
  try {
    await new Run(ports, claim, options, report).work();
  } catch (thrown) {
    const step = thrown instanceof StepError ? thrown.step : "validate-dataset";
    const error = thrown instanceof StepError ? thrown.error : asSedimentError(thrown);
    await giveUp(ports, claim, report, step, error);
  }
  return report;
}

class Run {
  private ordinal: number;
  /** Whether the partition has files that this run has not looked at. */
  private unseen = false;
  private readonly stepsMs: Partial<Record<StepName, number>> = {};

  constructor(
    private readonly ports: CompactionPorts,
    private readonly claim: Claim,
    private readonly options: RunOptions,
    private readonly report: RunReport,
  ) {
    this.ordinal = claim.outputs_committed;
  }

  async work(): Promise<void> {
    const { claim, report } = this;
    await this.step("validate-dataset", () => Promise.try(() => checkClaim(claim)));
    const plan = await this.step("list-fragments", () => this.plan());
    report.decision = plan.decision;
    if (plan.outputs.length > 0) {
      await this.step("list-fragments", () =>
        this.ports.catalog.recordStep({
          run: claim.run_id,
          token: claim.token,
          step: "merge",
          result: { decision: plan.decision },
          progress: this.progressOf(plan, 0),
        }));
    }
    let done = 0;
    while (done < plan.outputs.length && (done === 0 || this.options.mayGoOn())) {
      const before = this.ordinal;
      if (done > 0) await this.tellProgress(plan, done);
      if (await this.writeOutput(plan, done++)) return;
      // A commit extends the lease; an output that came to nothing did not.
      if (this.ordinal === before) await this.renew();
    }
    await this.close(plan, plan.outputs.slice(done));
  }

  /**
   * The plan over the files of the claim, which are the oldest of the partition; newer pages are asked for
   * only while the older ones give nothing to do.
   */
  private async plan(): Promise<Plan<InputFile>> {
    const { claim, ports } = this;
    const files = [...claim.files];
    const schemas = { ...claim.schemas } as Record<string, SchemaJson>;
    let cursor = claim.more ? claim.cursor : null;
    while (true) {
      const plan = planCompaction<InputFile>({
        files,
        settings: claim.settings,
        schemas,
        unite: ports.unite ?? uniteSchemas,
        forced: claim.forced,
        now: ports.clock.now(),
      });
      this.unseen = cursor !== null;
      if (plan.outputs.length > 0 || cursor === null || files.length >= maxFiles) return plan;
      const page = await ports.catalog.listFragments({
        run: claim.run_id,
        token: claim.token,
        cursor,
      });
      files.push(...page.files);
      Object.assign(schemas, page.schemas);
      cursor = page.more ? page.cursor : null;
    }
  }

  /** What the status API shows while the run is at work: of the plan, not of runs before. */
  private progressOf(plan: Plan<InputFile>, done: number) {
    const sum = (outputs: PlannedOutput<InputFile>[]) => ({
      files: outputs.reduce((files, { inputs }) => files + inputs.length, 0),
      bytes: outputs.reduce((bytes, output) => bytes + output.bytes, 0),
    });
    const [planned, behind] = [sum(plan.outputs), sum(plan.outputs.slice(0, done))];
    return {
      outputs_planned: plan.outputs.length,
      outputs_done: done,
      files_planned: planned.files,
      files_done: behind.files,
      bytes_planned: planned.bytes,
      bytes_done: behind.bytes,
    };
  }

  private async tellProgress(plan: Plan<InputFile>, done: number): Promise<void> {
    await this.step("update-metadata", () =>
      this.ports.catalog.recordStep({
        run: this.claim.run_id,
        token: this.claim.token,
        step: "merge",
        progress: this.progressOf(plan, done),
      }));
  }

  /** Writes and commits one output; true when that commit ended the run. */
  private async writeOutput(plan: Plan<InputFile>, index: number): Promise<boolean> {
    const { claim, report, ports } = this;
    const output = plan.outputs[index]!;
    const alone = output.inputs.length === 1;
    const lease = leaseSignal(this.options.signal, this.options.leaseSeconds);
    try {
      const { result, bytes } = await this.step(
        "merge",
        () => this.merge(output.inputs, output.schema, lease.signal),
      );
      this.options.spend(output.bytes);
      await this.quarantine(result);
      // What is left after a quarantine may be a single file, which is no merge.
      if (result.merged.length < (alone ? 1 : 2)) return false;
      if (dedupes(claim) && hasGap(output.inputs, result)) {
        throw new SedimentError(
          "inputs_changed",
          "A bad file lay between the inputs: to be planned again",
        );
      }

      const { object_key } = await this.step("update-metadata", () =>
        ports.catalog.stageOutput({
          run: claim.run_id,
          n: this.ordinal,
          token: claim.token,
          expectedBytes: bytes.byteLength,
        }));
      if (object_key === null) {
        throw new SedimentError("internal", `Commit ${this.ordinal} of the run was made before`);
      }
      const info = await this.step("merge", () => this.put(object_key, bytes, lease.signal));

      const left = plan.outputs.slice(index + 1);
      const last = left.length === 0 || !this.options.mayGoOn();
      const answer = await this.step("update-metadata", () =>
        ports.catalog.commitCompaction({
          run: claim.run_id,
          n: this.ordinal,
          token: claim.token,
          inputs: result.merged.map(Number),
          output: {
            object_key,
            size: bytes.byteLength,
            etag: info.etag,
            row_count: result.rowCount,
            row_group_count: result.rowGroupCount,
            uncompressed_bytes: result.uncompressedBytes,
            schema_fingerprint: result.schemaFingerprint,
            schema: result.schema,
            stats: result.stats,
          },
          last,
          result: this.resultOf(plan, left, true),
        }));
      this.ordinal++;
      report.outcome = "merged";
      report.outputs++;
      report.files_merged += result.merged.length;
      report.rows += result.rowCount;
      report.bytes_in += output.bytes;
      report.bytes_out += bytes.byteLength;
      if (last) report.requeued = answer.requeued === true;
      return last;
    } finally {
      lease.clear();
    }
  }

  /** Merges what is there: an input whose object is gone is rejected like one that can't be read. */
  private async merge(
    inputs: InputFile[],
    schema: SchemaJson | undefined,
    signal: AbortSignal,
  ): Promise<{ result: MergeResult; bytes: Uint8Array }> {
    const missing: MergeResult["rejected"] = [];
    while (true) {
      try {
        const merged = await this.mergeOnce(inputs, schema, signal);
        merged.result.rejected.push(...missing);
        return merged;
      } catch (thrown) {
        const error = asSedimentError(thrown);
        const lost = inputs.find(({ id }) => String(id) === error.extra?.file);
        if (error.code !== "object_missing" || lost === undefined) throw error;
        missing.push({ id: String(lost.id), error });
        inputs = inputs.filter((input) => input !== lost);
      }
    }
  }

  private async mergeOnce(
    inputs: InputFile[],
    schema: SchemaJson | undefined,
    signal: AbortSignal,
  ): Promise<{ result: MergeResult; bytes: Uint8Array }> {
    const { settings } = this.claim;
    const chunks: Uint8Array[] = [];
    const result = await this.ports.merge(
      {
        inputs: inputs.map((file) => ({ id: String(file.id), level: file.level })),
        target: {
          rowGroupBytes: settings.target_row_group_bytes,
          pageBytes: settings.target_page_bytes,
          codec: settings.codec,
        },
        ...(schema !== undefined && { schema }),
        expectedRows: inputs.reduce((sum, file) => sum + file.row_count, 0),
        order: mergeOrderOf(settings),
      },
      openReaders(
        this.ports.store,
        inputs.map((file) => ({ ...file, id: String(file.id) })),
        signal,
      ),
      {
        write(chunk: Uint8Array) {
          // A copy: the merge may use the chunk's memory again.
          chunks.push(chunk.slice());
          return Promise.resolve();
        },
      },
      { signal },
    );
    // An input that could not be fetched is no bad input: the whole merge is tried again.
    const outage = result.rejected.find(({ error }) => error.retryable);
    if (outage !== undefined) throw outage.error;
    const rowsOf = new Map(inputs.map((file) => [String(file.id), file.row_count]));
    const rows = result.merged.reduce((sum, id) => sum + rowsOf.get(id)!, 0);
    // Where the last writer wins, rows may go; where none can be lost, none may.
    const fits = dedupes(this.claim) ? result.rowCount <= rows : result.rowCount === rows;
    if (result.merged.length > 0 && !fits) {
      throw new SedimentError(
        "merge_rows_differ",
        `The merge of ${result.merged.length} files wrote ${result.rowCount} rows of ${rows}`,
        { field: "row_count", expected: `${rows} rows` },
      );
    }
    return { result, bytes: joined(chunks, result.byteLength) };
  }

  /** Puts the output. A key that is taken was taken by our own earlier try: run, token and ordinal are in it. */
  private async put(
    key: string,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<{ etag: string }> {
    try {
      return await this.ports.store.put(key, bytes, {
        contentType: "application/vnd.apache.parquet",
        upsert: false,
        signal,
      });
    } catch (thrown) {
      const error = asSedimentError(thrown);
      if (error.code !== "already_stored") throw error;
      const found = await this.ports.store.head(key, { signal });
      if (found?.size !== bytes.byteLength) {
        throw new SedimentError("store_failed", `${key} holds ${found?.size} bytes`, {
          expected: `${bytes.byteLength} bytes, as they were put`,
          cause: error,
        });
      }
      return found;
    }
  }

  private async quarantine(result: MergeResult): Promise<void> {
    for (const { id, error } of result.rejected) {
      await this.step("update-metadata", () =>
        this.ports.catalog.quarantineFile({
          run: this.claim.run_id,
          token: this.claim.token,
          file: Number(id),
          code: error.code,
          reason: error.message,
        }));
      this.report.quarantined++;
    }
  }

  private async renew(): Promise<void> {
    const { claim, options } = this;
    await this.step("update-metadata", () =>
      this.ports.catalog.renewLease({
        run: claim.run_id,
        token: claim.token,
        seconds: options.leaseSeconds,
      }));
  }

  /** Ends the run without an output of its own. */
  private async close(plan: Plan<InputFile>, left: PlannedOutput<InputFile>[]): Promise<void> {
    const answer = await this.step("update-metadata", () =>
      this.ports.catalog.commitCompaction({
        run: this.claim.run_id,
        n: this.ordinal,
        token: this.claim.token,
        inputs: [],
        output: null,
        last: true,
        result: this.resultOf(plan, left),
      }));
    this.report.requeued = answer.requeued === true;
  }

  /** What the catalog keeps of the decision; debt is what this plan would still do. */
  private resultOf(
    plan: Plan<InputFile>,
    left: PlannedOutput<InputFile>[],
    wrote = this.report.outputs > 0,
  ) {
    const files = left.flatMap(({ inputs }) => inputs);
    const oldest = files.map((file) => file.uploaded_at).sort()[0] ?? null;
    return {
      decision: plan.decision,
      debt: {
        files: files.length,
        bytes: files.reduce((sum, file) => sum + file.byte_length, 0),
        oldest,
      },
      // The turn ends before the work does: the next worker goes on with it at once.
      more: files.length > 0 || (this.unseen && wrote),
      next_due_at: plan.nextDueAt?.toISOString() ?? null,
      steps_ms: this.stepsMs,
    };
  }

  private async step<T>(name: StepName, action: () => Promise<T>): Promise<T> {
    const begun = this.ports.clock.now().getTime();
    try {
      return await runStep(name, this.ports.clock, this.options.signal, action);
    } finally {
      this.stepsMs[name] = (this.stepsMs[name] ?? 0) + this.ports.clock.now().getTime() - begun;
    }
  }
}

/**
 * Tells the catalog that a run failed. Nothing is deleted: when a commit's answer is unknown its output
 * may be visible, and what is not visible is swept by the catalog's own books.
 */
async function giveUp(
  ports: CompactionPorts,
  claim: Claim,
  report: RunReport,
  step: string,
  error: SedimentError,
): Promise<void> {
  if (error.code === "lease_lost" || error.code === "run_finished") {
    report.outcome = "lost";
    report.error = { code: error.code, step, message: error.message, permanent: false };
    return;
  }
  const permanent = isPermanent(error);
  report.outcome = "failed";
  report.error = { code: error.code, step, message: error.message, permanent };
  try {
    await ports.catalog.failCompaction({
      run: claim.run_id,
      token: claim.token,
      code: error.code,
      message: error.message,
      step,
      permanent,
    });
  } catch (thrown) {
    // The lease runs out by itself and the message comes back.
    report.error.message += ` (and fail_compaction: ${asSedimentError(thrown).message})`;
  }
}

/** Whether a claim can be worked on; what it says comes from settings that people write. */
function checkClaim(claim: Claim): void {
  const { settings } = claim;
  for (const name of ["target_file_bytes", "target_row_group_bytes", "min_inputs"] as const) {
    if (!(settings[name] > 0)) {
      throw new SedimentError("misconfigured", `The table's ${name} is ${settings[name]}`, {
        field: name,
        expected: "a number above zero",
      });
    }
  }
}

/** Whether trying again can't help. Inputs that don't fit any more are planned again next time. */
export function isPermanent(error: SedimentError): boolean {
  return !error.retryable && error.code !== "inputs_changed" &&
    error.code !== "inputs_not_adjacent";
}

/** Whether the last writer of a key wins in the claim's table. */
function dedupes({ settings }: Claim): boolean {
  return settings.dedupe_keys.length > 0;
}

/** Whether an input that was left out lies between two that were merged. */
function hasGap(inputs: InputFile[], { merged }: MergeResult): boolean {
  const kept = inputs.map(({ id }) => merged.includes(String(id)));
  return kept.slice(kept.indexOf(true), kept.lastIndexOf(true)).includes(false);
}

function leaseSignal(turn: AbortSignal, leaseSeconds: number) {
  const controller = new AbortController();
  const stop = () => controller.abort(turn.reason);
  if (turn.aborted) stop();
  turn.addEventListener("abort", stop, { once: true });
  const timer = setTimeout(
    () => controller.abort(new SedimentError("aborted", "The lease was about to end")),
    Math.max(1000, leaseSeconds * 1000 - leaseMarginMs),
  );
  return {
    signal: controller.signal,
    clear() {
      clearTimeout(timer);
      turn.removeEventListener("abort", stop);
    },
  };
}

function joined(chunks: Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  if (at !== length) {
    throw new SedimentError(
      "merge_rows_differ",
      `The merge wrote ${at} bytes and told of ${length}`,
    );
  }
  return bytes;
}
